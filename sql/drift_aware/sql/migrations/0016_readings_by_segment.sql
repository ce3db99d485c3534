-- Who looks at a segment wants all it had in a stretch of time, or its latest pane. With the time after the segment
-- that is one piece of the index; behind metric and detector it was one for each of them. The same columns are
-- unique as before.

ALTER TABLE drift_metrics DROP CONSTRAINT drift_metrics_segment_metric_detector_channel_pane_start_key;
ALTER TABLE drift_metrics ADD UNIQUE NULLS NOT DISTINCT (segment, pane_start, metric, detector, channel);

-- What has changed a moment ago is asked for twice a second.
CREATE INDEX ON drift_events (updated_at);
CREATE INDEX ON action_log (updated_at);
