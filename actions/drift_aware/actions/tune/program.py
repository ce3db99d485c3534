"""Fine-tuning by a program of the user's own."""

from dataclasses import dataclass
from typing import Any

from drift_aware.actions import programs
from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.schema.tune_settings import Program

STEP = "train"
_WHAT = "training"


@dataclass(frozen=True)
class Train:
    """Runs the program with the folder of the data set as its last argument, the action on stdin and the key
    in the environment; it prints a JSON object with ``model`` and, if it costs anything, ``cost_usd``.
    """

    program: Program

    def do(self, job: Job) -> Result:
        """Run it.

        Raises:
            Unknown: it did not end in time, or was ended by a signal.
            ActionFailed: it says that it has failed, cannot be started, or names no model.
        """
        if self.program.most_usd:
            job.spend(self.program.most_usd, _WHAT)
        ended = self._start(self.program.run, job)
        ended.require_done("the training")
        result = _result(ended)
        cost = result.get("cost_usd", 0)
        if self.program.most_usd or cost:
            job.spent(float(cost), _WHAT)
        return result

    def find(self, job: Job) -> Result | None:
        """Ask the program that looks: 0 and the result, or 1 if there is none.

        Raises:
            Unknown: there is no such program, or it cannot tell.
        """
        if self.program.find is None:
            raise Unknown(
                f"the training was begun and its end not seen; look whether key {job.key(STEP)} has had its "
                "effect, and settle it, or set actions.tune.command.find"
            )
        ended = self._start(self.program.find, job)
        return _result(ended) if ended.is_there("actions.tune.command.find") else None

    def _start(self, program: list[str], job: Job) -> programs.Ended:
        told = {"action": job.action, "alert": job.alert}
        folder: str = job.results["dataset"]["folder"]
        return programs.start([*program, folder], told, job.key(STEP), self.program.timeout_seconds)


def _result(ended: programs.Ended) -> dict[str, Any]:
    found = ended.document()
    if found is None or not isinstance(found.get("model"), str):
        raise ActionFailed('the training has to print its result as JSON, at least {"model": "…"}')
    return found
