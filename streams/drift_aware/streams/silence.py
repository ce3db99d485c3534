"""No data: a segment from which nothing has come for too long. Neither good nor bad, but worth saying."""

import msgspec

from drift_aware.schema.alerts import Alert, Window, alert_name
from drift_aware.streams.alerting import at, place

METRIC, DETECTOR = "events", "no_data"


def fallen_silent(segment: str, last: int, limit_ms: int) -> Alert:
    """The alert that nothing has come; the same however late it is noticed.

    Args:
        segment: its name.
        last: end of its last pane, milliseconds.
        limit_ms: after how long an alert is wanted.
    """
    minutes = limit_ms // 60_000
    return Alert(
        id=alert_name(segment, "", METRIC, DETECTOR, last),
        revision=1,
        status="firing",
        severity="warning",
        kind="operational",
        metric=METRIC,
        detector=DETECTOR,
        segment=segment,
        onset=last,
        ts=last + limit_ms,
        current=0.0,
        baseline_value=None,
        score=1.0,
        threshold=1.0,
        window=Window(last, last + limit_ms, 0),
        summary=f"Nothing has come from {place(segment)} since {at(last)}, for {minutes} minutes or more.",
        suggested_actions=["notify"],
    )


def speaking_again(alert: Alert, ts: int) -> Alert:
    """The last revision: an event has come, in a pane that begins at ``ts``."""
    return msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        status="resolved",
        ts=ts,
        summary=f"Events come from {place(alert.segment)} again since {at(ts)}, after a silence from "
        f"{at(alert.onset)} on.",
    )
