"""What the consumers that count every record have in common, as librdkafka settings."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drift_aware.schema.kafka import Kafka


def member(kafka: "Kafka", name: str) -> dict[str, Any]:
    """A member of the consumer group ``drift-aware-{name}`` that hears of records it should have had.

    Raises:
        SettingsError: as ``Kafka.client``.
    """
    return kafka.client() | {
        "group.id": f"drift-aware-{name}",
        "client.id": f"drift-aware-{name}",
        "session.timeout.ms": kafka.session_timeout_seconds * 1000,
        "auto.offset.reset": "error",
        # Cooperative rebalancing hangs with two members on the embedded broker; what counts records has
        # nothing to keep through a rebalance anyway.
        "partition.assignment.strategy": "roundrobin",
        # The embedded broker does not wake a waiting fetch, and librdkafka pauses 1 s after a full queue.
        "fetch.wait.max.ms": 50,
        "fetch.queue.backoff.ms": 10,
        # Two batches of the largest records: a backlog must wait in Kafka, not in our memory.
        "queued.max.messages.kbytes": 16_384,
        "topic.metadata.refresh.interval.ms": 30_000,
    }
