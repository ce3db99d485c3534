"""What is remembered from round to round: the compacted topic ``drift.canaries.v1``.

All records are on one partition. Whoever has it in the consumer group asks; a second process waits until the
first is gone. What is remembered is read again before every round and before every write, so that what
somebody else has written, by ``canary accept`` for instance, holds.
"""

import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from drift_aware.schema import reach
from drift_aware.schema.alerts import Alert
from drift_aware.schema.canaries import Canary
from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import Embedding, Evaluation
from drift_aware.schema.producing import EXACT
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ALERTS, CANARIES, EMBEDDINGS, EVALUATIONS, LARGEST_BYTES

GROUP = "drift-aware-canary"
# Its one partition, which exists however many there are.
_PARTITION = 0
# Of one key: canaries are few, and a source partition that gets one waits for a moment longer for its like.
_KEY = "canary"
_SECONDS = 10.0
_LEADER_SECONDS = 0.2
_REFUSALS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
# A round of patient requests may take long, and the group is told of nothing meanwhile.
_LONGEST_ROUND_MS = 3_600_000

log = structlog.get_logger(__name__)
_canary = msgspec.json.Decoder(Canary).decode


class Book:
    """The topic, for as long as the ``with`` block runs.

    Args:
        settings: where Kafka is.
        alone: whether to ask for the right to go round, which one process has at a time.

    Attributes:
        mine: whether this process has it.
    """

    def __init__(self, settings: Settings, *, alone: bool = True) -> None:
        self._settings, self._alone = settings, alone
        self.mine = not alone
        self._known: dict[str, Canary] = {}
        self._read = 0
        self._failed = False
        self._complaints = reach.Complaints()
        self._consumer = Consumer(
            settings.kafka.client()
            | {
                "group.id": GROUP,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": settings.kafka.session_timeout_seconds * 1000,
                "max.poll.interval.ms": _LONGEST_ROUND_MS,
                "fetch.wait.max.ms": 50,
                "client.id": GROUP,
                "log_level": 2,
                "error_cb": self._complaints,
            }
        )
        self._producer = Producer(
            settings.kafka.client()
            | EXACT
            | {
                "client.id": GROUP,
                "message.timeout.ms": int(_SECONDS * 1000),
                "message.max.bytes": LARGEST_BYTES,
                "log_level": 2,
            }
        )

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
        self._producer.purge()
        self._producer.flush(1)

    def wait(self, seconds: float) -> None:
        """Let time pass, and hear whether it is this process's turn."""
        self._take(self._consumer.poll(seconds))

    def latest(self) -> dict[str, Canary]:
        """All that is remembered now, by id.

        Raises:
            Unreachable: Kafka does not answer, or it is another process's turn.
        """
        self.wait(0)
        self._must_be_mine()
        first, end = self._edges()
        self._read = max(self._read, first)
        while self._read < end:
            message = self._consumer.poll(_SECONDS)
            self._must_be_mine()
            if message is None:
                raise Unreachable(f"{CANARIES.name} cannot be read to its end; is the broker well?")
            self._take(message)
        return dict(self._known)

    def publish(self, events: Sequence[Embedding | Evaluation]) -> None:
        """Events of a round; each kind in records of its own.

        Raises:
            Unreachable: Kafka has not confirmed them.
        """
        evaluations = [event for event in events if isinstance(event, Evaluation)]
        if evaluations:
            self._send(EVALUATIONS.name, _KEY, encode_rows(evaluations))
        for event in events:
            if isinstance(event, Embedding):
                self._send(EMBEDDINGS.name, _KEY, encode_rows([event]))
        self._flush()

    def write(self, canaries: Iterable[Canary]) -> None:
        """Remember them; raises as ``publish``, and if it is not this process's turn."""
        self._must_be_mine()
        for canary in canaries:
            self._send(CANARIES.name, canary.id, msgspec.json.encode(canary), _PARTITION)
        self._flush()

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Publish alerts; the same revision twice does no harm. Raises as ``publish``."""
        for alert in alerts:
            self._send(ALERTS.name, alert.segment, msgspec.json.encode(alert))
        self._flush()

    def _begin(self) -> None:
        answer = reach.metadata(
            self._consumer, self._complaints, self._settings.kafka, _SECONDS, CANARIES.name
        )
        if answer.topics[CANARIES.name].error is not None:
            raise Unreachable(f"no topic {CANARIES.name}; run: drift-aware topics create")
        if self._alone:
            self._consumer.subscribe(
                [CANARIES.name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )
        else:
            self._consumer.assign([TopicPartition(CANARIES.name, _PARTITION, OFFSET_BEGINNING)])

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """From the beginning: what another process has read is not remembered here."""
        self._known, self._read = {}, 0
        for each in partitions:
            each.offset = OFFSET_BEGINNING
        consumer.assign(partitions)
        self.mine = any(each.partition == _PARTITION for each in partitions)

    def _revoked(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self.mine = False
        consumer.unassign()

    def _must_be_mine(self) -> None:
        if not self.mine:
            raise Unreachable("another canary has taken over; this one waits")

    def _edges(self) -> tuple[int, int]:
        """First and next offset; a partition that was just created has no leader for a moment."""
        at = TopicPartition(CANARIES.name, _PARTITION)
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                return self._consumer.get_watermark_offsets(at, timeout=_SECONDS)
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise Unreachable(
                        f"{CANARIES.name} cannot be read: {error.args[0].str()}; is the broker well?"
                    ) from None
                self.wait(_LEADER_SECONDS)

    def _take(self, message: Message | None) -> None:
        if message is None or self._is_trouble(message) or message.partition() != _PARTITION:
            return
        self._read = (message.offset() or 0) + 1
        if (value := message.value()) is None:
            self._known.pop((message.key() or b"").decode(), None)
            return
        try:
            canary = _canary(value)
        except msgspec.DecodeError as error:
            log.warning("a record of the canary cannot be read", offset=message.offset(), error=str(error))
        else:
            self._known[canary.id] = canary

    def _is_trouble(self, message: Message) -> bool:
        error = message.error()
        if error is not None and (error.fatal() or error.code() in _REFUSALS):
            raise Unreachable(
                f"{CANARIES.name} cannot be read: {error.str()}; see the rights of the role canary"
            )
        return error is not None

    def _send(self, topic: str, key: str, value: bytes, partition: int | None = None) -> None:
        where: dict[str, Any] = {} if partition is None else {"partition": partition}
        self._producer.produce(
            topic, key=key, value=value, headers={"content-type": ROWS}, on_delivery=self._delivered, **where
        )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            log.warning("not published", topic=message.topic(), error=error.str())
            self._failed = True

    def _flush(self) -> None:
        self._failed = False
        if self._producer.flush(_SECONDS + 1) or self._failed:
            raise Unreachable("Kafka has not confirmed a round of the canary; it is asked again")
