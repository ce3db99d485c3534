"""A disk that is full: nothing is lost, nothing is skipped, and it goes on by itself when there is room."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from drift_aware.schema.envelope import encode_rows
from drift_aware.schema.topics import INTERACTIONS
from drift_aware.sql.embedded import EmbeddedPostgres
from rig.brokers import Broker
from rig.commands import Command
from rig.services import wait_until
from rig_events import interaction, publish

EVENTS = 4_000
NOBODY = 65534
SMALL, LARGE = "3m", "64m"


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM interaction_log").fetchone()
    assert row is not None
    return int(row[0])


def positions(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT coalesce(sum(next), 0) FROM kafka_offset WHERE topic = %s", [INTERACTIONS.name]
        ).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of three megabytes; only root can mount one."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=700,uid={NOBODY},gid={NOBODY}", "tmpfs", folder],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")
def test_a_full_tablespace_is_waited_out(
    postgres_server: EmbeddedPostgres,
    database_url: str,
    embedded_broker: Broker,
    start_command: Callable[..., Command],
) -> None:
    with small_disk() as folder:
        space = Identifier(folder.name)
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute(SQL("CREATE TABLESPACE {} LOCATION {}").format(space, str(folder)))
            try:
                owner.execute(SQL("ALTER TABLE interaction_log_default SET TABLESPACE {}").format(space))
                fill_up_and_make_room(database_url, embedded_broker, start_command, lambda: grow(folder))
            finally:
                owner.execute("ALTER TABLE interaction_log_default SET TABLESPACE pg_default")
                owner.execute(SQL("DROP TABLESPACE {}").format(space))


def grow(folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", folder], check=True)


def test_a_server_that_says_its_disk_is_full_is_waited_out(
    database_url: str, embedded_broker: Broker, start_command: Callable[..., Command]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.id = 'i3000' THEN RAISE 'could not extend file' USING ERRCODE = '53100'; END IF;"
            " RETURN NEW; END $$"
        )
        owner.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON interaction_log"
            " FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
        fill_up_and_make_room(
            database_url,
            embedded_broker,
            start_command,
            lambda: owner.execute("DROP TRIGGER full_disk ON interaction_log"),
        )


def fill_up_and_make_room(
    url: str, broker: Broker, start_command: Callable[..., Command], make_room: Callable[[], object]
) -> None:
    process = start_command("persist", bootstrap=broker.bootstrap, database_url=url)
    values = [(f"s{n}", encode_rows([interaction(n, model_response="x" * 1000)])) for n in range(EVENTS)]
    publish(broker.bootstrap, INTERACTIONS.name, values)
    wait_until(lambda: process.stderr.count("the disk of the database is full") >= 3, 60, process.shown)
    assert process.exit_code is None
    # What is stored is what the positions say.
    assert count(url) == positions(url) < EVENTS
    make_room()
    wait_until(lambda: count(url) >= EVENTS, 60, process.shown)
    assert process.stop() == 0
    assert count(url) == positions(url) == EVENTS
    with psycopg.connect(url) as connection:
        distinct = connection.execute("SELECT count(DISTINCT id) FROM interaction_log").fetchone()
    assert distinct == (EVENTS,)
