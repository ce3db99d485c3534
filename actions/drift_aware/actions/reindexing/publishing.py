"""Vectors of documents as events, so that what is indexed can be compared with what is asked."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from drift_aware.producers.interface import EventPublisher
from drift_aware.schema.errors import Unreachable

_FLUSH_SECONDS = 30.0


def publish(
    publisher: EventPublisher, documents: Sequence[tuple[str, bytes]], model: str, namespace: UUID
) -> None:
    """Publish vectors, and wait until they have arrived.

    Args:
        publisher: whose queue holds them all.
        documents: ids, and vectors as little-endian float16.
        model: that has made them.
        namespace: of the events' ids: the same ones if this has to be done again.

    Raises:
        Unreachable: Kafka has not taken all of them.
    """
    for name, vector in documents:
        event_id = str(uuid5(namespace, name))
        publisher.embedding(vector, id=event_id, kind="document", model=model, dtype="float16")
    left = publisher.flush(_FLUSH_SECONDS)
    if lost := left + sum(publisher.dropped.values()):
        raise Unreachable(f"Kafka has not taken {lost:,} of {len(documents):,} vectors of documents")
