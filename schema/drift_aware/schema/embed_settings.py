"""The section ``embed``: what gives interactions the embeddings they came without."""

from typing import Literal

from pydantic import Field

from drift_aware.schema.reindexing import EmbeddingModel
from drift_aware.schema.section import Section


class Embed(Section):
    """Which texts are embedded, by what, and how much that may cost.

    The price of an endpoint's model stands in ``prices``, as ``embedding_per_million``.

    Attributes:
        embedding: what embeds them.
        kinds: of an interaction, the question, the answer, or both.
        wait_seconds: how long after an interaction an embedding of the application's own is waited for; 0 if
            it publishes none.
        sample: the share of interactions, chosen by their ids, the same ones every time.
        apps: only of these applications; null for all.
        budget_usd_per_day: what a UTC day may cost; what comes beyond it is left without. null for no limit.
    """

    embedding: EmbeddingModel
    kinds: list[Literal["query", "response"]] = Field(["query"], min_length=1)
    wait_seconds: float = Field(10, ge=0, le=120)
    sample: float = Field(1, gt=0, le=1)
    apps: list[str] | None = None
    budget_usd_per_day: float | None = Field(None, ge=0)
