"""Answers from the record about whole days: one window against the one before it, and day by day.

All come from sums that DETECT has made while the events went by (``day_sums``), so they take a few rows each
whatever the traffic. Days are UTC days of event time. An event that came after its pane had closed is in the
logs, but not in here.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Literal

from msgspec import Struct, structs

from drift_aware.dashboards.days import Connection, Days, read_days
from drift_aware.schema.alerts import Severity
from drift_aware.schema.segments import ALL
from drift_aware.schema.settings import Limits
from drift_aware.streams.comparison import Comparison, State, Sums, compare, values

# A day is compared with so many before it.
_WEEK = 7
_MOST_DAYS = 3660


class Span(Struct, kw_only=True):
    """Whole days, both ends included, and the events in them by family."""

    start: date
    end: date
    events: int
    families: dict[str, int]


class DriftCheck(Comparison, kw_only=True, omit_defaults=False):
    """The last days against as many before them; further fields in ``Comparison``.

    Attributes:
        current: the window that ends today; baseline: the one before.
        until: event time up to which events are in it; None if there are none in either window.
        message: what stands in the way of a comparison, if anything does.
    """

    segment: str
    window_days: int
    current: Span
    baseline: Span
    until: datetime | None
    message: str | None


class DayMetrics(Struct, kw_only=True):
    """One day, and how it compares with the week before it; scores as in ``Comparison``.

    Attributes:
        events: by family.
        values: rates and means by metric, of the day alone, on however few events.
    """

    day: date
    events: dict[str, int]
    values: dict[str, float]
    state: State
    accuracy: float | None
    embedding_score: float | None
    behavior_score: float | None
    operational_score: float | None
    accuracy_score: float | None
    overall_score: float | None
    severity: Severity | Literal["none"]


def drift_check(
    connection: Connection,
    window_days: int,
    segment: str = ALL,
    today: date | None = None,
    limits: Limits | None = None,
) -> DriftCheck:
    """Compare the last ``window_days`` days, today included, with as many before them.

    Args:
        connection: to a database that is migrated.
        window_days: 1 to 3,660.
        segment: its name.
        today: the last day; None for the present one.
        limits: of the settings; their defaults if None.

    Raises:
        ValueError: no such number of days.
    """
    _require_days(window_days)
    today = today or utc_today()
    begin, before = _ago(today, window_days - 1), _ago(today, 2 * window_days - 1)
    days = read_days(connection, segment, before, today)
    limits = limits or Limits()
    now, then = days.between(begin, today), days.between(before, _ago(begin, 1))
    compared = compare(now, then, limits)
    enough = compared.state == "compared"
    return DriftCheck(
        segment=segment,
        window_days=window_days,
        current=_span(begin, today, now),
        baseline=_span(before, _ago(begin, 1), then),
        until=max(days.until.values(), default=None),
        message=None if enough else f"no metric has {limits.min_samples} events in both windows",
        **structs.asdict(compared),
    )


def drift_metrics(
    connection: Connection,
    days: int,
    segment: str = ALL,
    today: date | None = None,
    limits: Limits | None = None,
) -> list[DayMetrics]:
    """The last ``days`` days of a segment, oldest first, today included; those without events too.

    Raises:
        ValueError: no such number of days.
    """
    _require_days(days)
    today = today or utc_today()
    first = _ago(today, days - 1)
    found = read_days(connection, segment, _ago(first, _WEEK), today)
    limits = limits or Limits()
    return [_day(found, _ago(today, ago), limits) for ago in reversed(range(days))]


def utc_today() -> date:
    """The day it is now."""
    return datetime.now(UTC).date()


def _day(days: Days, day: date, limits: Limits) -> DayMetrics:
    now = days.between(day, day)
    compared = compare(now, days.between(_ago(day, _WEEK), _ago(day, 1)), limits)
    return DayMetrics(
        day=day,
        events={family: summary.events for family, summary in now.items()},
        values=values(now),
        state=compared.state,
        accuracy=compared.accuracy,
        embedding_score=compared.embedding_score,
        behavior_score=compared.behavior_score,
        operational_score=compared.operational_score,
        accuracy_score=compared.accuracy_score,
        overall_score=compared.overall_score,
        severity=compared.severity,
    )


def _span(start: date, end: date, sums: Sums) -> Span:
    families = {family: summary.events for family, summary in sums.items()}
    return Span(start=start, end=end, events=sum(families.values()), families=families)


def _require_days(days: int) -> None:
    if not 1 <= days <= _MOST_DAYS:
        raise ValueError(f"{days} days; ask for 1 to {_MOST_DAYS:,}")


def _ago(day: date, days: int) -> date:
    return day - timedelta(days=days)
