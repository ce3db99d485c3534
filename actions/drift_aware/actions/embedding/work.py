"""``embed``: the embeddings of interactions that came without, each exactly once."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from threading import Event as Flag

from confluent_kafka import murmur2

from drift_aware.actions.embedding.budget import Budget
from drift_aware.actions.embedding.choosing import Reason, Text, embedding, texts
from drift_aware.actions.embedding.own import BEFORE_MS, OwnEmbeddings
from drift_aware.actions.embedding.vectors import Stopping, Vector, Vectors
from drift_aware.producers.packing import key
from drift_aware.producers.relayed import State
from drift_aware.producers.work import Received, Work
from drift_aware.schema.consuming import Partition
from drift_aware.schema.embed_settings import Embed
from drift_aware.schema.envelope import decode
from drift_aware.schema.events import Event, Interaction
from drift_aware.schema.metrics import EmbedMetrics
from drift_aware.schema.topics import INTERACTIONS

NAME = "embed"
TOPICS = (INTERACTIONS.name,)
# Up to 1,000 texts: at a tenth of a second each that is well within what Kafka waits for a member.
BATCH_RECORDS = 20
# Records of one partition that are read together were written within so much time of each other.
_SPAN_MS = 3_600_000


class EmbeddingWork(Work):
    """Embeds what the settings choose and the application has not embedded itself.

    What a record gives follows from the record and the topics alone, but for two cases: the budget ends, or
    the provider changes its mind about a text, between a try that died half sent and the next one.

    Args:
        settings: which texts.
        vectors: makes their vectors.
        budget: what they cost is kept with the offsets.
        own: what the application publishes itself; None if it publishes none.
        stop: ends waiting.
        metrics: told what became of the texts, once that is committed.
        now_ms: the time.

    Attributes:
        embedded: by kind of text, since the beginning.
        skipped: by reason, since the beginning.
    """

    def __init__(
        self,
        settings: Embed,
        vectors: Vectors,
        budget: Budget,
        own: OwnEmbeddings | None,
        stop: Flag,
        metrics: EmbedMetrics,
        now_ms: Callable[[], float] = lambda: time.time() * 1000,
    ) -> None:
        self._settings = settings
        self._vectors = vectors
        self._budget = budget
        self._own = own
        self._stop = stop
        self._metrics = metrics
        self._now_ms = now_ms
        self._wait_ms = round(settings.wait_seconds * 1000)
        self.embedded: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        # Of the batch in hand.
        self._embedded: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()

    def assigned(self, states: Mapping[Partition, State]) -> None:
        """See Work."""
        self._budget.assigned(states)
        if self._own is not None:
            self._own.forget()

    def outputs(self, records: Sequence[Received]) -> list[list[Event]]:
        """See Work."""
        self._embedded.clear()
        self._skipped.clear()
        chosen = [self._chosen(record) for record in records]
        if self._own is not None and any(chosen):
            chosen = self._without_own(self._own, records, chosen)
        pairs = [
            (each.text, record.origin.home)
            for record, some in zip(records, chosen, strict=True)
            for each in some
        ]
        vectors = self._vectors.of(pairs)
        return [self._events(some, vectors) for some in chosen]

    def state(self, home: Partition) -> State:
        """See Work."""
        return self._budget.state(home)

    def committed(self) -> None:
        """See Work."""
        for kind, count in self._embedded.items():
            self._metrics.embedded.labels(kind).inc(count)
        for reason, count in self._skipped.items():
            self._metrics.skipped.labels(reason).inc(count)
        self.embedded += self._embedded
        self.skipped += self._skipped
        self._embedded.clear()
        self._skipped.clear()

    def _chosen(self, record: Received) -> list[Text]:
        decoded = decode("interaction", record.value, record.content_type)
        self._skip("unreadable", len(decoded.dead))
        found: list[Text] = []
        for event in decoded.events:
            assert isinstance(event, Interaction)
            for each in texts(event, self._settings):
                if isinstance(each, Text):
                    found.append(each)
                else:
                    self._skip(each)
        return found

    def _without_own(
        self, own: OwnEmbeddings, records: Sequence[Received], chosen: list[list[Text]]
    ) -> list[list[Text]]:
        """What is left without the texts whose embeddings the application has published by their time."""
        times = [record.timestamp_ms for record in records]
        self._wait(max(times))
        count = own.partitions()
        placed = [[(each, murmur2(key(each.interaction), count)) for each in some] for some in chosen]
        spans: dict[int, tuple[int, int]] = {}
        for at_ms, some in zip(times, placed, strict=True):
            for _, place in some:
                first, last = spans.get(place, (at_ms, at_ms))
                spans[place] = min(first, at_ms), max(last, at_ms)
        own.read({place: self._span(*times) for place, times in spans.items()})
        return [self._left(own, at_ms, some) for at_ms, some in zip(times, placed, strict=True)]

    def _wait(self, latest_ms: int) -> None:
        """Until the application has had its time; a clock that is ahead costs one wait, not a standstill."""
        seconds = min((latest_ms + self._wait_ms - self._now_ms()) / 1000, self._settings.wait_seconds)
        if seconds > 0 and self._stop.wait(seconds):
            raise Stopping("told to stop while the application's embeddings were waited for; nothing is lost")

    def _span(self, first_ms: int, last_ms: int) -> tuple[int, int]:
        """When embeddings of these interactions may have been written; one odd clock does not count."""
        return max(first_ms, last_ms - _SPAN_MS) - BEFORE_MS, last_ms + self._wait_ms

    def _left(self, own: OwnEmbeddings, at_ms: int, some: list[tuple[Text, int]]) -> list[Text]:
        span = self._span(at_ms, at_ms)
        left = [each for each, place in some if not own.has(place, each.name, *span)]
        self._skip("has_one", len(some) - len(left))
        return left

    def _events(self, some: Sequence[Text], vectors: Mapping[str, Vector]) -> list[Event]:
        events: list[Event] = []
        for each in some:
            vector = vectors[each.text]
            if vector.numbers is None:
                self._skipped[vector.missing] += 1
            else:
                events.append(embedding(each, self._settings.embedding.model, vector.numbers))
                self._embedded[each.kind] += 1
        return events

    def _skip(self, reason: Reason, count: int = 1) -> None:
        if count:
            self._skipped[reason] += count
