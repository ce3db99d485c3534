"""``drift-aware`` verbs as the processes they are in production."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_SCRIPT = Path(sys.executable).with_name("drift-aware")
_STOP_SECONDS = 20.0
_SHOWN_CHARACTERS = 6000


class Command:
    """A running verb in a process group of its own; its two streams go to files.

    Args:
        arguments: what stands after ``drift-aware``.
        environment: its whole environment, from ``rig.configuration.environment``.
        folder: where the files go.
    """

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
        self.arguments = arguments
        count = len(list(folder.glob("*.stdout")))
        self._stdout = folder / f"{count}-{arguments[0]}.stdout"
        self._stderr = self._stdout.with_suffix(".stderr")
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [str(_SCRIPT), *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._process.poll()

    @property
    def stdout(self) -> str:
        """All it has printed so far."""
        return self._stdout.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """All it has logged so far."""
        return self._stderr.read_text(errors="replace")

    def send(self, which: signal.Signals) -> None:
        """Send a signal to the process alone, as a supervisor does."""
        self._process.send_signal(which)

    def wait(self, timeout_seconds: float = 60.0) -> int:
        """Its exit code, once it has ended by itself.

        Raises:
            AssertionError: it has not ended in time.
        """
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_seconds:g} s: {self.shown()}") from None

    def stop(self, timeout_seconds: float = _STOP_SECONDS) -> int:
        """Ask it to end (SIGTERM) and wait until it has; its exit code."""
        if self.exit_code is None:
            self.send(signal.SIGTERM)
        return self.wait(timeout_seconds)

    def kill(self) -> None:
        """End it and all it started (SIGKILL), at once."""
        if self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def shown(self) -> str:
        """What a person wants to see when the test has failed."""
        return (
            f"drift-aware {' '.join(self.arguments)} (exit code {self.exit_code})\n"
            f"--- stdout\n{self.stdout[-_SHOWN_CHARACTERS:]}\n--- stderr\n{self.stderr[-_SHOWN_CHARACTERS:]}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
