"""Closed panes of a family that has no baseline yet: the detectors look at them when it comes.

There may be days of them, so their number is bounded: beyond MOST they are put together in stretches of event
time twice as long. Which panes come together depends on their times alone, and a stretch knows how far it is
filled, so a pane that is closed once more after a crash changes nothing.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from drift_aware.streams.summary import Packed, Summary, merge, unpack

MOST = 120


class Stretch(NamedTuple):
    """Panes next to each other as one, from the start of the first to the end of the last, milliseconds.

    ``granted_ms`` is the event time that each monitor of the segment had been granted at its end.
    """

    start: int
    end: int
    summary: Summary
    granted_ms: float


class StretchRow(msgspec.Struct, array_like=True):
    """A stretch in bytes; ``length`` is how much event time it may take in."""

    length: int
    start: int
    end: int
    summary: Packed
    granted_ms: float


class Waiting:
    """What waits for the baseline of one family of one segment.

    Args:
        pane_ms: length of a pane.
        rows: to go on from, each by the time at which its stretch begins.

    Attributes:
        changed: which rows are not as they were; ``row`` gives them.
    """

    def __init__(self, pane_ms: int, rows: Mapping[int, StretchRow]) -> None:
        self.changed: set[int] = set()
        self._length = max([pane_ms, *(row.length for row in rows.values())])
        self._stretches: dict[int, Stretch] = {}
        # Rows of several lengths: the process died while it wrote longer ones. What those have is skipped.
        for at, row in sorted(rows.items(), key=lambda each: (each[1].start, -each[1].length)):
            self._put(Stretch(row.start, row.end, unpack(row.summary), row.granted_ms))
            if row.length < self._length:
                self.changed |= {at, self._begin(at)}

    def __iter__(self) -> Iterator[Stretch]:
        return iter([stretch for _, stretch in sorted(self._stretches.items())])

    def add(self, pane: Stretch) -> None:
        """Let a closed pane wait; panes come in the order of event time, some of them once more."""
        self._put(pane)
        self.changed.add(self._begin(pane.start))
        while len(self._stretches) > MOST:
            self._lengthen()

    def clear(self) -> None:
        """Let nothing wait any more."""
        self.changed |= set(self._stretches)
        self._stretches.clear()

    def row(self, at: int) -> StretchRow | None:
        """The row of the stretch that begins at a time; None if there is none any more."""
        if at not in self._stretches:
            return None
        stretch = self._stretches[at]
        return StretchRow(
            self._length, stretch.start, stretch.end, stretch.summary.pack(), stretch.granted_ms
        )

    def _begin(self, time: int) -> int:
        return time - time % self._length

    def _put(self, new: Stretch) -> None:
        begin = self._begin(new.start)
        there = self._stretches.get(begin)
        if there is None:
            self._stretches[begin] = new
        elif there.end < new.end:
            both = merge([there.summary, new.summary])
            both.trim()
            self._stretches[begin] = Stretch(there.start, new.end, both, new.granted_ms)

    def _lengthen(self) -> None:
        shorter, self._stretches, self._length = self._stretches, {}, 2 * self._length
        for _, stretch in sorted(shorter.items()):
            self._put(stretch)
        self.changed |= set(shorter) | set(self._stretches)
