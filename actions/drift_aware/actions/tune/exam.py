"""The exam of a candidate: the same questions to it and to the model in service."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from drift_aware.actions import policies
from drift_aware.actions.calls import Api
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.tune.openai import opened
from drift_aware.actions.tune.tokens import guess
from drift_aware.schema.policies import Policy
from drift_aware.schema.prices import Price
from drift_aware.schema.settings import Settings
from drift_aware.schema.tune_settings import Exam, Grader
from drift_aware.sql.export import dimensions_of

CURRENT, CANDIDATE = "current", "candidate"
# Of one run one Kafka record is made, which must not be larger than a topic takes.
MOST_QUESTIONS = 2000
_WHAT = "the evaluation"


class Question(msgspec.Struct, frozen=True):
    """One line of the evaluation set."""

    prompt: str
    expected: str
    grader: Grader | None = None


def questions(file: Path) -> list[Question]:
    """The evaluation set.

    Raises:
        ActionFailed: it cannot be read, is empty or too long, or a line is not what it should be.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise ActionFailed(
            f"cannot read {file}: {error.strerror}; set actions.tune.evaluation.file"
        ) from None
    found = [_question(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not 0 < len(found) <= MOST_QUESTIONS:
        raise ActionFailed(f"{file} has {len(found)} questions; it needs 1 to {MOST_QUESTIONS}")
    return found


def _question(file: Path, number: int, line: bytes) -> Question:
    try:
        found = msgspec.json.decode(line, type=Question)
        if found.grader == "regex":
            re.compile(found.expected)
    except (msgspec.DecodeError, UnicodeDecodeError, re.error) as error:
        raise ActionFailed(f"{file}, line {number}: {error}") from None
    return found


def correct(grader: Grader, expected: str, answer: str) -> bool:
    r"""Whether an answer is right.

    >>> correct("exact", "Paris", " Paris\n"), correct("contains", "paris", "It is Paris.")
    (True, True)
    >>> correct("regex", r"^4[0-9]$", "42"), correct("exact", "Paris", "It is Paris.")
    (True, False)
    """
    if grader == "exact":
        return answer.strip() == expected.strip()
    if grader == "contains":
        return expected.strip().casefold() in answer.casefold()
    return re.search(expected, answer) is not None


def objection(result: Mapping[str, Any], margin: float) -> str | None:
    """Why a candidate must not be deployed; None if it is better by the margin.

    >>> old, new = {"model": "a", "correct": [1, 0]}, {"model": "b", "correct": [1, 1]}
    >>> result = {"current": old, "candidate": new}
    >>> objection(result, 0.5), objection(result, 0.6)
    (None, 'b answers 100.0 % of 2 questions right, a 50.0 %; it has to be better by 60 points')
    """
    old, new = result[CURRENT], result[CANDIDATE]
    asked, before, after = len(new["correct"]), sum(old["correct"]), sum(new["correct"])
    # A hair, for a margin like 0.07 of 100 is a little more than 7.
    if after > before and after - before >= margin * asked - 1e-9:
        return None
    return (
        f"{new['model']} answers {after / asked:.1%} of {asked} questions right, {old['model']} "
        f"{before / asked:.1%}; it has to be better by {100 * margin:g} points"
    ).replace("%", " %")


@dataclass(frozen=True)
class Evaluate:
    """Asks both models.

    Attributes:
        prices: by model.
        base: the model that was tuned; a model without a price has its price, or none.
    """

    settings: Settings
    exam: Exam
    prices: Mapping[str, Price]
    base: str | None
    now: Callable[[], float] = time.time

    def do(self, job: Job) -> Result:
        """Put every question to both.

        Raises:
            ActionFailed: nobody knows the current model, the set cannot be used, or the endpoint refuses.
            Unreachable: the endpoint gives no usable answer.
        """
        asked = questions(self.exam.file)
        models = {CURRENT: self._current(job), CANDIDATE: candidate(job)}
        self._spend(job, asked, models.values())
        results: dict[str, Any] = {who: {"model": model, "correct": []} for who, model in models.items()}
        usd = 0.0
        with opened(self.settings, self.exam) as api:
            for number, (who, question) in enumerate(product(models, asked), 1):
                answer, cost = self._ask(api, models[who], question)
                grader = question.grader or self.exam.grader
                results[who]["correct"].append(correct(grader, question.expected, answer))
                usd += cost
                job.progress(number, len(models) * len(asked))
        if self._priced(models.values()):
            job.spent(usd, _WHAT)
        return results | {"ts": round(self.now() * 1000)}

    def find(self, job: Job) -> None:
        """None: to ask again does no harm."""

    def _current(self, job: Job) -> str:
        app = policies.app_of(job.action.segment)
        with job.connect() as connection:
            held = policies.effective(connection, app, round(self.now() * 1000), Policy(app=app))
        model = held.model or dimensions_of(job.action.segment).get("model") or self.exam.current
        if model is None:
            raise ActionFailed(
                f"nobody says which model serves {job.action.segment}; set actions.tune.evaluation.current"
            )
        return model

    def _ask(self, api: Api, model: str, question: Question) -> tuple[str, float]:
        turns = [{"role": "user", "content": question.prompt}]
        if self.exam.system_prompt:
            turns.insert(0, {"role": "system", "content": self.exam.system_prompt})
        body = {"model": model, "messages": turns, "temperature": 0, "max_tokens": self.exam.most_tokens}
        said = api.ask("/chat/completions", body)
        try:
            text = said["choices"][0]["message"]["content"] or ""
        except (KeyError, IndexError, TypeError):
            raise ActionFailed(
                "the endpoint's answer has no choices; its API has not the shape of OpenAI's"
            ) from None
        usage = said.get("usage") or {}
        used = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        return str(text), self._usd(model, *used)

    def _spend(self, job: Job, asked: list[Question], models: Any) -> None:
        if not self._priced(models):
            return
        prompts = sum(guess(question.prompt + (self.exam.system_prompt or "")) for question in asked)
        most = sum(self._usd(model, 2 * prompts, len(asked) * self.exam.most_tokens) for model in models)
        job.spend(most, _WHAT)

    def _priced(self, models: Any) -> bool:
        return any(self._price(model) for model in models)

    def _price(self, model: str) -> Price | None:
        return self.prices.get(model) or self.prices.get(self.base or "")

    def _usd(self, model: str, tokens_in: int, tokens_out: int) -> float:
        price = self._price(model)
        if price is None:
            return 0.0
        return (
            tokens_in * (price.input_per_million or 0) + tokens_out * (price.output_per_million or 0)
        ) / 1e6


def candidate(job: Job) -> str:
    """The new model's name.

    Raises:
        ActionFailed: the training has named none.
    """
    for step in ("wait", "train"):
        if model := job.results.get(step, {}).get("model"):
            return str(model)
    raise ActionFailed("the training has named no model; without one leave out actions.tune.evaluation")
