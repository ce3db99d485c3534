"""The connections that answer requests: few, shared, and none of them held for long."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import IsolationLevel
from psycopg_pool import ConnectionPool

from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# A request waits so long for a connection, whether all are in use or there is no database.
WAIT_SECONDS = 3.0
_LOCK_SECONDS = 2
# The pool tries to connect for so long, more and more seldom, and then anew when the next request comes; more
# would let a database that is back wait for the next attempt.
_ATTEMPTS_SECONDS = 5.0


class Database:
    """A pool of connections to the database of the settings.

    It is closed when made: a pool belongs to the application that is started.

    Raises:
        SettingsError: there is no address, or it cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        statement_ms = round(1000 * settings.api.statement_timeout_seconds)
        self._limits = {
            "statement": f"{statement_ms}ms",
            "lock": f"{_LOCK_SECONDS}s",
            "idle": f"{2 * statement_ms}ms",
        }
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            kwargs=store.parameters(settings.require_database_url(), "serve") | {"autocommit": True},
            min_size=1,
            max_size=settings.api.database_connections,
            open=False,
            name="serve",
            timeout=WAIT_SECONDS,
            reconnect_timeout=_ATTEMPTS_SECONDS,
            check=ConnectionPool.check_connection,
        )

    def open(self) -> None:
        """Begin to connect; the database may come later."""
        self._pool.open()

    def close(self) -> None:
        """Give up all connections."""
        self._pool.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction that sees one state of the database and cannot change it.

        Raises:
            psycopg.OperationalError: there is none, or none in time.
        """
        with self._transaction(IsolationLevel.REPEATABLE_READ, read_only=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction.

        Raises:
            psycopg.OperationalError: there is none, or none in time.
        """
        with self._transaction(None, read_only=False) as connection:
            yield connection

    @contextmanager
    def _transaction(self, level: IsolationLevel | None, *, read_only: bool) -> Iterator[Connection]:
        with self._pool.connection() as connection:
            connection.isolation_level = level
            connection.read_only = read_only
            with connection.transaction():
                # For this transaction only: a pooler gives the session to others.
                connection.execute(QUERIES["limit_transaction"], self._limits)
                yield connection
