"""What every detector does.

A detector watches one metric of one segment. When a pane closes it is shown the pane, the recent window that
ends with it, and the baseline, all as sums, and it gives a reading. It does no IO, keeps no clock, and its
state goes into bytes and back, so that it survives its process.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from drift_aware.schema.alerts import ActionKind, AlertKind, Reading
from drift_aware.streams.summary import Summary


@dataclass(frozen=True, slots=True)
class Pane:
    """One closed pane of one family of events.

    Attributes:
        start: event time in milliseconds; ``end`` too.
        summary: the pane alone.
        window: the recent past, this pane included.
        window_start: when the window begins.
        baseline: what both are compared with.
    """

    start: int
    end: int
    summary: Summary
    window: Summary
    window_start: int
    baseline: Summary


class Subject(msgspec.Struct, frozen=True):
    """What an alert of this detector is about.

    Attributes:
        metric: its name, as in readings.
        title: its name in a sentence.
        noun: what its events are called.
        severity_steps: from how many thresholds on an alert is a warning, and critical.
        paging: false for a second opinion that wakes nobody.
        adaptive: it compares with its own recent past, so after a change it calms down at the new level.
    """

    metric: str
    title: str
    noun: str
    kind: AlertKind
    suggests: tuple[ActionKind, ...]
    severity_steps: tuple[float, float] = (1.5, 2.0)
    paging: bool = True
    adaptive: bool = False


class Detector(Protocol):
    """See the module."""

    @property
    def name(self) -> str:
        """The detector's own name: ``limit``, ``drop``, ``adwin``, ``centroid``."""

    @property
    def subject(self) -> Subject:
        """What it watches."""

    def update(self, pane: Pane) -> Reading:
        """Look at one closed pane. Called in the order of event time, each pane once."""

    def rest(self, reading: Reading) -> float:
        """The score that the baseline itself would have."""

    def text(self, value: float) -> str:
        """A value of the metric as a person reads it."""

    def dump(self) -> bytes:
        """The state; empty if there is none."""

    def load(self, state: bytes) -> None:
        """Go on from a dumped state."""
