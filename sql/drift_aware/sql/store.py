"""How to reach Postgres, and what to say when it cannot be reached."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from drift_aware.schema.checks import Check
from drift_aware.schema.errors import DriftAwareError, SettingsError
from drift_aware.schema.settings import Settings
from drift_aware.sql import migrate
from drift_aware.sql.errors import DatabaseRefused, DatabaseUnreachable, MigrationError
from drift_aware.sql.queries import QUERIES

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_SECONDS = 5
# A server that vanishes without a word is noticed after 10 s idle plus 3 probes; unsent data after 20 s.
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def connect(url: str, application: str) -> Connection:
    """Open a connection in autocommit mode; transactions are written out where they are meant.

    Args:
        url: a libpq address.
        application: what pg_stat_activity shows, after ``drift-aware``.

    Raises:
        SettingsError: the address cannot be read.
        DatabaseUnreachable: no answer within 5 s, or refused; one line without the password.
    """
    options = parameters(url, application)
    try:
        return psycopg.connect(**options, autocommit=True)
    except psycopg.OperationalError as error:
        text = _one_line(error, str(options.get("password") or ""))
        raise DatabaseUnreachable(f"no database: {text}; {_advice(text)}") from None


def parameters(url: str, application: str) -> dict[str, Any]:
    """What psycopg needs to connect, timeouts included.

    Raises:
        SettingsError: the address cannot be read.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # libpq quotes the piece it cannot read, and that may be the password.
        raise SettingsError(
            "DATABASE_URL cannot be read; the form is postgresql://user:password@host:5432/database, "
            "with special characters percent-encoded"
        ) from None
    return {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        **_KEEPALIVE,
        **parts,
        # Behind a pooler the next transaction may meet another server process, which has nothing prepared.
        "prepare_threshold": None,
        "application_name": f"drift-aware {application}",
    }


def _advice(text: str) -> str:
    """What to do about a connection that failed; the server and libpq say it in words only."""
    if "certificate" in text:
        return "check sslrootcert and the host in DATABASE_URL: the server is not who it should be"
    if "authentication failed" in text or "does not exist" in text:
        return "the server runs, so check user, password and database in DATABASE_URL"
    return "check DATABASE_URL and that the server runs"


def _one_line(error: psycopg.Error, password: str) -> str:
    text = " ".join(str(error).split())
    return text.replace(password, "***") if password else text


def checks(settings: Settings) -> Iterable[Check]:
    """Whether Postgres answers, can hold vectors, and has the schema this release needs."""
    if settings.database_url is None:
        yield Check("postgres", False, "no database; set DATABASE_URL, or leave out persist and act")
        return
    try:
        connection = connect(settings.require_database_url(), "check")
    except DriftAwareError as error:
        yield Check("postgres", False, str(error))
        return
    with connection:
        yield Check("postgres", True, f"{connection.info.host} answers")
        yield _check_vector(connection)
        yield _check_schema(connection)


def _check_vector(connection: Connection) -> Check:
    if connection.execute(QUERIES["vector_available"]).fetchone() == (True,):
        return Check("vector", True, "the server has pgvector")
    return Check("vector", False, "the server has no vector extension; install pgvector 0.7 or later on it")


def _check_schema(connection: Connection) -> Check:
    try:
        migrate.require_current(connection)
    except MigrationError as error:
        return Check("schema", False, str(error))
    except psycopg.Error as error:
        return Check("schema", False, f"this user may not read the schema: {_one_line(error, '')}")
    return Check("schema", True, f"at migration {migrate.available()[-1].version}")


def count_rows(connection: Connection) -> int:
    """How many rows the log tables hold together."""
    row = connection.execute(QUERIES["count_rows"]).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def opened(settings: Settings, verb: str) -> Iterator[Connection]:
    """A connection for a verb that works on the log tables, closed at the end.

    Raises:
        SettingsError: no address is set, or it cannot be read.
        DatabaseUnreachable: no answer, or none any more; the verb may be run again.
        DatabaseRefused: Postgres refuses a statement, for want of a right for instance.
        MigrationError: the schema is not the one this release needs.
    """
    try:
        with connect(settings.require_database_url(), verb) as connection:
            migrate.require_current(connection)
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(f"{verb} was cut short, run it again: {_first_line(error)}") from None
    except psycopg.Error as error:
        raise DatabaseRefused(f"Postgres refuses what {verb} asks: {_first_line(error)}") from None


def _first_line(error: psycopg.Error) -> str:
    """What comes after it may quote a row."""
    return next(iter(str(error).splitlines()), type(error).__name__)
