-- Tables that have been, are, or are to be the collection of documents.

CREATE TABLE document_index (
    n               integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action_id       text        UNIQUE,
    status          text        NOT NULL CHECK (status IN ('building', 'live', 'kept', 'undone', 'removed')),
    previous        integer     REFERENCES document_index,
    embedding_model text,
    dim             integer,
    counts          jsonb       NOT NULL DEFAULT '{}',
    recall          double precision,
    ef_search       integer,
    created_at      timestamptz NOT NULL DEFAULT now(),
    swapped_at      timestamptz
);
CREATE UNIQUE INDEX ON document_index (status) WHERE status = 'live';
COMMENT ON TABLE document_index IS 'One row per table documents_<n>; the live one is named documents.';
COMMENT ON COLUMN document_index.action_id IS 'The action that made it; null for the first.';
COMMENT ON COLUMN document_index.previous IS 'What it took the place of; a rollback puts that back.';
COMMENT ON COLUMN document_index.ef_search IS 'What hnsw.ef_search has to be for this recall.';

INSERT INTO document_index (status) VALUES ('live');

-- Vectors are found again by the text they are of.
CREATE INDEX ON documents (content_hash);
