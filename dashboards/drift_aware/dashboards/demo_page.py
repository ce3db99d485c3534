"""The page of a demo: a token of its own, and the address that opens the page with it."""

import json
import os
import secrets
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import structlog

from drift_aware.schema.api import fingerprint

ARGUMENTS = ("serve", "--host", "127.0.0.1", "--port", "0")
# What approves through the page goes by this name in the ledger.
_VISITOR = "demo-visitor"
_SERVING = "serving"

_log = structlog.get_logger(__name__)


class DemoPage:
    """Knows the address as soon as the server has told its port, and opens it once.

    The address holds the token. It goes to the screen and to a file that only this user may read, never to a
    log; the page takes it out of the browser's address at once.

    Args:
        log: of the server.
        file: where the address goes.
        browse: opens an address; None opens none.
    """

    def __init__(self, log: Path, file: Path, browse: Callable[[str], object] | None) -> None:
        self._log, self._file, self._browse = log, file, browse
        self._token = secrets.token_urlsafe(32)
        self.address: str | None = None

    @property
    def tokens(self) -> str:
        """The setting ``api.tokens`` of the server, as JSON."""
        digest = fingerprint(self._token).hex()
        return json.dumps([{"name": _VISITOR, "sha256": digest, "scopes": ["read", "act"]}])

    def look(self) -> None:
        """Find out whether it is served by now."""
        if self.address is not None or (port := _port(self._log)) is None:
            return
        served = f"http://127.0.0.1:{port}/"
        self.address = f"{served}#token={self._token}"
        self._file.touch(mode=0o600)
        self._file.write_text(f"{self.address}\n")
        _log.info("the page is there", at=served, with_its_token=str(self._file))
        if self._browse is not None:
            self._browse(self.address)


def _port(log: Path) -> int | None:
    """The port in the server's log, once it has been given one; its last line may be half written."""
    for line in log.read_text(errors="replace").splitlines(keepends=True):
        if line.endswith("\n") and _SERVING in line:
            found = json.loads(line)
            if found["event"] == _SERVING:
                return int(found["port"])
    return None


def browser() -> Callable[[str], object] | None:
    """What opens an address for the person at this machine; None where only a browser of text would."""
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return webbrowser.open if screen else None
