"""Records off the broker by the plain client, as fast as it gives them: what no consumer can undercut."""

from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import Consumer, TopicPartition

# More large records at once cost page faults.
_AT_ONCE = 100
_WAIT_SECONDS = 0.1


def batches(told: dict[str, Any]) -> Iterator[Sequence[Any]]:
    """The messages of a topic from its beginning, for ever; a batch is empty while nothing comes.

    Args:
        told: where: ``bootstrap``, ``topic`` and ``partitions``.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": told["bootstrap"],
            "group.id": "throughput",
            "enable.auto.commit": False,
            # The default of a second stops a consumer that is faster than its broker.
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.assign([TopicPartition(told["topic"], partition, 0) for partition in range(told["partitions"])])
    while True:
        messages = consumer.consume(_AT_ONCE, _WAIT_SECONDS)
        for message in messages:
            if message.error() is not None:
                raise SystemExit(f"cannot read {told['topic']}: {message.error()}")
        yield messages
