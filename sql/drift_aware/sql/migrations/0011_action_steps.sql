-- How an action is carried out: who may, until when, which steps, and what they cost.

ALTER TABLE action_log
    ADD COLUMN auto        boolean          NOT NULL DEFAULT false,
    ADD COLUMN score       double precision NOT NULL DEFAULT 0,
    ADD COLUMN expires_at  timestamptz,
    ADD COLUMN approved_by text,
    ADD COLUMN approved_at timestamptz,
    ADD COLUMN lease_until timestamptz,
    ADD COLUMN expected    jsonb,
    ADD COLUMN cost_usd    double precision NOT NULL DEFAULT 0,
    ADD COLUMN undone_at   timestamptz;
CREATE INDEX ON action_log (status, action);
CREATE INDEX ON action_log (segment);
COMMENT ON COLUMN action_log.auto IS 'Whether its rule lets it be carried out without anybody''s approval.';
COMMENT ON COLUMN action_log.score IS 'The combined score of the alert, 0 to 1.';
COMMENT ON COLUMN action_log.expires_at IS 'A proposal that nobody has answered by then is expired.';
COMMENT ON COLUMN action_log.lease_until IS 'Until then the row is claimed_by''s to carry out or to take back.';
COMMENT ON COLUMN action_log.cost_usd IS 'What its steps have cost so far.';

-- Of before there were executors: nobody is told of old news, and nobody is asked for ever.
UPDATE action_log SET expires_at = now() + interval '72 hours' WHERE status = 'proposed';

CREATE TABLE action_step (
    action_id    text             NOT NULL REFERENCES action_log ON DELETE CASCADE,
    step         text             NOT NULL,
    status       text             NOT NULL CHECK (status IN ('started', 'done', 'failed', 'unknown')),
    key          text             NOT NULL,
    result       jsonb,
    cost_usd     double precision NOT NULL DEFAULT 0,
    reserved_usd double precision NOT NULL DEFAULT 0,
    worker       text             NOT NULL,
    settled_by   text,
    started_at   timestamptz      NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    PRIMARY KEY (action_id, step)
);
CREATE INDEX ON action_step (ended_at);
COMMENT ON TABLE action_step IS 'One row per step of an action; it is there before the step begins.';
COMMENT ON COLUMN action_step.key IS 'The idempotency key that was sent along.';
COMMENT ON COLUMN action_step.reserved_usd IS 'What calls under way may cost; of a crash it stays, for it may have been spent.';
COMMENT ON COLUMN action_step.settled_by IS 'Who said whether a step of unknown outcome was done.';

CREATE VIEW finetuning_triggers AS
SELECT
    coalesce(job.id, action_log.id) AS job_id,
    jsonb_build_object(
        'segment', action_log.segment,
        'metric', action_log.metric,
        'severity', action_log.severity,
        'current', action_log.alert -> 'current',
        'baseline', action_log.alert -> 'baseline_value',
        'score', action_log.score
    ) AS drift_metrics,
    action_log.created_at AS trigger_timestamp,
    action_log.status
FROM action_log
LEFT JOIN LATERAL (
    SELECT action_step.result ->> 'job_id' AS id
    FROM action_step
    WHERE action_step.action_id = action_log.id AND action_step.result ? 'job_id'
    ORDER BY action_step.started_at DESC
    LIMIT 1
) AS job ON true
WHERE action_log.action = 'tune' AND action_log.status <> 'withheld';
COMMENT ON VIEW finetuning_triggers IS 'What led to fine-tuning: the job as the provider names it, else the action.';
