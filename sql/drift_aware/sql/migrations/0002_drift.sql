-- What the worker concluded.

CREATE TABLE drift_events (
    id                text             PRIMARY KEY,
    revision          bigint           NOT NULL,
    status            text             NOT NULL,
    severity          text             NOT NULL,
    kind              text             NOT NULL,
    metric            text             NOT NULL,
    detector          text             NOT NULL,
    channel           text,
    segment           text             NOT NULL,
    baseline          text,
    onset             timestamptz      NOT NULL,
    ts                timestamptz      NOT NULL,
    current           double precision NOT NULL,
    baseline_value    double precision,
    score             double precision NOT NULL,
    threshold         double precision NOT NULL,
    evidence          double precision,
    paging            boolean          NOT NULL,
    window_start      timestamptz      NOT NULL,
    window_end        timestamptz      NOT NULL,
    window_events     bigint           NOT NULL,
    summary           text             NOT NULL,
    suggested_actions text[]           NOT NULL,
    alert             jsonb            NOT NULL,
    created_at        timestamptz      NOT NULL DEFAULT now(),
    updated_at        timestamptz      NOT NULL DEFAULT now()
);
CREATE INDEX ON drift_events (ts);
CREATE INDEX ON drift_events (status, severity);
COMMENT ON TABLE drift_events IS 'One row per alert, at the highest revision seen.';
COMMENT ON COLUMN drift_events.alert IS 'The whole alert as it was published.';

CREATE TABLE drift_metrics (
    segment        text        NOT NULL,
    metric         text        NOT NULL,
    detector       text        NOT NULL,
    channel        text,
    pane_start     timestamptz NOT NULL,
    pane_end       timestamptz NOT NULL,
    state          text        NOT NULL,
    events         bigint      NOT NULL,
    current        double precision,
    baseline_value double precision,
    score          double precision,
    threshold      double precision,
    evidence       double precision,
    fired          boolean     NOT NULL,
    message        text,
    -- A detector without channels has one reading, not one for each null.
    UNIQUE NULLS NOT DISTINCT (segment, metric, detector, channel, pane_start)
) PARTITION BY RANGE (pane_start);
CREATE TABLE drift_metrics_default PARTITION OF drift_metrics DEFAULT;
CREATE INDEX ON drift_metrics (pane_start);
COMMENT ON TABLE drift_metrics IS 'What each detector saw of a metric at the end of each pane; the last word wins.';

CREATE TABLE pane_totals (
    segment    text        NOT NULL,
    pane_start timestamptz NOT NULL,
    pane_end   timestamptz NOT NULL,
    totals     jsonb       NOT NULL,
    PRIMARY KEY (segment, pane_start)
) PARTITION BY RANGE (pane_start);
CREATE TABLE pane_totals_default PARTITION OF pane_totals DEFAULT;
COMMENT ON TABLE pane_totals IS 'The plain counts of a segment that came with the readings of a pane.';
