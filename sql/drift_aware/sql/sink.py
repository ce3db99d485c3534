"""``persist``: everything that is published, into Postgres.

Events become rows of the logs, readings of ``drift_metrics`` and ``pane_totals``, alerts of ``drift_events``,
sums of days of ``day_sums``, baselines of ``baseline``.
Nothing a publisher can send stops it: what cannot be read is skipped and counted (the worker dead-letters
it), what Postgres cannot hold is amended or skipped, and counted.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import psycopg
import structlog
from pgvector.psycopg import register_vector
from psycopg.sql import SQL, Identifier
from psycopg.types.json import set_json_dumps

from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Retention
from drift_aware.schema.topics import ALERTS, BASELINES, HISTORY, READINGS, SOURCES
from drift_aware.sql import withholding
from drift_aware.sql.batch import Batch, sort
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.rows import LOGS, LogTable
from drift_aware.sql.store import Connection
from drift_aware.sql.upkeep import Upkeep, utc_now
from drift_aware.sql.work import Record

NAME = "persist"
TOPICS = (*SOURCES.values(), READINGS, HISTORY, BASELINES, ALERTS)

# What Postgres refuses because of the row itself; trying again would not help.
_REFUSED = (psycopg.DataError, psycopg.errors.NotNullViolation, psycopg.errors.ProgramLimitExceeded)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Target:
    """A table, the topic its rows come from, and how they get in."""

    table: str
    topic: str
    write: Callable[[Connection, Sequence[Any]], None]


def _copy(table: LogTable, connection: Connection, some: Sequence[tuple[Any, ...]]) -> None:
    statement = QUERIES["copy_rows"].format(
        table=Identifier(table.name), columns=SQL(", ").join(map(Identifier, table.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(table.types)
        for row in some:
            copy.write_row(row)


def _upsert(statement: str, connection: Connection, some: Sequence[dict[str, Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(QUERIES[statement], some)


TARGETS = (
    *(Target(table.name, SOURCES[kind].name, partial(_copy, table)) for kind, table in LOGS.items()),
    Target("drift_metrics", READINGS.name, partial(_upsert, "upsert_drift_metric")),
    Target("pane_totals", READINGS.name, partial(_upsert, "upsert_pane_totals")),
    Target("day_sums", HISTORY.name, partial(_upsert, "upsert_day_sums")),
    Target("baseline", BASELINES.name, partial(_upsert, "upsert_baseline")),
    Target("drift_events", ALERTS.name, partial(_upsert, "upsert_drift_event")),
)


def write(connection: Connection, target: Target, some: Sequence[Any], batch: Batch) -> None:
    """Write rows; if Postgres refuses one, find it by halving, skip it and count it in ``batch``."""
    if not some:
        return
    try:
        with connection.transaction():
            target.write(connection, some)
    except _REFUSED as error:
        if len(some) == 1:
            log.warning("row refused", table=target.table, error=str(error).splitlines()[0])
            batch.skipped[target.topic, "refused"] += 1
            return
        middle = len(some) // 2
        write(connection, target, some[:middle], batch)
        write(connection, target, some[middle:], batch)
    else:
        batch.written[target.table] += len(some)


class Sink:
    """The work of ``persist`` (consumer.Work).

    Args:
        metrics: where to count.
        retention: how long rows are kept.
        now: the clock that says which days get partitions.
        store_texts: whether the texts of events are stored.
    """

    def __init__(
        self,
        metrics: SinkMetrics,
        retention: Retention | None = None,
        now: Callable[[], datetime] = utc_now,
        *,
        store_texts: bool = True,
    ) -> None:
        self._metrics = metrics
        self._store_texts = store_texts
        self._upkeep = Upkeep(metrics, retention or Retention(), now)
        self._connection: Connection | None = None
        self._batch = Batch()

    def prepare(self, connection: Connection) -> None:
        """See that there are tables for what may come."""
        if connection is not self._connection:
            register_vector(connection)
            set_json_dumps(msgspec.json.encode, connection)
            self._connection = connection
        self._upkeep.due(connection)

    def handle(self, connection: Connection, records: Sequence[Record]) -> None:
        """Write the rows of the records."""
        self._batch = sort(records, self._upkeep.days)
        if not self._store_texts:
            withholding.withhold_texts(self._batch)
        withholding.withhold_forgotten(connection, self._batch)
        for target in TARGETS:
            write(connection, target, self._batch.rows.get(target.table, ()), self._batch)

    def committed(self) -> None:
        """Count, now that a rollback can no longer undo it."""
        batch, metrics = self._batch, self._metrics
        self._upkeep.seen(batch.dims)
        metrics.batch_seconds.observe(time.perf_counter() - batch.started)
        for table, count in batch.written.items():
            metrics.rows.labels(table).inc(count)
        for table, count in batch.unplaced.items():
            metrics.unplaced.labels(table).inc(count)
        for (table, reason), count in batch.withheld.items():
            metrics.withheld.labels(table, reason).inc(count)
        for change, count in batch.tally.items():
            metrics.amended.labels(change).inc(count)
        for (topic, reason), count in batch.skipped.items():
            metrics.skipped.labels(topic, reason).inc(count)
            log.warning("events not stored", topic=topic, reason=reason, events=count)
