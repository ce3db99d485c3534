"""The parts of the traffic as they are now: which drift, which are calm, and of which nothing comes."""

from typing import Any, Literal, NamedTuple, get_args

from msgspec import Struct

from drift_aware.schema.alerts import Severity
from drift_aware.schema.settings import Settings
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.streams.budget import on_budget

SegmentState = Literal["drifting", "calm", "warming_up", "silent"]

# The name of ``streams.silence``, which would bring every detector with it.
SILENCE = "no_data"
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_MOST_SEGMENTS = 2000
# The worst last.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class SegmentNow(Struct):
    """A part of the traffic as it is now.

    Attributes:
        state: ``drifting`` while an alert fires that wakes somebody, ``silent`` while nothing comes.
        firing: how many such alerts, and ``severity`` of the worst; ``since`` is the latest onset.
        events: how many its detectors look at.
        until: event time up to which it is known.
        message: how far a baseline is, while it warms up.
    """

    segment: str
    state: SegmentState
    firing: int
    severity: Severity | None
    since: int | None
    events: int
    until: int | None
    message: str | None


class Firing(NamedTuple):
    """What fires in a segment and wakes somebody.

    Attributes:
        alerts: how many; none of silence.
        worst: index of the worst severity among them.
        since: the latest onset, milliseconds.
        silent: whether silence is told of, too.
    """

    alerts: int = 0
    worst: int | None = None
    since: int | None = None
    silent: bool = False


class Seen(NamedTuple):
    """The latest pane of a segment.

    Attributes:
        until: where it ends, milliseconds.
        events: in the window of its detectors.
        ready: whether one on the budget has something to compare with; None if there was no pane of late.
        message: how far a baseline is.
    """

    until: int | None = None
    events: int = 0
    ready: bool | None = None
    message: str | None = None


def segments(connection: Connection, settings: Settings, until: int) -> list[SegmentNow]:
    """Every segment: those that drift first, the worst of them before the others, then the rest by name.

    Args:
        connection: in a transaction that sees one state.
        settings: when a segment is silent, and which detectors are on the budget.
        until: event time up to which panes are known, milliseconds.
    """
    alerts = {"silence": SILENCE, "severities": list(SEVERITIES)}
    firing = {name: Firing(*rest) for name, *rest in connection.execute(QUERIES["live_firing"], alerts)}
    panes = connection.execute(QUERIES["live_segments"], asked_segments(settings, until))
    seen = {name: Seen(*rest) for name, *rest in panes}
    names = seen.keys() | firing.keys()
    found = [_segment(name, seen.get(name, Seen()), firing.get(name, Firing())) for name in names]
    return sorted(found, key=_place)[:_MOST_SEGMENTS]


def asked_segments(settings: Settings, until: int) -> dict[str, Any]:
    """The parameters of ``live_segments``."""
    minutes = settings.no_data_minutes
    silent = _HOUR_MS if minutes is None else minutes * _MINUTE_MS
    return {
        "since": moment(until - silent),
        # No segment is far ahead of the whole, and partitions of later days need not be looked at.
        "until": moment(until + _HOUR_MS),
        "limit": _MOST_SEGMENTS,
        "budgeted": sorted(on_budget(settings.limits)),
    }


def _segment(name: str, seen: Seen, firing: Firing) -> SegmentNow:
    return SegmentNow(
        segment=name,
        state=_state(seen, firing),
        firing=firing.alerts,
        severity=None if firing.worst is None else SEVERITIES[firing.worst],
        since=firing.since,
        events=seen.events,
        until=seen.until,
        message=seen.message,
    )


def _state(seen: Seen, firing: Firing) -> SegmentState:
    if firing.alerts:
        return "drifting"
    if firing.silent or seen.ready is None:
        return "silent"
    return "calm" if seen.ready else "warming_up"


def _place(segment: SegmentNow) -> tuple[bool, int, int, str]:
    worst = -1 if segment.severity is None else SEVERITIES.index(segment.severity)
    return (segment.state != "drifting", -worst, -(segment.since or 0), segment.segment)
