"""What each family of a segment had in each UTC day, for whoever asks about days later.

Every event of every closed pane counts here, with or without a baseline, whether or not it opens a
conversation. The days that detectors look at (``days``) are others: of units alone, since the baseline.
"""

from collections.abc import Iterable, Mapping

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

    def rows(self, families: Iterable[str] | None = None) -> dict[str, DayRow]:
        """The days that go on, to be kept or sent; of these families only."""
        return {family: _row(*self._today[family]) for family in sorted(families or self._today)}


def day_sums(segment: str, family: str, row: DayRow) -> DaySums:
    """What is told of a day."""
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
