"""Reads Kafka into Postgres so that every record counts exactly once, whatever dies in between.

The position lives in Postgres and moves in the transaction that writes the rows (positions.py). What Kafka
knows as the committed offset only shows lag. A process that lost a partition without noticing is fenced: its
transaction finds the position moved, and is rolled back.

A session is one database connection and one membership in the consumer group. Anything that goes wrong ends
the session, and with it whatever was half done; the next one begins at the positions in the table. So there
is one way to recover, and every start exercises it.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import psycopg
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from drift_aware.schema import consuming, reach
from drift_aware.schema.backoff import backoff
from drift_aware.schema.consuming import Partition
from drift_aware.schema.envelope import content_type
from drift_aware.schema.errors import KafkaTrouble, Unreachable
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import Topic
from drift_aware.sql import migrate, positions, store
from drift_aware.sql.errors import DatabaseRefused
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record, Work

# A record may hold 50 events, so this is up to 5,000 rows in one transaction.
MAX_BATCH_RECORDS = 100
POLL_SECONDS = 0.2
WATERMARK_TIMEOUT_SECONDS = 10.0
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0

log = structlog.get_logger(__name__)


class ExactlyOnceConsumer:
    """Feeds the records of some topics to a piece of work, each exactly once.

    Args:
        settings: where Kafka and Postgres are.
        name: of the positions, and of the consumer group after ``drift-aware-``.
        topics: what to read.
        work: what to do with it.
        skip_lost: go on at the oldest record there is when Kafka has deleted records not read yet.
        retried: called with the kind of trouble whenever a session ends in one.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        topics: Sequence[Topic],
        work: Work,
        *,
        skip_lost: bool = False,
        retried: Callable[[str], None] | None = None,
    ) -> None:
        self._url = settings.require_database_url()
        self._kafka = settings.kafka
        self._config = _config(settings, name)
        self._name = name
        self._topics = [topic.name for topic in topics]
        self._work = work
        self._skip_lost = skip_lost
        self._retried = retried
        self._next: dict[Partition, int] = {}
        self._failures = 0

    def knock(self) -> None:
        """See that Kafka accepts us, before anything is begun; no answer is waited out later.

        Raises:
            Refused: it does not. Once work has begun that is waited out too.
        """
        reach.knock(self._kafka)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; finishes the batch in hand first.

        Kafka or Postgres not answering is waited out.

        Raises:
            RecordsLost: Kafka deleted records before they were read.
            MigrationError: the schema is not the one this release needs.
            DatabaseRefused: Postgres refuses a statement, for want of a right for instance.
            SettingsError: an address is missing or cannot be read.
        """
        while not stop.is_set():
            try:
                self._session(stop)
            except _PASSING as error:
                self._wait(stop, error)
            except psycopg.Error as error:
                raise DatabaseRefused(f"Postgres refuses what {self._name} asks: {_text(error)}") from error

    def _session(self, stop: threading.Event) -> None:
        with store.connect(self._url, self._name) as connection:
            migrate.require_current(connection)
            with self._membership(connection) as consumer:
                while not stop.is_set():
                    self._work.prepare(connection)
                    messages = consumer.consume(MAX_BATCH_RECORDS, POLL_SECONDS)
                    if messages:
                        self._apply(connection, consumer, messages)

    @contextmanager
    def _membership(self, connection: Connection) -> Iterator[Consumer]:
        consumer = Consumer(self._config, logger=_librdkafka_log())
        try:
            consumer.subscribe(
                self._topics,
                on_assign=partial(self._assigned, connection),
                on_revoke=self._revoked,
            )
            yield consumer
        finally:
            consumer.close()
            self._next.clear()

    def _assigned(self, connection: Connection, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        known = positions.next_offsets(connection, self._name)
        for partition in partitions:
            key = (partition.topic, partition.partition)
            if key not in known:
                low, _ = consumer.get_watermark_offsets(partition, timeout=WATERMARK_TIMEOUT_SECONDS)
                known[key] = positions.begin(connection, self._name, key, low)
            self._next[key] = partition.offset = known[key]
        consumer.assign(partitions)
        log.info("partitions assigned", partitions=len(partitions))

    def _revoked(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._next.clear()
        consumer.unassign()

    def _apply(self, connection: Connection, consumer: Consumer, messages: list[Message]) -> None:
        records = []
        for message in messages:
            if (error := message.error()) is not None:
                self._trouble(connection, consumer, message, error)
            records.append(_record(message))
        records, following = consuming.fresh(records, self._next, _place)
        if not records:
            return
        with connection.transaction():
            positions.advance(
                connection, self._name, {key: (self._next[key], offset) for key, offset in following.items()}
            )
            self._work.handle(connection, records)
        self._next.update(following)
        self._failures = 0
        self._work.committed()
        # For lag tools only; librdkafka commits it to Kafka every second. The partition may be gone by now.
        with suppress(KafkaException):
            consumer.store_offsets(
                offsets=[TopicPartition(topic, part, offset) for (topic, part), offset in following.items()]
            )

    def _trouble(
        self, connection: Connection, consumer: Consumer, message: Message, error: KafkaError
    ) -> None:
        topic, part = str(message.topic()), message.partition()
        if error.code() == KafkaError._AUTO_OFFSET_RESET and part is not None:
            self._lost(connection, consumer, (topic, part))
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaTrouble(f"no topic {topic}; run: drift-aware topics create")
        raise KafkaTrouble(error.str())

    def _lost(self, connection: Connection, consumer: Consumer, key: Partition) -> None:
        """The position points at nothing: retention was faster than we, or the topic was made anew."""
        topic, part = key
        low, high = consumer.get_watermark_offsets(
            TopicPartition(topic, part), timeout=WATERMARK_TIMEOUT_SECONDS
        )
        expected = self._next[key]
        said = consuming.gap(self._name, key, expected, low, high, skip=self._skip_lost)
        with connection.transaction():
            positions.advance(connection, self._name, {key: (expected, low)})
        raise KafkaTrouble(said)

    def _wait(self, stop: threading.Event, error: Exception) -> None:
        delay = backoff(self._failures, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        self._failures += 1
        cause = type(error).__name__
        log.warning(
            "trying again", consumer=self._name, cause=cause, error=_text(error), seconds=round(delay, 1)
        )
        if self._retried is not None:
            self._retried(cause)
        stop.wait(delay)


# A failover leaves a read-only server for a while, which Postgres files under internal errors.
_PASSING = (
    Unreachable,
    KafkaException,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
)


def _config(settings: Settings, name: str) -> dict[str, object]:
    return consuming.member(settings.kafka, name) | {
        "enable.auto.offset.store": False,
        "auto.commit.interval.ms": 1000,
    }


def _librdkafka_log() -> logging.Logger:
    return logging.getLogger("librdkafka")


def _record(message: Message) -> Record:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return Record(topic, partition, offset, message.value(), content_type(message.headers()))  # type: ignore[arg-type]


def _place(record: Record) -> tuple[Partition, int]:
    return (record.topic, record.partition), record.offset


def _text(error: Exception) -> str:
    """One line; psycopg adds the context of the server on further ones."""
    lines = str(error).splitlines()
    line = lines[0] if lines else type(error).__name__
    if isinstance(error, psycopg.errors.DiskFull):
        return f"the disk of the database is full, make room or set `retention` to keep less: {line}"
    return line
