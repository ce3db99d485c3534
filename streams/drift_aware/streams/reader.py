"""Reading a topic from its beginning to its present end, or following it."""

import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event as Flag

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from drift_aware.schema import reach
from drift_aware.schema.envelope import content_type
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.settings import Settings
from drift_aware.streams.stage import Input

ANSWER_SECONDS = 10.0
LEADER_SECONDS = 0.2
QUIET_SECONDS = 15.0

# Told how much is done, and of how much.
Reached = Callable[[int, int], None]


def read_all(settings: Settings, topic: str) -> dict[bytes, bytes | None]:
    """The last value of every key in a topic; None where it was deleted.

    Raises:
        Unreachable: the broker does not answer, has no such topic, or stops in the middle.
    """
    latest: dict[bytes, bytes | None] = {}
    with _Reader(settings, topic) as reader:
        for record in reader.to_the_end():
            latest[record.key or b""] = record.value
    return latest


def record_of(message: Message) -> Input:
    """A message of the client, which must not be an error, as a record."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    _, stamp = message.timestamp()
    headers = {
        name: value for name, value in dict(message.headers() or {}).items() if isinstance(value, bytes)
    }
    return Input(
        topic=topic,
        partition=partition,
        offset=offset,
        value=message.value(),
        content_type=content_type(headers),
        appended_ms=stamp if stamp > 0 else None,
        key=message.key(),
        headers=tuple(headers.items()),
    )


def read_each(
    settings: Settings, topic: str, since_ms: int | None = None, reached: Reached | None = None
) -> Iterator[Input]:
    """Every record of a topic up to its present end, partition by partition in order of arrival.

    Args:
        settings: where the broker is.
        topic: its name.
        since_ms: only what the broker took in from then on.
        reached: told now and then how many records are read, and of how many.

    Raises:
        Unreachable: as ``read_all``.
    """
    with _Reader(settings, topic, since_ms) as reader:
        yield from reader.to_the_end(reached)


def read_from(settings: Settings, topic: str, starts: Mapping[int, int]) -> Iterator[Input]:
    """Every record of some partitions, from an offset in each up to the present end.

    Where the broker has deleted that offset, from the first that it still has.

    Raises:
        Unreachable: as ``read_all``.
    """
    with _Reader(settings, topic, starts=starts) as reader:
        yield from reader.to_the_end()


def ends(settings: Settings, topic: str) -> dict[int, int]:
    """Partition to the offset that its next record will have.

    Raises:
        Unreachable: as ``read_all``.
    """
    with _Reader(settings, topic) as reader:
        return reader.ends()


def follow(
    settings: Settings, topic: str, stop: Flag, seen: Callable[[Input], None], at_end: Flag | None = None
) -> None:
    """Show every record of a topic, from the first on, until told to stop.

    Args:
        settings: where the broker is.
        topic: its name.
        stop: set to end.
        seen: given each record.
        at_end: set once all that was there at first is shown.

    Raises:
        Unreachable: as ``read_all``.
    """
    with _Reader(settings, topic) as reader:
        if at_end is not None:
            for record in reader.to_the_end():
                seen(record)
            at_end.set()
        while not stop.is_set():
            for record in reader.poll():
                seen(record)


class _Reader:
    """A consumer on all partitions of a topic, or on those that ``starts`` names, outside any group."""

    def __init__(
        self,
        settings: Settings,
        topic: str,
        since_ms: int | None = None,
        starts: Mapping[int, int] | None = None,
    ) -> None:
        self._settings, self._topic, self._since_ms, self._starts = settings, topic, since_ms, starts
        self._complaints = reach.Complaints()
        self._consumer = Consumer(
            settings.kafka.client()
            | {
                "group.id": "drift-aware-reader",  # the client wants one; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "log_level": 2,
                "error_cb": self._complaints,
            }
        )

    def __enter__(self) -> "_Reader":
        try:
            self._assign()
        except (KafkaException, Unreachable) as error:
            self._consumer.close()
            if isinstance(error, Unreachable):
                raise
            raise Unreachable(
                f"cannot read {self._topic} at {self._settings.kafka.bootstrap_servers}: "
                f"{error.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def poll(self) -> Iterator[Input]:
        """What has come within a fifth of a second."""
        for message in self._consumer.consume(500, 0.2):
            error = message.error()
            if error is None:
                yield record_of(message)
            elif error.fatal() or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise Unreachable(f"cannot read {self._topic}: {error.str()}")

    def ends(self) -> dict[int, int]:
        """The next offset of each partition."""
        return {at.partition: self._edges(at)[1] for at in self._consumer.assignment()}

    def to_the_end(self, reached: Reached | None = None) -> Iterator[Input]:
        """Every record up to where the topic ends now; see ``read_each``."""
        ends, done, total = {}, 0, 0
        for at in self._consumer.assignment():
            low, high = self._edges(at)
            # At its end a partition sends nothing, and the client would never tell a position.
            if high > max(low, (self._starts or {}).get(at.partition, 0)):
                ends[at.partition] = high
                total += max(0, high - max(low, at.offset))
        heard = time.monotonic()
        while ends:
            for record in self.poll():
                heard = time.monotonic()
                if record.offset < ends.get(record.partition, 0):
                    done += 1
                    yield record
            if reached is not None:
                reached(done, total)
            # Not the last record but the position tells: compaction may have removed what stood at the end.
            for at in self._consumer.position(self._consumer.assignment()):
                if at.offset >= ends.get(at.partition, at.offset + 1):
                    del ends[at.partition]
            if ends and time.monotonic() - heard > QUIET_SECONDS:
                raise Unreachable(f"{self._topic} ends at {ends}, but the broker sends nothing; is it up?")

    def _edges(self, at: TopicPartition) -> tuple[int, int]:
        """First and next offset; a partition that was just created has no leader for a moment."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self._consumer.get_watermark_offsets(at, timeout=ANSWER_SECONDS)
            except KafkaException as error:
                if time.monotonic() > deadline:
                    why = error.args[0].str()
                    raise Unreachable(f"{self._topic} cannot be read: {why}; is the broker well?") from None
                time.sleep(LEADER_SECONDS)

    def _assign(self) -> None:
        answer = reach.metadata(
            self._consumer, self._complaints, self._settings.kafka, ANSWER_SECONDS, self._topic
        )
        metadata = answer.topics[self._topic]
        if metadata.error is not None:
            raise Unreachable(f"no topic {self._topic}; run: drift-aware topics create")
        # The offset is absolute where the beginning can be told, or the reset setting finds it.
        offsets = dict.fromkeys(metadata.partitions, 0) if self._starts is None else self._starts
        starts = [TopicPartition(self._topic, each, offset) for each, offset in offsets.items()]
        if self._since_ms is not None:
            asked = [
                TopicPartition(self._topic, each, max(0, self._since_ms)) for each in metadata.partitions
            ]
            found = self._consumer.offsets_for_times(asked, timeout=ANSWER_SECONDS)
            # Below zero stands for the end, also where a broker does not know times: rather all than nothing.
            starts = [TopicPartition(at.topic, at.partition, max(0, at.offset)) for at in found]
        self._consumer.assign(starts)
