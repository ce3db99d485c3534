"""Makes events of the records of other topics, so that each record's events are there exactly once.

Kafka's transactions would do this, but their markers are gaps in the offsets that the worker counts. Instead
every record that is sent carries a mark that names the one record it was made of (relayed.py), and the offset
of what was read is committed only when Kafka has confirmed what was made of it. Whoever goes on after a
process that died looks through the outputs for marks of records that do not count as read yet, and leaves
those out.

A session is one membership in the consumer group. Anything that goes wrong ends the session; the next one
begins at the committed offsets and looks for marks. So there is one way to recover, and every start
exercises it.

A process that lost its partitions without noticing must not send: it renews its membership, by a commit,
before it sends, and what Kafka has not taken well within the session is never sent. One window remains: a
process that stands still for longer than a quarter of a session between its look at the clock and sending, or
a request on its way to a broker that takes it up only after that.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from drift_aware.producers import outlet
from drift_aware.producers.holding import Holding
from drift_aware.producers.outlet import Outlet
from drift_aware.producers.packing import Record
from drift_aware.producers.relayed import Mark, State, marked, packed, read_note
from drift_aware.producers.work import Received, Work, received
from drift_aware.schema import consuming, reach
from drift_aware.schema.backoff import backoff
from drift_aware.schema.consuming import Partition
from drift_aware.schema.errors import KafkaTrouble, Unreachable
from drift_aware.schema.events import TYPES, Kind
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES

MAX_BATCH_RECORDS = 100
POLL_SECONDS = 0.2
ANSWER_SECONDS = 10.0
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0
NOTE_SECONDS = 60.0
# Of a session: how long sending may take, and how old a renewal may be when it begins.
_SENDING = 0.5
_RENEWED = 0.25

_PASSING = (Unreachable, KafkaException)

log = structlog.get_logger(__name__)


class Relay:
    """Feeds the records of some topics to a piece of work, and publishes what comes of each exactly once.

    Any number of processes may run the same relay; they share the partitions.

    The promise holds as long as the broker remembers the offsets (offsets.retention.minutes after the last
    process ended, seven days as a rule) and the outputs are kept longer than a batch takes.

    Args:
        settings: where Kafka is.
        name: of the consumer group after ``drift-aware-``, and in every mark; without a slash. Two relays
            that differ in what they make need two names.
        topics: names of the topics to read; none of those it writes to.
        work: what is made of the records.
        start: where a partition begins that was never read: at its oldest record or behind its newest.
        kinds: of the events that the work may give; only their topics are looked through.
        skip_lost: go on at the oldest record there is when Kafka has deleted records not read yet.
        batch_records: how many records the work gets at once, at most.
        retried: called with the kind of trouble whenever a session ends in one.
        refused: called with the reason when an event cannot be sent (``too_large``, ``bad_event``).
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        topics: Sequence[str],
        work: Work,
        *,
        start: Literal["earliest", "latest"] = "earliest",
        kinds: Sequence[Kind] = tuple(TYPES),
        skip_lost: bool = False,
        batch_records: int = MAX_BATCH_RECORDS,
        retried: Callable[[str], None] = lambda _: None,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._kafka = settings.kafka
        self._config = consuming.member(settings.kafka, name) | {"enable.auto.commit": False}
        self._session_seconds = settings.kafka.session_timeout_seconds
        self._name = name
        self._topics = list(topics)
        self._work = work
        self._start = start
        self._kinds = kinds
        self._skip_lost = skip_lost
        self._batch_records = batch_records
        self._retried = retried
        self._refused = refused
        self._forget()
        self._failures = 0

    def knock(self) -> None:
        """See that Kafka accepts us, before anything is begun; no answer is waited out later.

        Raises:
            Refused: it does not. Once work has begun that is waited out too.
        """
        reach.knock(self._kafka)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; finishes the batch in hand first.

        Kafka not answering is waited out, and so is what the work needs.

        Raises:
            RecordsLost: Kafka deleted records before they were read.
            SettingsError: the address is missing or cannot be read.
        """
        while not stop.is_set():
            try:
                self._session(stop)
            except _PASSING as error:
                if not stop.is_set():
                    self._wait(stop, error)

    def _session(self, stop: threading.Event) -> None:
        with self._membership() as (consumer, out):
            while not stop.is_set():
                messages = consumer.consume(self._batch_records, POLL_SECONDS)
                if messages:
                    self._apply(consumer, out, messages)
                self._note(consumer)

    @contextmanager
    def _membership(self) -> Iterator[tuple[Consumer, Outlet]]:
        consumer = Consumer(self._config, logger=logging.getLogger("librdkafka"))
        out = Outlet(self._kafka, self._name, self._session_seconds * _SENDING)
        try:
            self._counts = _counts(consumer, [SOURCES[kind].name for kind in self._kinds])
            consumer.subscribe(self._topics, on_assign=self._assigned, on_revoke=self._revoked)
            yield consumer, out
        finally:
            # First of all nothing may be sent any more: others may have the partitions a moment later.
            out.close()
            consumer.close()
            self._forget()

    def _forget(self) -> None:
        """Nothing is ours."""
        self._holding = Holding()
        self._renewed_at = self._noted_at = float("-inf")

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget()
        states: dict[Partition, State] = {}
        for partition in consumer.committed(partitions, timeout=ANSWER_SECONDS) if partitions else ():
            if partition.error is not None:
                raise KafkaException(partition.error)
            home = (partition.topic, partition.partition)
            if partition.offset >= 0:
                note = read_note(partition.metadata)
                self._holding.take(home, partition.offset, note.since_ms)
                states[home] = note.state
            else:
                self._holding.take(home, self._first(consumer, partition), _now_ms())
                states[home] = {}
        self._work.assigned(states)
        self._look()
        following = self._holding.following
        # Before anything is sent, what was never read has an offset and a time.
        self._commit(consumer, following)
        consumer.assign([TopicPartition(*home, offset) for home, offset in following.items()])
        log.info("partitions assigned", relay=self._name, partitions=len(partitions))

    def _first(self, consumer: Consumer, partition: TopicPartition) -> int:
        low, high = consumer.get_watermark_offsets(partition, timeout=ANSWER_SECONDS)
        return low if self._start == "earliest" else high

    def _look(self) -> None:
        """Find what is there already of records that do not count as read."""
        since_ms = self._holding.since_ms
        if since_ms is None:
            return
        marks = outlet.find(self._kafka, self._name, self._counts, since_ms)
        if found := sum(map(self._holding.found, marks)):
            log.info("outputs found that are not committed", relay=self._name, records=found)

    def _revoked(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._forget()
        consumer.unassign()

    def _apply(self, consumer: Consumer, out: Outlet, messages: list[Message]) -> None:
        records = []
        for message in messages:
            if (error := message.error()) is not None:
                self._trouble(consumer, message, error)
            records.append(received(message))
        records, following = self._holding.fresh(records)
        if not records:
            return
        pairs = self._made(records)
        if pairs:
            self._renew(consumer)
            out.send(pairs)
        self._commit(consumer, following)
        self._failures = 0
        self._work.committed()

    def _made(self, records: list[Received]) -> list[tuple[Mark, Record]]:
        """What is to be sent; nothing of it is there yet."""
        asked = [record for record in records if not self._holding.complete(record.origin)]
        pairs: list[tuple[Mark, Record]] = []
        for record, events in zip(asked, self._work.outputs(asked) if asked else (), strict=True):
            made, refused = packed(events, self._counts)
            pairs += [pair for pair in marked(record.origin, made) if not self._holding.has(pair[0])]
            for error in refused:
                self._refused(error.reason)
        return pairs

    def _renew(self, consumer: Consumer) -> None:
        """See that the partitions are still ours: the broker takes a commit from nobody else."""
        if time.monotonic() - self._renewed_at > self._session_seconds * _RENEWED:
            self._commit(consumer, self._holding.following)

    def _note(self, consumer: Consumer) -> None:
        """Bring the times of quiet partitions up to date: the older, the more is looked through."""
        if time.monotonic() - self._noted_at > NOTE_SECONDS:
            self._commit(consumer, self._holding.following)

    def _commit(self, consumer: Consumer, following: Mapping[Partition, int]) -> None:
        if not following:
            return
        begun, now_ms = time.monotonic(), _now_ms()
        offsets = []
        for home, offset in following.items():
            note = self._holding.note(home, offset, now_ms, self._work.state(home))
            offsets.append(TopicPartition(*home, offset, note.text()))
        for each in consumer.commit(offsets=offsets, asynchronous=False) or ():
            if each.error is not None:
                raise KafkaException(each.error)
        self._renewed_at = begun
        if following.keys() == self._holding.following.keys():
            self._noted_at = begun
        self._holding.move(following)

    def _trouble(self, consumer: Consumer, message: Message, error: KafkaError) -> None:
        topic, part = str(message.topic()), message.partition()
        if error.code() == KafkaError._AUTO_OFFSET_RESET and part is not None:
            self._lost(consumer, (topic, part))
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaTrouble(f"no topic {topic}; it is waited for")
        raise KafkaTrouble(error.str())

    def _lost(self, consumer: Consumer, home: Partition) -> None:
        """The offset points at nothing: retention was faster than we, or the topic was made anew."""
        low, high = consumer.get_watermark_offsets(TopicPartition(*home), timeout=ANSWER_SECONDS)
        if (expected := self._holding.following.get(home)) is None:
            return  # of a partition that is gone
        said = consuming.gap(self._name, home, expected, low, high, skip=self._skip_lost)
        self._commit(consumer, {home: low})
        raise KafkaTrouble(said)

    def _wait(self, stop: threading.Event, error: Exception) -> None:
        delay = backoff(self._failures, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        self._failures += 1
        cause = type(error).__name__
        log.warning(
            "trying again", relay=self._name, cause=cause, error=_text(error), seconds=round(delay, 1)
        )
        self._retried(cause)
        stop.wait(delay)


def _now_ms() -> int:
    return round(time.time() * 1000)


def _counts(consumer: Consumer, topics: Sequence[str]) -> dict[str, int]:
    there = consumer.list_topics(timeout=ANSWER_SECONDS).topics
    for topic in topics:
        if topic not in there:
            raise KafkaTrouble(f"no topic {topic}; run: drift-aware topics create")
    return {topic: len(there[topic].partitions) for topic in topics}


def _text(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
