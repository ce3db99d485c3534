"""The sections ``actions.tune`` and ``actions.safety``."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from drift_aware.schema.section import Section

Share = Annotated[float, Field(ge=0, le=1)]
Grader = Literal["exact", "contains", "regex"]


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("write the whole address, as in https://api.example.com/v1")
    return text.rstrip("/")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


Address = Annotated[str, AfterValidator(_address)]


class Endpoint(Section):
    """An API of OpenAI's shape.

    Attributes:
        base_url: up to the part that all its paths have in common, as in https://api.example.com/v1.
        api_key: without it, the setting openai_api_key.
        timeout_seconds: for an answer.
    """

    base_url: Address
    api_key: SecretStr | None = None
    timeout_seconds: float = Field(60, gt=0)


class FineTuning(Endpoint):
    """Where models are fine-tuned.

    Attributes:
        model: which is tuned further.
        epochs: how often each example is seen; None leaves it to the provider, and counts as three.
        suffix: part of the new model's name.
    """

    model: str
    epochs: int | None = Field(None, ge=1, le=100)
    suffix: str | None = Field(None, max_length=40)


class Program(Section):
    """A program of yours that trains; see the documentation of tuning.

    Attributes:
        run: program and arguments; the folder of the data set is added as the last.
        find: says whether ``run`` has had its effect; without it, nobody can tell after a crash.
        timeout_seconds: for a run.
        most_usd: what a run may cost at most.
    """

    run: list[str] = Field(min_length=1)
    find: list[str] | None = Field(None, min_length=1)
    timeout_seconds: float = Field(24 * 3600, gt=0)
    most_usd: float = Field(0, ge=0)


class Exam(Endpoint):
    """How a candidate is compared with the model in service.

    Attributes:
        file: JSON lines with ``prompt`` and ``expected``, and ``grader`` where it is another.
        name: of the evaluation set, in the events that are published.
        grader: how an answer is compared with what was expected.
        current: the model in service where neither a policy nor the segment names it.
        margin: by what share of the questions the candidate has to be better.
        system_prompt: asked with every question.
        most_tokens: of an answer.
    """

    file: Path
    name: str = "tune"
    grader: Grader = "exact"
    current: str | None = None
    margin: Share = 0.02
    system_prompt: str | None = None
    most_tokens: int = Field(512, ge=1)


class Tune(Section):
    """What is trained on, by whom, and what a new model has to prove.

    Attributes:
        executor: who trains; ``export`` only writes the data set, ``http`` asks the learning engine.
        directory: where data sets are written; of several machines that carry out actions, a shared one.
        days: of answers before the alert.
        min_score: the least mean rating; thumbs are 5 and 1.
        least_characters: of a question and its answer together.
        most_characters: of a question and its answer together.
        refusals: whether answers that refuse are trained on.
        system_prompt: put before every example.
        redact: what becomes of personal data in the texts; the patterns are those of the section ``redact``.
        least_examples: with fewer the action fails.
        most_examples: training and validation together; what comes after them is left out.
        validation_share: of the examples, kept for validation.
        exact_tokens: count them with tiktoken (the extra ``tokens``), not by their length.
        openai: of the executor ``openai``.
        command: of the executor ``command``.
        poll_seconds: between two looks at how far a training is.
        wait_hours: a training that takes longer fails the action; approved again, it is waited for anew.
        evaluation: without one nothing is deployed.
    """

    executor: Literal["export", "openai", "http", "command"] = "export"
    directory: Path = Path("tune")
    days: int = Field(30, ge=1, le=3650)
    min_score: float = Field(4.0, ge=1, le=5)
    least_characters: int = Field(1, ge=1)
    most_characters: int = Field(20_000, ge=1)
    refusals: bool = False
    system_prompt: str | None = None
    redact: Literal["keep", "mask", "hash"] = "mask"
    least_examples: int = Field(10, ge=1)
    most_examples: int = Field(5000, ge=1)
    validation_share: float = Field(0.1, ge=0, le=0.5)
    exact_tokens: bool = False
    openai: FineTuning | None = None
    command: Program | None = None
    poll_seconds: float = Field(30, gt=0)
    wait_hours: float = Field(24, gt=0)
    evaluation: Exam | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Tune":
        if self.executor in ("openai", "command") and getattr(self, self.executor) is None:
            raise ValueError(f"executor {self.executor} needs the section actions.tune.{self.executor}")
        return self


class Safety(Section):
    """How far the guardrails are tightened, and for how long.

    Attributes:
        threshold: of moderation, as the application has it without any policy.
        max_step: by how much an action lowers it at most.
        floor: below which none goes.
        hours: how long it holds.
        blocked_patterns: regular expressions; an action switches them on together with the threshold.
        system_prompt_addition: the same.
    """

    threshold: Share = 0.5
    max_step: float = Field(0.1, gt=0, le=1)
    floor: Share = 0.2
    hours: float = Field(72, gt=0, le=24 * 365)
    blocked_patterns: list[Annotated[str, AfterValidator(_pattern)]] = Field(default_factory=list)
    system_prompt_addition: str | None = None

    @model_validator(mode="after")
    def _floor_below(self) -> "Safety":
        if self.floor > self.threshold:
            raise ValueError("`floor` must not be above `threshold`")
        return self
