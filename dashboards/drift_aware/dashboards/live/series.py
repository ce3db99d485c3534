"""One segment over time: what each metric was, what is usual of it, and what the detectors made of it."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import groupby

from msgspec import Struct

from drift_aware.dashboards.api.record import rows_as
from drift_aware.dashboards.live import bands
from drift_aware.dashboards.live.clock import seen_until
from drift_aware.dashboards.live.units import Unit, lower_is_better, unit_of
from drift_aware.schema.alerts import ActionKind, ActionStatus, AlertStatus, Severity
from drift_aware.schema.settings import Settings
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.streams.budget import on_budget

Numbers = list[float | None]

_HOUR_MS = 3_600_000
_MOST_MARKS = 200
# Of the readings of a day: else they are sorted on disk, and compiling takes longer than what is compiled.
_PLANNED = {"work_mem": "64MB", "jit": "off", "max_parallel_workers_per_gather": "0"}
# Whose values stand for a metric where several detectors look at it.
_LEADING = ("shift", "limit", "drop", "centroid")


class DetectorSeries(Struct):
    """What one detector made of a metric, at the metric's times.

    Attributes:
        channel: the way of changing it looks at; null if it has one, or names the one that leads.
        budgeted: whether it is on the false-alarm budget; the others give second opinions.
        score: the largest of a stretch, compared with ``threshold``.
        fired: 1 where it fired.
    """

    detector: str
    channel: str | None
    budgeted: bool
    score: Numbers
    threshold: Numbers
    fired: list[int]


class MetricSeries(Struct):
    """One metric over time.

    Attributes:
        times: where each stretch begins, event-time milliseconds; stretches without a reading are left out.
        current, baseline: in the metric's unit, the mean of the stretch.
        low, high: of a rate, between what it stays 99 times in a hundred while nothing has changed.
    """

    metric: str
    unit: Unit
    lower_is_better: bool | None
    times: list[int]
    current: Numbers
    baseline: Numbers
    low: Numbers
    high: Numbers
    detectors: list[DetectorSeries]


class Warming(Struct):
    """A metric, or a family of events, that is not compared yet, and how far it is."""

    metric: str
    message: str


class AlertMark(Struct):
    """An alert on the time axis; ``until`` is null while it fires."""

    id: str
    metric: str
    detector: str
    severity: Severity
    status: AlertStatus
    paging: bool
    onset: int
    ts: int
    until: int | None


class ActionMark(Struct):
    """An action on the time axis."""

    id: str
    action: ActionKind
    status: ActionStatus
    ts: int
    metric: str


class Series(Struct):
    """One segment; ``start`` and ``end`` in event-time milliseconds, each stretch ``width`` of them long."""

    segment: str
    start: int
    end: int
    width: int
    metrics: list[MetricSeries]
    warming_up: list[Warming]
    alerts: list[AlertMark]
    actions: list[ActionMark]


class Stretches(Struct, frozen=True):
    """A stretch of event time in at most so many parts.

    They begin at multiples of their length: what is asked for a moment later is cut in the same places.
    """

    begin: int
    width: int
    end: int

    @classmethod
    def before(cls, end: int, span_ms: int, points: int, least_ms: int) -> "Stretches":
        """Those of the last ``span_ms``, each at least ``least_ms`` long.

        >>> Stretches.before(100_000, 60_000, 10, 1_000)
        Stretches(begin=42000, width=6000, end=100000)
        """
        width = max(least_ms, -(-span_ms // points))
        width = -(-width // least_ms) * least_ms
        return cls(max(0, -(-(end - span_ms) // width) * width), width, end)


def series(connection: Connection, settings: Settings, segment: str, hours: int, points: int) -> Series:
    """Read it.

    Args:
        connection: in a transaction that sees one state.
        settings: which detectors are on the budget, and how long a pane is.
        segment: its name.
        hours: of event time, up to the latest pane in the record, as far as the segment reaches back.
        points: at most so many stretches.
    """
    end = seen_until(connection) or 0
    budgeted = on_budget(settings.limits)
    span = _span(connection, segment, end, hours * _HOUR_MS)
    cut = Stretches.before(end, span, points, 1000 * settings.pane_seconds)
    asked = {
        "segment": segment,
        "since": moment(cut.begin),
        "until": moment(end),
        "width": timedelta(milliseconds=cut.width),
        "budgeted": sorted(budgeted),
        "limit": _MOST_MARKS,
    }
    for name, value in _PLANNED.items():
        connection.execute(QUERIES["set_local"], {"name": name, "value": value})
    rows = connection.execute(QUERIES["live_series"], asked)
    return Series(
        segment=segment,
        start=cut.begin,
        end=end,
        width=cut.width,
        metrics=list(_metrics([Row(*row) for row in rows], budgeted)),
        warming_up=rows_as(connection, "live_warming", asked, Warming),
        alerts=rows_as(connection, "live_segment_alerts", asked, AlertMark),
        actions=rows_as(connection, "live_segment_actions", asked, ActionMark),
    )


def _span(connection: Connection, segment: str, end: int, most: int) -> int:
    """How far back there is something: a record of two minutes is not shown as a single point of a day."""
    asked = {"segment": segment, "since": moment(max(0, end - most)), "until": moment(end)}
    row = connection.execute(QUERIES["first_pane"], asked).fetchone()
    return most if row is None else end - int(row[0])


class Row(Struct, frozen=True):
    """What one detector saw of a metric in a stretch; see ``live_series``."""

    metric: str
    detector: str
    channel: str | None
    begin: int
    current: float | None
    baseline: float | None
    events: float
    score: float | None
    threshold: float | None
    fired: bool


def _metrics(rows: list[Row], budgeted: frozenset[str]) -> Iterator[MetricSeries]:
    """Of rows in the order of metric, detector, channel and time."""
    for metric, some in groupby(rows, lambda row: row.metric):
        yield _metric(metric, list(some), budgeted)


def _metric(metric: str, rows: list[Row], budgeted: frozenset[str]) -> MetricSeries:
    times = sorted({row.begin for row in rows})
    values = {row.begin: row for row in sorted(rows, key=_rank, reverse=True) if row.current is not None}
    shown = [values.get(time) for time in times]
    unit = unit_of(metric)
    edges = [_band(row) if unit == "share" and row is not None else (None, None) for row in shown]
    return MetricSeries(
        metric=metric,
        unit=unit,
        lower_is_better=lower_is_better(metric),
        times=times,
        current=[row.current if row is not None else None for row in shown],
        baseline=[row.baseline if row is not None else None for row in shown],
        low=[low for low, _ in edges],
        high=[high for _, high in edges],
        detectors=list(_detectors(rows, times, budgeted)),
    )


def _rank(row: Row) -> int:
    """Those whose values stand for the metric come first."""
    return _LEADING.index(row.detector) if row.detector in _LEADING else len(_LEADING)


def _band(row: Row) -> tuple[float, float] | tuple[None, None]:
    if row.baseline is None or row.events <= 0:
        return (None, None)
    return bands.usual(min(max(row.baseline, 0.0), 1.0), row.events)


def _detectors(rows: Iterable[Row], times: list[int], budgeted: frozenset[str]) -> Iterator[DetectorSeries]:
    for (detector, channel), some in groupby(rows, lambda row: (row.detector, row.channel)):
        found = {row.begin: row for row in some}
        at = [found.get(time) for time in times]
        yield DetectorSeries(
            detector=detector,
            channel=channel,
            budgeted=detector in budgeted,
            score=[row.score if row else None for row in at],
            threshold=[row.threshold if row else None for row in at],
            fired=[int(row.fired) if row else 0 for row in at],
        )
