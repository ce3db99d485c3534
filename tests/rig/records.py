"""What lies on a topic now."""

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from drift_aware.schema import envelope
from drift_aware.schema.events import Event, Kind
from rig.services import wait_until

_ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class Record:
    """A record as it lies there."""

    partition: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]

    @property
    def content_type(self) -> str:
        return envelope.content_type(self.headers)

    def events(self, kind: Kind) -> list[Event]:
        """What is packed in it, all of it good."""
        decoded = envelope.decode(kind, self.value, self.content_type)
        assert not decoded.dead, decoded.dead
        return decoded.events


def records(bootstrap: str, topic: str) -> list[Record]:
    """All records of the topic, up to where it ends at the time of the call."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "records", "enable.auto.commit": False, "log_level": 2}
    )
    try:
        ends = _ends(consumer, topic)
        consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in ends.items()])
        return list(_read(consumer, sum(high - low for low, high in ends.values())))
    finally:
        consumer.close()


def _ends(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """The first and the next offset of each partition that holds something."""

    def asked(partition: int) -> tuple[int, int] | None:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), _ANSWER_SECONDS)
        except KafkaException:  # a topic just made may have no leader yet
            return None

    partitions = consumer.list_topics(topic, _ANSWER_SECONDS).topics[topic].partitions
    found = {each: wait_until(lambda each=each: asked(each), _ANSWER_SECONDS) for each in partitions}  # type: ignore[misc]
    return {each: (ends[0], ends[1]) for each, ends in found.items() if ends and ends[1] > ends[0]}


def _read(consumer: Consumer, count: int) -> Iterable[Record]:
    read = 0
    while read < count:
        messages = consumer.consume(min(500, count - read), _ANSWER_SECONDS)
        assert messages, f"{read} of {count} records came within {_ANSWER_SECONDS:g} s"
        read += len(messages)
        for message in messages:
            assert message.error() is None, message.error()
            headers = {name: _bytes(value) for name, value in dict(message.headers() or {}).items()}
            partition, key = message.partition(), message.key()
            assert partition is not None
            yield Record(partition, None if key is None else _bytes(key), _bytes(message.value()), headers)


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
