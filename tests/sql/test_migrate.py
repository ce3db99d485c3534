import threading
from dataclasses import replace

import pytest
from psycopg.sql import SQL, Identifier

from drift_aware.sql import migrate, store
from drift_aware.sql.errors import DatabaseUnreachable, MigrationError
from drift_aware.sql.migrate import Migration
from drift_aware.sql.store import Connection

TABLES = {
    "interaction_log",
    "embeddings_log",
    "feedback_log",
    "evaluation_log",
    "drift_events",
    "drift_metrics",
    "pane_totals",
    "documents",
    "document_index",
    "action_log",
    "kafka_offset",
    "retention",
    "forgotten",
    "forgotten_salt",
    "policy",
    "schema_migration",
}
ONE = Migration(1, "one", "CREATE TABLE one (a int); INSERT INTO one VALUES (1)")
TWO = Migration(2, "two", "CREATE TABLE two (a int)")
BROKEN = Migration(2, "two", "CREATE TABLE two (a int); SELECT 1 / 0")


def tables(connection: Connection) -> set[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    return {name for (name,) in rows}


def test_migrating_makes_every_table_and_a_second_time_changes_nothing(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        applied = migrate.migrate(connection)
        assert [m.version for m in applied] == list(range(1, len(applied) + 1))
        assert tables(connection) >= TABLES
        assert migrate.migrate(connection) == []
        migrate.require_current(connection)


def test_every_table_says_what_it_is_for(database_url: str) -> None:
    with store.connect(database_url, "test") as connection:
        silent = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace AND obj_description(oid, 'pg_class') IS NULL"
        ).fetchall()
    assert silent == []


def test_the_status_changes_nothing(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        assert all(entry.applied_at is None for entry in migrate.status(connection))
        assert tables(connection) == set()
        with pytest.raises(MigrationError, match="run: drift-aware db migrate"):
            migrate.require_current(connection)
        migrate.migrate(connection, [ONE])
        before, after = migrate.status(connection, [ONE, TWO])
    assert before.applied_at is not None
    assert after.applied_at is None


def test_a_changed_migration_is_refused(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        migrate.migrate(connection, [ONE])
        with pytest.raises(MigrationError, match=r"migration 1 \(one\) was changed after it was applied"):
            migrate.migrate(connection, [replace(ONE, text="CREATE TABLE another (a int)"), TWO])
        assert "two" not in tables(connection)


def test_a_database_newer_than_the_release_is_refused(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        migrate.migrate(connection, [ONE, TWO])
        with pytest.raises(MigrationError, match=r"migration 2 \(two\), which this release does not know"):
            migrate.status(connection, [ONE])


def test_a_migration_that_fails_half_way_leaves_nothing_and_can_be_mended(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        with pytest.raises(MigrationError, match=r"migration 2 \(two\) failed and was rolled back"):
            migrate.migrate(connection, [ONE, BROKEN])
        assert "one" in tables(connection)
        assert "two" not in tables(connection)
        assert migrate.migrate(connection, [ONE, TWO]) == [TWO]


def test_an_interrupted_migrator_leaves_nothing_behind(empty_database_url: str) -> None:
    slow = Migration(1, "slow", "CREATE TABLE slow (a int); SELECT pg_terminate_backend(pg_backend_pid())")
    with (
        store.connect(empty_database_url, "test") as connection,
        pytest.raises(DatabaseUnreachable),
    ):
        migrate.migrate(connection, [slow])
    with store.connect(empty_database_url, "test") as connection:
        assert "slow" not in tables(connection)
        assert migrate.migrate(connection, [ONE]) == [ONE]


def test_two_migrators_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    migrations = [Migration(n, f"m{n}", f"CREATE TABLE t{n} (a int)") for n in range(1, 9)]
    applied: list[int] = []
    start = threading.Barrier(3)

    def run() -> None:
        with store.connect(empty_database_url, "test") as connection:
            start.wait()
            applied.extend(m.version for m in migrate.migrate(connection, migrations))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == list(range(1, 9))


def test_a_user_who_may_not_create_the_extension_reads_what_to_do(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        connection.execute("CREATE ROLE weak_migrator")
        try:
            connection.execute("GRANT CREATE ON SCHEMA public TO weak_migrator")
            connection.execute("SET ROLE weak_migrator")
            with pytest.raises(MigrationError, match="CREATE EXTENSION vector"):
                migrate.migrate(connection)
        finally:
            connection.execute("RESET ROLE")
            connection.execute("DROP OWNED BY weak_migrator")
            connection.execute("DROP ROLE weak_migrator")


def test_a_user_who_may_not_make_tables_reads_what_to_do(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        connection.execute("CREATE ROLE reader")
        try:
            connection.execute("SET ROLE reader")
            with pytest.raises(MigrationError, match="GRANT CREATE ON SCHEMA public"):
                migrate.migrate(connection)
        finally:
            connection.execute("RESET ROLE")
            connection.execute("DROP ROLE reader")


def test_the_files_are_numbered_without_gaps() -> None:
    assert [m.version for m in migrate.available()] == list(range(1, len(migrate.available()) + 1))


@pytest.mark.parametrize(
    "table", sorted(TABLES - {"schema_migration", "retention", "forgotten_salt", "document_index"})
)
def test_an_empty_table_can_be_read(database_url: str, table: str) -> None:
    with store.connect(database_url, "test") as connection:
        assert connection.execute(SQL("SELECT * FROM {}").format(Identifier(table))).fetchall() == []
