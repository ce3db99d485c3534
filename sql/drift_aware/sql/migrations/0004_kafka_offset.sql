-- Where each consumer goes on. It moves in the transaction that writes the rows, so neither can be ahead.

CREATE TABLE kafka_offset (
    consumer   text        NOT NULL,
    topic      text        NOT NULL,
    part       integer     NOT NULL,
    next       bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, part)
);
COMMENT ON TABLE kafka_offset IS 'The next offset to read, which decides; what Kafka knows as committed only shows lag.';
