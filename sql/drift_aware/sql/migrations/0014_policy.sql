-- What applications are told; the topic drift.policies.v1 has the latest version of each.

CREATE TABLE policy (
    app        text        NOT NULL,
    version    bigint      NOT NULL,
    key        text        NOT NULL UNIQUE,
    policy     jsonb       NOT NULL,
    before     jsonb       NOT NULL,
    published  boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app, version)
);
CREATE INDEX ON policy (app) WHERE NOT published;
COMMENT ON TABLE policy IS 'One row per version of what an application is told; the highest holds.';
COMMENT ON COLUMN policy.app IS '* is every application.';
COMMENT ON COLUMN policy.key IS 'Of the change: the same change is entered once, however often it is tried.';
COMMENT ON COLUMN policy.before IS 'The parts that were changed, as they were: name to value and expiry.';
