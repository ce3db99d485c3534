"""A table for each dimension of vectors, made when the first of them have come.

Until then, and beyond MAX_TABLES, they are in ``embeddings_log_other``. A dimension that gets its table later
takes its rows with it.
"""

import psycopg
import structlog
from psycopg.sql import Identifier, Literal

from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# An application uses a few models. Whoever can publish must not be able to make thousands of tables.
MAX_TABLES = 16

log = structlog.get_logger(__name__)


def existing(connection: Connection) -> set[int]:
    """The dimensions that have a table."""
    return {dim for (dim,) in connection.execute(QUERIES["dimensions"])}


def make(connection: Connection, dim: int) -> bool:
    """Make the table of a dimension with its rows so far; whether there is one now.

    When a long query is in the way, or there are MAX_TABLES, there is none.
    """
    try:
        with connection.transaction():
            return _make(connection, dim)
    except psycopg.errors.LockNotAvailable:
        log.warning("no table for a new dimension yet, the others are in use", dim=dim)
        return False


def _make(connection: Connection, dim: int) -> bool:
    connection.execute(QUERIES["lock_partitions"])
    connection.execute(QUERIES["wait_briefly_for_locks"])
    # Asked under the lock: another sink may have been faster.
    there = existing(connection)
    if dim in there:
        return True
    if len(there) >= MAX_TABLES:
        log.warning("no table for a new dimension, there are enough", dim=dim, tables=len(there))
        return False
    table = Identifier(f"embeddings_log_{dim}")
    connection.execute(QUERIES["close_table"].format(table=Identifier("embeddings_log")))
    connection.execute(QUERIES["create_dimension"].format(table=table, dim=Literal(dim)))
    connection.execute(
        QUERIES["create_default"].format(table=table, default=Identifier(f"embeddings_log_{dim}_default"))
    )
    for step in ("fill_dimension", "attach_dimension"):
        connection.execute(QUERIES[step].format(table=table, dim=Literal(dim)))
    return True
