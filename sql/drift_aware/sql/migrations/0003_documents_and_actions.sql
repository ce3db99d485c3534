-- What actions work on, and what they did.

CREATE TABLE documents (
    id              text        PRIMARY KEY,
    source          text        NOT NULL,
    content         text        NOT NULL,
    metadata        jsonb       NOT NULL DEFAULT '{}',
    embedding       halfvec,
    embedding_model text,
    content_hash    text        NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON documents (source);
COMMENT ON TABLE documents IS 'The collection an application retrieves from; reindex embeds it anew.';
COMMENT ON COLUMN documents.embedding IS 'Of embedding_model; null until it has been embedded.';

CREATE TABLE action_log (
    id                 text        PRIMARY KEY,
    revision           bigint      NOT NULL,
    action             text        NOT NULL,
    status             text        NOT NULL,
    alert_id           text        NOT NULL,
    segment            text        NOT NULL,
    metric             text        NOT NULL,
    severity           text        NOT NULL,
    ts                 timestamptz NOT NULL,
    dry_run            boolean     NOT NULL,
    reason             text        NOT NULL,
    receipt            jsonb,
    alert              jsonb       NOT NULL,
    claimed_by         text        NOT NULL,
    published_revision bigint      NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON action_log (ts);
CREATE INDEX ON action_log (created_at) WHERE published_revision < revision;
COMMENT ON TABLE action_log IS 'The ledger: one row per action, at its latest revision.';
COMMENT ON COLUMN action_log.ts IS 'Event time of the alert revision it answers; cooldowns are counted in it.';
COMMENT ON COLUMN action_log.claimed_by IS 'The process that inserted or last changed the row.';
COMMENT ON COLUMN action_log.published_revision IS 'What drift.actions.v1 has; behind revision, it is still to be sent.';
