"""What a relay hands over, and what it is handed over to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from confluent_kafka import Message

from drift_aware.producers.relayed import Origin, State
from drift_aware.schema.consuming import Partition
from drift_aware.schema.envelope import content_type
from drift_aware.schema.events import Event


@dataclass(frozen=True, slots=True)
class Received:
    """A record that was read.

    Attributes:
        origin: where it lies.
        key: as it was written.
        value: as it was written.
        content_type: the form of ``value`` (schema.envelope).
        headers: as they were written.
        timestamp_ms: when it was written, by the clock of its producer or its broker.
    """

    origin: Origin
    key: bytes | None
    value: bytes | None
    content_type: str
    headers: Mapping[str, bytes | None] = field(default_factory=dict)
    timestamp_ms: int = 0


class Work(Protocol):
    """What a relay makes of the records. All of it is called by the thread of ``Relay.run``.

    Only ``outputs`` has to be written.
    """

    def outputs(self, records: Sequence[Received]) -> Sequence[Sequence[Event]]:
        """The events of each record, complete and checked (drafts.Completion), in the order of the records.

        It may be called again with the same records, after trouble. How many events a record gives, of which
        kind, in which order and with which keys must follow from the record alone, because outputs that are
        there already are recognised by their number; the rest may differ. A record whose outputs are all
        there is not asked for again. It must not raise on bad records.

        It may take its time, up to max.poll.interval.ms of Kafka (five minutes), the retries inside it
        included; partitions stay ours meanwhile.

        Raises:
            Unreachable: what it needs does not answer. Nothing of the batch is sent; it comes again after a
                wait that grows up to half a minute. Nothing else may be raised.
        """

    def assigned(self, states: Mapping[Partition, State]) -> None:  # noqa: ARG002 - as below
        """These partitions, all that there are, are ours from now on; with the state last committed.

        Called anew at every rebalance and every session; the states are empty where none was committed.
        """
        return

    def state(self, home: Partition) -> State:  # noqa: ARG002 - a work without one ignores it
        """What to keep with the next offset of a partition, up to 4 kB; asked at every commit.

        That is after each batch, and now and then before one is sent, when the offset does not move. A crash
        takes away what has changed since the last commit.
        """
        return {}

    def committed(self) -> None:
        """Called once what ``outputs`` gave last is there and the offsets are committed: for counters."""
        return


def received(message: Message) -> Received:
    """A record as librdkafka gives it; not an error."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers: dict[str, bytes | None] = dict(message.headers() or ())  # type: ignore[arg-type]
    return Received(
        Origin(topic, partition, offset),
        message.key(),
        message.value(),
        content_type(headers),  # type: ignore[arg-type]
        headers,
        message.timestamp()[1],
    )
