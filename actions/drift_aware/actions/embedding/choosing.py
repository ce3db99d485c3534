"""Which texts of an interaction get an embedding, and what that embedding is. Pure."""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Literal, NamedTuple
from uuid import UUID, uuid5

from drift_aware.schema.embed_settings import Embed
from drift_aware.schema.events import Embedding, Interaction

TextKind = Literal["query", "response"]
# Why a text has no embedding of ours.
Reason = Literal[
    "unreadable",  # the record, or the interaction in it; the worker dead-letters it
    "other_app",  # embed.apps does not name its application
    "not_sampled",  # embed.sample leaves it out
    "no_text",  # it was published without, or the redaction has left nothing of it
    "has_one",  # the application has published its own
    "refused",  # the provider makes no vector of it
    "over_budget",  # the day's budget is spent
]

# Never changed: an interaction's embedding has the same id on any machine and in any release.
_EMBEDDINGS = UUID("4c0b0f86-7d38-5c53-8d0d-3a3a5f5d8a61")
# What the redaction puts in the place of what it finds.
_REDACTED = re.compile(r"\[[a-z_]+(:[0-9a-f]+)?\]", re.IGNORECASE)


class Text(NamedTuple):
    """A text to embed, and whose it is."""

    interaction: Interaction
    kind: TextKind
    text: str

    @property
    def name(self) -> tuple[str, str]:
        """By which an embedding of the same text is known."""
        return self.interaction.id, self.kind


def texts(interaction: Interaction, settings: Embed) -> Iterator[Text | Reason]:
    """The interaction's texts of the kinds asked for; in the place of one that is left out, why."""
    for kind in settings.kinds:
        text = interaction.user_query if kind == "query" else interaction.model_response
        if settings.apps is not None and interaction.app not in settings.apps:
            yield "other_app"
        elif not sampled(interaction.id, settings.sample):
            yield "not_sampled"
        elif text is None or not _REDACTED.sub("", text).strip():
            yield "no_text"
        else:
            yield Text(interaction, kind, text)


def sampled(interaction_id: str, share: float) -> bool:
    """Whether an interaction is among that share of all; in a larger share it still is.

    >>> sum(sampled(str(number), 0.25) for number in range(10_000))
    2579
    """
    digest = sha256(interaction_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def embedding(of: Text, model: str, vector: bytes) -> Embedding:
    """The event; the vector is of float16, little-endian."""
    interaction = of.interaction
    return Embedding(
        id=str(uuid5(_EMBEDDINGS, f"{interaction.id}/{of.kind}/{model}")),
        ts=interaction.ts,
        vector=vector,
        interaction_id=interaction.id,
        kind=of.kind,
        dtype="float16",
        dim=len(vector) // 2,
        app=interaction.app,
        model=model,
        prompt_version=interaction.prompt_version,
        tenant=interaction.tenant,
        session_id=interaction.session_id,
    )
