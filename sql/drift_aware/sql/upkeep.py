"""What ``persist`` does beside writing: once an hour partitions ahead of the rows, and old ones removed."""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Retention
from drift_aware.sql import dimensions, partitions, retention
from drift_aware.sql.partitions import Days
from drift_aware.sql.store import Connection

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Upkeep:
    """Keeps the tables ready for rows.

    Args:
        metrics: where to count.
        kept: how long rows are kept.
        now: the clock that says which days get partitions.

    Attributes:
        days: those that have partitions.
    """

    def __init__(self, metrics: SinkMetrics, kept: Retention, now: Callable[[], datetime] = utc_now) -> None:
        self._metrics = metrics
        self._kept = kept
        self._now = now
        self._done: datetime | None = None
        self._tried: set[int] = set()
        self._new: set[int] = set()
        self.days = Days.around(now().date(), kept.days_ahead)

    def seen(self, dims: set[int]) -> None:
        """Vectors of these dimensions were written; those without a table get one when next it is due."""
        self._new |= dims - self._tried

    def due(self, connection: Connection) -> None:
        """Do what there is to do; outside a transaction."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        if hour != self._done:
            self._hourly(connection, hour)
            self._done = hour
        elif self._new:
            self._make_tables(connection, hour)

    def _hourly(self, connection: Connection, hour: datetime) -> None:
        # What was in the way of a table an hour ago may be gone.
        self._new |= self._tried
        self._make_tables(connection, hour)
        self.days = Days.around(hour.date(), self._kept.days_ahead)
        if self._kept.automatic:
            retention.keep(connection, self._kept)
            for removed in retention.clean(connection, hour.date()):
                log.info("retention", relation=removed.relation, outcome=removed.outcome, rows=removed.rows)
                self._metrics.cleaned.labels(removed.outcome).inc()
        for table, rows in partitions.without_day(connection).items():
            self._metrics.without_day.labels(table).set(rows)

    def _make_tables(self, connection: Connection, hour: datetime) -> None:
        for dim in sorted(self._new - dimensions.existing(connection)):
            dimensions.make(connection, dim)
        self._tried |= self._new
        self._new.clear()
        partitions.make_ahead(connection, hour.date(), self._kept.days_ahead)
