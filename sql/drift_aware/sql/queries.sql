-- Every statement the Python code sends. A block begins with its name and says what it is for.

-- name: create_vector_extension
-- Half-precision vectors come with it; needs a superuser or, where it is trusted, the database's owner.
CREATE EXTENSION IF NOT EXISTS vector

-- name: vector_version
-- The installed version as three numbers, none if it is not installed.
SELECT string_to_array(extversion, '.')::int[] FROM pg_extension WHERE extname = 'vector'

-- name: vector_available
-- Whether the server could install the extension.
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')

-- name: create_migration_table
-- Which migrations were applied, and what they said then.
CREATE TABLE IF NOT EXISTS schema_migration (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_migration IS 'Which migrations were applied, and the checksum of their text then.'

-- name: migration_table_exists
-- Asking must not create anything: a status may be read by somebody who may only read.
SELECT to_regclass('schema_migration') IS NOT NULL

-- name: applied_migrations
-- What was applied, oldest first.
SELECT version, name, checksum, applied_at FROM schema_migration ORDER BY version

-- name: lock_migrations
-- One migrator at a time; the lock goes with the transaction, so it cannot be left behind.
SELECT pg_advisory_xact_lock(hashtextextended('drift-aware migrations', 0))

-- name: record_migration
-- In the transaction of the migration itself.
INSERT INTO schema_migration (version, name, checksum) VALUES (%(version)s, %(name)s, %(checksum)s)

-- name: next_offsets
-- Where a consumer goes on, for every partition it has ever read.
SELECT topic, part, next FROM kafka_offset WHERE consumer = %(consumer)s

-- name: first_offset
-- A partition read for the first time. If another process was first, its row stays.
INSERT INTO kafka_offset (consumer, topic, part, next)
VALUES (%(consumer)s, %(topic)s, %(part)s, %(next)s)
ON CONFLICT DO NOTHING

-- name: fence_offset
-- Moves a position on, but only from where this process believes it is. A process that lost the partition
-- and does not know it waits here for the new owner's transaction, then matches no row.
UPDATE kafka_offset SET next = %(next)s, updated_at = now()
WHERE consumer = %(consumer)s AND topic = %(topic)s AND part = %(part)s AND next = %(expected)s

-- name: copy_rows
-- Appends to a log; a hundred times faster than single inserts.
COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)

-- name: upsert_drift_event
-- An alert at a revision not seen before; the same or an earlier one changes nothing.
INSERT INTO drift_events (
    id, revision, status, severity, kind, metric, detector, channel, segment, baseline, onset, ts, current,
    baseline_value, score, threshold, evidence, paging, window_start, window_end, window_events, summary,
    suggested_actions, alert
) VALUES (
    %(id)s, %(revision)s, %(status)s, %(severity)s, %(kind)s, %(metric)s, %(detector)s, %(channel)s,
    %(segment)s, %(baseline)s, %(onset)s, %(ts)s, %(current)s, %(baseline_value)s, %(score)s,
    %(threshold)s, %(evidence)s, %(paging)s, %(window_start)s, %(window_end)s, %(window_events)s,
    %(summary)s, %(suggested_actions)s, %(alert)s
)
ON CONFLICT (id) DO UPDATE SET
    revision = excluded.revision, status = excluded.status, severity = excluded.severity,
    kind = excluded.kind, metric = excluded.metric, detector = excluded.detector,
    channel = excluded.channel, segment = excluded.segment, baseline = excluded.baseline,
    onset = excluded.onset, ts = excluded.ts, current = excluded.current,
    baseline_value = excluded.baseline_value, score = excluded.score, threshold = excluded.threshold,
    evidence = excluded.evidence, paging = excluded.paging, window_start = excluded.window_start,
    window_end = excluded.window_end, window_events = excluded.window_events, summary = excluded.summary,
    suggested_actions = excluded.suggested_actions, alert = excluded.alert, updated_at = now()
WHERE drift_events.revision < excluded.revision

-- name: upsert_drift_metric
-- A reading; one sent again after a recovery replaces the first.
INSERT INTO drift_metrics (
    segment, metric, detector, channel, pane_start, pane_end, state, events, current, baseline_value, score,
    threshold, evidence, fired, message
) VALUES (
    %(segment)s, %(metric)s, %(detector)s, %(channel)s, %(pane_start)s, %(pane_end)s, %(state)s, %(events)s,
    %(current)s, %(baseline_value)s, %(score)s, %(threshold)s, %(evidence)s, %(fired)s, %(message)s
)
ON CONFLICT (segment, pane_start, metric, detector, channel) DO UPDATE SET
    pane_end = excluded.pane_end, state = excluded.state, events = excluded.events,
    current = excluded.current, baseline_value = excluded.baseline_value, score = excluded.score,
    threshold = excluded.threshold, evidence = excluded.evidence, fired = excluded.fired,
    message = excluded.message

-- name: upsert_pane_totals
-- The counts that came with the readings of a pane.
INSERT INTO pane_totals (segment, pane_start, pane_end, totals, tallies)
VALUES (%(segment)s, %(pane_start)s, %(pane_end)s, %(totals)s, %(tallies)s)
ON CONFLICT (segment, pane_start) DO UPDATE SET
    pane_end = excluded.pane_end, totals = excluded.totals, tallies = excluded.tallies

-- name: upsert_day_sums
-- The sums of a day at a later event time than any seen; the same or earlier ones change nothing.
INSERT INTO day_sums (segment, family, day, until, events, sums)
VALUES (%(segment)s, %(family)s, %(day)s, %(until)s, %(events)s, %(sums)s)
ON CONFLICT (segment, family, day) DO UPDATE SET
    until = excluded.until, events = excluded.events, sums = excluded.sums
WHERE day_sums.until < excluded.until

-- name: upsert_baseline
-- What is in force from now on: records of a segment and family come in the order in which they were published.
INSERT INTO baseline (segment, family, id, policy, since, until, events, reference, created_at)
VALUES (
    %(segment)s, %(family)s, %(id)s, %(policy)s, %(since)s, %(until)s, %(events)s, %(reference)s, %(created_at)s
)
ON CONFLICT (segment, family) DO UPDATE SET
    id = excluded.id, policy = excluded.policy, since = excluded.since, until = excluded.until,
    events = excluded.events, reference = excluded.reference, created_at = excluded.created_at

-- name: days_of_segment
-- The sums of some days of one segment; by the primary key, so that it reads no other segment's rows.
SELECT day, family, until, sums
FROM day_sums
WHERE segment = %(segment)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY day, family

-- name: events_by_segment
-- How many events each family of each segment had in some days, and on the last of them; its latest day.
SELECT
    segment,
    family,
    sum(events)::bigint,
    coalesce(sum(events) FILTER (WHERE day = %(last)s), 0)::bigint,
    max(day)
FROM day_sums
WHERE day BETWEEN %(first)s AND %(last)s
GROUP BY segment, family
ORDER BY segment, family

-- name: latest_days
-- The sums of each segment's latest day among some days, without embeddings, which have no rates.
SELECT segment, family, sums
FROM day_sums
JOIN (
    SELECT segment, max(day) AS day
    FROM day_sums
    WHERE day BETWEEN %(first)s AND %(last)s
    GROUP BY segment
) AS latest USING (segment, day)
WHERE family NOT LIKE 'embedding/%%'
ORDER BY segment, family

-- name: open_alerts
-- How many alerts fire, by segment and severity.
SELECT segment, severity, count(*) FROM drift_events WHERE status = 'firing' GROUP BY segment, severity

-- name: latest_readings
-- The readings of the latest pane of each segment named.
SELECT latest.segment, latest.pane_end, drift_metrics.metric, drift_metrics.state
FROM unnest(%(segments)s::text[]) AS asked (name)
CROSS JOIN LATERAL (
    SELECT segment, pane_start, pane_end
    FROM pane_totals
    WHERE segment = asked.name
    ORDER BY pane_start DESC
    LIMIT 1
) AS latest
JOIN drift_metrics USING (segment, pane_start)
ORDER BY latest.segment, drift_metrics.metric, drift_metrics.detector

-- name: lock_partitions
-- One process at a time makes partitions; the others find them made.
SELECT pg_advisory_xact_lock(hashtextextended('drift-aware partitions', 0))

-- name: wait_briefly_for_locks
-- Partitions are made days ahead: a long query in the way is a reason to try again later, not to wait.
SET LOCAL lock_timeout = '2s'

-- name: existing_partitions
-- The partitions of the tables named.
SELECT child.relname
FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = ANY (SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS name)

-- name: tables_by_day
-- Tables that are partitioned by time, on whatever level, with the column that holds it.
SELECT tree.relid::text, attname
FROM unnest(%(tables)s::text[]) AS name
CROSS JOIN LATERAL pg_partition_tree(to_regclass(name)) AS tree
JOIN pg_partitioned_table ON partrelid = tree.relid
JOIN pg_attribute ON attrelid = partrelid AND attnum = partattrs[0]
WHERE partstrat = 'r'

-- name: count_some
-- A count that does not read the whole of a large table.
SELECT count(*) FROM (SELECT FROM {table} LIMIT %(limit)s)

-- name: dimensions
-- The dimensions of vectors that have a table of their own.
SELECT substring(relname FROM '\d+$')::integer
FROM pg_inherits
JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'embeddings_log'::regclass AND relname ~ '^embeddings_log_\d+$'

-- name: create_dimension
-- A dimension's table, not yet part of embeddings_log: rows of it may wait among the others.
CREATE TABLE {table} (LIKE embeddings_log INCLUDING ALL, CHECK (vector_dims(embedding) = {dim}))
PARTITION BY RANGE (ts)

-- name: create_default
-- For days without a partition.
CREATE TABLE {default} PARTITION OF {table} DEFAULT

-- name: fill_dimension
-- Rows that came before their table was made.
WITH early AS (DELETE FROM embeddings_log_other WHERE dim = {dim} RETURNING *)
INSERT INTO {table} SELECT * FROM early

-- name: attach_dimension
-- From here on embeddings_log routes the dimension's rows to it.
ALTER TABLE embeddings_log ATTACH PARTITION {table} FOR VALUES IN ({dim})

-- name: keep_for
-- How long a table's rows are kept, if that has changed.
INSERT INTO retention (table_name, days) VALUES (%(table)s, %(days)s)
ON CONFLICT (table_name) DO UPDATE SET days = excluded.days
WHERE retention.days IS DISTINCT FROM excluded.days

-- name: clean
-- Remove what is too old of one table, or say what would be removed.
SELECT relation, outcome, row_count, bytes FROM cleanup_old_data(%(today)s, %(dry_run)s, %(table)s)

-- name: close_table
-- Keeps writers out until the partition is in place, else a row on its way to the default partition could
-- arrive after the day was taken out of it. Readers go on.
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE

-- name: create_partition
-- A day's table, not yet part of its parent: rows of that day may wait in the default partition.
CREATE TABLE {partition} (LIKE {table} INCLUDING ALL)

-- name: fill_partition
-- Rows of the day that were published before its table was made.
WITH early AS (DELETE FROM {default} WHERE {time} >= {since} AND {time} < {until} RETURNING *)
INSERT INTO {partition} SELECT * FROM early

-- name: attach_partition
-- From here on the parent routes the day's rows to it.
ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({since}) TO ({until})

-- name: lock_decisions
-- One process at a time decides, so that two do not both give away the last place of a day.
SELECT pg_advisory_xact_lock(hashtextextended('drift-aware decisions', 0))

-- name: past_actions
-- By kind of action, leaving out those of the alert itself: event time, in milliseconds, of the last one in the
-- segment; how many have a place on the UTC day; and which proposal of that day matters least. What somebody has
-- asked for has no alert, and gives its place to none.
WITH today AS (
    SELECT id, action, status, score, created_at, jsonb_typeof(alert) = 'object' AS by_alert,
        array_position(%(severities)s::text[], severity) - 1 AS weight,
        coalesce((alert #>> '{window,events}')::bigint, 0) AS traffic
    FROM action_log
    WHERE alert_id <> %(alert_id)s AND status <> ALL (%(idle)s) AND status <> 'rejected'
        AND ts >= date_trunc('day', %(ts)s::timestamptz, 'UTC')
        AND ts < date_trunc('day', %(ts)s::timestamptz, 'UTC') + interval '24 hours'
), weakest AS (
    SELECT DISTINCT ON (action) action, id, weight, traffic, score
    FROM today
    WHERE status = 'proposed' AND by_alert
    ORDER BY action, weight, traffic, score, created_at DESC, id
)
SELECT kind, last.ts, coalesce(places.taken, 0), weakest.id, weakest.weight, weakest.traffic, weakest.score
FROM unnest(ARRAY['reindex', 'tune', 'safety', 'notify']) AS kind
LEFT JOIN (
    SELECT action, (extract(epoch FROM max(ts)) * 1000)::bigint AS ts
    FROM action_log
    WHERE segment = %(segment)s AND alert_id <> %(alert_id)s AND status <> ALL (%(idle)s)
    GROUP BY action
) AS last ON last.action = kind
LEFT JOIN (SELECT action, count(*) AS taken FROM today GROUP BY action) AS places ON places.action = kind
LEFT JOIN weakest ON weakest.action = kind

-- name: claim_action
-- One insert claims an action: whoever comes second changes nothing. Only what was withheld may become
-- proposed when a later revision of the alert gives reason to.
INSERT INTO action_log (
    id, revision, action, status, alert_id, segment, metric, severity, ts, dry_run, reason, alert, claimed_by,
    auto, score, expires_at
) VALUES (
    %(id)s, %(revision)s, %(action)s, %(status)s, %(alert_id)s, %(segment)s, %(metric)s, %(severity)s,
    %(ts)s, %(dry_run)s, %(reason)s, %(alert)s, %(claimed_by)s, %(auto)s, %(score)s,
    now() + make_interval(secs => 3600 * %(expires_hours)s)
)
ON CONFLICT (id) DO UPDATE SET
    revision = action_log.revision + 1, status = excluded.status, severity = excluded.severity,
    ts = excluded.ts, dry_run = excluded.dry_run, reason = excluded.reason, alert = excluded.alert,
    claimed_by = excluded.claimed_by, auto = excluded.auto, score = excluded.score,
    expires_at = excluded.expires_at, updated_at = now()
WHERE action_log.status = 'withheld' AND excluded.status = 'proposed'

-- name: move_action
-- The next status of an action, if it stands where that may follow and is nobody else's.
UPDATE action_log SET
    revision = revision + 1, status = %(status)s, claimed_by = %(me)s, lease_until = NULL,
    reason = coalesce(%(reason)s, reason), dry_run = coalesce(%(dry_run)s, dry_run),
    approved_by = coalesce(%(approved_by)s, approved_by),
    approved_at = CASE WHEN %(approved_by)s::text IS NULL THEN approved_at ELSE now() END,
    receipt = CASE WHEN %(receipt)s::jsonb IS NULL THEN receipt ELSE coalesce(receipt, '{}') || %(receipt)s END,
    undone_at = CASE WHEN %(status)s = 'rolled_back' THEN now() ELSE undone_at END,
    updated_at = now()
WHERE id = %(id)s AND status = ANY (%(before)s)
    AND NOT (%(real)s AND dry_run)
    AND CASE
        WHEN %(holder)s::text IS NULL THEN lease_until IS NULL OR lease_until < now()
        ELSE claimed_by = %(holder)s AND lease_until IS NOT NULL
    END

-- name: expire_actions
-- Proposals that nobody has answered in time.
UPDATE action_log SET
    revision = revision + 1, status = 'expired', reason = %(reason)s, updated_at = now()
WHERE status = ANY (%(before)s) AND expires_at <= now()

-- name: claim_next_action
-- The weightiest action of a kind that waits to be carried out, or whose worker has not been heard of; rows that
-- another takes at the same moment are left to it. In quiet hours only messages about what is critical begin.
WITH next AS (
    SELECT id FROM action_log
    WHERE action = %(kind)s AND (
        (
            (status = 'approved' OR (status = 'proposed' AND auto AND %(auto)s AND expires_at > now()))
            AND (NOT %(quiet)s OR (action = 'notify' AND severity = 'critical'))
        )
        OR (status = 'running' AND lease_until < now())
    )
    ORDER BY
        status = 'running' DESC,
        array_position(%(severities)s::text[], severity) DESC,
        (alert #>> '{window,events}')::bigint DESC NULLS LAST,
        score DESC, created_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE action_log SET
    revision = revision + 1, status = 'running', claimed_by = %(worker)s,
    lease_until = now() + make_interval(secs => %(lease)s),
    approved_by = coalesce(approved_by, 'the rules'), approved_at = coalesce(approved_at, now()),
    reason = regexp_replace(reason, '^not now, [^;]*; ', ''), updated_at = now()
FROM next
WHERE action_log.id = next.id
RETURNING action_log.id

-- name: claim_one_action
-- The same for one action, at any hour.
UPDATE action_log SET
    revision = revision + 1, status = 'running', claimed_by = %(worker)s,
    lease_until = now() + make_interval(secs => %(lease)s),
    approved_by = coalesce(approved_by, 'the rules'), approved_at = coalesce(approved_at, now()),
    reason = regexp_replace(reason, '^not now, [^;]*; ', ''), updated_at = now()
WHERE id = %(id)s AND (
    status = 'approved'
    OR (status = 'proposed' AND auto AND %(auto)s AND expires_at > now())
    OR (status = 'running' AND lease_until < now())
)

-- name: claim_rollback
-- A lease to take an action back with.
UPDATE action_log SET claimed_by = %(worker)s, lease_until = now() + make_interval(secs => %(lease)s)
WHERE id = %(id)s AND status = ANY (%(before)s) AND NOT dry_run AND (lease_until IS NULL OR lease_until < now())

-- name: expect_effect
-- What the action is to bring about, as its executor reckons before the first step.
UPDATE action_log SET revision = revision + 1, expected = %(expected)s, updated_at = now()
WHERE id = %(id)s AND claimed_by = %(worker)s AND lease_until IS NOT NULL

-- name: extend_lease
-- Its holder is alive.
UPDATE action_log SET lease_until = now() + make_interval(secs => %(lease)s)
WHERE id = %(id)s AND claimed_by = %(worker)s AND lease_until IS NOT NULL

-- name: release_action
-- Its holder stops before the end: another may go on at once.
UPDATE action_log SET lease_until = CASE WHEN status = 'running' THEN now() END
WHERE id = %(id)s AND claimed_by = %(worker)s AND lease_until IS NOT NULL

-- name: put_off_actions
-- What would begin now, were these not quiet hours, says so; once.
UPDATE action_log SET revision = revision + 1, reason = %(note)s || reason, updated_at = now()
WHERE action = %(kind)s AND (status = 'approved' OR (status = 'proposed' AND auto AND %(auto)s))
    AND NOT (action = 'notify' AND severity = 'critical') AND NOT starts_with(reason, %(note)s)

-- name: list_steps
-- The steps of an action that have begun, oldest first.
SELECT step, status, key, result, cost_usd, worker, settled_by, started_at, ended_at
FROM action_step
WHERE action_id = %(action_id)s
ORDER BY started_at, step

-- name: begin_step
-- Written before a step begins, by nobody but the holder of the lease; a step that is done stays so.
WITH held AS (
    SELECT id FROM action_log
    WHERE id = %(action_id)s AND claimed_by = %(worker)s AND lease_until IS NOT NULL
    FOR UPDATE
)
INSERT INTO action_step (action_id, step, status, key, worker)
SELECT id, %(step)s, 'started', %(key)s, %(worker)s FROM held
ON CONFLICT (action_id, step) DO UPDATE SET
    status = 'started', worker = excluded.worker, settled_by = NULL, started_at = now(), ended_at = NULL
WHERE action_step.status <> 'done'

-- name: end_step
-- How a step has ended. What was reserved and not spent is free again if it went well.
WITH held AS (
    SELECT id FROM action_log
    WHERE id = %(action_id)s AND claimed_by = %(worker)s AND lease_until IS NOT NULL
    FOR UPDATE
)
UPDATE action_step SET
    status = %(status)s, result = %(result)s, ended_at = now(),
    reserved_usd = CASE WHEN %(status)s = 'done' THEN 0 ELSE reserved_usd END
FROM held
WHERE action_id = held.id AND step = %(step)s AND worker = %(worker)s

-- name: settle_step
-- A person has looked where nobody could tell.
UPDATE action_step SET
    status = CASE WHEN %(done)s THEN 'done' ELSE 'failed' END, result = %(result)s, settled_by = %(by)s,
    ended_at = now()
WHERE action_id = %(action_id)s AND step = %(step)s AND status = 'unknown'

-- name: settle_action
-- Its step is settled: any worker may go on.
UPDATE action_log SET
    revision = revision + 1, status = 'running', reason = %(reason)s, claimed_by = %(me)s,
    lease_until = now(), updated_at = now()
WHERE id = %(action_id)s AND status = 'unknown'

-- name: lock_budget
-- One at a time reckons whether the day's budget allows one call more.
SELECT pg_advisory_xact_lock(hashtextextended('drift-aware budget', 0))

-- name: reserve_cost
-- What a call may cost, if the UTC day has so much left. Steps under way count whenever they began.
UPDATE action_step SET reserved_usd = reserved_usd + %(usd)s
WHERE action_id = %(action_id)s AND step = %(step)s AND (
    SELECT coalesce(sum(cost_usd + reserved_usd), 0) + %(usd)s <= %(budget)s
    FROM action_step
    WHERE ended_at IS NULL OR ended_at >= date_trunc('day', now(), 'UTC')
)

-- name: book_cost
-- What a call did cost, in place of what was reserved for it.
WITH booked AS (
    UPDATE action_step SET
        cost_usd = cost_usd + %(usd)s, reserved_usd = greatest(0, reserved_usd - %(reserved)s)
    WHERE action_id = %(action_id)s AND step = %(step)s
    RETURNING action_id
)
UPDATE action_log SET cost_usd = cost_usd + %(usd)s FROM booked WHERE id = booked.action_id

-- name: unpublished_actions
-- What drift.actions.v1 does not have yet, oldest first; rows another process is sending are left to it.
SELECT
    id, revision, action, status, alert_id, segment, metric, severity,
    (extract(epoch FROM ts) * 1000)::bigint AS ts, dry_run, reason, expected, receipt
FROM action_log
WHERE published_revision < revision
ORDER BY created_at
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED

-- name: mark_published
-- After Kafka has confirmed the record; a crash before this sends it again, with the same id and revision.
UPDATE action_log SET published_revision = %(revision)s
WHERE id = %(id)s AND published_revision < %(revision)s

-- name: list_actions
-- The ledger, latest first; with a status, only those.
SELECT
    id, revision, action, status, alert_id, segment, metric, severity,
    (extract(epoch FROM ts) * 1000)::bigint AS ts, dry_run, reason, expected, receipt
FROM action_log
WHERE %(status)s::text IS NULL OR status = %(status)s
ORDER BY ts DESC, id
LIMIT %(limit)s

-- name: find_action
-- One row of the ledger with the alert it answers.
SELECT
    id, revision, action, status, alert_id, segment, metric, severity,
    (extract(epoch FROM ts) * 1000)::bigint AS ts, dry_run, reason, expected, receipt, alert, claimed_by,
    published_revision, created_at, updated_at, auto, expires_at, approved_by, approved_at, lease_until,
    cost_usd, undone_at
FROM action_log
WHERE id = %(id)s

-- name: count_rows
-- How many rows the tables of published events and of what was made of them hold together.
SELECT
    (SELECT count(*) FROM interaction_log)
    + (SELECT count(*) FROM embeddings_log)
    + (SELECT count(*) FROM feedback_log)
    + (SELECT count(*) FROM evaluation_log)
    + (SELECT count(*) FROM drift_events)
    + (SELECT count(*) FROM drift_metrics)

-- name: share_forgotten
-- Whoever stores what belongs to somebody: many at once, none while a name is being forgotten. A statement of
-- its own, before those that look: a statement sees what was there when it began.
SELECT pg_advisory_xact_lock_shared(hashtextextended('drift-aware forgotten', 0))

-- name: close_forgotten
-- Whoever forgets a name waits until nobody is storing who may not have seen it.
SELECT pg_advisory_xact_lock(hashtextextended('drift-aware forgotten', 0))

-- name: anybody_forgotten
-- Where nobody is, there is no more to ask.
SELECT EXISTS (SELECT FROM forgotten)

-- name: which_forgotten
-- Those of the names that are forgotten.
SELECT asked.what, asked.id
FROM unnest(%(whats)s::text[], %(ids)s::text[]) AS asked (what, id)
JOIN forgotten ON forgotten.digest = forgotten_digest((SELECT salt FROM forgotten_salt), asked.what, asked.id)

-- name: forget_names
-- Once is enough.
INSERT INTO forgotten (what, digest)
SELECT what, forgotten_digest((SELECT salt FROM forgotten_salt), what, id)
FROM unnest(%(whats)s::text[], %(ids)s::text[]) AS named (what, id)
ON CONFLICT DO NOTHING

-- name: sessions_of_users
-- The conversations of some users, but for those in which another user is named.
SELECT DISTINCT mine.session_id
FROM interaction_log AS mine
WHERE mine.labels ->> 'user' = ANY (%(users)s) AND mine.session_id IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM interaction_log AS other
        WHERE other.session_id = mine.session_id AND other.labels ->> 'user' <> ALL (%(users)s)
    )

-- name: interactions_of
-- The interactions of some users and conversations; reads the whole log, which has no index for this.
SELECT DISTINCT id FROM interaction_log
WHERE labels ->> 'user' = ANY (%(users)s) OR session_id = ANY (%(sessions)s)

-- name: erase_interactions
-- What was said; when, how long and at what cost it was stays.
UPDATE interaction_log SET user_query = NULL, model_response = NULL, error_text = NULL, labels = NULL
WHERE id = ANY (%(interactions)s)
    AND (user_query IS NOT NULL OR model_response IS NOT NULL OR error_text IS NOT NULL OR labels IS NOT NULL)

-- name: erase_embeddings
-- A vector gives away what was said, and without it the row says nothing.
DELETE FROM embeddings_log WHERE interaction_id = ANY (%(interactions)s)

-- name: erase_embeddings_of_sessions
-- Those that name no interaction.
DELETE FROM embeddings_log WHERE session_id = ANY (%(sessions)s)

-- name: erase_comments
-- The rating stays.
UPDATE feedback_log SET comment = NULL WHERE interaction_id = ANY (%(interactions)s) AND comment IS NOT NULL

-- name: erase_comments_of_sessions
-- Those on interactions that never came.
UPDATE feedback_log SET comment = NULL WHERE session_id = ANY (%(sessions)s) AND comment IS NOT NULL

-- name: erase_examples
-- In alerts that show one of the interactions; which words came from which example is not known, so all go.
UPDATE {table}
SET alert = alert || jsonb_build_object(
    'words', '[]'::jsonb,
    'examples', (
        SELECT coalesce(jsonb_agg(example), '[]') FROM jsonb_array_elements(alert -> 'examples') AS example
        WHERE example #>> '{{}}' <> ALL (%(interactions)s)
    )
)
WHERE alert -> 'examples' ?| %(interactions)s

-- name: nobodys
-- Of a log: the row belongs to nobody who is forgotten, erased already or not.
NOT ((SELECT EXISTS (SELECT FROM forgotten)) AND EXISTS (
    SELECT FROM forgotten
    WHERE digest IN (
        forgotten_digest((SELECT salt FROM forgotten_salt), 'interaction', {interaction}),
        forgotten_digest((SELECT salt FROM forgotten_salt), 'session', session_id),
        forgotten_digest((SELECT salt FROM forgotten_salt), 'user', {user})
    )
))

-- name: selected
-- Of a log: the row is of the time and the dimensions that are asked for, and may be shown.
ts >= %(since)s AND ts < %(until)s
    AND (%(app)s::text IS NULL OR app = %(app)s)
    AND (%(model)s::text IS NULL OR model = %(model)s)
    AND (%(prompt_version)s::text IS NULL OR prompt_version = %(prompt_version)s)
    AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
    AND {traffic}
    AND {nobodys}

-- name: traffic
-- Of a log that holds canaries too: the row is of traffic.
NOT canary

-- name: liked
-- Selected interactions without an error that people rated well on average, whose task did not fail.
interaction_log AS interaction
JOIN (
    SELECT interaction_id
    FROM feedback_log
    GROUP BY interaction_id
    HAVING avg(coalesce(score, CASE thumbs WHEN 'up' THEN 5 WHEN 'down' THEN 1 END)) >= %(min_score)s
        AND bool_and(task_success) IS NOT FALSE
) AS liked ON liked.interaction_id = interaction.id
WHERE error IS NOT TRUE AND {selected}

-- name: export_rows
-- A log in the order of its events.
SELECT {columns} FROM {table} WHERE {selected}
ORDER BY ts

-- name: export_training
-- Questions and answers that people liked, each pair once.
SELECT user_query, model_response
FROM (
    SELECT DISTINCT ON (pair) ts, user_query, model_response
    FROM (
        SELECT
            ts, user_query, model_response,
            sha256(convert_to(btrim(user_query) || E'\x1e' || btrim(model_response), 'UTF8')) AS pair
        FROM {liked}
            AND btrim(user_query) <> '' AND btrim(model_response) <> ''
    ) AS pairs
    ORDER BY pair, ts
) AS different
ORDER BY ts

-- name: estimate
-- How many rows the planner expects; nothing is run.
EXPLAIN (FORMAT JSON) {statement}

-- name: limit_transaction
-- Of a request: no statement, lock or forgotten transaction holds its connection for long.
SELECT
    set_config('statement_timeout', %(statement)s, true),
    set_config('lock_timeout', %(lock)s, true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true)

-- name: ping
-- Whether the database answers.
SELECT 1

-- name: page_alerts
-- Alerts, latest onset first: the onset of an alert never changes, so pages neither skip nor repeat one.
SELECT alert, (extract(epoch FROM onset) * 1000)::bigint AS place, id
FROM drift_events
WHERE (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(severity)s::text IS NULL OR severity = %(severity)s)
    AND (%(segment)s::text IS NULL OR segment = %(segment)s)
    AND (%(metric)s::text IS NULL OR metric = %(metric)s)
    AND (%(since)s::timestamptz IS NULL OR ts >= %(since)s)
    AND (%(place)s::timestamptz IS NULL OR (onset, id) < (%(place)s, %(place_id)s))
ORDER BY onset DESC, id DESC
LIMIT %(limit)s

-- name: find_alert
-- One alert as it was published.
SELECT alert FROM drift_events WHERE id = %(id)s

-- name: actions_of_alert
-- What an alert has led to.
SELECT
    id, revision, action, status, alert_id, segment, metric, severity,
    (extract(epoch FROM ts) * 1000)::bigint AS ts, dry_run, reason, expected, receipt
FROM action_log
WHERE alert_id = %(alert_id)s
ORDER BY created_at, id

-- name: page_actions
-- The ledger, latest entry first; when a row was entered never changes.
SELECT
    id, revision, action, status, alert_id, segment, metric, severity,
    (extract(epoch FROM ts) * 1000)::bigint AS ts, dry_run, reason, expected, receipt,
    (extract(epoch FROM created_at) * 1000000)::bigint AS place
FROM action_log
WHERE (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(segment)s::text IS NULL OR segment = %(segment)s)
    AND (%(place)s::timestamptz IS NULL OR (created_at, id) < (%(place)s, %(place_id)s))
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s

-- name: page_events
-- Published events of one kind, latest first; where an event came from makes the order total. The plain
-- comparison of the time beside that of the rows lets Postgres pass over the partitions of later days.
SELECT {columns}, (extract(epoch FROM ts) * 1000)::bigint AS ts_ms, src_partition, src_offset, src_index
FROM {table}
WHERE (%(app)s::text IS NULL OR app = %(app)s)
    AND (%(model)s::text IS NULL OR model = %(model)s)
    AND (%(prompt_version)s::text IS NULL OR prompt_version = %(prompt_version)s)
    AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
    AND ts >= coalesce(%(since)s::timestamptz, '-infinity')
    AND ts < coalesce(%(until)s::timestamptz, 'infinity')
    AND ts <= coalesce(%(place)s::timestamptz, 'infinity')
    AND (
        %(place)s::timestamptz IS NULL
        OR (ts, src_partition, src_offset, src_index) < (%(place)s, %(partition)s, %(offset)s, %(index)s)
    )
ORDER BY ts DESC, src_partition DESC, src_offset DESC, src_index DESC
LIMIT %(limit)s

-- name: vector_column
-- What an embedding's row has beside the columns of its event, when somebody asks for it.
embedding::real[] AS vector

-- name: segment_known
-- Whether anything was ever counted in a segment.
SELECT EXISTS (SELECT FROM day_sums WHERE segment = %(segment)s)
    OR EXISTS (SELECT FROM drift_events WHERE segment = %(segment)s)

-- name: list_segments
-- Every segment with what was counted in it by family, and those that are known by their alerts only.
WITH families AS (
    SELECT segment, family, sum(events)::bigint AS events, min(day) AS first_day, max(day) AS last_day
    FROM day_sums
    GROUP BY segment, family
), counted AS (
    SELECT
        segment, jsonb_object_agg(family, events) AS events, min(first_day) AS first_day,
        max(last_day) AS last_day
    FROM families
    GROUP BY segment
), alerted AS (
    SELECT segment, count(*) FILTER (WHERE status = 'firing') AS firing FROM drift_events GROUP BY segment
)
SELECT
    segment, coalesce(events, '{}') AS events, to_char(first_day, 'YYYY-MM-DD') AS first_day,
    to_char(last_day, 'YYYY-MM-DD') AS last_day, coalesce(firing, 0) AS open_alerts
FROM counted
FULL JOIN alerted USING (segment)
ORDER BY segment

-- name: lock_notifications
-- One at a time decides which message of a channel an alert is part of.
SELECT pg_advisory_xact_lock(hashtextextended('drift-aware notify ' || %(channel)s, 0))

-- name: join_notification
-- An alert becomes part of the message about its drift that another has begun, else the lead of its own.
INSERT INTO notification (alert_id, channel, family, ts, lead)
SELECT %(alert_id)s, %(channel)s, %(family)s, %(ts)s, coalesce(
    (
        SELECT other.alert_id FROM notification AS other
        WHERE other.channel = %(channel)s AND other.family = %(family)s AND other.lead = other.alert_id
            AND other.state IN ('waiting', 'quiet', 'sent')
            AND abs(extract(epoch FROM other.ts - %(ts)s)) <= %(seconds)s
        ORDER BY other.created_at, other.alert_id
        LIMIT 1
    ),
    %(alert_id)s
)
ON CONFLICT (alert_id, channel) DO NOTHING

-- name: find_notification
-- Where an alert stands on a channel, and how long that has been so.
SELECT lead, state, handle, extract(epoch FROM now() - created_at)::float8 AS age_seconds, now() AS looked_at
FROM notification
WHERE alert_id = %(alert_id)s AND channel = %(channel)s

-- name: alerts_to_notify
-- Alerts about to be told, or told just now, of about the same time as another.
SELECT alert
FROM action_log
WHERE action = 'notify' AND status IN ('proposed', 'approved', 'running') AND alert_id <> %(alert_id)s
    AND ts BETWEEN %(ts)s - make_interval(secs => %(seconds)s) AND %(ts)s + make_interval(secs => %(seconds)s)
ORDER BY created_at, id
LIMIT 100

-- name: notified_alerts
-- The alerts of one message, each at the latest revision that is known.
SELECT CASE WHEN event.revision >= (action_log.alert ->> 'revision')::bigint THEN event.alert ELSE action_log.alert END
FROM notification
JOIN action_log ON action_log.alert_id = notification.alert_id AND action_log.action = 'notify'
LEFT JOIN drift_events AS event ON event.id = notification.alert_id
WHERE notification.lead = %(lead)s AND notification.channel = %(channel)s
ORDER BY notification.created_at, notification.alert_id

-- name: count_posts
-- How many messages a channel has had in the last hour.
SELECT count(*) FROM notification_post WHERE channel = %(channel)s AND posted_at > now() - interval '1 hour'

-- name: note_post
-- A message has gone out; those of yesterday are forgotten.
WITH gone AS (DELETE FROM notification_post WHERE posted_at < now() - interval '1 day')
INSERT INTO notification_post (channel) VALUES (%(channel)s)

-- name: told_notification
-- What was told last, and how to find the message.
UPDATE notification SET
    state = %(state)s, handle = %(handle)s, told = %(told)s, failures = 0,
    looked_at = %(looked_at)s, next_look = now() + interval '5 seconds'
WHERE alert_id = %(alert_id)s AND channel = %(channel)s

-- name: set_notification
-- Why nothing was sent.
UPDATE notification SET state = %(state)s WHERE alert_id = %(alert_id)s AND channel = %(channel)s

-- name: withheld_notifications
-- What the limit of a channel has kept back and nobody was told of.
SELECT notification.alert_id, action_log.alert ->> 'summary'
FROM notification
JOIN action_log ON action_log.alert_id = notification.alert_id AND action_log.action = 'notify'
WHERE notification.channel = %(channel)s AND notification.state = 'withheld'
ORDER BY notification.created_at, notification.alert_id

-- name: withheld_told
-- They have been named in a message.
UPDATE notification SET state = 'over'
WHERE channel = %(channel)s AND alert_id = ANY (%(alert_ids)s) AND state = 'withheld'

-- name: claim_notification
-- A message of which something may have changed since it was looked at, for two minutes nobody else's. A change
-- can become visible after its time: a minute is looked at twice.
WITH next AS (
    SELECT lead.alert_id, lead.channel
    FROM notification AS lead
    WHERE lead.lead = lead.alert_id AND lead.channel = ANY (%(channels)s) AND lead.state IN ('quiet', 'sent')
        AND lead.next_look <= now() AND lead.created_at > now() - make_interval(days => %(days)s)
        AND EXISTS (
            SELECT FROM notification AS member
            LEFT JOIN drift_events AS event ON event.id = member.alert_id
            LEFT JOIN action_log ON action_log.alert_id = member.alert_id AND action_log.action <> 'notify'
            WHERE member.lead = lead.alert_id AND member.channel = lead.channel
                AND greatest(member.created_at, event.updated_at, action_log.updated_at)
                    > lead.looked_at - interval '1 minute'
        )
    ORDER BY lead.next_look
    LIMIT 1
    FOR UPDATE OF lead SKIP LOCKED
)
UPDATE notification SET next_look = now() + interval '2 minutes'
FROM next
WHERE notification.alert_id = next.alert_id AND notification.channel = next.channel
RETURNING notification.alert_id, notification.channel, state, handle, told, failures, now() AS claimed_at

-- name: put_off_notification
-- Nothing to tell, or no way to do it now.
UPDATE notification SET
    failures = %(failures)s, next_look = now() + make_interval(secs => %(seconds)s),
    looked_at = CASE WHEN %(failures)s = 0 THEN %(looked_at)s ELSE looked_at END
WHERE alert_id = %(alert_id)s AND channel = %(channel)s

-- name: read_only
-- For a statement that is not ours.
SET TRANSACTION READ ONLY

-- name: set_local
-- A setting of the server until this transaction ends.
SELECT set_config(%(name)s, %(value)s, true)

-- name: begin_index
-- A number for the table that is to be the collection.
INSERT INTO document_index (action_id, status, embedding_model, dim)
VALUES (%(action_id)s, 'building', %(model)s, %(dim)s)
RETURNING n

-- name: find_index
-- The table of an action.
SELECT n, status, previous, counts, recall, ef_search, created_at FROM document_index WHERE action_id = %(action_id)s

-- name: create_collection
-- All that the live table has, but no rows; what an index on vectors would cost is not paid while they come.
CREATE TABLE {table} (LIKE documents INCLUDING ALL);
COMMENT ON TABLE {table} IS 'A collection that an application retrieves from; document_index says which is live.'

-- name: vector_indexes
-- The indexes on a table's vectors.
SELECT pg_class.relname
FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
WHERE indrelid = %(table)s::regclass AND attname = 'embedding'

-- name: drop_index
-- Of an empty table.
DROP INDEX {index}

-- name: size_vectors
-- An index of vectors needs a column of one size.
ALTER TABLE {table} ALTER COLUMN embedding TYPE halfvec({dim})

-- name: grants_on_documents
-- Who else may do what with the live table; 0 is everybody.
SELECT CASE WHEN grantee = 0 THEN NULL ELSE pg_get_userbyid(grantee) END, privilege_type
FROM pg_class, aclexplode(relacl)
WHERE pg_class.oid = 'documents'::regclass AND grantee <> relowner

-- name: grant_on_documents
-- The same on the table that takes its place.
GRANT {privilege} ON {table} TO {role}

-- name: own_documents
-- The new table belongs to whom the live one belongs to.
SELECT pg_get_userbyid(relowner), pg_get_userbyid(relowner) = current_user
FROM pg_class WHERE oid = 'documents'::regclass

-- name: give_documents
-- See own_documents.
ALTER TABLE {table} OWNER TO {role}

-- name: copy_documents
-- Texts as they are read; their vectors follow.
COPY {table} (id, source, content, metadata, content_hash) FROM STDIN (FORMAT BINARY)

-- name: carry_documents
-- Documents that other sources have put in, since some moment; vectors of the same model stay as they are.
INSERT INTO {table} (id, source, content, metadata, embedding, embedding_model, content_hash, updated_at)
SELECT
    id, source, content, metadata,
    CASE WHEN embedding_model = %(model)s AND vector_dims(embedding) = %(dim)s THEN embedding END,
    CASE WHEN embedding_model = %(model)s AND vector_dims(embedding) = %(dim)s THEN embedding_model END,
    encode(sha256(convert_to(content, 'UTF8')), 'hex'), updated_at
FROM documents
WHERE source <> %(source)s AND updated_at >= %(since)s
ON CONFLICT (id) DO UPDATE SET
    source = excluded.source, content = excluded.content, metadata = excluded.metadata,
    embedding = excluded.embedding, embedding_model = excluded.embedding_model,
    content_hash = excluded.content_hash, updated_at = excluded.updated_at
WHERE {table}.source <> %(source)s AND {table}.updated_at < excluded.updated_at

-- name: reusable_indexes
-- Tables beside the live one with vectors of the same model, youngest first.
SELECT n FROM document_index
WHERE status IN ('building', 'kept', 'undone') AND embedding_model = %(model)s AND dim = %(dim)s AND n <> %(n)s
ORDER BY n DESC

-- name: copy_vectors
-- The same text of the same model has the same vector.
UPDATE {table} SET
    embedding = known.embedding, embedding_model = known.embedding_model, updated_at = known.updated_at
FROM (
    SELECT DISTINCT ON (content_hash) content_hash, embedding, embedding_model, updated_at
    FROM {other}
    WHERE embedding_model = %(model)s AND vector_dims(embedding) = %(dim)s
    ORDER BY content_hash
) AS known
WHERE {table}.content_hash = known.content_hash AND {table}.embedding IS NULL

-- name: compare_documents
-- What has been read beside what is live: all, of the source, new, changed, gone; and texts without a vector.
SELECT
    count(*) FILTER (WHERE new.id IS NOT NULL) AS documents,
    count(*) FILTER (WHERE new.source = %(source)s) AS of_source,
    count(*) FILTER (WHERE live.id IS NULL) AS new,
    count(*) FILTER (WHERE live.content_hash <> new.content_hash) AS changed,
    count(*) FILTER (WHERE new.id IS NULL AND live.source = %(source)s) AS gone,
    count(*) FILTER (WHERE live.source = %(source)s) AS before,
    count(DISTINCT new.content_hash) FILTER (WHERE new.embedding IS NULL) AS to_embed
FROM {table} AS new
FULL JOIN (SELECT id, source, content_hash FROM documents) AS live USING (id)
WHERE new.id IS NOT NULL OR live.source = %(source)s

-- name: note_index
-- What is known of a table now.
UPDATE document_index SET
    counts = counts || %(counts)s, recall = coalesce(%(recall)s, recall),
    ef_search = coalesce(%(ef_search)s, ef_search)
WHERE n = %(n)s

-- name: analyze_documents
-- For the planner; after so many rows at once it knows nothing.
ANALYZE {table}

-- name: vacuum_documents
-- Each row was written once without its vector.
VACUUM (ANALYZE) {table}

-- name: count_to_embed
-- Texts without a vector.
SELECT count(DISTINCT content_hash) FROM {table} WHERE embedding IS NULL

-- name: next_to_embed
-- Some texts without a vector, in the order of their hashes.
SELECT DISTINCT ON (content_hash) content_hash, content
FROM {table}
WHERE embedding IS NULL AND content_hash > %(after)s
ORDER BY content_hash
LIMIT %(limit)s

-- name: store_vectors
-- Every document of a text gets its vector.
UPDATE {table} SET embedding = made.embedding, embedding_model = %(model)s, updated_at = now()
FROM unnest(%(hashes)s::text[], %(vectors)s::halfvec[]) AS made (content_hash, embedding)
WHERE {table}.content_hash = made.content_hash AND {table}.embedding IS NULL

-- name: create_vector_index
-- After the rows: many times faster than before them.
CREATE INDEX IF NOT EXISTS {index} ON {table} USING hnsw (embedding {operators})
WITH (m = {m}, ef_construction = {ef_construction})

-- name: known_hashes
-- Which of some texts have a vector of the model already.
SELECT DISTINCT content_hash FROM documents
WHERE content_hash = ANY (%(hashes)s) AND embedding_model = %(model)s AND vector_dims(embedding) = %(dim)s

-- name: recent_queries
-- What people have asked lately, as vectors of the model.
SELECT '' AS id, embedding FROM embeddings_log
WHERE kind = 'query' AND model = %(model)s AND dim = %(dim)s AND NOT canary
ORDER BY ts DESC
LIMIT %(limit)s

-- name: sample_documents
-- Some documents, the same ones each time.
SELECT id, embedding FROM {table} WHERE embedding IS NOT NULL ORDER BY md5(id), id LIMIT %(limit)s

-- name: nearest_distances
-- How far the nearest documents are, leaving out one.
SELECT embedding {distance} %(vector)s AS distance FROM {table}
WHERE id <> %(besides)s AND embedding IS NOT NULL
ORDER BY embedding {distance} %(vector)s
LIMIT %(limit)s

-- name: lock_live_index
-- Which table is live; nobody else swaps until this transaction ends.
SELECT n FROM document_index WHERE status = 'live' FOR UPDATE

-- name: rename_documents
-- Takes an exclusive lock; who reads meanwhile waits for the end of the transaction, then sees the new table.
ALTER TABLE {table} RENAME TO {name}

-- name: retire_index
-- The live table gives its name away.
UPDATE document_index SET status = %(status)s WHERE n = %(n)s

-- name: enthrone_index
-- And another takes it.
UPDATE document_index SET
    status = 'live', swapped_at = now(), previous = coalesce(%(previous)s, previous)
WHERE n = %(n)s

-- name: outdated_indexes
-- Tables nobody goes back to: older than the one before the live one, and of actions that have come to nothing.
SELECT n FROM document_index
WHERE status IN ('kept', 'undone') AND n IS DISTINCT FROM (SELECT previous FROM document_index WHERE status = 'live')
    OR status = 'building' AND EXISTS (
        SELECT FROM action_log
        WHERE action_log.id = action_id AND action_log.status IN ('failed', 'rolled_back', 'expired', 'rejected')
    )

-- name: drop_collection
-- An old table, with its indexes.
DROP TABLE IF EXISTS {table}

-- name: lock_policy
-- Of two changes of one application's policy at once, the second sees the first.
SELECT pg_advisory_xact_lock(hashtextextended('drift-aware/policy/' || %(app)s, 0))

-- name: current_policy
-- What an application is told now.
SELECT policy, before FROM policy WHERE app = %(app)s ORDER BY version DESC LIMIT 1

-- name: find_policy
-- The version that a change has led to.
SELECT policy, before FROM policy WHERE key = %(key)s

-- name: enter_policy
-- The next version of an application's policy.
INSERT INTO policy (app, version, key, policy, before)
VALUES (%(app)s, %(version)s, %(key)s, %(policy)s, %(before)s)

-- name: lock_policy_outbox
-- Whether this transaction may publish policies: of two at once, the slower could put an old one last.
SELECT pg_try_advisory_xact_lock(hashtextextended('drift-aware/policies', 0))

-- name: unpublished_policies
-- The latest version of each application whose policy is still to be published.
SELECT DISTINCT ON (app) policy
FROM policy
WHERE app IN (SELECT app FROM policy WHERE NOT published)
ORDER BY app, version DESC
LIMIT %(limit)s

-- name: mark_policy_published
-- Kafka has this version, and nobody needs those before it.
UPDATE policy SET published = true WHERE app = %(app)s AND version <= %(version)s AND NOT published

-- name: tuning_rows
-- Questions and answers that people liked, newest first.
SELECT ts, id, user_query, model_response, refusal
FROM {liked}
    AND user_query IS NOT NULL AND model_response IS NOT NULL
ORDER BY ts DESC, id

-- name: tallies
-- What a segment had of a metric from one time to another, in stretches of so many milliseconds; of embeddings,
-- by the reference that scored them.
SELECT
    tally.key,
    (%(since)s + floor((extract(epoch FROM pane_start) * 1000 - %(since)s) / %(width)s) * %(width)s)::bigint AS begin,
    sum((tally.value ->> 0)::bigint)::bigint,
    sum((tally.value ->> 1)::double precision),
    bool_and((tally.value ->> 2)::boolean)
FROM pane_totals, jsonb_each(tallies) AS tally
WHERE segment = %(segment)s
    AND pane_start >= to_timestamp(%(since)s / 1000.0) AND pane_start < to_timestamp(%(until)s / 1000.0)
    AND (tally.key = %(metric)s OR starts_with(tally.key, %(metric)s || '/'))
GROUP BY tally.key, begin
ORDER BY tally.key, begin

-- name: event_time
-- Up to where panes of a segment are known, in milliseconds.
SELECT (extract(epoch FROM pane_end) * 1000)::bigint
FROM pane_totals
WHERE segment = %(segment)s
ORDER BY pane_start DESC
LIMIT 1

-- name: open_verdicts
-- Actions that were carried out, and of which nobody knows yet whether they have helped.
SELECT id
FROM action_log
WHERE status = 'succeeded' AND NOT dry_run AND expected IS NOT NULL AND action <> 'notify'
ORDER BY updated_at, id

-- name: to_roll_back
-- What has harmed and is to be taken back without asking, and was not refused to be.
SELECT id
FROM action_log
WHERE status = 'verified' AND receipt ->> 'rollback' = 'automatic' AND (lease_until IS NULL OR lease_until < now())
    AND NOT EXISTS (
        SELECT FROM action_step WHERE action_id = action_log.id AND step = %(undo)s AND status = 'failed'
    )
ORDER BY updated_at, id

-- name: action_sums
-- How often was tuned and indexed anew, and what all actions have cost, since the beginning.
SELECT
    count(*) FILTER (WHERE action = 'tune' AND done),
    count(*) FILTER (WHERE action = 'reindex' AND done),
    coalesce(sum(cost_usd), 0)
FROM (
    SELECT action, cost_usd, NOT dry_run AND status IN ('succeeded', 'verified', 'rolled_back') AS done
    FROM action_log
) AS entry

-- name: live_pace
-- How many events there were in the last minutes of a segment, and over how many milliseconds.
SELECT
    sum(held.count)::bigint,
    (extract(epoch FROM max(pane_end) - min(pane_start)) * 1000)::bigint
FROM pane_totals
CROSS JOIN LATERAL (
    SELECT coalesce(sum(each.value::bigint), 0) AS count FROM jsonb_each_text(totals) AS each
) AS held
WHERE segment = %(segment)s AND pane_start >= %(since)s AND pane_start < %(until)s

-- name: live_segments
-- The latest pane of every segment that had one in some time, and what was seen of it; of the others, up to when
-- events are known. Each step of the recursions is one look at an index, whatever the number of panes.
WITH RECURSIVE step AS (
    (
        SELECT segment, pane_start, pane_end FROM pane_totals
        WHERE pane_start >= %(since)s AND pane_start < %(until)s
        ORDER BY segment DESC, pane_start DESC
        LIMIT 1
    )
    UNION ALL
    SELECT next.segment, next.pane_start, next.pane_end
    FROM step
    CROSS JOIN LATERAL (
        SELECT segment, pane_start, pane_end FROM pane_totals
        WHERE segment < step.segment AND pane_start >= %(since)s AND pane_start < %(until)s
        ORDER BY segment DESC, pane_start DESC
        LIMIT 1
    ) AS next
), recent AS (
    SELECT * FROM step LIMIT %(limit)s
), known AS (
    (SELECT segment FROM day_sums ORDER BY segment LIMIT 1)
    UNION ALL
    SELECT next.segment
    FROM known
    CROSS JOIN LATERAL (
        SELECT segment FROM day_sums WHERE segment > known.segment ORDER BY segment LIMIT 1
    ) AS next
), quiet AS (
    SELECT segment FROM (SELECT segment FROM known LIMIT %(limit)s) AS counted
    WHERE NOT EXISTS (SELECT FROM recent WHERE recent.segment = counted.segment)
)
SELECT segment, (extract(epoch FROM pane_end) * 1000)::bigint, seen.events, seen.ready, seen.message
FROM recent
CROSS JOIN LATERAL (
    SELECT
        coalesce(max(events) FILTER (WHERE detector = 'shift'), 0) AS events,
        coalesce(bool_or(detector = ANY (%(budgeted)s) AND state IN ('ok', 'firing')), false) AS ready,
        max(message) FILTER (WHERE state = 'warming_up') AS message
    FROM drift_metrics
    WHERE drift_metrics.segment = recent.segment AND drift_metrics.pane_start = recent.pane_start
        AND drift_metrics.pane_start >= %(since)s AND drift_metrics.pane_start < %(until)s
) AS seen
UNION ALL
SELECT segment, (extract(epoch FROM days.until) * 1000)::bigint, 0, NULL, NULL
FROM quiet
CROSS JOIN LATERAL (SELECT max(until) AS until FROM day_sums WHERE day_sums.segment = quiet.segment) AS days

-- name: live_firing
-- What fires and wakes somebody, by segment: how many, how severe, since when; silence apart.
SELECT
    segment,
    count(*) FILTER (WHERE detector <> %(silence)s),
    max(array_position(%(severities)s::text[], severity)) FILTER (WHERE detector <> %(silence)s) - 1,
    (extract(epoch FROM max(onset) FILTER (WHERE detector <> %(silence)s)) * 1000)::bigint,
    bool_or(detector = %(silence)s)
FROM drift_events
WHERE status = 'firing' AND paging
GROUP BY segment

-- name: live_alerts
-- What fires, those first that wake somebody, and of these the latest.
SELECT alert FROM drift_events
WHERE status = 'firing'
ORDER BY paging DESC, onset DESC, id
LIMIT %(limit)s

-- name: live_raised
-- How many alerts on the false-alarm budget were raised in some time.
SELECT count(*) FROM drift_events
WHERE ts >= %(since)s AND onset >= %(since)s AND paging AND detector = ANY (%(budgeted)s)

-- name: live_waiting
-- Actions that go no further without a person: nobody has said yes yet, or nobody knows whether it was done.
SELECT
    id, revision, action, status, alert_id, segment, metric, severity,
    (extract(epoch FROM ts) * 1000)::bigint AS ts, dry_run, reason, expected, receipt
FROM action_log
WHERE status = 'unknown'
    OR (status = 'proposed' AND NOT (auto AND (%(auto)s OR action = 'notify')) AND expires_at > now())
ORDER BY array_position(%(severities)s::text[], severity) DESC, created_at DESC, id
LIMIT %(limit)s

-- name: live_versions
-- What tells one state of the record from another: the latest alerts and actions with their revisions, and up to
-- when panes are known. Times are of the beginning of a transaction, and a later one may end first: so the latest
-- rows are looked at, not the latest time.
SELECT
    (SELECT hashtext(string_agg(id || ' ' || revision, ',' ORDER BY updated_at, id)) FROM (
        SELECT id, revision, updated_at FROM drift_events ORDER BY updated_at DESC, id LIMIT 100
    ) AS alerts),
    (SELECT hashtext(string_agg(id || ' ' || revision, ',' ORDER BY updated_at, id)) FROM (
        SELECT id, revision, updated_at FROM action_log ORDER BY updated_at DESC, id LIMIT 100
    ) AS actions),
    (
        SELECT (extract(epoch FROM pane_end) * 1000)::bigint FROM pane_totals
        WHERE segment = %(segment)s ORDER BY pane_start DESC LIMIT 1
    )

-- name: first_pane
-- When the first pane of a segment begins in some time, in milliseconds.
SELECT (extract(epoch FROM pane_start) * 1000)::bigint
FROM pane_totals
WHERE segment = %(segment)s AND pane_start >= %(since)s AND pane_start < %(until)s
ORDER BY pane_start
LIMIT 1

-- name: live_series
-- The readings of a segment in stretches of time: of values their mean by events, of scores and thresholds the
-- largest. A detector on the budget shows the channel that leads; it is one series.
SELECT
    metric,
    detector,
    CASE WHEN detector = ANY (%(budgeted)s) THEN NULL ELSE channel END AS channel,
    (extract(epoch FROM date_bin(%(width)s, pane_start, %(since)s)) * 1000)::bigint AS begin,
    sum(current * events::float8) / nullif(sum(events::float8) FILTER (WHERE current IS NOT NULL), 0),
    avg(baseline_value),
    avg(events::float8),
    max(score),
    max(threshold),
    bool_or(fired)
FROM drift_metrics
WHERE segment = %(segment)s AND pane_start >= %(since)s AND pane_start < %(until)s AND detector <> 'baseline'
GROUP BY metric, detector, 3, date_bin(%(width)s, pane_start, %(since)s)
ORDER BY metric, detector, 3, begin

-- name: live_warming
-- What the latest pane of a segment could not be compared by yet, and how far that is.
SELECT DISTINCT metric, message
FROM drift_metrics
JOIN (
    SELECT segment, pane_start FROM pane_totals
    WHERE segment = %(segment)s AND pane_start >= %(since)s
    ORDER BY pane_start DESC
    LIMIT 1
) AS latest USING (segment, pane_start)
WHERE drift_metrics.pane_start >= %(since)s AND state = 'warming_up' AND message IS NOT NULL
ORDER BY metric, message

-- name: live_segment_alerts
-- Alerts of a segment that were open in some time, latest onset first.
SELECT
    id, metric, detector, severity, status, paging, (extract(epoch FROM onset) * 1000)::bigint AS onset,
    (extract(epoch FROM ts) * 1000)::bigint AS ts,
    CASE WHEN status <> 'firing' THEN (extract(epoch FROM ts) * 1000)::bigint END AS until
FROM drift_events
WHERE segment = %(segment)s AND onset < %(until)s AND (status = 'firing' OR ts >= %(since)s)
ORDER BY onset DESC, id
LIMIT %(limit)s

-- name: live_segment_actions
-- Actions about a segment of some time, latest first.
SELECT id, action, status, (extract(epoch FROM ts) * 1000)::bigint AS ts, metric
FROM action_log
WHERE segment = %(segment)s AND ts >= %(since)s AND ts < %(until)s AND status <> 'withheld'
ORDER BY ts DESC, id
LIMIT %(limit)s

-- name: live_evidence
-- What one detector saw of a metric in stretches of time.
SELECT
    (extract(epoch FROM date_bin(%(width)s, pane_start, %(since)s)) * 1000)::bigint AS begin,
    max(score),
    max(threshold),
    sum(current * events::float8) / nullif(sum(events::float8) FILTER (WHERE current IS NOT NULL), 0),
    avg(baseline_value)
FROM drift_metrics
WHERE segment = %(segment)s AND pane_start >= %(since)s AND pane_start < %(until)s
    AND metric = %(metric)s AND detector = %(detector)s
    AND (%(channel)s::text IS NULL OR channel = %(channel)s)
GROUP BY date_bin(%(width)s, pane_start, %(since)s)
ORDER BY begin

-- name: live_examples
-- Interactions by their ids, the beginning of their texts; an id that came twice is shown as it came last.
SELECT DISTINCT ON (id)
    id, (extract(epoch FROM ts) * 1000)::bigint AS ts, left(user_query, %(characters)s) AS prompt,
    left(model_response, %(characters)s) AS response,
    user_query IS NULL AND model_response IS NULL AS withheld, app, model, prompt_version, intent,
    refusal AS refused, toxicity, error AS failed, latency_ms
FROM interaction_log
WHERE id = ANY (%(ids)s) AND ts >= %(since)s AND ts < %(until)s
ORDER BY id, interaction_log.ts DESC

-- name: embedding_baselines
-- What the embeddings of a segment are compared with, by family.
SELECT
    family, id, (extract(epoch FROM since) * 1000)::bigint, (extract(epoch FROM until) * 1000)::bigint, events,
    reference
FROM baseline
WHERE segment = %(segment)s AND starts_with(family, 'embedding/') AND reference <> ''
ORDER BY family

-- name: latest_embeddings
-- The latest vectors of a family in a segment, with the question each belongs to. So many of the family are looked
-- at, whatever the segment: in a large installation a rare one would else be sought through the whole day.
SELECT vector.embedding::real[], question.text
FROM (
    SELECT embedding, interaction_id, ts
    FROM (
        SELECT embedding, interaction_id, ts, app, model, prompt_version, tenant
        FROM embeddings_log
        WHERE dim = %(dim)s AND ts >= %(since)s AND ts < %(until)s
            AND kind = %(kind)s AND model IS NOT DISTINCT FROM %(model)s AND NOT canary
        ORDER BY ts DESC
        LIMIT %(looked_at)s
    ) AS of_family
    WHERE ('app' <> ALL (%(dimensions)s) OR app IS NOT DISTINCT FROM %(app)s)
        AND ('model' <> ALL (%(dimensions)s) OR of_family.model IS NOT DISTINCT FROM %(segment_model)s)
        AND ('prompt_version' <> ALL (%(dimensions)s) OR prompt_version IS NOT DISTINCT FROM %(prompt_version)s)
        AND ('tenant' <> ALL (%(dimensions)s) OR tenant IS NOT DISTINCT FROM %(tenant)s)
    ORDER BY ts DESC
    LIMIT %(limit)s
) AS vector
LEFT JOIN LATERAL (
    SELECT left(user_query, %(characters)s) AS text
    FROM interaction_log
    WHERE id = vector.interaction_id AND interaction_log.ts >= %(texts_since)s AND interaction_log.ts < %(until)s
    LIMIT 1
) AS question ON true
ORDER BY vector.ts DESC

-- name: action_queue
-- How many actions stand where they wait for somebody, and when the one that waits longest last changed.
SELECT action, status, count(*), extract(epoch FROM min(updated_at))::float8
FROM action_log
WHERE status = ANY (%(waiting)s)
GROUP BY action, status
