"""PgBouncer in transaction mode before the test run's PostgreSQL; it speaks TLS, which that one does not."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import psycopg

from drift_aware.sql import guardian
from rig.certificates import Certificates
from rig.kafka import free_ports
from rig.services import wait_until

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_POOL_SIZE = 2


class PgBouncerMissing(Exception):
    """There is no pgbouncer on this machine."""


class Pooler:
    """A pooler with two connections to each database, for as long as the ``with`` block runs.

    Args:
        server_url: of a PostgreSQL on a Unix socket.
        certificates: with these it takes connections with TLS only.

    Raises:
        PgBouncerMissing: it is not installed.
    """

    def __init__(self, server_url: str, certificates: Certificates | None = None) -> None:
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise PgBouncerMissing("a pooler needs pgbouncer on PATH; Debian's package is pgbouncer")
        self._program = program
        [self._port] = free_ports(1)
        [socket] = parse_qs(urlsplit(server_url).query)["host"]
        # It refuses to be root, and so does the server whose socket it opens.
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="pooler-"))
        self._write(socket, certificates)

    def url(self, database_url: str, options: str = "") -> str:
        """The address of a database by way of the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self._port}{urlsplit(database_url).path}?{options}"

    def __enter__(self) -> Self:
        asked = {
            "command": [self._program, str(self._folder / "pgbouncer.ini")],
            "user": self._user,
            "signal": "SIGINT",
            "remove": None,
        }
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", guardian.__file__, json.dumps(asked)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._listens, _START_SECONDS, lambda: (self._folder / "log").read_text())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.communicate(timeout=_STOP_SECONDS)
        shutil.rmtree(self._folder)

    def _listens(self) -> bool:
        try:
            psycopg.connect(self.url("postgresql:///postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return "refused" not in str(error)
        return True

    def _write(self, socket: str, certificates: Certificates | None) -> None:
        lines = [
            *("[databases]", f"* = host={socket} user=postgres"),
            *("[pgbouncer]", "listen_addr = 127.0.0.1", f"listen_port = {self._port}", "unix_socket_dir ="),
            *("auth_type = any", "pool_mode = transaction", f"default_pool_size = {_POOL_SIZE}"),
            "ignore_startup_parameters = extra_float_digits",
        ]
        if certificates is not None:
            key = certificates.broker.with_suffix(".key")
            for file in (key, certificates.broker):
                shutil.copy(file, self._folder)
            lines += [
                "client_tls_sslmode = require",
                f"client_tls_key_file = {self._folder / key.name}",
                f"client_tls_cert_file = {self._folder / certificates.broker.name}",
            ]
        (self._folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        if self._user is not None:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, self._user, self._user)
