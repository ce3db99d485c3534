"""All segments at a glance: what came, what fires, and what the detectors said last."""

from collections import defaultdict
from datetime import date, datetime, timedelta

from msgspec import Struct

from drift_aware.dashboards.check import utc_today
from drift_aware.dashboards.days import Connection, unpacked
from drift_aware.schema.alerts import Severity, State
from drift_aware.schema.segments import ALL
from drift_aware.sql.queries import QUERIES
from drift_aware.streams.comparison import values
from drift_aware.streams.summary import Summary

_WEEK = 7


class SegmentSummary(Struct, kw_only=True):
    """One segment at a glance.

    Attributes:
        open_alerts: severity to how many alerts fire, second opinions among them.
        latest_day: the latest of the last seven days that had events; values: its rates and means by metric.
        events_today: by family; events_week: in the last seven days, today included.
        readings_until: event time at the end of the latest pane that detectors looked at.
        readings: state to how many of that pane's readings are in it.
        firing: metrics of those that fire.
    """

    segment: str
    open_alerts: dict[Severity, int] = {}
    latest_day: date | None = None
    values: dict[str, float] = {}
    events_today: dict[str, int] = {}
    events_week: dict[str, int] = {}
    readings_until: datetime | None = None
    readings: dict[State, int] = {}
    firing: list[str] = []


class DriftSummary(Struct, kw_only=True):
    """Every segment that had events in the last seven days, or has an open alert; ``all`` comes first."""

    today: date
    segments: list[SegmentSummary]


def drift_summary(connection: Connection, today: date | None = None) -> DriftSummary:
    """All segments at a glance.

    Args:
        connection: to a database that is migrated.
        today: the last of the seven days; None for the present one.
    """
    today = today or utc_today()
    segments: dict[str, SegmentSummary] = {}
    week = {"first": today - timedelta(days=_WEEK - 1), "last": today}
    _add_events(connection, segments, week)
    for name, severity, count in connection.execute(QUERIES["open_alerts"]):
        _of(segments, name).open_alerts[severity] = count
    _add_readings(connection, segments)
    ordered = sorted(segments.values(), key=lambda each: (each.segment != ALL, each.segment))
    return DriftSummary(today=today, segments=ordered)


def _of(segments: dict[str, SegmentSummary], name: str) -> SegmentSummary:
    return segments.setdefault(name, SegmentSummary(segment=name))


def _add_events(connection: Connection, segments: dict[str, SegmentSummary], week: dict[str, date]) -> None:
    for name, family, events, on_last, latest_day in connection.execute(QUERIES["events_by_segment"], week):
        found = _of(segments, name)
        found.events_week[family] = events
        if on_last:
            found.events_today[family] = on_last
        found.latest_day = max(latest_day, found.latest_day or latest_day)
    latest: defaultdict[str, dict[str, Summary]] = defaultdict(dict)
    for name, family, sums in connection.execute(QUERIES["latest_days"], week):
        latest[name][family] = unpacked(sums)
    for name, families in latest.items():
        segments[name].values = values(families)


def _add_readings(connection: Connection, segments: dict[str, SegmentSummary]) -> None:
    asked = {"segments": list(segments)}
    for name, until, metric, state in connection.execute(QUERIES["latest_readings"], asked):
        found = segments[name]
        found.readings_until = until
        found.readings[state] = found.readings.get(state, 0) + 1
        if state == "firing" and metric not in found.firing:
            found.firing.append(metric)
