"""Fine-tuning by a learning engine at ``learning_engine_url``, which collects its own data.

It answers ``POST /train`` with ``{days, force, key}`` by a ``job_id``, ``GET /train/{job_id}`` by its
``status`` and at the end its ``model``, and, if it can, ``GET /train?key=…`` by the job of that key.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from drift_aware.actions.calls import Api, NotThere
from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.tune.waiting import Patience

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Start:
    """The engine's job."""

    url: str
    days: int

    def do(self, job: Job) -> Result:
        """Begin it. It is forced: whether it is time was decided here."""
        key = job.key("job")
        with _opened(self.url) as api:
            answer = api.act("/train", key, json={"days": self.days, "force": True, "key": key})
        if (found := _job_id(answer)) is None:
            raise ActionFailed("the learning engine's answer has no job_id")
        return {"job_id": found}

    def find(self, job: Job) -> Result | None:
        """The job of this key.

        Raises:
            Unknown: the engine cannot look for one.
        """
        key = job.key("job")
        unknown = Unknown(
            f"the learning engine cannot say whether it has a job of key {key}; look there, and settle it"
        )
        with _opened(self.url) as api:
            try:
                answer = api.get("/train", {"key": key})
            except ActionFailed:
                raise unknown from None
        if (found := _job_id(answer)) is not None:
            return {"job_id": found}
        if answer.get("jobs") == []:
            return None
        raise unknown


@dataclass(frozen=True)
class Wait:
    """The end of the engine's job."""

    url: str
    patience: Patience

    def do(self, job: Job) -> Result:
        """Wait for it.

        Raises:
            ActionFailed: it has failed, takes too long, or is not known any more.
        """
        name = str(job.results["job"]["job_id"])
        with _opened(self.url) as api:
            try:
                ended = self.patience.until_over(job, name, lambda: api.get(f"/train/{quote(name, safe='')}"))
            except NotThere:
                raise ActionFailed(f"the learning engine knows no job {name} any more") from None
        model = ended.get("model")
        return {"job_id": name} | ({"model": model} if isinstance(model, str) and model else {})

    def find(self, job: Job) -> None:
        """None: to wait again does no harm."""


def _opened(url: str) -> Api:
    return Api(url.rstrip("/"), None, _TIMEOUT_SECONDS)


def _job_id(answer: dict[str, Any]) -> str | None:
    """The id in an answer, or in the first of its ``jobs``."""
    jobs = answer.get("jobs")
    if isinstance(jobs, list) and jobs and isinstance(jobs[0], dict):
        answer = jobs[0]
    found = answer.get("job_id")
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else None
