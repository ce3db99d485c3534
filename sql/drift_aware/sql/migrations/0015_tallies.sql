-- What each pane had of each metric, on the units and labels that the detectors had: what came before an action is
-- compared with what came after it from these.

ALTER TABLE pane_totals ADD COLUMN tallies jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN pane_totals.tallies IS 'Metric to events, the sum of their values, and whether each is nought or one.';
