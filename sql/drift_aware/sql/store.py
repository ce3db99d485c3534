"""How to reach Postgres, and what to say when it cannot be reached."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from drift_aware.schema.checks import Check
from drift_aware.schema.errors import DriftAwareError, SettingsError
from drift_aware.schema.settings import Settings
from drift_aware.sql import migrate
from drift_aware.sql.errors import DatabaseUnreachable, MigrationError
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
        raise DatabaseUnreachable(
            f"no database: {_one_line(error, str(options.get('password') or ''))}; "
            "check DATABASE_URL and that the server runs"
        ) from None


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
