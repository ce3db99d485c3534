"""What comes by HTTP, on its way to Kafka: answered for only when Kafka has it."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable

from confluent_kafka import KafkaException

from drift_aware.producers.otlp.intake import Intake, Signal, Taken, show
from drift_aware.producers.otlp.spans import Log, Span
from drift_aware.producers.outlet import Outlet
from drift_aware.producers.relayed import packed
from drift_aware.schema import topics
from drift_aware.schema.errors import KafkaTrouble, Unreachable
from drift_aware.schema.events import KINDS, Event
from drift_aware.schema.kafka import Kafka
from drift_aware.schema.metrics import IngestMetrics
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES

# Senders give up after ten seconds as a rule, and what they give up they send again.
SEND_SECONDS = 5.0
_ASK_SECONDS = 3.0


class Recent:
    """The last so many spans and log records that are published."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._order: deque[bytes] = deque()
        self._known: set[bytes] = set()

    def __contains__(self, source: Span | Log) -> bool:
        return _key(source) in self._known

    def add(self, source: Span | Log) -> None:
        """Remember one; the oldest is forgotten if there are too many."""
        key = _key(source)
        if key not in self._known:
            self._known.add(key)
            self._order.append(key)
        if len(self._order) > self._most:
            self._known.discard(self._order.popleft())


def _key(source: Span | Log) -> bytes:
    """A span has an id of its own; a log record is the same if all of it is."""
    named = isinstance(source, Span) and source.trace_id and source.span_id
    text = f"{source.trace_id}:{source.span_id}" if named else repr(source)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


class Receiver:
    """Publishes requests, one at a time; may be called from several threads.

    A request that is repeated, as senders do when an answer does not come, is left out as far as it is
    published. When Kafka fails in the middle of a request, what it had taken is published once more with the
    repetition: by HTTP nothing is lost, but only from a topic each record counts exactly once.

    Args:
        settings: where Kafka is, and what counts.
        intake: reads requests.
        metrics: shown what was published.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        intake: Intake,
        metrics: IngestMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._kafka: Kafka = settings.kafka
        self._intake = intake
        self._metrics = metrics
        self._clock = clock
        self._recent = Recent(settings.otlp.repeated_within)
        self._outlet: Outlet | None = None
        self._counts: dict[str, int] = {}
        self._one = threading.Lock()
        self.healthy = True

    def take(self, signal: Signal, value: bytes) -> Taken:
        """Publish the events of a request, and return when Kafka has them.

        Raises:
            BadEvent: ``not_otlp``; there is nothing in it.
            Unreachable: Kafka does not take them; the request may be repeated.
        """
        taken = self._intake.take(signal, value, self._clock() * 1000)
        with self._one:
            self._leave_out_repeated(taken)
            try:
                self._publish([event for _, events in taken.events for event in events], taken)
            except (Unreachable, KafkaException) as error:
                self._give_up()
                self._metrics.retries.labels(type(error).__name__).inc()
                raise KafkaTrouble(str(error)) from None
            self.healthy = True
            for source, _ in taken.events:
                self._recent.add(source)
        show(self._metrics, taken.counts)
        return taken

    def close(self) -> None:
        """Let go of Kafka."""
        with self._one:
            self._give_up()

    def _leave_out_repeated(self, taken: Taken) -> None:
        fresh = []
        within: set[bytes] = set()
        for source, events in taken.events:
            if source in self._recent or (key := _key(source)) in within:
                taken.counts["repeated", ""] += len(events)
                for event in events:
                    taken.counts["events", KINDS[type(event)]] -= 1
            else:
                within.add(key)
                fresh.append((source, events))
        taken.events = fresh

    def _publish(self, events: list[Event], taken: Taken) -> None:
        if not events:
            return
        if self._outlet is None:
            self._counts = _counts(self._settings)
            self._outlet = Outlet(self._kafka, "otlp-http", SEND_SECONDS)
        records, refused = packed(events, self._counts)
        for error in refused:
            taken.counts["refused", error.reason] += 1
            taken.refused = str(error)
        self._outlet.send([(None, record) for record in records])

    def _give_up(self) -> None:
        """What is not confirmed is dropped; the next request finds out anew how things are."""
        self.healthy = False
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.close()


def _counts(settings: Settings) -> dict[str, int]:
    there = topics.existing(settings, _ASK_SECONDS)
    names = [topic.name for topic in SOURCES.values()]
    for name in names:
        if name not in there:
            raise KafkaTrouble(f"no topic {name}; run: drift-aware topics create")
    return {name: there[name] for name in names}
