"""An executor of three steps whose effects are letters in the box of an HTTP server in another process.

The server (``python -m rig.letters FOLDER``) writes the key of each letter into a file, as often as it comes.
With a file ``cut`` in the folder it drops the next answer; with a file ``hidden`` nobody may look.
"""

import http.client
import subprocess
import sys
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.settings import Settings
from rig.services import wait_until

STEPS = ("upload", "train", "announce")


class Letters:
    """The executor; the server's port travels in the section ``actions.command``, which it has no use for."""

    kind: ActionKind = "tune"
    steps: Sequence[str] = STEPS

    def __init__(self, port: int) -> None:
        self._port = port

    def expected(self, alert: Alert) -> Effect | None:
        return Effect(alert.metric, "down", alert.current, alert.baseline_value or 0.0, alert.ts + 86_400_000)

    def plan(self, job: Job) -> str:
        return f"would send {len(STEPS)} letters about {job.action.metric}"

    def do(self, step: str, job: Job) -> Result:
        assert list(job.results) == list(STEPS[: STEPS.index(step)])
        try:
            return {"letter": self._ask("POST", job.key(step)), "job_id": f"job-{step}"}
        except (http.client.HTTPException, ConnectionError) as error:
            raise Unknown(f"the answer was lost: {type(error).__name__}") from error

    def find(self, step: str, job: Job) -> Result | None:
        status = self._ask("GET", job.key(step))
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            raise Unknown("nobody may look into the box")
        return {"letter": status}

    def undo(self, job: Job) -> str:
        if self._ask("DELETE", "all") != HTTPStatus.OK:
            raise ActionFailed("the box is locked")
        return f"{len(job.results)} letters taken back"

    def _ask(self, method: str, key: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, f"/{key}")
            return connection.getresponse().status
        finally:
            connection.close()


def make(settings: Settings) -> Letters:
    assert settings.actions.command is not None
    return Letters(int(settings.actions.command.run[0]))


class Box:
    """The server's process (``rig.executor_contract.Outside``)."""

    maker = "rig.letters:make"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rig.letters", str(folder)], cwd=Path(__file__).parents[1]
        )
        port = folder / "port"
        wait_until(lambda: port.exists() and port.read_text(), 30, "the box is there")
        self.settings: dict[str, Any] = {"actions": {"command": {"kind": "tune", "run": [port.read_text()]}}}

    def effects(self) -> list[str]:
        letters = self._folder / "letters"
        return letters.read_text().split() if letters.exists() else []

    def cut(self) -> None:
        (self._folder / "cut").touch()

    def hide(self) -> None:
        (self._folder / "hidden").touch()

    def appear(self) -> None:
        (self._folder / "hidden").unlink()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class _Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        with (self.folder / "letters").open("a") as letters:
            letters.write(self.path[1:] + "\n")
        cut = self.folder / "cut"
        if cut.exists():
            cut.unlink()
            self.connection.close()
            self.close_connection = True
        else:
            self._answer(HTTPStatus.OK)

    def do_GET(self) -> None:
        letters = self.folder / "letters"
        if (self.folder / "hidden").exists():
            self._answer(HTTPStatus.FORBIDDEN)
        elif letters.exists() and self.path[1:] in letters.read_text().split():
            self._answer(HTTPStatus.OK)
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        if (self.folder / "hidden").exists():
            self._answer(HTTPStatus.FORBIDDEN)
            return
        (self.folder / "letters").write_text("")
        self._answer(HTTPStatus.OK)

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def serve(folder: Path) -> None:
    _Handler.folder = folder
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        half = folder / "port.half"
        half.write_text(str(server.server_port))
        half.rename(folder / "port")
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
