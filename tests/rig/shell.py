"""A terminal: commands with one environment in one folder, some of which go on until they are stopped."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rig.processes import catches
from rig.services import wait_until

_COMMAND_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    command: str
    exit_code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.stdout}{self.stderr}(exit code {self.exit_code})"


class Shell:
    """A terminal of a test.

    Args:
        folder: where commands run.
        environment: what they begin with; what a command exports comes on top.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self.environment = dict(environment)
        self._running: list[tuple[str, subprocess.Popen[bytes], Path]] = []

    @property
    def running(self) -> bool:
        """Whether anything was started."""
        return bool(self._running)

    def run(self, command: str) -> Ran:
        """Run it to its end."""
        exported = self._folder.parent / "exported"
        script = f"set -o pipefail\n{command}\nstatus=$?\nenv --null > '{exported}'\nexit $status\n"
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if exported.exists():
            pairs = (pair.partition("=") for pair in exported.read_text().split("\0") if pair)
            self.environment = {name: value for name, _, value in pairs}
            exported.unlink()
        return Ran(command, ended.returncode, ended.stdout, ended.stderr)

    def start(self, command: str) -> None:
        """Run it beside the others until ``stop``."""
        log = self._folder.parent / f"started-{len(self._running)}"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._running.append((command, process, log))

    def ended(self) -> list[Ran]:
        """What was started and has ended by itself, which it should not have."""
        return [
            self._ran(command, process.returncode, log)
            for command, process, log in self._running
            if process.poll() is not None
        ]

    def stop(self, heeds: Callable[[str], object]) -> list[Ran]:
        """Ask all that was started to end, as a service manager does, and wait until it has.

        Args:
            heeds: whether a command is one that catches SIGTERM; it is given the time to begin with that.
        """
        for command, process, _ in self._running:
            if heeds(command):
                wait_until(lambda pid=process.pid: catches(pid, signal.SIGTERM), _STOP_SECONDS, command)  # type: ignore[misc]
        for _, process, _ in self._running:
            _signal(process, signal.SIGTERM)
        stopped = [
            self._ran(command, process.wait(_STOP_SECONDS), log) for command, process, log in self._running
        ]
        self._running = []
        return stopped

    def kill(self) -> None:
        """End what still runs, at once."""
        for _, process, _ in self._running:
            _signal(process, signal.SIGKILL)
            process.wait()

    @staticmethod
    def _ran(command: str, exit_code: int, log: Path) -> Ran:
        return Ran(command, exit_code, log.read_text(errors="replace")[-6000:], "")


def _signal(process: subprocess.Popen[bytes], which: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, which)
