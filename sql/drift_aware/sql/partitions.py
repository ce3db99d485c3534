"""Daily partitions, made ahead of the rows.

Rows of days without a partition go to the default one, so no timestamp stops the sink. A day that gets its
partition later takes its rows with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import structlog
from psycopg.sql import Identifier, Literal

from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# Source topics keep a week, so a first start may find events that old.
DAYS_BACK = 7
# A weekend and more without a sink does not lead to rows in the default partitions.
DAYS_AHEAD = 4

# What is kept by day; embeddings_log by dimension first, and each of its tables by day.
PARTITIONED: Sequence[str] = (
    "interaction_log",
    "embeddings_log",
    "feedback_log",
    "evaluation_log",
    "drift_metrics",
    "pane_totals",
)
# More rows than this in a default partition are not counted one by one.
COUNTED_ROWS = 100_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Days:
    """The days around today that have partitions."""

    since: datetime
    until: datetime

    @classmethod
    def around(cls, today: date, ahead: int = DAYS_AHEAD) -> "Days":
        """From DAYS_BACK days before ``today`` to ``ahead`` days after it, in UTC."""
        return cls(_midnight(today - timedelta(DAYS_BACK)), _midnight(today + timedelta(ahead + 1)))

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment < self.until


def make_ahead(connection: Connection, today: date, ahead: int = DAYS_AHEAD) -> int:
    """Make the partitions around ``today`` that are missing; how many were made.

    Each day in a transaction of its own. When a long query is in the way, the rest is left for the next time.
    """
    tables = by_day(connection)
    there = set(_existing(connection, tables))
    made = 0
    for offset in range(-DAYS_BACK, ahead + 1):
        day = today + timedelta(offset)
        missing = {table: column for table, column in tables.items() if _name(table, day) not in there}
        if not missing:
            continue
        try:
            with connection.transaction():
                made += _make_day(connection, missing, day)
        except psycopg.errors.LockNotAvailable:
            log.warning("partitions not made yet, the tables are in use", day=day.isoformat())
            break
    return made


def by_day(connection: Connection) -> dict[str, str]:
    """Each table that has a partition for a day, with the column that holds the time."""
    return dict(connection.execute(QUERIES["tables_by_day"], {"tables": list(PARTITIONED)}).fetchall())


def without_day(connection: Connection) -> dict[str, int]:
    """Each of these tables with the rows in its default partition, COUNTED_ROWS if there are more."""
    return {table: _count(connection, f"{table}_default") for table in by_day(connection)}


def _count(connection: Connection, table: str) -> int:
    statement = QUERIES["count_some"].format(table=Identifier(table))
    row = connection.execute(statement, {"limit": COUNTED_ROWS}).fetchone()
    assert row is not None
    return int(row[0])


def _existing(connection: Connection, tables: Iterable[str]) -> list[str]:
    rows = connection.execute(QUERIES["existing_partitions"], {"tables": list(tables)})
    return [name for (name,) in rows]


def _make_day(connection: Connection, tables: Mapping[str, str], day: date) -> int:
    connection.execute(QUERIES["lock_partitions"])
    connection.execute(QUERIES["wait_briefly_for_locks"])
    # Asked again under the lock: another sink may have been faster.
    there = _existing(connection, tables)
    missing = {table: column for table, column in tables.items() if _name(table, day) not in there}
    for table, column in missing.items():
        parts = {
            "table": Identifier(table),
            "partition": Identifier(_name(table, day)),
            "default": Identifier(f"{table}_default"),
            "time": Identifier(column),
            "since": Literal(_midnight(day)),
            "until": Literal(_midnight(day + timedelta(1))),
        }
        for step in ("close_table", "create_partition", "fill_partition", "attach_partition"):
            connection.execute(QUERIES[step].format(**parts))
    return len(missing)


def _name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
