"""The Kafka a relay writes to: records with marks go out, and the marks that lie there are found again."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from drift_aware.producers import clients
from drift_aware.producers.clients import Compression
from drift_aware.producers.packing import Record
from drift_aware.producers.relayed import MARK_HEADER, Mark, read_mark
from drift_aware.schema.errors import KafkaTrouble
from drift_aware.schema.kafka import Kafka

_ANSWER_SECONDS = 10.0
# The brokers' own clocks and those of relays may differ by so much.
_CLOCK_SLACK_MS = 5 * 60_000
_SCAN_MESSAGES = 1_000
_SCAN_SECONDS = 0.05
_FULL_SECONDS = 0.05
# What times out after ``message.timeout.ms`` is reported a little later.
_REPORT_SECONDS = 2.0

_log = logging.getLogger("drift_aware.producers.librdkafka")


class Outlet:
    """Sends records and waits until Kafka has them, until there is trouble for the first time.

    Args:
        kafka: where it is.
        name: of the relay, or of whoever sends.
        send_seconds: what Kafka has not confirmed by then is never sent.

    Raises:
        KafkaException: a setting cannot be used.
    """

    def __init__(self, kafka: Kafka, name: str, send_seconds: float) -> None:
        self._client = kafka.client() | {
            "client.id": f"drift-aware-{name}",
            "message.timeout.ms": round(send_seconds * 1000),
        }
        self._name = name
        self._send_seconds = send_seconds
        self._source = f"drift-aware/{name}".encode()
        self._producers: dict[Compression, Producer] = {}
        self._failed: list[KafkaError] = []

    def send(self, pairs: Sequence[tuple[Mark | None, Record]]) -> None:
        """Put the records where they belong, and return when all of them are there.

        Raises:
            KafkaTrouble: one is not, or nobody knows; the outlet is to be closed.
        """
        deadline = time.monotonic() + self._send_seconds + _REPORT_SECONDS
        for mark, record in pairs:
            self._produce(mark, record, deadline)
        left = sum(
            producer.flush(max(0.0, deadline - time.monotonic())) for producer in self._producers.values()
        )
        if self._failed:
            raise KafkaTrouble(f"a record was not taken: {self._failed[0].str()}")
        if left:
            raise KafkaTrouble(f"Kafka has not confirmed {left} records")

    def close(self) -> None:
        """Drop what was not confirmed: it must not arrive later."""
        for producer in self._producers.values():
            producer.purge()
            producer.flush(_REPORT_SECONDS)
        self._producers.clear()

    def _produce(self, mark: Mark | None, record: Record, deadline: float) -> None:
        producer = self._producer(clients.compression(record))
        headers = clients.headers(record, self._source)
        if mark is not None:
            headers.append((MARK_HEADER, mark.header(self._name)))
        assert record.partition is not None
        while True:
            try:
                producer.produce(
                    record.topic,
                    record.value,
                    partition=record.partition,
                    headers=headers,
                    on_delivery=self._delivered,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise KafkaTrouble("Kafka does not take records as fast as they come") from None
                producer.poll(_FULL_SECONDS)
            else:
                return

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def _producer(self, compression: Compression) -> Producer:
        if compression not in self._producers:
            self._producers[compression] = clients.connect(self._client, compression, lambda _: None)
        return self._producers[compression]


def find(kafka: Kafka, name: str, counts: Mapping[str, int], since_ms: int) -> Iterator[Mark]:
    """The marks of a relay on its output topics, from a time to where the topics end now.

    Args:
        kafka: where it is.
        name: of the relay.
        counts: output topic to its number of partitions.
        since_ms: the earliest time that is of interest; clocks that differ are allowed for.

    Raises:
        KafkaTrouble: it stops answering.
        KafkaException: the same.
    """
    config = kafka.client() | {
        # Never joined: librdkafka wants a name all the same.
        "group.id": f"drift-aware-{name}",
        "client.id": f"drift-aware-{name}-scan",
        "enable.auto.commit": False,
        # The last offset of a partition may be no record but the marker of somebody's transaction.
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "queued.max.messages.kbytes": 16_384,
    }
    consumer = Consumer(config, logger=_log)
    try:
        ends = _stretches(consumer, counts, max(0, since_ms - _CLOCK_SLACK_MS))
        consumer.assign([TopicPartition(*home, low) for home, (low, _) in ends.items()])
        for message in _read(consumer, {home: high for home, (_, high) in ends.items()}):
            headers: Iterable[tuple[str, bytes | None]] = message.headers() or ()  # type: ignore[assignment]
            mark = read_mark(name, dict(headers).get(MARK_HEADER))
            if mark is not None:
                yield mark
    finally:
        consumer.close()


def _stretches(
    consumer: Consumer, counts: Mapping[str, int], since_ms: int
) -> dict[tuple[str, int], tuple[int, int]]:
    """Where to read from and to, of each partition that has something from that time on."""
    asked = [
        TopicPartition(topic, part, since_ms) for topic, count in counts.items() for part in range(count)
    ]
    found = {}
    for each in consumer.offsets_for_times(asked, timeout=_ANSWER_SECONDS):
        if each.error is not None:
            raise KafkaException(each.error)
        low, high = consumer.get_watermark_offsets(each, timeout=_ANSWER_SECONDS)
        first = high if each.offset == OFFSET_END else max(low, each.offset)
        if first < high:
            found[each.topic, each.partition] = (first, high)
    return found


def _read(consumer: Consumer, ends: dict[tuple[str, int], int]) -> Iterator[Message]:
    """Every record before the ends; each partition has at least one."""
    left = set(ends)
    deadline = time.monotonic() + _ANSWER_SECONDS
    while left:
        if time.monotonic() > deadline:
            raise KafkaTrouble(f"nothing comes of {len(left)} partitions that are to be looked through")
        # It waits for as many as are asked for, so the time has to be short.
        for message in consumer.consume(_SCAN_MESSAGES, _SCAN_SECONDS):
            deadline = time.monotonic() + _ANSWER_SECONDS
            home, offset = (str(message.topic()), message.partition() or 0), message.offset() or 0
            if (error := message.error()) is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaTrouble(error.str())
                left.discard(home)
            elif home in left:
                yield message
                if offset >= ends[home] - 1:
                    left.discard(home)
