"""How long rows are kept, and what removes them.

The ages are a setting; they are copied to the table ``retention``, which is what the SQL function
``cleanup_old_data`` goes by, so that a scheduler of the database can do the same without us.
"""

from collections.abc import Iterator
from datetime import date
from typing import Literal

from msgspec import Struct

from drift_aware.schema.settings import Retention
from drift_aware.sql.partitions import PARTITIONED
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection


class Removed(Struct, frozen=True):
    """What was removed, or would be.

    Attributes:
        relation: a partition.
        outcome: the partition was dropped, rows were deleted from it, or somebody uses it.
        rows: how many were deleted.
        bytes: the size of what was dropped, with its indexes.
    """

    relation: str
    outcome: Literal["dropped", "deleted", "in use"]
    rows: int | None
    bytes: int | None


def keep(connection: Connection, retention: Retention) -> None:
    """Write the ages of the setting to the database."""
    with connection.cursor() as cursor:
        cursor.executemany(
            QUERIES["keep_for"],
            [{"table": table, "days": getattr(retention, table)} for table in PARTITIONED],
        )


def clean(connection: Connection, today: date, *, dry_run: bool = False) -> Iterator[Removed]:
    """Remove what is too old by the table ``retention``.

    Args:
        connection: in autocommit mode, so that each table has a transaction of its own and no lock is held
            for the sake of another table.
        today: the day from which ages are counted.
        dry_run: only say what would be removed.
    """
    for table in PARTITIONED:
        rows = connection.execute(QUERIES["clean"], {"today": today, "dry_run": dry_run, "table": table})
        for row in rows:
            yield Removed(*row)


def foresee(connection: Connection, retention: Retention, today: date) -> list[Removed]:
    """What ``keep`` and ``clean`` would remove; changes nothing."""
    with connection.transaction(force_rollback=True):
        keep(connection, retention)
        return list(clean(connection, today, dry_run=True))
