"""What the consumers that count every record have in common."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from drift_aware.schema.errors import RecordsLost

if TYPE_CHECKING:
    from drift_aware.schema.kafka import Kafka

T = TypeVar("T")
# Topic and number.
Partition = tuple[str, int]


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


def fresh(
    records: Iterable[T], expected: Mapping[Partition, int], place: Callable[[T], tuple[Partition, int]]
) -> tuple[list[T], dict[Partition, int]]:
    """The records that come next, and the offsets after them.

    One poll may hold records from before and after a rebalance: of partitions that are gone, or the same ones
    twice.

    Args:
        records: of one poll, in the order of their offsets.
        expected: partition to the offset that comes next, of those that are held.
        place: of a record its partition and its offset.
    """
    found: list[T] = []
    following: dict[Partition, int] = {}
    for record in records:
        partition, offset = place(record)
        due = following.get(partition, expected.get(partition))
        if due is not None and offset >= due:
            found.append(record)
            following[partition] = offset + 1
    return found, following


def gap(name: str, partition: Partition, expected: int, low: int, high: int, *, skip: bool) -> str:
    """What to say when an offset points at nothing, if whoever started it has allowed to go on.

    Args:
        name: who reads.
        partition: of what.
        expected: the offset to go on with.
        low: the oldest record that Kafka has; ``high`` is behind the newest.
        high: as above.
        skip: whether it may go on at ``low``.

    Raises:
        RecordsLost: it may not.
    """
    what = (
        f"{name} has to go on at offset {expected} of {partition[0]}/{partition[1]}, but Kafka has {low} to "
        f"{high}"
    )
    if not skip:
        raise RecordsLost(
            f"{what}; the records between are gone, or the topic was created anew. To go on at {low}, "
            "start once with --skip-lost"
        )
    return f"{what}; going on at {low}"
