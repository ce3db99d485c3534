"""What an action is to bring about: pure."""

from drift_aware.schema.alerts import Alert, Effect

_HOUR_MS = 3_600_000


def halfway_back(alert: Alert, hours: float) -> Effect | None:
    """At least half of the way back to what the metric was; None if that is not known.

    Args:
        alert: with the metric as it is and as it was.
        hours: of event time that it may take.
    """
    was, now = alert.baseline_value, alert.current
    if was is None or was == now:
        return None
    by = alert.ts + round(hours * _HOUR_MS)
    return Effect(alert.metric, "down" if now > was else "up", now, (now + was) / 2, by)
