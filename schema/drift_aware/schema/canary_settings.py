"""The section ``canary``: what is asked of your models on a schedule, and where."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from drift_aware.schema.section import Section
from drift_aware.schema.tune_settings import Endpoint

# With fewer, chance could do it; see the rule of the canary.
LEAST_PROBES = 3
# Their vectors are one record on drift.canaries.v1.
MOST_PROBES = 100


class Golden(Section):
    """A prompt whose answer is compared.

    Attributes:
        name: in events and alerts; like no other.
        prompt: what is asked.
        expected: what a right answer has in it; null if nothing is to be graded.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    prompt: Annotated[str, Field(min_length=1)]
    expected: str | None = None


class CanaryChat(Endpoint):
    """The chat model; null leaves a parameter out, for models that refuse it.

    Attributes:
        model: as it is asked for.
        system: the system prompt; null for none.
        prompts: what is asked; none of your own: a dozen short ones that are built in.
        file: in place of ``prompts``, JSON lines with ``name``, ``prompt`` and, where graded, ``expected``.
        max_tokens: of an answer.
        temperature: at 0 a model repeats itself best.
        seed: some providers repeat themselves better with one.
    """

    model: str
    system: str | None = None
    prompts: list[Golden] = Field(default_factory=list, max_length=MOST_PROBES)
    file: Path | None = None
    max_tokens: int | None = Field(64, ge=1)
    temperature: float | None = Field(0, ge=0, le=2)
    seed: int | None = 7

    @model_validator(mode="after")
    def _one_source(self) -> "CanaryChat":
        if self.prompts and self.file is not None:
            raise ValueError("set `prompts` or `file`, not both")
        if self.prompts and len(self.prompts) < LEAST_PROBES:
            raise ValueError(f"{LEAST_PROBES} prompts are the least: of fewer, chance could change all")
        if len({golden.name for golden in self.prompts}) < len(self.prompts):
            raise ValueError("two prompts have the same name")
        return self


class CanaryEmbedding(Endpoint):
    """The embedder.

    Attributes:
        model: as it is asked for.
        texts: what is embedded; none of your own: a dozen that are built in.
    """

    model: str
    texts: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list, max_length=MOST_PROBES)

    @model_validator(mode="after")
    def _enough(self) -> "CanaryEmbedding":
        if self.texts and len(set(self.texts)) < max(LEAST_PROBES, len(self.texts)):
            raise ValueError(f"write at least {LEAST_PROBES} texts, each once")
        return self


class CanarySettings(Section):
    """Golden prompts and fixed strings, so that a silent swap of a model is found without any traffic.

    Attributes:
        every_minutes: from one round to the next.
        learn_probes: rounds from which it is learned how steady the answers are.
        budget_usd_per_day: a round that would go beyond it on its UTC day is left out, if ``prices`` says
            what it costs.
        chat: the chat model; null asks none.
        embedding: the embedder; null asks none.
    """

    every_minutes: float = Field(60, ge=1, le=7 * 24 * 60)
    learn_probes: int = Field(5, ge=3, le=100)
    budget_usd_per_day: float = Field(1, ge=0)
    chat: CanaryChat | None = None
    embedding: CanaryEmbedding | None = None
