"""What every detector does.

A detector watches one metric of one segment. When a pane closes it is shown the pane, the recent past, and
the baseline, all as sums, and it gives a reading. It does no IO, keeps no clock, and its state goes into
bytes and back, so that it survives its process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import msgspec

from drift_aware.schema.alerts import ActionKind, AlertKind, Contribution, Reading
from drift_aware.streams.days import Days
from drift_aware.streams.measures import Metric, noun
from drift_aware.streams.summary import Example, Summary, merge

# From so many thresholds on an alert is a warning, and critical.
SEVERITY_STEPS = (1.5, 2.0)


@dataclass(frozen=True)
class Pane:
    """One closed pane of one family of events.

    Attributes:
        start: event time in milliseconds; ``end`` too.
        summary: the pane alone; of a conversation only the first event (``conversations``).
        steps: the recent past, this pane included, in steps of event time: start and sums of each.
        baseline: what is compared with; None before the first pane of it.
        settled: whether the baseline is complete; until then it grows.
        granted_ms: event time granted so far to each monitor of the segment (``budget``).
        days: the sums of the last days, this pane included.
    """

    start: int
    end: int
    summary: Summary
    steps: Sequence[tuple[int, Summary]]
    baseline: Summary | None
    settled: bool = True
    granted_ms: float = 0.0
    days: Days | None = None

    @cached_property
    def window(self) -> Summary:
        """The recent past, this pane included, as one sum."""
        return merge(step for _, step in self.steps)

    @property
    def window_start(self) -> int:
        """When the recent past begins."""
        return self.steps[0][0]

    def since(self, onset: int) -> tuple[int, Summary]:
        """The recent past from about an event time on, at least a step: where it begins, and its sum."""
        recent = [(start, step) for start, step in self.steps if start >= onset] or [self.steps[-1]]
        return recent[0][0], merge(step for _, step in recent)


class Subject(msgspec.Struct, frozen=True):
    """What an alert of this detector is about.

    Attributes:
        metric: its name, as in readings.
        title: its name in a sentence.
        noun: what its events are called.
        severity_steps: from what strength on an alert is a warning, and critical.
        paging: false for a second opinion that wakes nobody.
        adaptive: it compares with its own recent past, so after a change it calms down at the new level.
        latched: it says by itself when a drift is over; else an alert is over after a calm window.
        mark: what an example has that shows it, as in ``summary.MARKS``.
        calm: below what part of its threshold a score is calm again.
    """

    metric: str
    title: str
    noun: str
    kind: AlertKind
    suggests: tuple[ActionKind, ...]
    severity_steps: tuple[float, float] = SEVERITY_STEPS
    paging: bool = True
    adaptive: bool = False
    latched: bool = False
    mark: int = 0
    calm: float = 0.5


def subject_of(
    metric: Metric,
    severity_steps: tuple[float, float] = SEVERITY_STEPS,
    paging: bool = True,
    adaptive: bool = False,
    latched: bool = False,
    calm: float = 0.5,
) -> Subject:
    """The subject of a detector that watches a named metric."""
    return Subject(
        metric.name,
        metric.title,
        noun(metric),
        metric.kind,
        metric.suggests,
        severity_steps,
        paging,
        adaptive,
        latched,
        metric.mark,
        calm,
    )


class Explanation(msgspec.Struct, frozen=True):
    """What makes up a score.

    Attributes:
        parts: what moved; the shares add up to one.
        examples: the interactions at hand that show it, best first; if none does, all there are.
    """

    parts: list[Contribution] = []
    examples: list[Example] = []


class Detector(Protocol):
    """See the module."""

    @property
    def name(self) -> str:
        """The detector's own name: ``shift``, ``limit``, ``drop``, ``adwin``, ``centroid``."""

    @property
    def subject(self) -> Subject:
        """What it watches."""

    def update(self, pane: Pane) -> Reading:
        """Look at one closed pane. Called in the order of event time, each pane once."""

    def explain(self, pane: Pane, recent: Summary) -> Explanation:
        """What makes up the drift of the recent past; asked once, when an alert opens."""

    def text(self, value: float) -> str:
        """A value of the metric as a person reads it."""

    def dump(self) -> bytes:
        """The state; empty if there is none."""

    def load(self, state: bytes) -> None:
        """Go on from a dumped state."""


def marked(recent: Summary, mark: int) -> list[Example]:
    """Examples that have a mark; if none has, all."""
    return sorted(each for each in recent.examples if each.marks & mark) or sorted(recent.examples)


class Stateless:
    """What detectors without state have in common."""

    subject: Subject

    def explain(self, pane: Pane, recent: Summary) -> Explanation:
        """See ``Detector``."""
        del pane
        return Explanation(examples=marked(recent, self.subject.mark))

    def dump(self) -> bytes:
        """See ``Detector``."""
        return b""

    def load(self, state: bytes) -> None:
        """See ``Detector``."""
        del state
