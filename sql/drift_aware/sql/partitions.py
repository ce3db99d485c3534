"""Daily partitions, made ahead of the rows.

Rows of days without a partition go to the default one, so no timestamp stops the sink. A day that gets its
partition later takes its rows with it.
"""

from collections.abc import Mapping
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

# Table to the column it is partitioned by.
PARTITIONED: Mapping[str, str] = {
    "interaction_log": "ts",
    "embeddings_log": "ts",
    "feedback_log": "ts",
    "evaluation_log": "ts",
    "drift_metrics": "pane_start",
    "pane_totals": "pane_start",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Days:
    """The days around today that have partitions."""

    since: datetime
    until: datetime

    @classmethod
    def around(cls, today: date) -> "Days":
        """From DAYS_BACK days before ``today`` to DAYS_AHEAD days after it, in UTC."""
        return cls(_midnight(today - timedelta(DAYS_BACK)), _midnight(today + timedelta(DAYS_AHEAD + 1)))

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment < self.until


def make_ahead(connection: Connection, today: date) -> int:
    """Make the partitions around ``today`` that are missing; how many were made.

    Each day in a transaction of its own. When a long query is in the way, the rest is left for the next time.
    """
    there = {
        name for (name,) in connection.execute(QUERIES["existing_partitions"], {"tables": list(PARTITIONED)})
    }
    made = 0
    for offset in range(-DAYS_BACK, DAYS_AHEAD + 1):
        day = today + timedelta(offset)
        missing = [table for table in PARTITIONED if _name(table, day) not in there]
        if not missing:
            continue
        try:
            with connection.transaction():
                made += _make_day(connection, missing, day)
        except psycopg.errors.LockNotAvailable:
            log.warning("partitions not made yet, the tables are in use", day=day.isoformat())
            break
    return made


def _make_day(connection: Connection, tables: list[str], day: date) -> int:
    connection.execute(QUERIES["lock_partitions"])
    connection.execute(QUERIES["wait_briefly_for_locks"])
    # Asked again under the lock: another sink may have been faster.
    rows = connection.execute(QUERIES["existing_partitions"], {"tables": tables}).fetchall()
    missing = [table for table in tables if (_name(table, day),) not in rows]
    for table in missing:
        parts = {
            "table": Identifier(table),
            "partition": Identifier(_name(table, day)),
            "default": Identifier(f"{table}_default"),
            "time": Identifier(PARTITIONED[table]),
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
