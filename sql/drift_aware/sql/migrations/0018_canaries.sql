-- Rows that `drift-aware canary` has published are answers to the monitor's own questions. What speaks of traffic
-- leaves them out, and finds out by this column. A default that is a constant is kept with the table, so that no
-- row is rewritten, however many there are.

ALTER TABLE embeddings_log ADD COLUMN canary boolean NOT NULL DEFAULT false;
ALTER TABLE evaluation_log ADD COLUMN canary boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN embeddings_log.canary IS 'The vector of a fixed string, not of traffic.';
COMMENT ON COLUMN evaluation_log.canary IS 'The answer to a golden prompt, not part of anybody''s evaluation.';
