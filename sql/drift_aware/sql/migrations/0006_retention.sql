-- How long rows are kept, and what removes them. persist copies its setting `retention` here; who runs
-- cleanup_old_data() from a scheduler of the database and not persist (retention.automatic: false) changes
-- the days here.

CREATE TABLE retention (
    table_name text PRIMARY KEY,
    days       integer CHECK (days > 0)
);
COMMENT ON TABLE retention IS 'Days that rows of a table are kept, counted in the time of the event; null keeps them.';
INSERT INTO retention VALUES
    ('interaction_log', 90),
    ('embeddings_log', 30),
    ('feedback_log', 365),
    ('evaluation_log', 365),
    ('drift_metrics', 90),
    ('pane_totals', 90);

-- Whole days are dropped with their partitions, which is quick and leaves nothing to vacuum. It takes a lock
-- on the table that lets nobody read for some milliseconds; where it is not had within two seconds, the
-- partition stays for the next time. DETACH CONCURRENTLY would need no such lock, but Postgres refuses it
-- beside a default partition. Rows in default partitions are deleted, first of all, because the locks of what
-- was dropped last until the end of the transaction.
CREATE FUNCTION cleanup_old_data(
    today      date DEFAULT (now() AT TIME ZONE 'UTC')::date,
    dry_run    boolean DEFAULT false,
    only_table text DEFAULT NULL
)
RETURNS TABLE (relation text, outcome text, row_count bigint, bytes bigint)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET lock_timeout = '2s'
AS $$
DECLARE
    leaf   record;
    cutoff timestamptz;
    busy   oid[] := '{}';
BEGIN
    FOR leaf IN
        SELECT
            tree.relid::text AS name,
            tree.parentrelid AS parent,
            key.attname AS time_column,
            retention.days,
            -- Null for a default partition.
            substring(pg_get_expr(pg_class.relpartbound, pg_class.oid) FROM $re$TO \('([^']+)'\)$re$)::timestamptz AS until
        FROM retention
        CROSS JOIN LATERAL pg_partition_tree(to_regclass(retention.table_name)) AS tree
        JOIN pg_class ON pg_class.oid = tree.relid
        JOIN pg_partitioned_table AS parent ON parent.partrelid = tree.parentrelid
        JOIN pg_attribute AS key ON key.attrelid = parent.partrelid AND key.attnum = parent.partattrs[0]
        WHERE tree.isleaf AND retention.days IS NOT NULL
            AND (only_table IS NULL OR retention.table_name = only_table)
        ORDER BY until NULLS FIRST
    LOOP
        -- In hours, because a day of the session's time zone may have 23 of them.
        cutoff := today::timestamp AT TIME ZONE 'UTC' - make_interval(hours => 24 * leaf.days);
        CONTINUE WHEN leaf.until > cutoff OR leaf.parent = ANY (busy);
        relation := leaf.name;
        BEGIN
            IF leaf.until IS NULL THEN
                bytes := NULL;
                IF dry_run THEN
                    EXECUTE format('SELECT count(*) FROM %s WHERE %I < $1', leaf.name, leaf.time_column)
                    INTO row_count USING cutoff;
                ELSE
                    EXECUTE format('DELETE FROM %s WHERE %I < $1', leaf.name, leaf.time_column) USING cutoff;
                    GET DIAGNOSTICS row_count = ROW_COUNT;
                END IF;
                CONTINUE WHEN row_count = 0;
                outcome := 'deleted';
            ELSE
                row_count := NULL;
                bytes := pg_total_relation_size(leaf.name::regclass);
                IF NOT dry_run THEN
                    EXECUTE format('DROP TABLE %s', leaf.name);
                END IF;
                outcome := 'dropped';
            END IF;
        EXCEPTION WHEN lock_not_available THEN
            outcome := 'in use';
            -- Somebody reads the whole table, so its other partitions need not be waited for.
            busy := busy || leaf.parent::oid;
        END;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION cleanup_old_data IS 'Removes what is older than the table retention says, and returns what it removed.';
