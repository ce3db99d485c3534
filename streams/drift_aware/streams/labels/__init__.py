"""Labels that behaviour metrics count, for events that do not carry their own."""

from collections.abc import Sequence

from drift_aware.schema.events import Interaction
from drift_aware.streams.labels.refusal import is_refusal

# Part of every baseline: counts of two versions are not compared.
VERSION = "refusal-1"


def label(interactions: Sequence[Interaction]) -> None:
    """Set ``refusal`` where it is missing and there is an answer to read. An event's own label stands."""
    for interaction in interactions:
        if interaction.refusal is None and interaction.model_response is not None:
            interaction.refusal = is_refusal(interaction.model_response)
