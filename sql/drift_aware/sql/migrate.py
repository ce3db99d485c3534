"""Versioned migrations: plain SQL files, applied once, in order, forward only."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

import psycopg
from psycopg.sql import SQL

from drift_aware.sql.errors import DatabaseUnreachable, MigrationError
from drift_aware.sql.queries import QUERIES

if TYPE_CHECKING:
    from drift_aware.sql.store import Connection

# halfvec came with it.
MIN_VECTOR_VERSION = (0, 7)
_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of ``migrations/``; the checksum is of its text."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Status:
    """A migration and when it was applied, or None if it is still to be applied."""

    version: int
    name: str
    applied_at: datetime | None


def available(folder: Traversable | None = None) -> list[Migration]:
    """The migrations that came with this release, oldest first."""
    folder = folder or files(__package__).joinpath("migrations")
    found = [(_FILE.fullmatch(file.name), file) for file in folder.iterdir()]
    return sorted(
        (Migration(int(match[1]), match[2], file.read_text("utf-8")) for match, file in found if match),
        key=lambda migration: migration.version,
    )


def migrate(connection: "Connection", migrations: list[Migration] | None = None) -> list[Migration]:
    """Apply what is missing, each migration in a transaction of its own, and return what was applied.

    A second migrator waits and then finds the work done; after an interruption the next one goes on.

    Args:
        connection: in autocommit mode.
        migrations: others than those of this release.

    Raises:
        MigrationError: no vector extension, an applied migration was changed, is unknown here, or one failed.
        DatabaseUnreachable: the connection broke.
    """
    migrations = available() if migrations is None else migrations
    applied = []
    try:
        while (migration := _apply_next(connection, migrations)) is not None:
            applied.append(migration)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(f"the database went away, run it again: {_line(error)}") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"this user may not make the tables: {_line(error)}; let the owner of the database run: "
            "GRANT CREATE ON SCHEMA public TO <user>"
        ) from None
    return applied


def _apply_next(connection: "Connection", migrations: list[Migration]) -> Migration | None:
    with connection.transaction():
        connection.execute(QUERIES["lock_migrations"])
        connection.execute(QUERIES["create_migration_table"])
        pending = _pending(_applied(connection), migrations)
        if not pending:
            return None
        _ensure_vector(connection)
        migration = pending[0]
        try:
            connection.execute(SQL(migration.text))
        except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege):
            raise
        except psycopg.Error as error:
            raise MigrationError(
                f"migration {migration.version} ({migration.name}) failed and was rolled back: {_line(error)}"
            ) from None
        connection.execute(
            QUERIES["record_migration"],
            {"version": migration.version, "name": migration.name, "checksum": migration.checksum},
        )
        return migration


def status(connection: "Connection", migrations: list[Migration] | None = None) -> list[Status]:
    """Every migration of this release and when it was applied; changes nothing.

    Raises:
        MigrationError: an applied migration was changed or is unknown here.
    """
    migrations = available() if migrations is None else migrations
    applied = _applied(connection)
    _pending(applied, migrations)
    return [
        Status(m.version, m.name, applied[m.version][2] if m.version in applied else None) for m in migrations
    ]


def require_current(connection: "Connection") -> None:
    """Make sure that the schema is the one this release was written for.

    Raises:
        MigrationError: it is older, newer or changed; the message says what to do.
    """
    pending = [entry for entry in status(connection) if entry.applied_at is None]
    if pending:
        raise MigrationError(f"{len(pending)} migrations are not applied; run: drift-aware db migrate")


def _applied(connection: "Connection") -> dict[int, tuple[str, str, datetime]]:
    exists = connection.execute(QUERIES["migration_table_exists"]).fetchone()
    if exists is None or not exists[0]:
        return {}
    rows = connection.execute(QUERIES["applied_migrations"])
    return {version: (name, checksum, at) for version, name, checksum, at in rows}


def _pending(applied: dict[int, tuple[str, str, datetime]], migrations: list[Migration]) -> list[Migration]:
    known = {migration.version: migration for migration in migrations}
    for version, (name, checksum, _) in applied.items():
        if version not in known:
            raise MigrationError(
                f"the database has migration {version} ({name}), which this release does not know; "
                "install the release that applied it, or a later one"
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"migration {version} ({name}) was changed after it was applied; restore its file "
                "and put the change into a new migration"
            )
    return [migration for migration in migrations if migration.version not in applied]


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


def _ensure_vector(connection: "Connection") -> None:
    try:
        with connection.transaction():
            connection.execute(QUERIES["create_vector_extension"])
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
        raise MigrationError(
            "the server has no vector extension; install pgvector 0.7 or later on it, "
            "or use the image pgvector/pgvector:pg18"
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise MigrationError(
            "this user may not create the vector extension; let a superuser run, in this database: "
            "CREATE EXTENSION vector"
        ) from None
    row = connection.execute(QUERIES["vector_version"]).fetchone()
    if row is None or tuple(row[0]) < MIN_VECTOR_VERSION:
        raise MigrationError(
            "the vector extension is older than 0.7; update pgvector on the server, then run: "
            "ALTER EXTENSION vector UPDATE"
        )
