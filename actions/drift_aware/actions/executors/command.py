"""Carries actions out by a program of the user's own (``programs``).

It is told ``action``, ``alert`` and ``results``. What it prints, if that is a JSON object, is the step's
result; ``cost_usd`` in it is booked.
"""

from collections.abc import Sequence
from typing import Any

from drift_aware.actions import programs
from drift_aware.actions.effects import expected_effect
from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.schema.action_settings import Actions, Command
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.settings import Settings

RUN = "run"
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
        ended.require_done("the command")
        result = _result(ended)
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
        return _result(ended) if ended.is_there("actions.command.find") else None

    def undo(self, job: Job) -> str:
        """Run the program that takes it back.

        Raises:
            ActionFailed: there is none, or it has failed.
        """
        if self._command.undo is None:
            raise ActionFailed("nothing to take it back with; set actions.command.undo")
        ended = self._start(self._command.undo, RUN, job)
        if ended.code:
            raise ActionFailed(f"actions.command.undo ended with {ended.code}{ended.said}")
        return f"{self._command.undo[0]} has taken it back"

    def _start(self, program: list[str], step: str, job: Job) -> programs.Ended:
        told = {"action": job.action, "alert": job.alert, "results": dict(job.results)}
        return programs.start(program, told, job.key(step), self._command.timeout_seconds)


def make(settings: Settings) -> CommandExecutor | None:
    """The executor, if the settings have a section for it."""
    command = settings.actions.command
    return None if command is None else CommandExecutor(command, settings.actions)


def _result(ended: programs.Ended) -> dict[str, Any]:
    found = ended.document()
    if found is not None:
        return found
    return {"printed": ended.printed.decode(errors="replace").strip()[:_KEPT_CHARACTERS]}
