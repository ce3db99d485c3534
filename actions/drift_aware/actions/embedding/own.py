"""Which embeddings an application has published itself.

Whether an interaction has one follows from the topic alone: it has, if a record with it was written at most
``BEFORE_MS`` before and ``wait_seconds`` after the interaction's own. So whoever does a batch again decides
the same.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from drift_aware.producers.relayed import MARK_HEADER
from drift_aware.schema.envelope import content_type, decode
from drift_aware.schema.errors import KafkaTrouble
from drift_aware.schema.events import Embedding
from drift_aware.schema.kafka import Kafka
from drift_aware.schema.topics import EMBEDDINGS

# Interaction and which text of it.
Name = tuple[str, str]

# The vector of a question may be published long before its answer is there.
BEFORE_MS = 300_000
# Of a backlog only what is near is read; records do not lie quite in the order of their times.
_CLOCK_SLACK_MS = 60_000
ANSWER_SECONDS = 10.0
_MESSAGES = 500
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class _Seen:
    """What was read of a partition: from when, up to where, and which names, written when."""

    since_ms: int
    following: int
    latest_ms: int = 0
    names: dict[Name, int] = field(default_factory=dict)

    def forget(self, before_ms: int) -> None:
        if self.names and next(iter(self.names.values())) < before_ms:
            self.names = {name: at_ms for name, at_ms in self.names.items() if at_ms >= before_ms}


class OwnEmbeddings:
    """Reads the embeddings topic beside the interactions.

    Args:
        kafka: where it is.
        name: of the relay whose embeddings are not the application's.
    """

    def __init__(self, kafka: Kafka, name: str) -> None:
        self._mark = f"{name}/".encode()
        self._consumer = Consumer(
            kafka.client()
            | {
                # Never joined: librdkafka wants a name all the same.
                "group.id": f"drift-aware-{name}",
                "client.id": f"drift-aware-{name}-own",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 16_384,
                "fetch.wait.max.ms": 50,
            },
            logger=logging.getLogger("librdkafka"),
        )
        self._seen: dict[int, _Seen] = {}

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def forget(self) -> None:
        """Begin anew, with other partitions."""
        self._seen.clear()
        self._consumer.unassign()

    def partitions(self) -> int:
        """How many the topic has.

        Raises:
            KafkaTrouble: there is no such topic.
        """
        topic = self._consumer.list_topics(EMBEDDINGS.name, ANSWER_SECONDS).topics[EMBEDDINGS.name]
        if topic.error is not None:
            raise KafkaTrouble(f"no topic {EMBEDDINGS.name}; run: drift-aware topics create")
        return len(topic.partitions)

    def read(self, spans: Mapping[int, tuple[int, int]]) -> None:
        """Know all that was written in these partitions between those times, as far as it is there.

        Args:
            spans: partition to the first and the last time, milliseconds.

        Raises:
            KafkaTrouble: Kafka stops answering.
            KafkaException: the same.
        """
        self._begin(spans)
        ends = {part: end for part, end in self._ends(spans).items() if self._lacks(part, spans[part], end)}
        self._consumer.assign(
            [TopicPartition(EMBEDDINGS.name, part, self._seen[part].following) for part in ends]
        )
        deadline = time.monotonic() + ANSWER_SECONDS
        while ends:
            if time.monotonic() > deadline:
                raise KafkaTrouble(f"nothing comes of {len(ends)} partitions of {EMBEDDINGS.name}")
            # It waits for as many as are asked for, so the time has to be short.
            for message in self._consumer.consume(_MESSAGES, _POLL_SECONDS):
                deadline = time.monotonic() + ANSWER_SECONDS
                self._take(message)
            ends = {part: end for part, end in ends.items() if self._lacks(part, spans[part], end)}

    def _lacks(self, partition: int, span: tuple[int, int], end: int) -> bool:
        """Whether there is more to be read before the end, as far as the times say."""
        seen = self._seen[partition]
        return seen.following < end and seen.latest_ms <= span[1] + _CLOCK_SLACK_MS

    def has(self, partition: int, name: Name, from_ms: int, until_ms: int) -> bool:
        """Whether it was among what was written between those times."""
        at_ms = self._seen[partition].names.get(name)
        return at_ms is not None and from_ms <= at_ms <= until_ms

    def _begin(self, spans: Mapping[int, tuple[int, int]]) -> None:
        """Find where to begin, of partitions that were not read from that time on; forget what is past."""
        new = []
        for part, (from_ms, _) in spans.items():
            if part in self._seen and self._seen[part].since_ms <= from_ms:
                self._seen[part].forget(from_ms)
            else:
                new.append(TopicPartition(EMBEDDINGS.name, part, max(0, from_ms)))
        for each in self._consumer.offsets_for_times(new, timeout=ANSWER_SECONDS) if new else ():
            if each.error is not None:
                raise KafkaException(each.error)
            offset = self._end(each.partition)[1] if each.offset == OFFSET_END else each.offset
            self._seen[each.partition] = _Seen(spans[each.partition][0], offset)

    def _ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """The offset behind the last record there is now, of each."""
        ends = {}
        for part in partitions:
            low, ends[part] = self._end(part)
            seen = self._seen[part]
            seen.following = max(seen.following, low)
        return ends

    def _end(self, partition: int) -> tuple[int, int]:
        found = self._consumer.get_watermark_offsets(
            TopicPartition(EMBEDDINGS.name, partition), timeout=ANSWER_SECONDS
        )
        assert found is not None
        return found

    def _take(self, message: Message) -> None:
        part, offset = message.partition(), message.offset()
        assert part is not None
        assert offset is not None
        seen = self._seen[part]
        if (error := message.error()) is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaTrouble(error.str())
            seen.following = max(seen.following, offset)
            return
        seen.following, seen.latest_ms = offset + 1, max(seen.latest_ms, message.timestamp()[1])
        for name in self._names(message):
            seen.names.setdefault(name, message.timestamp()[1])

    def _names(self, message: Message) -> Sequence[Name]:
        headers: Mapping[str, bytes | None] = dict(message.headers() or ())  # type: ignore[arg-type]
        if (headers.get(MARK_HEADER) or b"").startswith(self._mark):
            return []
        found = decode("embedding", message.value(), content_type(headers.items()))
        return [
            (event.interaction_id, event.kind)
            for event in found.events
            if isinstance(event, Embedding) and event.interaction_id is not None
        ]
