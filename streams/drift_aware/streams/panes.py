"""Event time: which pane an event falls into, and when a pane is complete.

A pane is a small tumbling window of event time. Each source, one partition of one source topic, has a
watermark: the latest event time seen in it. A pane is complete when every source that is not idle has passed
its end by the allowed lateness (Akidau et al., "The Dataflow Model", VLDB 2015).
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from drift_aware.schema.events import Kind

# Idle means: all that the partition holds has been read, and nothing came for longer than a pane can wait.
IDLE = -1
NEVER = 0
END_OF_TIME = 1 << 60


class Source(NamedTuple):
    """One partition of one source topic."""

    kind: Kind
    partition: int


class Clock(msgspec.Struct, frozen=True):
    """How event time is cut.

    Attributes:
        pane_ms: length of a pane.
        lateness_ms: how long after its end a pane still takes events.
    """

    pane_ms: int
    lateness_ms: int

    def pane(self, ts: int) -> int:
        """The start of the pane that ``ts`` falls into.

        >>> Clock(10_000, 0).pane(12_345)
        10000
        """
        return ts - ts % self.pane_ms

    def closes_at(self, pane: int) -> int:
        """The watermark at which the pane is complete."""
        return pane + self.pane_ms + self.lateness_ms


def complete_until(watermarks: Mapping[int, Mapping[Kind, int]], partitions: int) -> int:
    """The event time that every source has passed.

    Args:
        watermarks: partition to kind to watermark or IDLE.
        partitions: how many there are; until each has reported once, nothing is complete.

    >>> complete_until({0: {"interaction": 50, "feedback": IDLE}, 1: {"interaction": 70, "feedback": 40}}, 2)
    40
    >>> complete_until({0: {"interaction": 50}}, 2)
    0
    """
    if len(watermarks) < partitions:
        return NEVER
    return min(
        (mark for marks in watermarks.values() for mark in marks.values() if mark != IDLE),
        default=END_OF_TIME,
    )
