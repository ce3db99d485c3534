"""Carries out ``tune``: what it consists of depends on who trains, and on whether there is an exam."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from drift_aware.actions.effects import way_back
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.tune import engine, openai, program
from drift_aware.actions.tune.dataset import DataSet
from drift_aware.actions.tune.deploy import Deploy
from drift_aware.actions.tune.exam import Evaluate
from drift_aware.actions.tune.runs import Publish
from drift_aware.actions.tune.waiting import Patience
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.redaction import Redaction, presidio
from drift_aware.schema.settings import Settings

# A new model has to meet enough traffic before anything can be said about it.
EFFECT_HOURS = 168.0


class Step(Protocol):
    """One step: what executors do and find, of this step alone."""

    def do(self, job: Job) -> Result:
        """Do it."""

    def find(self, job: Job) -> Result | None:
        """What it gave, if it has had its effect."""


class TuneExecutor:
    """Fine-tunes on what people liked (actions.executor.Executor).

    Args:
        settings: all of them.
        patience: waits for jobs.
    """

    kind: ActionKind = "tune"

    def __init__(self, settings: Settings, patience: Patience | None = None) -> None:
        self._settings, self._tune = settings, settings.actions.tune
        self._parts = _parts(settings, patience or Patience(self._tune))
        self.steps: Sequence[str] = tuple(self._parts)

    def expected(self, alert: Alert) -> Effect | None:
        """Half of the way back within a week, if a model is deployed; data alone have no effect."""
        return way_back(alert, 0.5, EFFECT_HOURS) if "deploy" in self._parts else None

    def plan(self, job: Job) -> str:
        """Who would train what, and what would become of it."""
        tune = self._tune
        data = f"answers of {job.action.segment} of the last {tune.days} days"
        trainers = {
            "export": f"write {data}, rated at least {tune.min_score:g}, to {tune.directory.absolute()}",
            "openai": tune.openai
            and f"tune {tune.openai.model} at {tune.openai.base_url} with {data}, rated at least "
            f"{tune.min_score:g}",
            "http": f"let {self._settings.learning_engine_url} train with {data}",
            "command": tune.command and f"train by {tune.command.run[0]} with {data}",
        }
        if "deploy" not in self._parts:
            return f"{trainers[tune.executor]}, and deploy nothing"
        assert tune.evaluation is not None
        points = 100 * tune.evaluation.margin
        return (
            f"{trainers[tune.executor]}, put {tune.evaluation.file} to the new model and the current one, "
            f"and deploy the new one if it is better by {points:g} points"
        )

    def do(self, step: str, job: Job) -> Result:
        """Do a step."""
        return self._parts[step].do(job)

    def find(self, step: str, job: Job) -> Result | None:
        """Look where the effect of a step would be."""
        return self._parts[step].find(job)

    def undo(self, job: Job) -> str:
        """Deploy the previous model; data sets and models stay where they are."""
        deploy = self._parts.get("deploy")
        return deploy.undo(job) if isinstance(deploy, Deploy) else "nothing was deployed"


def make(settings: Settings) -> TuneExecutor:
    """The executor, as the section ``actions.tune`` wants it.

    Raises:
        SettingsError: it wants what is not there.
    """
    return TuneExecutor(settings)


def _parts(settings: Settings, patience: Patience) -> Mapping[str, Step]:
    tune = settings.actions.tune
    model = tune.openai.model if tune.openai else None
    price = settings.prices.get(model or "")
    data = DataSet(tune, _redaction(settings), price)
    parts: dict[str, Step] = {}
    if tune.executor == "http":
        if settings.learning_engine_url is None:
            raise SettingsError("executor http needs the learning engine's address; set LEARNING_ENGINE_URL")
        url = settings.learning_engine_url
        parts |= {"job": engine.Start(url, tune.days), "wait": engine.Wait(url, patience)}
    else:
        parts["dataset"] = data
    if tune.executor == "openai" and tune.openai:
        parts |= {
            "upload": openai.Upload(settings, tune.openai),
            "job": openai.Start(settings, tune.openai),
            "wait": openai.Wait(settings, tune.openai, price, patience),
        }
    if tune.executor == "command" and tune.command:
        parts[program.STEP] = program.Train(tune.command)
    if tune.evaluation and tune.executor != "export":
        parts |= {
            "evaluate": Evaluate(settings, tune.evaluation, settings.prices, model),
            "publish": Publish(settings, tune.evaluation.name),
            "deploy": Deploy(tune.evaluation.margin),
        }
    return parts


def _redaction(settings: Settings) -> Redaction | None:
    mode, section = settings.actions.tune.redact, settings.redact
    if mode == "keep":
        return None
    if mode == "hash" and not section.key:
        raise SettingsError("actions.tune.redact: hash needs a key; set DRIFT_AWARE_REDACT__HASH_KEY")
    finders = [presidio.finder(section.presidio)] if section.presidio else []
    return Redaction(mode, patterns=section.patterns, finders=finders, hash_key=section.key)
