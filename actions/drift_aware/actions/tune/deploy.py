"""The step that lets a candidate answer, if it is better, by a policy that the application reads."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from drift_aware.actions import policies
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.tune.exam import CANDIDATE, CURRENT, objection

STEP = "deploy"
_BACK = "deploy the previous one"


@dataclass(frozen=True)
class Deploy:
    """Makes the candidate the model of the segment's application, or of all if the segment names none.

    Attributes:
        margin: by what share of the questions it has to be better.
    """

    margin: float
    now: Callable[[], float] = time.time

    def do(self, job: Job) -> Result:
        """Enter the policy; ``act`` publishes it.

        Raises:
            ActionFailed: the candidate is not better by the margin.
        """
        results = job.results["evaluate"]
        if (against := objection(results, self.margin)) is not None:
            raise ActionFailed(f"not deployed: {against}")
        model = results[CANDIDATE]["model"]
        reason = f"{model} is better than {results[CURRENT]['model']}"
        wish = policies.wish(job, STEP, reason)
        with job.connect() as connection:
            made = policies.change(
                connection, wish, lambda _: {"model": model}, now_ms=round(self.now() * 1000)
            )
        return _result(made)

    def find(self, job: Job) -> Result | None:
        """The policy, if it was entered."""
        with job.connect() as connection:
            made = policies.find(connection, job.key(STEP))
        return None if made is None else _result(made)

    def undo(self, job: Job) -> str:
        """Deploy the model there was before, unless another was deployed since."""
        wish = policies.wish(job, _BACK, "the deployment was rolled back")
        with job.connect() as connection:
            back = policies.restore(connection, wish, job.key(STEP))
        if back is None:
            return "nothing of it was in service"
        return f"{back.policy.app} is answered by {back.policy.model or 'the model of its own choice'} again"


def _result(made: policies.Change) -> Result:
    return {
        "app": made.policy.app,
        "version": made.policy.version,
        "model": made.policy.model,
        "previous": made.before["model"].value,
    }
