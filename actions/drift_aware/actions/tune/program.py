"""Fine-tuning by a program of the user's own."""

import os
import subprocess
from dataclasses import dataclass
from typing import Any

import msgspec

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.schema.tune_settings import Program

KEY_VARIABLE = "IDEMPOTENCY_KEY"
STEP = "train"
_NOT_THERE = 1
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
        if ended.returncode < 0:
            raise Unknown(f"the training was ended by signal {-ended.returncode}")
        if ended.returncode:
            raise ActionFailed(f"the training failed with exit code {ended.returncode}{_last_line(ended)}")
        result = _read(ended.stdout)
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
        if ended.returncode == _NOT_THERE:
            return None
        if ended.returncode:
            raise Unknown(f"actions.tune.command.find ended with {ended.returncode}{_last_line(ended)}")
        return _read(ended.stdout)

    def _start(self, program: list[str], job: Job) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [*program, job.results["dataset"]["folder"]],
                input=msgspec.json.encode({"action": job.action, "alert": job.alert}),
                env=os.environ | {KEY_VARIABLE: job.key(STEP)},
                capture_output=True,
                timeout=self.program.timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unknown(f"{program[0]} has not ended in {self.program.timeout_seconds:g} s") from None
        except OSError as error:
            raise ActionFailed(f"cannot start {program[0]}: {error.strerror}") from None


def _read(printed: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(printed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("model"), str):
        raise ActionFailed('the training has to print its result as JSON, at least {"model": "…"}')
    return found


def _last_line(ended: subprocess.CompletedProcess[bytes]) -> str:
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""
