"""The real detectors over a simulated deployment, each on its share of one false-alarm budget."""

from collections.abc import Iterable, Sequence

import msgspec

from detect.traffic import RATES, Ints, Tally, Traffic, tallies
from drift_aware.schema.segments import ALL
from drift_aware.streams.budget import Books
from drift_aware.streams.detectors.contract import Pane
from drift_aware.streams.detectors.shift import Shift
from drift_aware.streams.measures import Metric, Rate
from drift_aware.streams.summary import Summary

MONTH_MS = 30 * 86_400_000
METRICS = tuple(
    Metric(f"rate_{k}", f"rate {k}", "interaction", Rate(f"hits_{k}", "values"), "behavior", ())
    for k in range(len(RATES))
)


class FleetCase(msgspec.Struct, frozen=True, tag="fleet"):
    """One deployment to watch.

    Attributes:
        scenario: what the table calls it.
        promised: false pages per 30 days.
        hourly: whether the hours of the day are told apart.
        skipped_days: at the beginning, in which pages are not counted.
    """

    scenario: str
    promised: float
    seed: int
    traffic: Traffic = Traffic()
    hourly: bool = False
    skipped_days: int = 0


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Somebody was woken: for which monitor, and at what event time in milliseconds."""

    segment: str
    metric: int
    end: int


class Watched:
    """The monitors of one segment, each with an equal part of what the segment is granted.

    Args:
        segment: its name.
        budget_ms: event time per false alarm of the whole deployment.
        hourly: see ``FleetCase``.
        chosen: which of the rates are really watched; the others still have their part of the budget.
    """

    def __init__(
        self, segment: str, budget_ms: float, hourly: bool, chosen: Iterable[int] = range(len(RATES))
    ) -> None:
        self.segment = segment
        self._shifts = {k: Shift(METRICS[k], budget_ms, hourly) for k in chosen}
        self.fired = dict.fromkeys(self._shifts, False)

    def update(self, start: int, end: int, counts: Summary, granted_ms: float) -> list[Page]:
        """Take a closed pane; the pages are of the monitors that were silent before it."""
        pane = Pane(start, end, counts, [(start, counts)], None, granted_ms=granted_ms / len(RATES))
        pages = []
        for metric, shift in self._shifts.items():
            fired = shift.update(pane).fired
            if fired and not self.fired[metric]:
                pages.append(Page(self.segment, metric, end))
            self.fired[metric] = fired
        return pages


class Fleet:
    """All segments and ``all``, on one set of books.

    Args:
        segments: how many there may be.
        promised: false pages per 30 days.
        hourly: see ``FleetCase``.
        watched: segments whose monitors are run; the others only take their share of the budget.
        metrics: which of the rates are watched.
    """

    def __init__(
        self,
        segments: int,
        promised: float,
        hourly: bool,
        watched: Sequence[int] | None = None,
        metrics: Sequence[int] = range(len(RATES)),
    ) -> None:
        self.books = Books()
        chosen = range(segments) if watched is None else watched
        budget_ms = MONTH_MS / promised
        self.segments = {place: Watched(name_of(place), budget_ms, hourly, metrics) for place in chosen}
        self.all = Watched(ALL, budget_ms, hourly, metrics)

    def update(self, tally: Tally) -> list[Page]:
        """Close a pane of all segments."""
        seen = {name_of(place): int(events) for place, events in enumerate(tally.events) if events}
        self.books.advance(tally.end, seen)
        pages = self._update(self.all, tally, tally.events.sum(), tally.hits.sum(axis=0))
        for place, watched in self.segments.items():
            if tally.events[place]:
                pages += self._update(watched, tally, tally.events[place], tally.hits[place])
        return pages

    def _update(self, watched: Watched, tally: Tally, events: int, hits: Ints) -> list[Page]:
        granted = self.books.granted(watched.segment)
        return watched.update(tally.start, tally.end, summary_of(int(events), hits), granted)


def pages_of(case: FleetCase) -> list[Page]:
    """Watch a deployment from its first pane to its last."""
    fleet = Fleet(case.traffic.last, case.promised, case.hourly)
    return [page for tally in tallies(case.traffic, case.seed) for page in fleet.update(tally)]


def name_of(place: int) -> str:
    """What the segment at a place is called."""
    return f"customer={place}"


def summary_of(values: int, hits: Ints) -> Summary:
    """What a pane keeps of one segment."""
    counts = {f"hits_{k}": int(hit) for k, hit in enumerate(hits)}
    return Summary({"events": values, "values": values, **counts})
