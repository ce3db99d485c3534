-- What each part of the traffic had in each UTC day, as sums that merge: a window of days is compared with
-- another from a few rows, however many events there were.

CREATE TABLE day_sums (
    segment text        NOT NULL,
    family  text        NOT NULL,
    day     date        NOT NULL,
    until   timestamptz NOT NULL,
    events  bigint      NOT NULL,
    sums    bytea       NOT NULL,
    PRIMARY KEY (segment, family, day)
);
CREATE INDEX ON day_sums (day);
COMMENT ON TABLE day_sums IS 'One row per segment, family of events and UTC day, at the latest event time seen.';
COMMENT ON COLUMN day_sums.until IS 'Event time up to which events are in it; late ones are not.';
COMMENT ON COLUMN day_sums.sums IS 'Counts, histograms and the sum of unit vectors, in the worker''s own form.';
