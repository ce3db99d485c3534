"""What each family of a segment had in each UTC day, for whoever asks about days later.

Every event of every closed pane counts here, with or without a baseline, whether or not it opens a
conversation. The days that detectors look at (``days``) are others: of units alone, since the baseline.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from drift_aware.schema.alerts import DaySums
from drift_aware.streams.days import DAY_MS
from drift_aware.streams.summary import AGAIN, Packed, Summary, again, is_again, unpack

# How often in event time the day that goes on is told.
TELL_MS = 60_000
# The row of a day that is over stays so long after it was sent, should it have died in a buffer.
KEEP_SENT_SECONDS = 60.0

_pack = msgspec.msgpack.Encoder().encode


class DayRow(msgspec.Struct, array_like=True):
    """A day, counted since 1970, in bytes; ``until`` as in ``DaySums``."""

    day: int
    until: int
    sums: Packed


class History:
    """The days that go on in one segment, one of each family.

    Args:
        rows: to go on from, by family.

    >>> history = History()
    >>> panes = [(0, 2), (DAY_MS - 10, 3), (DAY_MS, 4)]
    >>> over = [history.add(start, start + 10, {"feedback": Summary({"events": n})}) for start, n in panes]
    >>> [(family, row.day, row.until, row.sums.counts) for days in over for family, row in days]
    [('feedback', 0, 86400000, {'events': 5})]
    >>> history.rows()["feedback"].sums.counts
    {'events': 4}
    """

    def __init__(self, rows: Mapping[str, DayRow] | None = None) -> None:
        self._today = {family: (row.day, row.until, unpack(row.sums)) for family, row in (rows or {}).items()}

    def add(self, start: int, end: int, families: Mapping[str, Summary]) -> list[tuple[str, DayRow]]:
        """Take a closed pane in; panes come in the order of event time. Which days are over by it.

        Args:
            start: of the pane, milliseconds; ``end`` too.
            end: as above.
            families: all its sums, ``again`` parts too; they stay as they are.
        """
        day, over = start // DAY_MS, []
        for family, summary in families.items():
            if is_again(family):
                continue
            today = self._today.get(family)
            if today is not None and today[0] < day:
                over.append((family, _row(*today)))
                today = None
            sums = today[2] if today is not None else Summary()
            sums.add(summary)
            sums.trim(0)
            repeated = families.get(again(family))
            if repeated is not None:
                sums.add(Summary({AGAIN: repeated.events}))
            self._today[family] = day, end, sums
        return over

    def rows(self) -> dict[str, DayRow]:
        """The days that go on, to be kept."""
        return {family: self.row(family) for family in sorted(self._today)}

    def row(self, family: str) -> DayRow:
        """The day that goes on in a family."""
        return _row(*self._today[family])


class Day(NamedTuple):
    """A day, counted since 1970, of one family of one segment."""

    segment: str
    day: int
    family: str


class Told:
    """The histories of all segments of one partition, and what is told of them.

    A day that goes on is told once in a minute of event time, a day that is over at once. What was told may
    have died in a buffer: all that is restored is told again.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._now = clock
        self._histories: defaultdict[str, History] = defaultdict(History)
        self._changed: dict[tuple[str, str], None] = {}  # segment and family, in order
        self._over: dict[Day, float] = {}  # when each was told
        self._minute = 0
        self._news: list[DaySums] = []

    def restore(self, segment: str, rows: Mapping[str, DayRow]) -> None:
        """Take back the days that went on in a segment."""
        self._histories[segment] = History(rows)
        self._news += [_day_sums(segment, family, row) for family, row in rows.items()]

    def restore_over(self, segment: str, family: str, row: DayRow) -> None:
        """Take back a day that is over."""
        self._over[Day(segment, row.day, family)] = self._now()
        self._news.append(_day_sums(segment, family, row))

    def add(
        self, segment: str, start: int, end: int, families: Mapping[str, Summary]
    ) -> list[tuple[Day, DayRow]]:
        """Take a closed pane in, as ``History.add``; the days that are over by it, which must be kept."""
        over = self._histories[segment].add(start, end, families)
        for family, row in over:
            self.restore_over(segment, family, row)
        self._changed.update(((segment, family), None) for family in families if not is_again(family))
        return [(Day(segment, row.day, family), row) for family, row in over]

    def pass_time(self, complete: int) -> list[Day]:
        """Event time has come so far, milliseconds. The days that need not be kept any longer."""
        minute = complete // TELL_MS
        if minute == self._minute:
            return []
        self._minute = minute
        for segment, family in self._changed:
            self._news.append(_day_sums(segment, family, self._histories[segment].row(family)))
        self._changed.clear()
        now = self._now()
        old = [day for day, told in self._over.items() if now - told >= KEEP_SENT_SECONDS]
        for day in old:
            del self._over[day]
        return old

    def rows(self, segment: str) -> dict[str, DayRow]:
        """The days that go on in a segment, to be kept."""
        return self._histories[segment].rows()

    def news(self) -> list[DaySums]:
        """What is to be sent since the last call."""
        news, self._news = self._news, []
        return news


def _day_sums(segment: str, family: str, row: DayRow) -> DaySums:
    return DaySums(
        segment=segment,
        family=family,
        day=row.day * DAY_MS,
        until=row.until,
        events=row.sums.counts["events"],
        sums=_pack(row.sums),
    )


def _row(day: int, until: int, sums: Summary) -> DayRow:
    return DayRow(day, until, sums.pack())
