"""Which rule an alert falls under, and how serious the alert is: pure."""

import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from drift_aware.schema.action_settings import Actions, Rule, When
from drift_aware.schema.alerts import ActionKind, Alert, Severity

SEVERITIES: Sequence[Severity] = ("info", "warning", "critical")
# Below this an alert is worth a message, but no work.
MIN_SEVERITY: Severity = "warning"
KINDS: Sequence[ActionKind] = ("reindex", "tune", "safety", "notify")

# What helps against which drift, where the settings have no rules.
BUILT_IN: Sequence[Rule] = (
    Rule(when=When(kind="embedding"), do=["reindex"]),
    Rule(when=When(kind="accuracy"), do=["tune"]),
    *(Rule(when=When(metric=f"*{word}*"), do=["tune"]) for word in ("refusal", "accuracy", "feedback")),
    Rule(when=When(metric="*toxic*"), do=["safety"]),
)
_NOTIFY = Rule(do=["notify"])


def score(alert: Alert) -> float:
    """The combined score of an alert, 0 to 1: how large its drift is, or how sure, whichever is more.

    As in a comparison of two windows, 1 is far beyond any limit. How large: its severity, which counts the
    size in limits. How sure: by how much of itself the detector's score is beyond its threshold; a score of
    twice the threshold gives 0.5.

    >>> from drift_aware.schema.alerts import Window
    >>> def of(severity, score):
    ...     return Alert(
    ...         id="", revision=1, status="firing", severity=severity, kind="behavior", metric="",
    ...         detector="", segment="", onset=0, ts=0, current=0, baseline_value=0, score=score,
    ...         threshold=1.0, window=Window(0, 0, 0), summary="")
    >>> score(of("info", 1.25)), score(of("warning", 1.25)), score(of("warning", 4)), score(of("critical", 1))
    (0.2, 0.5, 0.75, 1.0)
    """
    large = SEVERITIES.index(alert.severity) / (len(SEVERITIES) - 1)
    needed = max(alert.threshold, 0.0)
    if not alert.score > needed:
        return large
    sure = 1.0 if math.isinf(alert.score) else (alert.score - needed) / alert.score
    return max(large, sure)


def matching(alert: Alert, settings: Actions) -> Iterator[tuple[ActionKind, list[Rule]]]:
    """Each kind of action that an alert calls for, and its rules in their order; ``notify`` last.

    Telling somebody is not acting: unless the rules speak of ``notify``, it follows from every alert.
    """
    rules = settings.rules or [*BUILT_IN, Rule(do=alert.suggested_actions or ["notify"])]
    for kind in KINDS:
        found = [rule for rule in rules if kind in rule.do and _fits(rule.when, alert)]
        if kind == "notify" and not any("notify" in rule.do for rule in settings.rules):
            found = [_NOTIFY]
        if found:
            yield kind, found


def _fits(when: When, alert: Alert) -> bool:
    return (
        when.kind in (None, alert.kind)
        and fnmatchcase(alert.metric, when.metric)
        and fnmatchcase(alert.segment, when.segment)
    )


def too_slight(rule: Rule, kind: ActionKind, alert: Alert, settings: Actions) -> str | None:
    """Why an alert is not serious enough for the rule; None if it is."""
    message = kind == "notify"
    severity = rule.when.min_severity or ("info" if message else MIN_SEVERITY)
    if SEVERITIES.index(alert.severity) < SEVERITIES.index(severity):
        return f"severity {alert.severity} is below {severity}"
    least = rule.when.min_score
    if least is None:
        least = 0.0 if message else settings.min_drift_score
    if score(alert) < least:
        return f"the combined score {score(alert):.2f} is below {least:g}"
    return None
