-- Each dimension of vectors gets a table of its own, embeddings_log_384 for instance, when it first appears.
-- All of them are partitions of embeddings_log, so one name still answers for all, and rows can be deleted
-- through it. A partition has the column types of its parent, so its vectors are of 384 numbers by a CHECK
-- and not by the type; an index on (embedding::halfvec(384)) is the same thing as one on a sized column.
-- Rows of dimensions without a table are in embeddings_log_other.
--
-- The rows that are there are copied: until the end this takes as much disk again as they have.

ALTER TABLE embeddings_log RENAME TO embeddings_log_mixed;

CREATE TABLE embeddings_log (LIKE embeddings_log_mixed INCLUDING ALL EXCLUDING INDEXES) PARTITION BY LIST (dim);
COMMENT ON TABLE embeddings_log IS 'One row per vector, one table per dim; never compare rows of two models or of two dims.';
CREATE TABLE embeddings_log_other PARTITION OF embeddings_log DEFAULT PARTITION BY RANGE (ts);
CREATE TABLE embeddings_log_other_default PARTITION OF embeddings_log_other DEFAULT;

DO $$
DECLARE
    -- As many as persist makes (dimensions.MAX_TABLES), those with the most rows first.
    common  integer[] := ARRAY(SELECT dim FROM embeddings_log_mixed GROUP BY dim ORDER BY count(*) DESC, dim LIMIT 16);
    width   integer;
    old_day record;
    target  text;
BEGIN
    FOREACH width IN ARRAY common LOOP
        EXECUTE format(
            'CREATE TABLE embeddings_log_%1$s PARTITION OF embeddings_log (CHECK (vector_dims(embedding) = %1$s)) '
            'FOR VALUES IN (%1$s) PARTITION BY RANGE (ts)', width
        );
        EXECUTE format(
            'CREATE TABLE embeddings_log_%1$s_default PARTITION OF embeddings_log_%1$s DEFAULT', width
        );
    END LOOP;
    FOR old_day IN
        SELECT
            inhrelid::regclass AS name,
            replace(relname, 'embeddings_log', '') AS suffix,
            pg_get_expr(relpartbound, inhrelid) AS bound
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'embeddings_log_mixed'::regclass
    LOOP
        FOREACH target IN ARRAY common::text[] || 'other'::text LOOP
            IF old_day.bound <> 'DEFAULT' THEN
                EXECUTE format(
                    'CREATE TABLE embeddings_log_%1$s%2$s PARTITION OF embeddings_log_%1$s %3$s',
                    target, old_day.suffix, old_day.bound
                );
            END IF;
        END LOOP;
        EXECUTE format('INSERT INTO embeddings_log SELECT * FROM %s', old_day.name);
    END LOOP;
END $$;

DROP TABLE embeddings_log_mixed;
CREATE INDEX ON embeddings_log (interaction_id);
