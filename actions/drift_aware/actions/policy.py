"""Which alert leads to which action: pure.

Only an alert that is firing and paging leads to any. Telling somebody is not acting: ``notify`` follows from
every such alert, and neither a cooldown nor ``auto_trigger`` withholds it, or the second drift of a week
would go unheard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from drift_aware.schema.alerts import ActionKind, Alert, Severity
from drift_aware.schema.settings import Actions

# Never changed: the same alert must lead to the same ids on any machine and in any release.
_IDS = UUID("6f0d1d4e-51c7-5b0c-9d5e-0d0a5c8f3b11")
_HOUR_MS = 3_600_000
_SEVERITIES: Sequence[Severity] = ("info", "warning", "critical")

# Below this an alert is worth a message, but no work.
MIN_SEVERITY: Severity = "warning"

# A word in the name of a metric, and what helps when that metric drifts.
_REMEDIES: Mapping[str, ActionKind] = {
    "toxic": "safety",
    "refusal": "tune",
    "accuracy": "tune",
    "feedback": "tune",
}
_WHY: Mapping[ActionKind, str] = {
    "reindex": "what is asked has moved away from what was indexed; embed the documents anew",
    "tune": "the answers have changed for the worse; prepare training data from recent interactions",
    "safety": "harmful answers have become more frequent; look at them and tighten the guardrails",
    "notify": "tell those on call",
}
_ORDER: Sequence[ActionKind] = ("reindex", "tune", "safety", "notify")


@dataclass(frozen=True, slots=True)
class Decision:
    """One action to propose or to withhold, and why in words."""

    action: ActionKind
    status: Literal["proposed", "withheld"]
    reason: str


def action_id(alert_id: str, action: ActionKind) -> str:
    """The id of the one action of a kind that an alert can lead to, whatever its revision."""
    return str(uuid5(_IDS, f"{alert_id}/{action}"))


def remedies(alert: Alert) -> list[ActionKind]:
    """What helps: by the kind of the drift, what the alert itself suggests, and always to tell somebody."""
    found: set[ActionKind] = {"notify", *alert.suggested_actions}
    if alert.kind == "embedding":
        found.add("reindex")
    if alert.kind == "accuracy":
        found.add("tune")
    found.update(action for word, action in _REMEDIES.items() if word in alert.metric)
    return [action for action in _ORDER if action in found]


def decide(alert: Alert, settings: Actions, last: Mapping[ActionKind, int]) -> list[Decision]:
    """What an alert leads to; nothing if it is not firing, or gives a second opinion only.

    Args:
        alert: at any revision.
        settings: the section ``actions``.
        last: kind of action to the event time in milliseconds of the last one in the alert's segment that
            was not withheld.
    """
    if alert.status != "firing" or not alert.paging:
        return []
    return [_decide(alert, action, settings, last.get(action)) for action in remedies(alert)]


def _decide(alert: Alert, action: ActionKind, settings: Actions, last: int | None) -> Decision:
    against = None if action == "notify" else _objection(alert, action, settings, last)
    if against is not None:
        return Decision(action, "withheld", against)
    return Decision(action, "proposed", f"{alert.metric}: {_WHY[action]}")


def _objection(alert: Alert, action: ActionKind, settings: Actions, last: int | None) -> str | None:
    if not settings.auto_trigger:
        return "the setting actions.auto_trigger is off"
    if _SEVERITIES.index(alert.severity) < _SEVERITIES.index(MIN_SEVERITY):
        return f"severity {alert.severity} is below {MIN_SEVERITY}"
    return cooling(action, alert.ts, settings, last)


def cooling(action: ActionKind, ts: int, settings: Actions, last: int | None) -> str | None:
    """Why it is too early for another action of a kind in a segment; None if it is not.

    Args:
        action: the kind.
        ts: event time in milliseconds.
        settings: the section ``actions``.
        last: event time of the last one that was not withheld.
    """
    if last is None or (hours := (ts - last) / _HOUR_MS) >= settings.cooldown_hours:
        return None
    return (
        f"the last {action} of this segment is {max(hours, 0):.1f} h ago, "
        f"the setting actions.cooldown_hours is {settings.cooldown_hours:g}"
    )
