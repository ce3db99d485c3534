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
ON CONFLICT (segment, metric, detector, channel, pane_start) DO UPDATE SET
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
-- segment; how many have a place on the alert's UTC day; and which proposal of that day matters least.
WITH today AS (
    SELECT id, action, status, score, created_at,
        array_position(%(severities)s::text[], severity) - 1 AS weight,
        coalesce((alert #>> '{window,events}')::bigint, 0) AS traffic
    FROM action_log
    WHERE alert_id <> %(alert_id)s AND status <> ALL (%(idle)s) AND status <> 'rejected'
        AND ts >= date_trunc('day', %(ts)s::timestamptz, 'UTC')
        AND ts < date_trunc('day', %(ts)s::timestamptz, 'UTC') + interval '24 hours'
), weakest AS (
    SELECT DISTINCT ON (action) action, id, weight, traffic, score
    FROM today
    WHERE status = 'proposed'
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
