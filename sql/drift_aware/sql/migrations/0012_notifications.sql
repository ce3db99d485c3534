-- Who was told of which alert, so that a message is brought up to date and not repeated.

CREATE TABLE notification (
    alert_id   text        NOT NULL,
    channel    text        NOT NULL,
    lead       text        NOT NULL,
    family     text        NOT NULL,
    ts         timestamptz NOT NULL,
    state      text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'quiet', 'sent', 'withheld', 'over')),
    handle     jsonb,
    told       jsonb,
    failures   integer     NOT NULL DEFAULT 0,
    looked_at  timestamptz NOT NULL DEFAULT now(),
    next_look  timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, channel)
);
CREATE INDEX ON notification (channel, family, ts);
CREATE INDEX ON notification (lead, channel);
CREATE INDEX ON notification (next_look) WHERE state IN ('quiet', 'sent');
COMMENT ON TABLE notification IS 'One row per alert and channel; alerts of one drift share the message of their lead.';
COMMENT ON COLUMN notification.lead IS 'The alert whose row holds the message: the first of the drift.';
COMMENT ON COLUMN notification.state IS 'Quiet: not serious enough for the channel. Withheld: beyond its messages an hour.';
COMMENT ON COLUMN notification.handle IS 'What the channel needs to find the message again.';
COMMENT ON COLUMN notification.told IS 'Where the drift stood when it was last told.';

CREATE TABLE notification_post (
    channel   text        NOT NULL,
    posted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON notification_post (channel, posted_at);
COMMENT ON TABLE notification_post IS 'Every message that went out in the last day; the limits count them.';
