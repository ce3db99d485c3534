"""Which alert leads to which action: pure.

Only an alert that is firing and paging leads to any. Telling somebody is not acting: ``notify`` needs no
approval, has no limit a day, and neither ``auto_trigger`` nor a cooldown withholds it unless a rule of its
own says so, or the second drift of a week would go unheard.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from drift_aware.actions.rules import SEVERITIES, matching, score, too_slight
from drift_aware.schema.action_settings import Actions, Rule
from drift_aware.schema.alerts import ActionKind, Alert

# Never changed: the same alert must lead to the same ids on any machine and in any release.
_IDS = UUID("6f0d1d4e-51c7-5b0c-9d5e-0d0a5c8f3b11")
_HOUR_MS = 3_600_000

_WHY: Mapping[ActionKind, str] = {
    "reindex": "what is asked has moved away from what was indexed; embed the documents anew",
    "tune": "the answers have changed for the worse; prepare training data from recent interactions",
    "safety": "harmful answers have become more frequent; look at them and tighten the guardrails",
    "notify": "tell those on call",
}

# Severity, traffic of the segment in the alert's window, combined score: the larger goes first.
Impact = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class Rival:
    """A proposal that nobody has answered yet, and that a weightier one may take the day's place of."""

    id: str
    impact: Impact


@dataclass(frozen=True, slots=True)
class Past:
    """What was done before about drifts like this one.

    Attributes:
        last: event time in milliseconds of the last action of the kind in the alert's segment, not counting
            those that were withheld or have expired.
        today: how many actions of the kind, in all segments, have a place on the alert's UTC day.
        weakest: of those the one of least impact that is still only proposed.
    """

    last: int | None = None
    today: int = 0
    weakest: Rival | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One action to propose or to withhold, and why in words.

    Attributes:
        auto: whether the rule lets it be carried out without anybody's approval.
        expires_hours: how long a proposal waits for an answer.
        score: the combined score of the alert.
        displaces: the id of a proposal that is withheld in its favour.
    """

    action: ActionKind
    status: Literal["proposed", "withheld"]
    reason: str
    auto: bool = False
    expires_hours: float = 72.0
    score: float = 0.0
    displaces: str | None = None


def action_id(alert_id: str, action: ActionKind) -> str:
    """The id of the one action of a kind that an alert can lead to, whatever its revision."""
    return str(uuid5(_IDS, f"{alert_id}/{action}"))


def impact(alert: Alert) -> Impact:
    """How much there is to be won by acting; compares as tuples do."""
    return SEVERITIES.index(alert.severity), alert.window.events, score(alert)


@dataclass(frozen=True, slots=True)
class _Case:
    """One kind of action that an alert may lead to, and what there is to say about it."""

    alert: Alert
    kind: ActionKind
    settings: Actions
    past: Past


def decide(alert: Alert, settings: Actions, past: Mapping[ActionKind, Past]) -> list[Decision]:
    """What an alert leads to; nothing if it is not firing, or gives a second opinion only.

    Args:
        alert: at any revision.
        settings: the section ``actions``.
        past: by kind of action; none where there is nothing to know.
    """
    if alert.status != "firing" or not alert.paging:
        return []
    return [
        _decide(_Case(alert, kind, settings, past.get(kind, Past())), rules)
        for kind, rules in matching(alert, settings)
    ]


def _decide(case: _Case, rules: list[Rule]) -> Decision:
    """By the first rule that the alert is serious enough for; if there is none, the first says why."""
    slight = [too_slight(rule, case.kind, case.alert, case.settings) for rule in rules]
    chosen = slight.index(None) if None in slight else 0
    rule = rules[chosen]
    against = slight[chosen] or _objection(case, rule)
    displaces = None
    places = _places(case, rule)
    if against is None and case.past.today >= places:
        displaces = _displaced(case, places)
        against = None if displaces else _full(case.kind, places)
    return Decision(
        action=case.kind,
        status="withheld" if against else "proposed",
        reason=against or f"{case.alert.metric}: {_WHY[case.kind]}",
        auto=case.kind == "notify" or rule.approve == "auto",
        expires_hours=rule.expires_hours or case.settings.expires_hours,
        score=score(case.alert),
        displaces=displaces,
    )


def _objection(case: _Case, rule: Rule) -> str | None:
    if case.kind != "notify" and not case.settings.auto_trigger:
        return "the setting actions.auto_trigger is off"
    return cooling(case.kind, case.alert.ts, _cooldown(case, rule), case.past.last)


def cooling(kind: ActionKind, ts: int, hours: float, last: int | None) -> str | None:
    """Why it is too early for another action of a kind in a segment; None if it is not.

    Args:
        kind: of the action.
        ts: event time in milliseconds.
        hours: how long one has to wait after the last one; 0 for not at all.
        last: event time of that, in milliseconds.
    """
    if not hours or last is None or (passed := (ts - last) / _HOUR_MS) >= hours:
        return None
    return (
        f"the last {kind} of this segment is {max(passed, 0):.1f} h ago, "
        f"the setting actions.cooldown_hours is {hours:g}"
    )


def _cooldown(case: _Case, rule: Rule) -> float:
    if rule.cooldown_hours is not None:
        return rule.cooldown_hours
    return 0.0 if case.kind == "notify" else case.settings.cooldown_hours


def _places(case: _Case, rule: Rule) -> float:
    if rule.max_per_day is not None:
        return rule.max_per_day
    return float("inf") if case.kind == "notify" else case.settings.max_per_day


def _displaced(case: _Case, places: float) -> str | None:
    weakest = case.past.weakest
    if weakest is None or case.past.today > places or weakest.impact >= impact(case.alert):
        return None
    return weakest.id


def _full(kind: ActionKind, places: float) -> str:
    return (
        f"the day has {places:g} places for {kind}, all taken by what matters as much; "
        "the setting is actions.max_per_day"
    )
