"""The life of an endpoint's alert, round by round: pure.

It opens in the second round in a row in which more has changed than chance explains, and is over after as
many in which it has not, or when somebody accepts what has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from msgspec.structs import replace

from drift_aware.actions.canary import rule
from drift_aware.actions.canary.asking import Round
from drift_aware.actions.canary.comparing import anew, compare
from drift_aware.actions.canary.goldens import Question
from drift_aware.schema.alerts import Alert, AlertKind, Contribution, Window, alert_name
from drift_aware.schema.canaries import Canary, CanaryId, Probe
from drift_aware.schema.segments import ALL

DETECTOR = "canary"
METRICS: dict[CanaryId, str] = {"answers": "canary_answers", "embedding": "canary_embedding"}
_KINDS: dict[CanaryId, AlertKind] = {"answers": "behavior", "embedding": "embedding"}
_NOUNS: dict[CanaryId, str] = {"answers": "golden prompts", "embedding": "fixed strings"}
_VERBS: dict[CanaryId, str] = {"answers": "are answered differently", "embedding": "have moved"}
_MINUTES_A_DAY = 24 * 60
_FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Plan:
    """What the settings say of an endpoint.

    Attributes:
        model: as it is asked for.
        questions: what is asked.
        learn: rounds that make a reference.
        every_minutes: from one round to the next.
    """

    model: str
    questions: Sequence[Question]
    learn: int = 5
    every_minutes: float = 60


@dataclass(frozen=True)
class Count:
    """What of an endpoint has changed.

    Attributes:
        steady: probes that count.
        changed: those of them whose last answer is another.
        needed: so many would be more than chance explains; None if all of them would not.
    """

    steady: list[Probe]
    changed: list[Probe]

    @property
    def needed(self) -> int | None:
        return rule.needed(len(self.steady))

    @property
    def beyond(self) -> bool:
        """Whether more has changed than chance explains."""
        return self.needed is not None and len(self.changed) >= self.needed


def count(canary: Canary, learn: int) -> Count:
    """What has changed of what counts: it is learned, and has repeated itself."""
    steady = [probe for probe in canary.probes if probe.steady and probe.rounds >= learn]
    return Count(steady, [probe for probe in steady if probe.changed])


def follow(canary: Canary, plan: Plan, found: Round, ts: int) -> Canary:
    """An endpoint after a round in which something was answered.

    Args:
        canary: before it.
        plan: what the settings say.
        found: what came back.
        ts: when it began, milliseconds.
    """
    return _judged(_seen(canary, plan, found, ts), plan)


def _seen(canary: Canary, plan: Plan, found: Round, ts: int) -> Canary:
    """With what came back."""
    firing = is_firing(canary)
    learning = not canary.probes or any(probe.rounds < plan.learn for probe in canary.probes)
    reported = found.reported or canary.reported
    return replace(
        canary,
        round=canary.round + 1,
        ts=ts,
        model=plan.model,
        probes=compare(canary.probes, plan.questions, found, plan.learn, firing=firing),
        reported=reported,
        fingerprint=found.fingerprint or canary.fingerprint,
        learned=reported if learning and not firing else canary.learned,
    )


def _judged(canary: Canary, plan: Plan) -> Canary:
    """With an alert that opens or is over, if it has come to that."""
    firing, counted = is_firing(canary), count(canary, plan.learn)
    if counted.needed is None:
        return canary
    if counted.beyond:
        canary = replace(canary, beyond=canary.beyond + 1, calm=0, since=canary.since or canary.ts)
        opens = not firing and canary.beyond >= rule.ROUNDS_IN_A_ROW
        return _opened(canary, plan, counted) if opens else canary
    if not firing:
        return replace(canary, beyond=0, calm=0, since=None)
    canary = replace(canary, beyond=0, calm=canary.calm + 1)
    if canary.calm < rule.ROUNDS_IN_A_ROW:
        return canary
    return replace(_closed(canary, counted, canary.ts, "are as they were"), since=None, calm=0)


def accept(canary: Canary, ts: int) -> Canary:
    """What is answered now becomes the beginning of a new reference, and the alert is over."""
    counted = Count([probe for probe in canary.probes if probe.steady], [])
    if is_firing(canary):
        canary = _closed(canary, counted, ts, "begin a new reference, accepted as they are now")
    return replace(
        canary,
        probes=[anew(probe) for probe in canary.probes],
        learned=canary.reported,
        beyond=0,
        calm=0,
        since=None,
    )


def is_firing(canary: Canary) -> bool:
    """Whether its alert is open."""
    return canary.alert is not None and canary.alert.status == "firing"


def _opened(canary: Canary, plan: Plan, counted: Count) -> Canary:
    onset, needed = canary.since, counted.needed
    assert onset is not None
    assert needed is not None
    metric, changed = METRICS[canary.id], len(counted.changed)
    alert = Alert(
        id=alert_name(ALL, canary.id, metric, DETECTOR, onset),
        revision=1,
        status="firing",
        # Vectors of two embedders cannot be compared at all; an answer in other words may be as good.
        severity="critical" if canary.id == "embedding" else "warning",
        kind=_KINDS[canary.id],
        metric=metric,
        detector=DETECTOR,
        segment=ALL,
        onset=onset,
        ts=canary.ts,
        current=_current(canary.id, counted),
        baseline_value=None,
        score=float(changed),
        threshold=float(needed),
        evidence=plan.every_minutes / _MINUTES_A_DAY / rule.TAIL**rule.ROUNDS_IN_A_ROW,
        window=Window(onset, canary.ts, len(counted.steady)),
        summary=_sentence(canary, counted, onset),
        contributions=[Contribution(probe.name, 1.0) for probe in counted.changed],
        suggested_actions=["reindex"] if canary.id == "embedding" else [],
    )
    return replace(canary, alert=alert)


def _closed(canary: Canary, counted: Count, ts: int, how: str) -> Canary:
    alert = canary.alert
    assert alert is not None
    resolved = replace(
        alert,
        revision=alert.revision + 1,
        status="resolved",
        ts=ts,
        current=_current(canary.id, counted),
        score=float(len(counted.changed)),
        contributions=[],
        window=Window(alert.window.start, ts, len(counted.steady)),
        summary=f"The {_NOUNS[canary.id]} {how}; they had changed since {_at(alert.onset)}.",
    )
    return replace(canary, alert=resolved)


def _current(which: CanaryId, counted: Count) -> float:
    """The metric in its own unit: the median distance of the vectors, or the share of answers."""
    if not counted.steady:
        return 0.0
    if which == "embedding":
        return median(probe.distance for probe in counted.steady)
    return len(counted.changed) / len(counted.steady)


def _sentence(canary: Canary, counted: Count, onset: int) -> str:
    what = f"{len(counted.changed)} of {len(counted.steady)} {_NOUNS[canary.id]} {_VERBS[canary.id]}"
    return f"{what} since {_at(onset)}{_sizes(counted)}; {_name(canary)}."


def _sizes(counted: Count) -> str:
    sizes = {
        (len(probe.vector) // _FLOAT32_BYTES, len(probe.latest_vector) // _FLOAT32_BYTES)
        for probe in counted.changed
    }
    before, now = sizes.pop() if len(sizes) == 1 else (0, 0)
    return f", from {before} numbers to {now}" if before != now else ""


def _name(canary: Canary) -> str:
    if not canary.reported:
        return "the API does not say which model answers"
    if canary.learned and canary.reported != canary.learned:
        return f"the API now reports model {canary.reported}, not {canary.learned}"
    return f"the API still reports model {canary.reported}"


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
