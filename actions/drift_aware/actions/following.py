"""What a segment had before and after an action, read from the record.

The counts are those that came with the readings of each pane (``pane_totals.tallies``): the units and labels
are the detectors' own. The logs would not do, for the labels that the worker gives are not in them; nor would
sums of days, for an action is over at some time of a day.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from drift_aware.actions.trial import Count, summed
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# With so many events since the alert, those up to it are left out.
MIN_BEFORE = 300
# A stretch of time is read in so many parts at most, whatever the panes' length.
PARTS = 1000
_SHORTEST_MS = 1000
# How long before the onset embeddings are looked at for where they were.
_CALM_MS = 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class Period:
    """When things happened, event time in milliseconds.

    Attributes:
        onset: the drift began; ``alert`` it was told of.
        since: the action was over; ``until`` the panes are known up to here, and no more are asked for.
    """

    onset: int
    alert: int
    since: int
    until: int

    def before(self, counts: Sequence[Count]) -> list[Count]:
        """What the action is compared with.

        An alert is raised when things look worst: after it they look better even if nothing is done. So what
        came up to it is used only if too little came after it, as where an action was carried out at once.
        """
        drifted = [count for count in counts if self.onset <= count.start < self.since]
        later = [count for count in drifted if count.start >= self.alert]
        return later if summed(later).events >= MIN_BEFORE else drifted


@dataclass(frozen=True, slots=True)
class Series:
    """What there was of a metric; ``calm`` came before the onset, and ``rate`` is as in ``Tally``."""

    before: list[Count]
    after: list[Count]
    calm: list[Count]
    rate: bool


def follow(connection: Connection, segment: str, metric: str, period: Period, width_ms: int) -> Series:
    """Read what there was of a metric.

    Of embeddings only what the reference scored that scored most of those before the action: scores of two
    references cannot be compared.

    Args:
        connection: to the record.
        segment: its name.
        metric: as alerts name it.
        period: when.
        width_ms: of the parts after the action.
    """
    early = max(_SHORTEST_MS, (period.since - period.onset) // PARTS)
    before = _read(connection, segment, metric, (period.onset, period.since), early)
    name = max(before, key=lambda each: summed(before[each].counts).events, default=metric)
    after = _read(connection, segment, metric, (period.since, period.until), max(width_ms, _SHORTEST_MS))
    calm = _read(connection, segment, metric, (period.onset - _CALM_MS, period.onset), _CALM_MS)
    nothing = _Column([], rate=False)
    return Series(
        before=period.before(before.get(name, nothing).counts),
        after=after.get(name, nothing).counts,
        calm=calm.get(name, nothing).counts,
        rate=before.get(name, nothing).rate,
    )


def event_time(connection: Connection, segment: str) -> int | None:
    """Up to where panes of a segment are known, in milliseconds; None if there are none."""
    row = connection.execute(QUERIES["event_time"], {"segment": segment}).fetchone()
    return None if row is None else int(row[0])


@dataclass(slots=True)
class _Column:
    counts: list[Count]
    rate: bool


def _read(
    connection: Connection, segment: str, metric: str, stretch: tuple[int, int], width_ms: int
) -> dict[str, _Column]:
    given = {
        "segment": segment,
        "metric": metric,
        "since": stretch[0],
        "until": stretch[1],
        "width": width_ms,
    }
    found: defaultdict[str, _Column] = defaultdict(lambda: _Column([], rate=True))
    for name, start, events, total, rate in connection.execute(QUERIES["tallies"], given):
        found[name].counts.append(Count(start, events, total))
        found[name].rate &= rate
    return found
