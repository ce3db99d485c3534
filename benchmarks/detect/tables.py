"""The results of the benchmark of the promise as Markdown tables."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from statistics import median
from typing import TypeVar

from scipy.stats import chi2

from detect.cases import FleetRow, LifeRow, MoveRow, Row
from detect.fleet import MONTH_MS
from detect.traffic import DAY_MS, RATES
from document import table
from drift_aware.schema.segments import ALL

_T = TypeVar("_T")
_Key = TypeVar("_Key", bound=Hashable)
Line = Sequence[str]

_ABOUT_LIVES = (
    "**Life cycle.** 3 % of 20,000 events a day drifts for 5 days in every 20; one false page in 30 days is "
    "promised to so many monitors together."
)
_ABOUT_MOVES = (
    "**Time to the first page.** 100 segments by Zipf's law, 8 rates in each, one false page in 30 days "
    "promised to all; after two calm weeks one rate moves. What is not found counts as latest in the medians."
)


def tables(rows: Sequence[Row]) -> str:
    """All tables for which there are rows."""
    fleets = [row for row in rows if isinstance(row, FleetRow)]
    lives = [row for row in rows if isinstance(row, LifeRow)]
    moves = [row for row in rows if isinstance(row, MoveRow)]
    parts = [
        (_about_fleets(fleets), fleet_table(fleets)),
        (_ABOUT_LIVES, life_table(lives)),
        (_ABOUT_MOVES, move_table(moves)),
    ]
    return "\n".join(f"{about}\n\n{table}" for about, table in parts if table)


def _about_fleets(rows: Sequence[FleetRow]) -> str:
    if not rows:
        return ""
    traffic = rows[0].case.traffic
    return (
        f"**False pages.** {traffic.first} segments that become {traffic.last}; when all are there, "
        f"they have {traffic.events_per_day:,.0f} events a day by Zipf's law. "
        f"Each, and `all`, has {len(RATES)} rates from {min(RATES):g} to {max(RATES):g}. "
        "Pages are counted from the first event on; under a daily swing from the second day. "
        "Intervals are exact for a Poisson count, 95 %."
    )


def fleet_table(rows: Iterable[FleetRow]) -> str:
    """False pages over those promised, with exact Poisson intervals (95 %)."""
    groups = _grouped(rows, lambda row: (row.case.scenario, row.case.promised))
    lines = [_fleet_line(scenario, promised, group) for (scenario, promised), group in groups.items()]
    heads = [
        "Scenario",
        "Promised per 30 d",
        "Days",
        "Pages",
        "Of these for `all`",
        "Per 30 d",
        "Over promised",
    ]
    return table(heads, lines)


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count (Garwood 1936).

    >>> [round(end, 2) for end in poisson_interval(0)]
    [0.0, 3.69]
    """
    tail = (1 - level) / 2
    lower = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    return lower, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2


def life_table(rows: Iterable[LifeRow]) -> str:
    """Pages, delays and resolutions of drifts that come and go."""
    groups = _grouped(rows, lambda row: (row.case.monitors, row.case.factor))
    heads = [
        "Monitors",
        "3 % times",
        "Episodes",
        "Found",
        "Pages per episode found",
        "Resolved while drifting",
        "Pages while calm (promised at most)",
        "Median hours to find (events)",
        "Median hours to resolve (within a day)",
        "Not resolved when the next came",
    ]
    return table(heads, [_life_line(*key, group) for key, group in groups.items()])


def move_table(rows: Iterable[MoveRow]) -> str:
    """Hours from a change to the pages about it."""
    groups = _grouped(rows, lambda row: (row.case.events_per_day, row.case.moved))
    heads = [
        "Events per day",
        "3 % becomes 4.5 % in",
        "Runs",
        "First page, hours",
        "`all`, hours",
        "The segment itself, hours (events)",
        "Not found in 30 days",
    ]
    return table(heads, [_move_line(*key, group) for key, group in groups.items()])


def _fleet_line(scenario: str, promised: float, rows: Sequence[FleetRow]) -> Line:
    counted = [page for row in rows for page in row.pages if page.end > row.case.skipped_days * DAY_MS]
    days = sum(row.case.traffic.days - row.case.skipped_days for row in rows)
    expected = promised * days * DAY_MS / MONTH_MS
    low, high = poisson_interval(len(counted))
    return [
        scenario,
        f"{promised:g}",
        f"{days:,}",
        f"{len(counted):,}",
        str(sum(page.segment == ALL for page in counted)),
        f"{len(counted) / expected * promised:,.1f}",
        f"**{len(counted) / expected:.2f}** ({low / expected:.2f}-{high / expected:.2f})",
    ]


def _life_line(monitors: int, factor: float, rows: Sequence[LifeRow]) -> Line:
    per_hour = rows[0].case.events_per_day / 24
    episodes = [episode for row in rows for episode in row.episodes]
    calm = sum((row.case.episodes + 1) * row.case.calm_days for row in rows)
    found = [each for each in episodes if each.found is not None]
    delays = [each.found for each in found if each.found is not None]
    over = [each.resolved for each in found if each.resolved is not None]
    return [
        f"{monitors:,}",
        f"{factor:g}",
        str(len(episodes)),
        f"{100 * len(found) / len(episodes):.0f} %",
        f"{sum(each.pages for each in found) / len(found):.2f}" if found else "-",
        str(sum(each.resolved_early for each in episodes)),
        f"{sum(each.calm_pages for each in episodes)} ({calm / 30 / monitors:.3g})",
        f"{median(delays):.1f} ({median(delays) * per_hour:,.0f})" if delays else "-",
        f"{median(over):.1f} ({100 * sum(each <= 24 for each in over) / len(found):.0f} %)" if over else "-",
        str(sum(each.unresolved for each in episodes)),
    ]


def _move_line(events_per_day: float, moved: int | None, rows: Sequence[MoveRow]) -> Line:
    own = [[hours for name, hours in row.delays.items() if name != ALL] for row in rows]
    each = [hours for run in own for hours in run]
    first = [min((h for h in row.delays.values() if h is not None), default=None) for row in rows]
    place = "all segments" if moved is None else f"number {moved + 1} of {rows[0].case.segments} by traffic"
    share = 0.0 if moved is None else rows[0].case.moved_per_day / 24
    return [
        f"{events_per_day:,.0f}",
        place,
        str(len(rows)),
        _middle(first),
        _middle([row.delays[ALL] for row in rows if ALL in row.delays]),
        _middle(each, share),
        f"{100 * sum(hours is None for hours in each) / max(len(each), 1):.0f} %",
    ]


def _middle(hours: Sequence[float | None], events_per_hour: float = 0.0) -> str:
    """The median, what was never found being the latest."""
    ordered = sorted(float("inf") if each is None else each for each in hours)
    if not ordered:
        return "-"
    middle = ordered[len(ordered) // 2]
    if middle == float("inf"):
        return "not found"
    return f"{middle:.1f} ({middle * events_per_hour:,.0f})" if events_per_hour else f"{middle:.1f}"


def _grouped(rows: Iterable[_T], key: Callable[[_T], _Key]) -> dict[_Key, list[_T]]:
    groups: dict[_Key, list[_T]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups
