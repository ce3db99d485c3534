"""A database of the release before, with rows in it, and an upgrade that is cut short."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from drift_aware.sql import dimensions, migrate, partitions, store
from drift_aware.sql.store import Connection
from rig.commands import Command
from rig.services import wait_until

DUMP = Path(__file__).with_name("release_0004.sql")
BEFORE = 4
ROWS = {
    "interaction_log": 3,
    "embeddings_log": 5,
    "feedback_log": 2,
    "evaluation_log": 2,
    "drift_events": 1,
    "drift_metrics": 1,
    "pane_totals": 1,
    "kafka_offset": 6,
}
VECTORS = "SELECT id, ts, dim, embedding::text FROM embeddings_log ORDER BY id"


@pytest.fixture
def old_url(empty_database_url: str) -> str:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(DUMP.read_bytes())
    return empty_database_url


@pytest.fixture
def old(old_url: str) -> Iterator[Connection]:
    with store.connect(old_url, "test") as connection:
        yield connection


def counts(connection: Connection) -> dict[str, int]:
    found = {}
    for table in ROWS:
        row = connection.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table))).fetchone()
        assert row is not None
        found[table] = row[0]
    return found


def applied(connection: Connection) -> int:
    return sum(entry.applied_at is not None for entry in migrate.status(connection))


def test_every_row_is_there_after_the_upgrade(old: Connection) -> None:
    assert applied(old) == BEFORE
    assert counts(old) == ROWS
    vectors = old.execute(VECTORS).fetchall()
    migrate.migrate(old)
    migrate.require_current(old)
    assert counts(old) == ROWS
    assert old.execute(VECTORS).fetchall() == vectors
    places = old.execute(
        "SELECT DISTINCT dim, replace(tableoid::regclass::text, 'embeddings_log', '') FROM embeddings_log"
    )
    # Two days had partitions, the third had not.
    assert set(places) == {
        (8, "_8_20260301"),
        (8, "_8_20260228"),
        (8, "_8_default"),
        (3, "_3_default"),
    }


def test_an_upgraded_database_is_as_a_new_one(old: Connection, database_url: str) -> None:
    migrate.migrate(old)
    with store.connect(database_url, "test") as new:
        for dim in (3, 8):
            dimensions.make(new, dim)
        assert shape(old) == shape(new)
        assert partitions.by_day(old) == partitions.by_day(new)


def shape(connection: Connection) -> set[tuple[str, ...]]:
    """Columns, constraints and indexes of every table that is not a day's."""
    return set(
        connection.execute(
            r"""
            WITH tables AS (
                SELECT oid, relname FROM pg_class
                WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relname !~ '_\d{8}$'
            )
            SELECT relname, attname, format_type(atttypid, atttypmod) || attnotnull
            FROM tables JOIN pg_attribute ON attrelid = tables.oid WHERE attnum > 0
            UNION ALL
            SELECT relname, conname, pg_get_constraintdef(pg_constraint.oid)
            FROM tables JOIN pg_constraint ON conrelid = tables.oid
            UNION ALL
            SELECT relname, '', regexp_replace(pg_get_indexdef(indexrelid), 'INDEX \S+', '')
            FROM tables JOIN pg_index ON indrelid = tables.oid
            """
        ).fetchall()
    )


def test_an_upgrade_that_is_killed_half_way_is_gone_on_with(
    old: Connection, old_url: str, start_command: Callable[..., Command]
) -> None:
    with store.connect(old_url, "test") as other, other.transaction(force_rollback=True):
        # The migration does all its work, and then waits to write down that it has.
        other.execute("INSERT INTO schema_migration (version, name, checksum) VALUES (5, 'x', 'x')")
        killed = start_command("db", "migrate", database_url=old_url)
        wait_until(lambda: migrating(old) == [("transactionid",)], 30, killed.shown)
        killed.send(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        assert applied(old) == BEFORE
    # The server notices that nobody is there when it has its turn, and undoes everything.
    wait_until(lambda: not migrating(old), 30, "the migrator's transaction is over")
    assert applied(old) == BEFORE
    assert counts(old) == ROWS
    again = start_command("db", "migrate", database_url=old_url)
    assert again.wait(30) == 0, again.shown()
    assert "applied 0005 embeddings_by_dimension" in again.stdout
    assert counts(old) == ROWS
    migrate.require_current(old)


def migrating(connection: Connection) -> list[tuple[str | None]]:
    """What each migrator waits for."""
    return connection.execute(
        "SELECT wait_event FROM pg_stat_activity WHERE application_name = 'drift-aware migrate'"
        " AND datname = current_database()"
    ).fetchall()


def test_persist_refuses_a_database_of_the_release_before_and_of_a_later_one(
    old: Connection, old_url: str, start_command: Callable[..., Command]
) -> None:
    def refused() -> str:
        command = start_command("persist", bootstrap="127.0.0.1:1", database_url=old_url)
        assert command.wait(30) == 1, command.shown()
        return command.stderr.splitlines()[-1]

    pending = len(migrate.available()) - BEFORE
    assert refused() == f"drift-aware: {pending} migrations are not applied; run: drift-aware db migrate"
    migrate.migrate(old)
    old.execute("INSERT INTO schema_migration (version, name, checksum) VALUES (9999, 'later', 'x')")
    assert refused() == (
        "drift-aware: the database has migration 9999 (later), which this release does not know; "
        "install the release that applied it, or a later one"
    )


def test_a_server_without_pgvector_is_told_in_one_line(
    empty_database_url: str, start_command: Callable[..., Command]
) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        name = Identifier(connection.info.dbname)
        # The server then looks for extensions where there are none.
        connection.execute(SQL("ALTER DATABASE {} SET extension_control_path = '/nowhere'").format(name))
    command = start_command("db", "migrate", database_url=empty_database_url)
    assert command.wait(30) == 1
    [line] = command.stderr.splitlines()
    assert line.startswith("drift-aware: the server has no vector extension; install pgvector 0.7 or later")
