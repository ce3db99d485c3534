"""The background thread of a Publisher: takes what the application left, packs it, hands it to librdkafka.

Whose is what: the application's threads append to ``queue`` and read ``waiting``; everything else belongs to
this thread, librdkafka's callbacks included, because they run inside its ``poll``.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from drift_aware.producers import clients
from drift_aware.producers.clients import Compression
from drift_aware.producers.drafts import Completion, Draft
from drift_aware.producers.packing import Packer, Record
from drift_aware.producers.partitions import Partitions
from drift_aware.producers.tally import Reason, Tally, reason_of
from drift_aware.schema.errors import BadEvent, Unreachable
from drift_aware.schema.events import Event

_METADATA_SECONDS = 1.0
_STOPPING_SECONDS = 0.01
_ANY_PARTITION = -1


class Sender:
    """Sends until it is stopped.

    Args:
        connect: makes librdkafka producers; called late, in this thread, so that a fork comes before it.
        completion: makes events of drafts.
        tally: told what became of each event.
        source: who publishes, for the CloudEvents headers.
        linger_seconds: how long events wait for others to travel with.
    """

    def __init__(
        self,
        connect: Callable[[Compression], Producer],
        completion: Completion,
        tally: Tally,
        source: str,
        linger_seconds: float,
    ) -> None:
        self.queue: deque[Draft] = deque()
        self.waiting = 0
        self._connect = connect
        self._completion = completion
        self._tally = tally
        self._source = source.encode()
        self._linger_seconds = linger_seconds
        self._producers: dict[Compression, Producer] = {}
        self._partitions = Partitions(self._ask_partitions)
        self._loose = 0
        self._handed = 0
        self._stop_at: float | None = None
        self._wake = threading.Event()
        # Held while events change from the queue to the thread, so that nobody counts them on neither side.
        self._moving = threading.RLock()

    def queued(self) -> int:
        """Events neither delivered nor dropped."""
        with self._moving:
            return len(self.queue) + self.waiting

    def wake(self) -> None:
        """Do not linger."""
        self._wake.set()

    def stop(self, at: float) -> None:
        """End when all is sent, or at that time (``time.monotonic``)."""
        self._stop_at = at
        self._wake.set()

    def run(self) -> None:
        """The thread's life."""
        while not self._finished():
            self._wake.wait(self._linger_seconds if self._stop_at is None else _STOPPING_SECONDS)
            self._wake.clear()
            self._turn()
        self._abandon()

    def _finished(self) -> bool:
        if self._stop_at is None:
            return False
        return time.monotonic() >= self._stop_at or self.queued() == 0

    def _turn(self) -> None:
        try:
            self._send_queue()
            for producer in list(self._producers.values()):
                producer.poll(0)
            self._tally.report()
        except Exception as error:  # noqa: BLE001 - the thread goes on, whatever happens
            self._lose("internal", self._loose, repr(error))

    def _send_queue(self) -> None:
        packer = Packer(self._partitions.count)
        for event in self._moved():
            try:
                full = packer.add(event)
            except BadEvent as error:
                self._lose(reason_of(error), 1, str(error))
            else:
                if full:
                    self._send(full)
        for record in packer.rest():
            self._send(record)

    def _moved(self) -> Iterator[Event]:
        """What the application left, as valid events."""
        with self._moving:
            drafts = [self.queue.popleft() for _ in range(len(self.queue))]
            self._loose += len(drafts)
            self._recount()
        for draft in drafts:
            try:
                event, changes = self._completion.complete(draft)
            except BadEvent as error:
                self._lose(reason_of(error), 1, str(error))
            else:
                self._tally.change(changes)
                yield event

    def _send(self, record: Record) -> None:
        compression = clients.compression(record)
        try:
            producer = self._producer(compression)
        except Exception as error:  # noqa: BLE001 - KafkaException, and TypeError of odd settings
            self._lose("bad_client", record.events, str(error))
            return
        try:
            self._produce(producer, record)
        except BufferError:
            self._lose("queue_full", record.events)
        except KafkaException as error:
            self._lose(clients.reason(error.args[0]), record.events, error.args[0].str())
            if error.args[0].fatal():
                self._give_up(compression)
        else:
            self._loose -= record.events
            self._handed += record.events

    def _produce(self, producer: Producer, record: Record) -> None:
        producer.produce(
            record.topic,
            record.value,
            key=record.key,
            partition=_ANY_PARTITION if record.partition is None else record.partition,
            headers=clients.headers(record, self._source),
            on_delivery=partial(self._settle, record.events),
        )

    def _settle(self, events: int, error: KafkaError | None, message: Message) -> None:
        self._handed -= events
        self._recount()
        if error is None:
            self._tally.delivered += events
            return
        self._tally.drop(clients.reason(error), events, error.str())
        if error.code() == KafkaError._UNKNOWN_PARTITION:
            self._partitions.forget(message.topic() or "")

    def _lose(self, reason: Reason, events: int, why: str = "") -> None:
        self._loose -= events
        self._recount()
        self._tally.drop(reason, events, why)

    def _recount(self) -> None:
        self.waiting = self._loose + self._handed

    def _producer(self, compression: Compression) -> Producer:
        if compression not in self._producers:
            self._producers[compression] = self._connect(compression)
        return self._producers[compression]

    def _ask_partitions(self, topic: str) -> int | None:
        """Also makes a broker create the topic, if it is one that does."""
        try:
            producer = self._producer(next(iter(self._producers), "zstd"))
            found = producer.list_topics(topic, timeout=_METADATA_SECONDS).topics[topic]
        except Exception as error:  # noqa: BLE001 - KafkaException, and TypeError of odd settings
            raise Unreachable(str(error)) from None
        return len(found.partitions) if found.error is None else None

    def _give_up(self, compression: Compression) -> None:
        """After a fatal error librdkafka takes nothing more; the next record gets a new producer."""
        producer = self._producers.pop(compression)
        producer.purge()
        producer.poll(0)

    def _abandon(self) -> None:
        for compression in list(self._producers):
            self._give_up(compression)
        with self._moving:
            left = self.queued()
            self.queue.clear()
            self._loose = self._handed = 0
            self._recount()
        if left:
            self._tally.drop("unsent", left)
        self._tally.report(even_now=True)
