"""Waiting for a job at a provider."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job
from drift_aware.schema.tune_settings import Tune

State = Literal["running", "succeeded", "failed"]
_SUCCEEDED = ("succeeded", "completed", "done", "success")
_FAILED = ("failed", "error", "cancelled", "canceled")


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to ask.

    Attributes:
        pause: waits so many seconds.
        clock: seconds that only grow.
    """

    settings: Tune
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def until_over(self, job: Job, name: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The last answer of a job, once it has succeeded.

        Args:
            job: told of every look.
            name: of the job, for errors.
            ask: its state, with ``status``.

        Raises:
            ActionFailed: it has failed, or takes too long.
        """
        deadline = self.clock() + self.settings.wait_hours * 3600
        looks = 0
        while (state := state_of(answer := ask())) == "running":
            if self.clock() >= deadline:
                raise ActionFailed(
                    f"job {name} has not ended in {self.settings.wait_hours:g} h; approve the action again "
                    "to go on waiting"
                )
            looks += 1
            job.progress(looks, None)
            self.pause(self.settings.poll_seconds)
        if state == "failed":
            raise ActionFailed(f"job {name} has ended as {answer['status']}{_why(answer)}")
        return answer


def state_of(answer: dict[str, Any]) -> State:
    """What a job's ``status`` means; what is not known is still going on.

    >>> state_of({"status": "queued"}), state_of({"status": "Completed"}), state_of({"status": "cancelled"})
    ('running', 'succeeded', 'failed')
    """
    status = str(answer.get("status", "")).casefold()
    if status in _SUCCEEDED:
        return "succeeded"
    return "failed" if status in _FAILED else "running"


def _why(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    text = error.get("message") if isinstance(error, dict) else error
    return f": {' '.join(text.split())[:200]}" if isinstance(text, str) and text else ""
