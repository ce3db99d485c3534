"""The verbs a demo runs, each as the process it is in production."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from drift_aware.schema.errors import DriftAwareError

_STOP_SECONDS = 15.0
_LOG_TAIL_LINES = 5
# A worker that ends with this code wants to be started again (streams.cursor).
_START_AGAIN = 3
_MOST_STARTS = 5


class ChildFailed(DriftAwareError):
    """A part of the demo ended by itself."""


class Child:
    """One verb in a process group of its own, so that Ctrl-C reaches the demo alone; its logs go to a file.

    Args:
        arguments: what stands after ``drift-aware``.
        environment: its whole environment.
        folder: where its log goes.
    """

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
        self.name = " ".join(arguments[: 2 if arguments[0] == "baseline" else 1])
        self._arguments, self._environment = arguments, environment
        self.log = folder / f"{self.name.replace(' ', '-')}.log"
        self._starts = 0
        self._process = self._start()

    def check(self) -> None:
        """Start it again if it asks for that.

        Raises:
            ChildFailed: it has ended with an error.
        """
        code = self._process.poll()
        if code is None or code == 0:
            return
        if code == _START_AGAIN and self._starts < _MOST_STARTS:
            self._process = self._start()
            return
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
        raise ChildFailed(f"{self.name} ended with exit code {code}; its log, {self.log}, ends with\n{tail}")

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "drift_aware.schema.cli", *self._arguments],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
