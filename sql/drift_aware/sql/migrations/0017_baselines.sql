-- What the topic drift.baselines.v1 has, one row each for what is in force: with the reference a picture of the
-- clusters can be drawn from the database alone. The words of a baseline's examples are in its sums, which stay
-- in Kafka: in here are means of vectors, and nobody's name.

CREATE TABLE baseline (
    segment    text        NOT NULL,
    family     text        NOT NULL,
    id         text        NOT NULL,
    policy     text        NOT NULL,
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    events     bigint      NOT NULL,
    reference  bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (segment, family)
);
COMMENT ON TABLE baseline IS 'What each family of events of a segment is compared with, the latest that was put in force.';
COMMENT ON COLUMN baseline.since IS 'Event time from which its events come; until is where they end.';
COMMENT ON COLUMN baseline.reference IS 'Of embeddings their clusters, in the worker''s own form; else empty.';
