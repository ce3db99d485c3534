"""Endpoints that are gone round on a simulated clock: calm ones that are never quite the same, and others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from drift_aware.actions.canary import story
from drift_aware.actions.canary.asking import Round
from drift_aware.actions.canary.goldens import PROMPTS, TEXTS, Question
from drift_aware.schema.canaries import Canary, CanaryId
from rig_events import NOON

HOUR_MS = 3_600_000
WEEK = 7 * 24
LEARN = 5
DIM = 64
STRINGS = [Question(f"s{number}", text) for number, text in enumerate(TEXTS)]
Rounds = Iterator[Round]


@dataclass
class Asked:
    """An endpoint that is gone round."""

    canary: Canary
    plan: story.Plan

    def go(self, found: Round) -> Canary:
        ts = NOON + self.canary.round * HOUR_MS
        self.canary = story.follow(self.canary, self.plan, found, ts)
        return self.canary

    @property
    def firing(self) -> bool:
        return story.is_firing(self.canary)


def asked(which: CanaryId, questions: list[Question] | None = None) -> Asked:
    chosen = questions or (list(PROMPTS) if which == "answers" else STRINGS)
    return Asked(Canary(id=which), story.Plan("small", chosen, LEARN))


def unsteady(seed: int, model: str = "small", few: int = 3, flips: float = 0.3) -> Rounds:
    """A model that answers a few of the prompts otherwise now and then, and all others hardly ever."""
    random = np.random.default_rng(seed)
    chances = np.where(random.permutation(len(PROMPTS)) < few, flips, 0.002)
    while True:
        flipped = random.random(len(PROMPTS)) < chances
        answers = {
            question.name: f"{model}: {question.name} {random.integers(3) if other else ''}"
            for question, other in zip(PROMPTS, flipped, strict=True)
        }
        yield Round(answers=answers, reported=model)


def jittery(seed: int, model: str = "small", dim: int = DIM) -> Rounds:
    """An embedder that is never quite the same: by 1e-5 to 1e-4, in one round all strings alike."""
    random = np.random.default_rng(seed)
    directions = random.normal(size=(len(STRINGS), dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    while True:
        away = 10 ** random.uniform(-5, -4)
        noise = random.normal(size=directions.shape) * np.sqrt(2 * away / dim)
        rows = (directions + noise).astype("<f4")
        vectors = {each.name: row.tobytes() for each, row in zip(STRINGS, rows, strict=True)}
        yield Round(vectors=vectors, reported=model)


MODELS: Mapping[CanaryId, Callable[..., Rounds]] = {"answers": unsteady, "embedding": jittery}
