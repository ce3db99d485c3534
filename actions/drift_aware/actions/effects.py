"""What an action is expected to bring about, said before it begins: pure."""

import math

from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import Alert, Effect

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
# To be sure how much of a drift is gone takes so many times the events in which it was found.
PATIENCE = 30

# Of the drift that the alert tells of, what is taken to be there before the action: at least, and at most.
_LEAST_LEFT, _MOST_LEFT = 0.25, 2.0


def expected_effect(alert: Alert, settings: Actions) -> Effect | None:
    """The metric goes back, so far as ``actions.expected_recovery`` says, and by when that must be seen.

    The time it may take follows the traffic: a multiple of that in which the drift was found, within bounds.

    Args:
        alert: what the action answers.
        settings: the section ``actions``.

    Returns:
        None where there is nothing to go back to.
    """
    patience = PATIENCE * max(alert.window.end - alert.onset, alert.window.end - alert.window.start)
    least, most = settings.verify_hours * _HOUR_MS, settings.verify_days * _DAY_MS
    return way_back(alert, settings.expected_recovery, min(max(patience, least), max(most, least)) / _HOUR_MS)


def way_back(alert: Alert, part: float, hours: float) -> Effect | None:
    """A part of the way back to what the metric was.

    Args:
        alert: with the metric as it is and as it was.
        part: 1 is all of it.
        hours: of event time that it may take.

    Returns:
        None where there is nothing to go back to.
    """
    was, now = alert.baseline_value, alert.current
    if was is None or not math.isfinite(now - was) or now == was:
        return None
    target = (1 - part) * now + part * was
    return Effect(
        alert.metric, "up" if now < was else "down", now, target, alert.ts + round(hours * _HOUR_MS)
    )


def expected_change(effect: Effect, calm: float, before: float) -> float:
    """By how much the metric is to move from where it was just before the action.

    As large a part of the way back as was expected. An alert is raised when things look worst, so what was
    measured after it is nearer to the truth than what it says.

    Args:
        effect: as expected.
        calm: where there is no drift.
        before: measured before the action.

    >>> effect = Effect(metric="refusal_rate", direction="down", current=0.12, target=0.075, by=0)
    >>> round(expected_change(effect, 0.03, 0.12), 3), round(expected_change(effect, 0.03, 0.10), 3)
    (-0.045, -0.035)
    """
    left = (before - calm) / (effect.current - calm)
    return (effect.target - effect.current) * min(max(left, _LEAST_LEFT), _MOST_LEFT)
