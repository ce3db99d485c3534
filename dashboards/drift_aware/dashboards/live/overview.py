"""At a glance: whether anything drifts, how fast events come, and what waits for somebody."""

import msgspec
from msgspec import Struct

from drift_aware.actions import ledger
from drift_aware.dashboards.api.record import rows_as
from drift_aware.dashboards.live.clock import seen_until
from drift_aware.dashboards.live.segments import SEVERITIES, SegmentNow, segments
from drift_aware.schema.alerts import Action, Alert
from drift_aware.schema.segments import ALL
from drift_aware.schema.settings import Settings
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.streams.budget import on_budget

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
# A pace that is told of one pane alone would jump with every pane.
_PACE_MS = 5 * _MINUTE_MS
_WEEK_MS = 7 * _DAY_MS
_MOST_ALERTS, _MOST_WAITING, _MOST_ACTIONS = 50, 50, 20


class May(Struct):
    """What the caller's token lets it do."""

    read: bool
    act: bool


class Throughput(Struct):
    """How fast events come, and how far behind the record is; null while there are none."""

    events_per_second: float | None
    lag_seconds: float | None


class Budget(Struct):
    """The false alarms that are promised, beside the alarms that were raised.

    Attributes:
        promised_days: how many days there are between false alarms, in the mean.
        per_week: the same as a number in a week.
        raised: how many alerts on this budget have woken somebody in the last seven days, right or wrong.
        text: both in a sentence.
    """

    promised_days: float
    per_week: float
    raised: int
    text: str


class Overview(Struct):
    """Everything at a glance; times in event-time milliseconds, ``now`` by the server's clock."""

    now: int
    release: str
    may: May
    dry_run: bool
    require_approval: bool
    seen_until: int | None
    throughput: Throughput
    budget: Budget
    segments: list[SegmentNow]
    firing: list[Alert]
    waiting: list[Action]
    latest_actions: list[Action]


def overview(connection: Connection, settings: Settings, may: May, release: str, now: int) -> Overview:
    """Read it.

    Args:
        connection: in a transaction that sees one state.
        settings: what is promised, and who has to agree.
        may: of the caller.
        release: of this server.
        now: wall time, milliseconds.
    """
    until = seen_until(connection)
    alerts = connection.execute(QUERIES["live_alerts"], {"limit": _MOST_ALERTS})
    return Overview(
        now=now,
        release=release,
        may=may,
        dry_run=settings.actions.dry_run,
        require_approval=settings.actions.require_approval,
        seen_until=until,
        throughput=_throughput(connection, until, now),
        budget=_budget(connection, settings, until),
        segments=segments(connection, settings, until or 0),
        firing=[msgspec.convert(row[0], Alert) for row in alerts],
        waiting=_waiting(connection, settings),
        latest_actions=ledger.actions(connection, limit=_MOST_ACTIONS),
    )


def _throughput(connection: Connection, until: int | None, now: int) -> Throughput:
    if until is None:
        return Throughput(None, None)
    asked = {"segment": ALL, "since": moment(until - _PACE_MS), "until": moment(until)}
    row = connection.execute(QUERIES["live_pace"], asked).fetchone()
    assert row is not None
    events, span_ms = row
    pace = 1000 * events / span_ms if span_ms else None
    return Throughput(pace, max(0.0, (now - until) / 1000))


def _budget(connection: Connection, settings: Settings, until: int | None) -> Budget:
    asked = {
        "since": moment((until or 0) - _WEEK_MS),
        "budgeted": sorted(on_budget(settings.limits)),
    }
    row = connection.execute(QUERIES["live_raised"], asked).fetchone()
    assert row is not None
    days = settings.budget_ms / _DAY_MS
    raised = int(row[0])
    text = f"At most one false alarm in {days:g} days is promised; {_times(raised)} in the last seven days."
    return Budget(days, _WEEK_MS / settings.budget_ms, raised, text)


def _times(raised: int) -> str:
    return f"{raised or 'no'} alarm{'' if raised == 1 else 's'} {'was' if raised == 1 else 'were'} raised"


def _waiting(connection: Connection, settings: Settings) -> list[Action]:
    asked = {
        "auto": not settings.actions.require_approval,
        "severities": list(SEVERITIES),
        "limit": _MOST_WAITING,
    }
    return rows_as(connection, "live_waiting", asked, Action)
