-- What the application published, as it came: one row per event, one partition per UTC day.
-- There is no unique key: that every event is here once is what kafka_offset guarantees, and an index
-- that proves it again would cost more than the rows. (src_partition, src_offset, src_index) says which
-- event of which Kafka record a row was, so that anybody can check.
-- There is no vector index either: it would make writing fifty times slower, and drift asks for
-- averages over time, not for neighbours.

CREATE TABLE interaction_log (
    ts             timestamptz NOT NULL,
    id             text        NOT NULL,
    app            text,
    model          text,
    prompt_version text,
    tenant         text,
    session_id     text,
    turn           bigint,
    user_query     text,
    model_response text,
    intent         text,
    refusal        boolean,
    toxicity       double precision,
    error          boolean,
    error_text     text,
    finish_reason  text,
    latency_ms     double precision,
    input_tokens   bigint,
    output_tokens  bigint,
    cost_usd       double precision,
    labels         jsonb,
    src_partition  integer     NOT NULL,
    src_offset     bigint      NOT NULL,
    src_index      integer     NOT NULL
) PARTITION BY RANGE (ts);
CREATE TABLE interaction_log_default PARTITION OF interaction_log DEFAULT;
CREATE INDEX ON interaction_log (id);
COMMENT ON TABLE interaction_log IS 'One row per question and answer, as published.';
COMMENT ON COLUMN interaction_log.error IS 'Whether the call failed; error_text has the words, if there were any.';

CREATE TABLE embeddings_log (
    ts             timestamptz NOT NULL,
    id             text        NOT NULL,
    interaction_id text,
    kind           text        NOT NULL,
    app            text,
    model          text,
    prompt_version text,
    tenant         text,
    session_id     text,
    dim            integer     NOT NULL,
    dtype          text        NOT NULL,
    embedding      halfvec     NOT NULL,
    src_partition  integer     NOT NULL,
    src_offset     bigint      NOT NULL,
    src_index      integer     NOT NULL
) PARTITION BY RANGE (ts);
CREATE TABLE embeddings_log_default PARTITION OF embeddings_log DEFAULT;
CREATE INDEX ON embeddings_log (interaction_id);
COMMENT ON TABLE embeddings_log IS 'One row per vector; never compare rows of two models or of two dims.';
COMMENT ON COLUMN embeddings_log.embedding IS 'Float16, half the disk of float32, whatever dtype was published.';

CREATE TABLE feedback_log (
    ts             timestamptz NOT NULL,
    interaction_id text        NOT NULL,
    score          double precision,
    thumbs         text,
    task_success   boolean,
    comment        text,
    app            text,
    model          text,
    prompt_version text,
    tenant         text,
    session_id     text,
    src_partition  integer     NOT NULL,
    src_offset     bigint      NOT NULL,
    src_index      integer     NOT NULL
) PARTITION BY RANGE (ts);
CREATE TABLE feedback_log_default PARTITION OF feedback_log DEFAULT;
CREATE INDEX ON feedback_log (interaction_id);
COMMENT ON TABLE feedback_log IS 'One row per opinion of a person on an answer.';

CREATE TABLE evaluation_log (
    ts             timestamptz NOT NULL,
    eval_set       text        NOT NULL,
    run_id         text        NOT NULL,
    expected       text,
    predicted      text,
    correct        boolean,
    score          double precision,
    app            text,
    model          text,
    prompt_version text,
    tenant         text,
    src_partition  integer     NOT NULL,
    src_offset     bigint      NOT NULL,
    src_index      integer     NOT NULL
) PARTITION BY RANGE (ts);
CREATE TABLE evaluation_log_default PARTITION OF evaluation_log DEFAULT;
CREATE INDEX ON evaluation_log (run_id);
COMMENT ON TABLE evaluation_log IS 'One row per graded item of an evaluation run.';
