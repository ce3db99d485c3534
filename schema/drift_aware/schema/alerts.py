"""What the worker and its consumers say: readings, alerts, actions, baselines and the sums of days.

All of them are JSON on the wire, one object per record.
"""

import hashlib
from typing import Literal

from msgspec import Struct

Severity = Literal["info", "warning", "critical"]
AlertStatus = Literal["firing", "resolved", "retracted"]
AlertKind = Literal["embedding", "behavior", "accuracy", "operational"]
State = Literal["ok", "firing", "warming_up", "no_data"]
ActionKind = Literal["reindex", "tune", "safety", "notify"]
ActionStatus = Literal[
    "proposed",
    "withheld",
    "approved",
    "rejected",
    "expired",
    "running",
    "succeeded",
    "failed",
    "unknown",
    "verified",
    "rolled_back",
]


class Window(Struct, frozen=True):
    """A stretch of event time, in milliseconds, and how many events fell into it.

    Attributes:
        start: the first millisecond.
        end: the first after it.
        events: how many.
    """

    start: int
    end: int
    events: int


class Contribution(Struct, frozen=True):
    """How much one part (a cluster, a class, a dimension) added to a score; the parts add up to it.

    Attributes:
        name: of the part.
        share: in the unit of the score.
    """

    name: str
    share: float


class Alert(Struct, kw_only=True, omit_defaults=False):
    """One drift, from the moment it is found until it is over.

    The id is made from segment, metric, detector and onset, so that the same events give the same id on any
    machine. Each change has a higher ``revision``; a record may be sent more than once, so consumers keep
    the highest revision of an id.

    Attributes:
        id: the same on any machine.
        revision: from 1.
        status: ``retracted`` if it turned out that there was nothing to alert about.
        severity: how bad.
        kind: of the metric.
        metric: what moved.
        detector: which found it.
        segment: where.
        onset: event time in milliseconds at which the change is thought to have begun.
        ts: event time of this revision, milliseconds.
        current: the metric now, in its own unit.
        baseline_value: what it was, in the same unit.
        score: what the detector compares with ``threshold``.
        threshold: beyond which a score is a drift.
        window: which events ``current`` is of.
        summary: all of it in one sentence.
        channel: which part of the metric, of detectors that watch several.
        baseline: id of the baseline it was compared with, if there is one.
        evidence: how sure, in days: by chance alone the like would come so seldom; None if it is not known.
        paging: false for a detector that only gives a second opinion.
        contributions: what moved; the shares add up to the score.
        examples: interaction ids.
        suggested_actions: what may help.
        words: those that stand out in the texts of the examples against texts of the baseline.
    """

    id: str
    revision: int
    status: AlertStatus
    severity: Severity
    kind: AlertKind
    metric: str
    detector: str
    segment: str
    onset: int
    ts: int
    current: float
    baseline_value: float | None
    score: float
    threshold: float
    window: Window
    summary: str
    channel: str | None = None
    baseline: str | None = None
    evidence: float | None = None
    paging: bool = True
    contributions: list[Contribution] = []
    examples: list[str] = []
    suggested_actions: list[ActionKind] = []
    words: list[str] = []


def alert_name(*parts: str | int) -> str:
    """An id made of what an alert is about."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24]


class Reading(Struct, kw_only=True, omit_defaults=False):
    """What one detector saw of one metric when a pane closed.

    Attributes:
        metric: what was looked at.
        detector: which looked.
        state: ``warming_up`` and ``no_data`` have no score.
        events: how many it was made of.
        channel: which part of the metric.
        current: the metric now, in its own unit.
        baseline_value: what it is compared with.
        score: what is compared with ``threshold``; of a detector on the false-alarm budget, its evidence as a
            multiple of the budget.
        threshold: what the score is compared with.
        evidence: in days: by chance alone the like would come so seldom.
        fired: whether this reading is a drift.
        message: why there is no score.
        onset: event time in milliseconds at which the drift that fires began, if the detector tells.
        strength: how large the drift is, in thresholds of severity; None if the score says it.
    """

    metric: str
    detector: str
    state: State
    events: int
    channel: str | None = None
    current: float | None = None
    baseline_value: float | None = None
    score: float | None = None
    threshold: float | None = None
    evidence: float | None = None
    fired: bool = False
    message: str | None = None
    onset: int | None = None
    strength: float | None = None


class Tally(Struct, frozen=True, array_like=True):
    """What the units of a pane had of a metric.

    Attributes:
        events: of which the metric is known; of a conversation only the first.
        total: of their values, in the metric's unit; of embeddings in bins of the distance from the baseline.
        rate: whether every value is nought or one.
    """

    events: int
    total: float
    rate: bool = False


class Readings(Struct, kw_only=True, omit_defaults=False):
    """All readings of a segment at the end of one pane; ``start`` and ``end`` in event-time milliseconds.

    Attributes:
        segment: which traffic.
        start: of the pane or panes, event time in milliseconds.
        end: of the pane or panes, event time in milliseconds.
        totals: kind to how many events there were, all of every conversation.
        readings: one of each detector and metric.
        tallies: metric to what the pane had of it; empty where the readings are of more than one pane. Of
            embeddings the name ends with the reference they were scored against, as in
            ``query_embedding/1f0c9a3e``.
    """

    segment: str
    start: int
    end: int
    totals: dict[str, int]
    readings: list[Reading]
    tallies: dict[str, Tally] = {}


class Baseline(Struct, kw_only=True, omit_defaults=False):
    """What one family of events of a segment looked like when all was well, and how to fit it again.

    Attributes:
        id: made from the contents; the same events give the same id.
        segment: which traffic.
        family: ``interaction``, ``feedback``, ``evaluation`` or ``embedding/<kind>/<model>/<dim>``.
        policy: how it was chosen.
        created: when it was fitted, milliseconds.
        events: how many it was made of.
        since: where the stretch of event time begins that it covers, the start of its first pane,
            milliseconds.
        until: where it ends, the end of its last pane, milliseconds.
        offsets: topic to partition to [first, next] offsets the events came from.
        labeller: version of the labels it counts; another version needs another baseline.
        seed: of what is random in the fitting.
        summary: the sums (streams.summary), msgpack.
        reference: of embeddings what later ones are compared with (streams.reference), msgpack.
    """

    id: str
    segment: str
    family: str
    policy: Literal["first", "pinned", "rolling"]
    created: int
    events: int
    since: int
    until: int
    offsets: dict[str, dict[str, tuple[int, int]]]
    labeller: str
    seed: int
    summary: bytes
    reference: bytes = b""


class DaySums(Struct, kw_only=True, omit_defaults=False):
    """What one family of events of a segment had in one UTC day so far; late events are not in it.

    Cumulative: one with a later ``until`` replaces those before it, and one that comes twice changes nothing.

    Attributes:
        segment: which traffic.
        family: as in ``Baseline``.
        day: when the day begins, milliseconds.
        until: event time up to which panes are in it, milliseconds.
        events: how many, all of every conversation.
        sums: their sums (streams.summary) without examples, msgpack; the count ``again`` says how many of the
            events do not open a conversation.
    """

    segment: str
    family: str
    day: int
    until: int
    events: int
    sums: bytes


class Effect(Struct, frozen=True):
    """What an action is to bring about.

    Attributes:
        metric: of the segment, by the name that alerts have.
        direction: where it is to go.
        current: where it stands before.
        target: where it is to be.
        by: event time in milliseconds until which it may take.
    """

    metric: str
    direction: Literal["up", "down"]
    current: float
    target: float
    by: int


class Action(Struct, kw_only=True, omit_defaults=False):
    """One step in the life of an action; the highest ``revision`` of an id is where it stands.

    ``reason`` says in words why it is proposed, withheld, failed, or unknown. ``alert_id`` begins with
    ``request/`` if somebody asked for it by hand.

    Attributes:
        id: follows from the alert's id.
        revision: from 1.
        action: its kind.
        status: where it stands.
        alert_id: what it is about; begins with ``request/`` if somebody asked for it by hand.
        segment: which traffic.
        metric: which moved.
        severity: of the alert.
        ts: event time of the alert's revision, milliseconds.
        dry_run: whether carrying it out only says what would be done.
        reason: why it is proposed, withheld, failed, or unknown.
        expected: the effect it is to have; None until it is approved, and where nothing can be measured.
        receipt: what was done, what it cost, and whether it helped.
    """

    id: str
    revision: int
    action: ActionKind
    status: ActionStatus
    alert_id: str
    segment: str
    metric: str
    severity: Severity
    ts: int
    dry_run: bool
    reason: str
    expected: Effect | None = None
    receipt: dict[str, str | float | int | bool | None] | None = None
