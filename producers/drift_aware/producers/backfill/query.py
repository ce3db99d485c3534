"""The rows of a query, read without being able to write.

The one place among the publishers where a database is spoken to; psycopg is imported when it is asked for, so
that an application that only publishes does without.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drift_aware.producers.backfill.rows import Row, Source, Unreadable
from drift_aware.schema.errors import SettingsError, Unreachable
from drift_aware.schema.settings import Settings

if TYPE_CHECKING:
    import psycopg

_FETCHED_ROWS = 1000
_CONNECT_SECONDS = 5


def address(settings: Settings, variable: str | None) -> str:
    """The database's: of the environment variable of that name, else of the settings.

    Raises:
        SettingsError: there is none.
    """
    if variable is None:
        return settings.require_database_url()
    if not (url := os.environ.get(variable)):
        raise SettingsError(
            f"the environment has no {variable}; set it to postgresql://user:password@host/name"
        )
    return url


@contextmanager
def opened(url: str, query: str) -> Iterator[Source]:
    """The query, begun in a transaction that cannot write; a cursor of the server's holds its rows.

    Raises:
        SettingsError: the extra ``sql`` is missing, the address cannot be read, or the query is refused.
        Unreachable: the database does not answer, or goes away.
    """
    try:
        import psycopg
    except ModuleNotFoundError:
        raise SettingsError("reading Postgres is an extra: pip install 'drift-aware[sql]'") from None
    try:
        with psycopg.connect(
            url,
            connect_timeout=_CONNECT_SECONDS,
            application_name="drift-aware publish",
            prepare_threshold=None,
        ) as connection:
            connection.read_only = True
            with connection.cursor("drift_aware_publish") as cursor:
                cursor.itersize = _FETCHED_ROWS
                # The operator's own statement, from the command line.
                cursor.execute(query.encode())
                yield Query(cursor)
    except psycopg.OperationalError as error:
        raise Unreachable(f"no database: {_said(error, url)}; check the address and that it runs") from None
    except psycopg.Error as error:
        raise SettingsError(f"the query cannot be read: {_said(error, url)}") from None


class Query:
    """What a cursor gives."""

    def __init__(self, cursor: "psycopg.ServerCursor[tuple[Any, ...]]") -> None:
        self._cursor = cursor
        self.columns: Sequence[str] | None = [column.name for column in cursor.description or ()]
        self._number = 0

    def rows(self) -> Iterator[Row | Unreadable]:
        """See Source."""
        assert self.columns is not None
        for row in self._cursor:
            self._number += 1
            yield Row(self._number, dict(zip(self.columns, row, strict=True)))

    def progress(self) -> tuple[int, int | None]:
        """See Source."""
        return self._number, None


def _said(error: Exception, url: str) -> str:
    """The first line, without the password: what follows may quote a row, and libpq quotes bad addresses."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        password = str(conninfo_to_dict(url).get("password") or "")
    except psycopg.ProgrammingError:
        return "the address cannot be read; the form is postgresql://user:password@host:5432/database"
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return line.replace(password, "***") if password else line
