"""What the worker and its consumers say: readings, alerts, actions, baselines and the sums of days.

All of them are JSON on the wire, one object per record.
"""

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
    """A stretch of event time, in milliseconds, and how many events fell into it."""

    start: int
    end: int
    events: int


class Contribution(Struct, frozen=True):
    """How much one part (a cluster, a class, a dimension) added to a score; the parts add up to it."""

    name: str
    share: float


class Alert(Struct, kw_only=True, omit_defaults=False):
    """One drift, from the moment it is found until it is over.

    The id is made from segment, metric, detector and onset, so that the same events give the same id on any
    machine. Each change has a higher ``revision``; a record may be sent more than once, so consumers keep
    the highest revision of an id.

    Attributes:
        current: the metric now; baseline_value: what it was; both in the metric's own unit.
        score: what the detector compares with ``threshold``.
        evidence: how sure, in days: by chance alone the like would come so seldom; None if it is not known.
        onset: event time in milliseconds at which the change is thought to have begun.
        paging: false for a detector that only gives a second opinion.
        contributions: what moved; the shares add up to the score.
        examples: interaction ids.
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


class Reading(Struct, kw_only=True, omit_defaults=False):
    """What one detector saw of one metric when a pane closed.

    Attributes:
        score: what is compared with ``threshold``; of a detector on the false-alarm budget, its evidence as a
            multiple of the budget.
        evidence: in days: by chance alone the like would come so seldom.
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
        totals: kind to how many events there were, all of every conversation.
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
        family: ``interaction``, ``feedback``, ``evaluation`` or ``embedding/<kind>/<model>/<dim>``.
        since, until: the stretch of event time it covers, from first pane to end of last, milliseconds.
        offsets: topic to partition to [first, next] offsets the events came from.
        labeller: version of the labels it counts; another version needs another baseline.
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
