"""Labels that behaviour metrics count, for events that do not carry their own."""

from collections.abc import Sequence

from drift_aware.schema.events import Interaction
from drift_aware.streams.labels import refusal, toxicity
from drift_aware.streams.labels.refusal import refusals
from drift_aware.streams.labels.toxicity import toxicities

# Part of every baseline: counts of two versions are not compared.
VERSION = "refusal-2,toxicity-1"


def prepare() -> None:
    """Build now what ``label`` would build when first asked; it takes a second or two of the processor."""
    refusal.quick()
    refusal.plain([""])
    toxicity.weights()


def label(interactions: Sequence[Interaction]) -> None:
    """Set ``refusal`` and ``toxicity`` where they are missing and there is an answer to read.

    An event's own labels stand. What failed without an answer gets none: an error is no refusal.
    """
    unread = [each for each in interactions if each.refusal is None and each.model_response]
    for each, refused in zip(unread, refusals(_answers(unread)), strict=True):
        each.refusal = refused
    unread = [each for each in interactions if each.toxicity is None and each.model_response]
    for each, score in zip(unread, toxicities(_answers(unread)), strict=True):
        each.toxicity = score


def _answers(interactions: Sequence[Interaction]) -> list[str]:
    return [each.model_response or "" for each in interactions]
