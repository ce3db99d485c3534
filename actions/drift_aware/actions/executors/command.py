"""Carries actions out by a program of the user's own.

The program reads one JSON object from its standard input, with ``action`` and ``alert``, and finds the
idempotency key in ``IDEMPOTENCY_KEY``. What it prints, if that is a JSON object, is the step's result;
``cost_usd`` in it is booked. Exit code 0: done. Another: it has failed and has had no effect.
"""

import os
import subprocess
from collections.abc import Sequence
from typing import Any

import msgspec

from drift_aware.actions.effects import expected_effect
from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.schema.action_settings import Actions, Command
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.settings import Settings

KEY_VARIABLE = "IDEMPOTENCY_KEY"
RUN = "run"
# What ``find`` exits with where there is no effect.
_NOT_THERE = 1
_KEPT_CHARACTERS = 2000


class CommandExecutor:
    """The programs of the section ``actions.command``.

    ``find`` exits 0 and prints the result if the effect of the key is there, and 1 if it is not; anything
    else, or no ``find`` at all, says that nobody can tell.
    """

    steps: Sequence[str] = (RUN,)

    def __init__(self, command: Command, settings: Actions | None = None) -> None:
        self.kind: ActionKind = command.kind
        self._command, self._settings = command, settings or Actions()

    def expected(self, alert: Alert) -> Effect | None:
        """The metric goes back; a message changes none."""
        return None if self.kind == "notify" else expected_effect(alert, self._settings)

    def plan(self, job: Job) -> str:
        """The program that would run."""
        del job
        return f"run {self._command.run[0]}"

    def do(self, step: str, job: Job) -> Result:
        """Run the program.

        Raises:
            Unknown: it did not end in time, or was killed.
            ActionFailed: it says that it has failed, or cannot be started.
        """
        most = self._command.most_usd
        if most:
            job.spend(most, "the command")
        ended = self._start(self._command.run, step, job)
        if ended.returncode < 0:
            raise Unknown(f"the command was ended by signal {-ended.returncode}")
        if ended.returncode:
            raise ActionFailed(f"the command failed with exit code {ended.returncode}{_last_line(ended)}")
        result = _read(ended.stdout)
        if isinstance(cost := result.get("cost_usd"), int | float) and cost > 0:
            job.spent(float(cost), "the command")
        return result

    def find(self, step: str, job: Job) -> Result | None:
        """Ask the program that looks.

        Raises:
            Unknown: there is none, or it cannot tell.
        """
        if self._command.find is None:
            raise Unknown(
                f"the command was begun and its end was not seen; look whether key {job.key(step)} has had "
                "its effect, and settle it, or set actions.command.find"
            )
        ended = self._start(self._command.find, step, job)
        if ended.returncode == _NOT_THERE:
            return None
        if ended.returncode:
            raise Unknown(f"actions.command.find ended with {ended.returncode}{_last_line(ended)}")
        return _read(ended.stdout)

    def undo(self, job: Job) -> str:
        """Run the program that takes it back.

        Raises:
            ActionFailed: there is none, or it has failed.
        """
        if self._command.undo is None:
            raise ActionFailed("nothing to take it back with; set actions.command.undo")
        ended = self._start(self._command.undo, RUN, job)
        if ended.returncode:
            raise ActionFailed(f"actions.command.undo ended with {ended.returncode}{_last_line(ended)}")
        return f"{self._command.undo[0]} has taken it back"

    def _start(self, program: list[str], step: str, job: Job) -> subprocess.CompletedProcess[bytes]:
        told: dict[str, Any] = {"action": job.action, "alert": job.alert, "results": dict(job.results)}
        try:
            return subprocess.run(
                program,
                input=msgspec.json.encode(told),
                env=os.environ | {KEY_VARIABLE: job.key(step)},
                capture_output=True,
                timeout=self._command.timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unknown(f"{program[0]} has not ended in {self._command.timeout_seconds:g} s") from None
        except OSError as error:
            raise ActionFailed(f"cannot start {program[0]}: {error.strerror}") from None


def make(settings: Settings) -> CommandExecutor | None:
    """The executor, if the settings have a section for it."""
    command = settings.actions.command
    return None if command is None else CommandExecutor(command, settings.actions)


def _read(printed: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(printed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if isinstance(found, dict):
        return found
    return {"printed": printed.decode(errors="replace").strip()[:_KEPT_CHARACTERS]}


def _last_line(ended: subprocess.CompletedProcess[bytes]) -> str:
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""
