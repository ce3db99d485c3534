"""Fine-tuning by any provider whose API has OpenAI's shape.

What was sent is found again by its key: files by their name, the job by its metadata.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drift_aware.actions.calls import Api
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.tune.dataset import TRAIN, VALIDATION, digest
from drift_aware.actions.tune.waiting import Patience
from drift_aware.schema.prices import Price
from drift_aware.schema.settings import Settings
from drift_aware.schema.tune_settings import Endpoint, FineTuning

KEY = "drift_aware_key"
_PAGE = "100"
_MOST_PAGES = 1000
_WHAT = "fine-tuning"


def opened(settings: Settings, endpoint: Endpoint) -> Api:
    """The API of an endpoint, with its own key or the one for all."""
    key = endpoint.api_key or settings.openai_api_key
    return Api(endpoint.base_url, key.get_secret_value() if key else None, endpoint.timeout_seconds)


@dataclass(frozen=True)
class Upload:
    """The files of the data set, each once."""

    settings: Settings
    provider: FineTuning

    def do(self, job: Job) -> Result:
        """Upload what is not there yet.

        Raises:
            ActionFailed: the files are not on this machine, or not what they were.
        """
        made = job.results["dataset"]
        for name in self._wanted(job):
            if not _is(Path(made["folder"]) / name, made["sha256"][name]):
                raise ActionFailed(
                    f"{made['folder']}/{name} is not there as it was written; of several machines that carry "
                    "out actions, actions.tune.directory has to be shared"
                )
        with opened(self.settings, self.provider) as api:
            there = self._there(api, job)
            for number, name in enumerate(self._wanted(job)):
                if name not in there:
                    there[name] = self._send(api, job, name)
                job.progress(number + 1, None)
        return there

    def find(self, job: Job) -> Result | None:
        """The files, if all of them are there."""
        with opened(self.settings, self.provider) as api:
            there = self._there(api, job)
        return there if there.keys() == set(self._wanted(job)) else None

    def _send(self, api: Api, job: Job, name: str) -> str:
        content = (Path(job.results["dataset"]["folder"]) / name).read_bytes()
        files = {"file": (_file_name(job, name), content, "application/jsonl")}
        sent = api.act("/files", f"{job.key('upload')}/{name}", data={"purpose": "fine-tune"}, files=files)
        return _id(sent)

    def _there(self, api: Api, job: Job) -> dict[str, str]:
        names = {_file_name(job, name): name for name in self._wanted(job)}
        listed = _listed(api, "/files", {"purpose": "fine-tune"})
        return {
            names[each["filename"]]: _id(each)
            for each in listed
            if each.get("filename") in names and each.get("status") not in ("error", "deleted")
        }

    def _wanted(self, job: Job) -> list[str]:
        return [TRAIN, VALIDATION] if job.results["dataset"]["validation"] else [TRAIN]


@dataclass(frozen=True)
class Start:
    """The fine-tuning job."""

    settings: Settings
    provider: FineTuning

    def do(self, job: Job) -> Result:
        """Create it.

        Raises:
            ActionFailed: there is no price for the model, or it is refused.
            OverBudget: it may cost more than the day has left.
        """
        usd = job.results["dataset"]["usd"]
        if usd is None:
            raise ActionFailed(
                f"no price for {self.provider.model}; set prices.{self.provider.model}."
                "training_per_million, 0 if it costs nothing"
            )
        job.spend(usd, _WHAT)
        with opened(self.settings, self.provider) as api:
            made = api.act("/fine_tuning/jobs", job.key("job"), json=self._body(job))
        job.spent(usd, _WHAT)
        return {"job_id": _id(made), "booked_usd": usd}

    def find(self, job: Job) -> Result | None:
        """The job with this key."""
        key = job.key("job")
        with opened(self.settings, self.provider) as api:
            for each in _listed(api, "/fine_tuning/jobs", {f"metadata[{KEY}]": key}):
                # A provider may not know how to look for it, and lists all.
                if (each.get("metadata") or {}).get(KEY) == key:
                    return {"job_id": _id(each), "booked_usd": 0.0}
        return None

    def _body(self, job: Job) -> dict[str, Any]:
        files = job.results["upload"]
        body: dict[str, Any] = {
            "model": self.provider.model,
            "training_file": files[TRAIN],
            "metadata": {KEY: job.key("job")},
        }
        if VALIDATION in files:
            body["validation_file"] = files[VALIDATION]
        if self.provider.suffix:
            body["suffix"] = self.provider.suffix
        if self.provider.epochs:
            body["hyperparameters"] = {"n_epochs": self.provider.epochs}
        return body


@dataclass(frozen=True)
class Wait:
    """The end of the job, and the name of its model."""

    settings: Settings
    provider: FineTuning
    price: Price | None
    patience: Patience

    def do(self, job: Job) -> Result:
        """Wait for it, and book what it cost beyond what was booked when it began.

        Raises:
            ActionFailed: it has failed, or takes too long.
        """
        begun = job.results["job"]
        with opened(self.settings, self.provider) as api:
            path = f"/fine_tuning/jobs/{begun['job_id']}"
            ended = self.patience.until_over(job, begun["job_id"], lambda: api.get(path))
        model = ended.get("fine_tuned_model")
        if not isinstance(model, str) or not model:
            raise ActionFailed(f"job {begun['job_id']} has succeeded and names no model; look there")
        rest = self._usd(job, ended) - begun["booked_usd"]
        if rest > 0:
            job.spent(rest, _WHAT)
        return {"model": model, "job_id": begun["job_id"]}

    def find(self, job: Job) -> None:
        """None: to wait again does no harm."""

    def _usd(self, job: Job, ended: dict[str, Any]) -> float:
        tokens = ended.get("trained_tokens")
        if self.price is None or self.price.training_per_million is None or not isinstance(tokens, int):
            return float(job.results["dataset"]["usd"] or 0)
        return tokens * self.price.training_per_million / 1e6


def _file_name(job: Job, name: str) -> str:
    return f"drift-aware-{job.key('upload')}-{name}"


def _is(path: Path, known: str) -> bool:
    return path.is_file() and digest(path) == known


def _id(found: dict[str, Any]) -> str:
    if not isinstance(found.get("id"), str):
        raise ActionFailed("the provider's answer has no id; its API has not the shape of OpenAI's")
    return str(found["id"])


def _listed(api: Api, path: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
    """All of a list, page by page."""
    params = params | {"limit": _PAGE}
    for _ in range(_MOST_PAGES):
        page = api.get(path, params)
        found = [each for each in page.get("data") or [] if isinstance(each, dict)]
        yield from found
        if not page.get("has_more") or not found:
            return
        params = params | {"after": _id(found[-1])}
