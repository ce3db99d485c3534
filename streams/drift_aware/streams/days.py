"""The sums of whole days: what the measures over a week are made of.

The day that goes on is part of its watch's state; a day that is over is written once, to a row of its own.
"""

from collections.abc import Mapping

import msgspec

from drift_aware.streams.summary import Packed, Summary, merge, unpack

DAY_MS = 86_400_000


class Today(msgspec.Struct, array_like=True):
    """The day that goes on, counted since 1970, in bytes."""

    day: int
    summary: Packed


class Days:
    """The days of one family of one segment.

    Args:
        current: so many days up to now are one window; the ``before`` days before them the other.
        before: as above.
        today: the day that goes on.
        rows: the days that are over.

    Attributes:
        changed: days whose rows are not as they were; ``row`` gives them.

    >>> days = Days(current=1, before=2)
    >>> for day in (1, 1, 2, 3, 4, 4):
    ...     days.add(day * DAY_MS, Summary({"events": day}))
    >>> [window.events for window in days.windows()]
    [8, 5]
    """

    def __init__(
        self, current: int, before: int, today: Today | None = None, rows: Mapping[int, Packed] | None = None
    ) -> None:
        self._current, self._before = current, before
        self._day = today.day if today is not None else 0
        self._today = unpack(today.summary) if today is not None else Summary()
        # Rows of days to come were written just before the process died, and will be written again.
        self._over = {day: unpack(row) for day, row in (rows or {}).items() if day < self._day}
        self._merged: tuple[Summary, Summary] | None = None
        self._recent: Summary | None = None
        self.changed: set[int] = set()

    def add(self, start: int, summary: Summary) -> None:
        """Take a pane in; panes come in the order of event time.

        Args:
            start: of the pane, milliseconds.
            summary: its sums, without which examples are kept.
        """
        day = start // DAY_MS
        if day > self._day:
            self._turn(day)
        self._today.add(Summary(summary.counts, summary.vector, summary.histograms))
        self._recent = None

    def windows(self) -> tuple[Summary, Summary]:
        """The sums of the current days, this one included, and of those before them."""
        if self._merged is None:
            self._merged = self._between(0, self._current), self._between(self._current, self._before)
        over, before = self._merged
        if self._recent is None:
            self._recent = merge([over, self._today])
        return self._recent, before

    def today(self) -> Today:
        """The day that goes on, to be kept."""
        return Today(self._day, self._today.pack())

    def row(self, day: int) -> Packed | None:
        """The row of a day that is over; None if it is kept no longer."""
        over = self._over.get(day)
        return None if over is None else over.pack()

    def _turn(self, day: int) -> None:
        if self._today.events:
            self._over[self._day] = self._today
            self.changed.add(self._day)
        old = [each for each in self._over if each <= day - self._current - self._before]
        for each in old:
            del self._over[each]
            self.changed.add(each)
        self._day, self._today, self._merged = day, Summary(), None

    def _between(self, ago: int, length: int) -> Summary:
        """The sum of ``length`` days up to ``ago`` days ago."""
        newest = self._day - ago
        return merge(self._over[day] for day in range(newest - length + 1, newest + 1) if day in self._over)
