-- Published events are also asked for in the order of their time, page by page; without these a page would
-- read and sort whole days.

CREATE INDEX ON interaction_log (ts);
CREATE INDEX ON embeddings_log (ts);
CREATE INDEX ON feedback_log (ts);
CREATE INDEX ON evaluation_log (ts);
