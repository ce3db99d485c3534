"""Fits baselines in a process of its own: the first events of every family of every segment.

Reads the source topics with a plain consumer. A finished baseline goes to DETECT, on ``drift.summaries.v1``,
and to the catalogue ``drift.baselines.v1``; what stands in the catalogue is not fitted again. The committed
offset is that of the oldest record an unfinished collection needs, so a restart collects the same events.
"""

import time
from collections import abc, defaultdict
from collections.abc import Callable, Iterator
from threading import Event as Flag

import msgspec
import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import Embedding, Event, Kind
from drift_aware.schema.segments import ALL, OTHER, segment
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import BASELINES, SOURCES, SUMMARIES, WORKER_APP, require
from drift_aware.streams.baseline import Collection, Part, Policy, wanted
from drift_aware.streams.conversations import Conversations
from drift_aware.streams.intake import Intake, Label, Measured, time_of
from drift_aware.streams.labels import label
from drift_aware.streams.panes import END_OF_TIME, NEVER, Clock
from drift_aware.streams.reader import ANSWER_SECONDS, read_all, record_of
from drift_aware.streams.stage import Input
from drift_aware.streams.summarise import Counted
from drift_aware.streams.summary import Summary, family, kind_of, summarise_events
from drift_aware.streams.wire import Fitted, encode, partition_of

_log = structlog.get_logger(__name__)

GROUP = f"{WORKER_APP}-baseliner"
POLL_SECONDS = 0.2
COMMIT_SECONDS = 5.0
SEND_SECONDS = 30.0
_MOST_RECORDS = 100

_KINDS: dict[str, Kind] = {topic.name: kind for kind, topic in SOURCES.items()}
_json = msgspec.json.Encoder().encode
_baseline = msgspec.json.Decoder(Baseline).decode


class Collector:
    """Which baselines there are, and which are being collected. Pure.

    Args:
        settings: how many events make a baseline.
        label: as in the worker: a baseline counts what panes count.
        known: the baselines fitted so far.
        span: event time from and to, milliseconds: of all families everything in it. Without, of embeddings
            the first; the first of other families DETECT learns by itself.
    """

    def __init__(
        self, settings: Settings, label: Label, known: list[Baseline], span: tuple[int, int] | None = None
    ) -> None:
        self._settings = settings
        self._intake = Intake(settings, label)
        self._span = span
        self._done = {(baseline.segment, baseline.family) for baseline in known}
        self._collections: dict[tuple[str, str], Collection] = {}
        self._watermarks: dict[tuple[str, int], int] = {}
        self._conversations: dict[tuple[str, int], Conversations] = {}
        self._clock = Clock(settings.pane_seconds * 1000, settings.allowed_lateness_seconds * 1000)

    def take(self, record: Input) -> None:
        """Keep what a record of a source topic adds to baselines that are not there yet."""
        measured, _ = self._intake.read(_KINDS[record.topic], record)
        newest = [time_of(event) for event, _ in measured]
        source = record.topic, record.partition
        self._watermarks[source] = max([self._watermarks.get(source, NEVER), *newest])
        for (segment_name, pane, name), members in self._grouped(source, measured).items():
            self._collection(segment_name, name).add(pane, _part(members), record)

    def settle(self, behind: abc.Collection[tuple[str, int]], now_ms: int) -> list[Baseline]:
        """The baselines that have come together.

        Args:
            behind: topic and partition of the sources with unread records; all others are read to the end.
            now_ms: the wall clock, for the baselines' records.
        """
        fitted = []
        for topic, kind in _KINDS.items():
            complete = self._complete(topic, behind)
            for key, collection in list(self._collections.items()):
                if kind_of(collection.family) == kind and collection.settle(complete, self._clock):
                    self._done.add(key)
                    del self._collections[key]
                    fitted.append(collection.fit(now_ms))
        return [baseline for baseline in fitted if baseline is not None]

    def conclude(self, policy: Policy, now_ms: int) -> list[Baseline]:
        """The baselines of everything taken, however little it is."""
        fitted = []
        for _, collection in sorted(self._collections.items()):
            collection.settle(END_OF_TIME, self._clock)
            fitted.append(collection.fit(now_ms, policy))
        self._collections.clear()
        return [baseline for baseline in fitted if baseline is not None]

    def needed_from(self, topic: str, partition: int, position: int) -> int:
        """The oldest offset of a partition that an unfinished collection has, at most ``position``."""
        firsts = [
            collection.offsets[topic][str(partition)][0]
            for collection in self._collections.values()
            if str(partition) in collection.offsets.get(topic, {})
        ]
        return min([position, *firsts])

    def _complete(self, topic: str, behind: abc.Collection[tuple[str, int]]) -> int:
        """The event time up to which all of a topic is read, less what may still come late."""
        marks = {source: mark for source, mark in self._watermarks.items() if source[0] == topic}
        held_back = [marks.get(source, NEVER) for source in behind if source[0] == topic]
        return min([max(marks.values(), default=NEVER), *held_back])

    def _grouped(
        self, source: tuple[str, int], measured: list[Measured]
    ) -> dict[tuple[str, int, str], list[Counted]]:
        groups: dict[tuple[str, int, str], list[Counted]] = defaultdict(list)
        for event, vector in measured:
            own = segment(event, self._settings.segments) or ALL
            ts, name = time_of(event), family(event)
            opens = self._opens(source, event, name, ts)
            if not self._asked(name, ts):
                continue
            for segment_name in {ALL, self._capped(own)}:
                if (segment_name, name) not in self._done:
                    groups[segment_name, self._clock.pane(ts), name].append((event, vector, opens))
        return groups

    def _asked(self, name: str, ts: int) -> bool:
        if self._span is None:
            return kind_of(name) == "embedding"
        return self._span[0] <= ts < self._span[1]

    def _opens(self, source: tuple[str, int], event: Event, name: str, ts: int) -> bool:
        session = getattr(event, "session_id", None)
        if session is None or self._settings.unit == "event":
            return True
        idle_ms = self._settings.conversation_idle_minutes * 60_000
        conversations = self._conversations.setdefault(source, Conversations(idle_ms))
        conversations.forget(self._watermarks[source])
        return conversations.opens(f"{name}|{session}", ts, self._clock.pane(ts))

    def _capped(self, name: str) -> str:
        names = {known for known, _ in self._done} | {known for known, _ in self._collections}
        return name if name in names or len(names) < self._settings.max_segments else OTHER

    def _collection(self, segment_name: str, name: str) -> Collection:
        key = segment_name, name
        if key not in self._collections:
            needed = wanted(name, self._settings.baseline) if self._span is None else None
            self._collections[key] = Collection(segment_name, name, needed)
        return self._collections[key]


def _part(members: list[Counted]) -> Part:
    """Events of one family of one segment and pane, for a collection."""
    repeated = [member for member in members if not member[2]]
    sums, again = (
        summarise_events([event for event, _, _ in chosen], [row for _, row, _ in chosen])
        if chosen
        else Summary()
        for chosen in (members, repeated)
    )
    vectors = [
        (time_of(event), event.id, row, opens)
        for event, row, opens in members
        if isinstance(event, Embedding) and row is not None
    ]
    return Part(sums, again, vectors)


def catalogue(settings: Settings) -> list[Baseline]:
    """The baselines in force, one for each family of each segment.

    Raises:
        Unreachable: the broker does not answer.
    """
    latest = read_all(settings, BASELINES.name)
    return [_baseline(value) for value in latest.values() if value is not None]


def watch(settings: Settings, stop: Flag, fitted: Callable[[Baseline], None]) -> None:
    """Fit baselines until told to stop.

    Args:
        settings: everything.
        stop: set to end.
        fitted: told of every new baseline, once it is published.

    Raises:
        Unreachable: no Kafka, or a baseline could not be published; start again.
        SettingsError: no address, or another number of partitions.
    """
    require(settings)
    collector = Collector(settings, label, catalogue(settings))
    producer = Producer(
        settings.kafka.client() | {"partitioner": "murmur2_random", "enable.idempotence": True}
    )
    consumer = Consumer(
        settings.kafka.client()
        | {
            "group.id": GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
        }
    )
    committed = time.monotonic()
    try:
        consumer.assign(_where_left_off(consumer, settings))
        while not stop.is_set():
            for record in _records(consumer.consume(_MOST_RECORDS, POLL_SECONDS)):
                collector.take(record)
            for baseline in collector.settle(_behind(consumer), round(time.time() * 1000)):
                _publish(producer, settings, baseline)
                fitted(baseline)
            if time.monotonic() - committed > COMMIT_SECONDS:
                _commit(consumer, collector)
                committed = time.monotonic()
        _commit(consumer, collector)
    except KafkaException as error:
        raise Unreachable(f"Kafka at {settings.kafka.bootstrap_servers}: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _where_left_off(consumer: Consumer, settings: Settings) -> list[TopicPartition]:
    """Every source partition; one baseliner reads them all, so that a segment is seen whole."""
    asked = [TopicPartition(topic, each) for topic in _KINDS for each in range(settings.kafka.partitions)]
    return [
        TopicPartition(at.topic, at.partition, at.offset if at.offset >= 0 else OFFSET_BEGINNING)
        for at in consumer.committed(asked, timeout=ANSWER_SECONDS)
    ]


def _behind(consumer: Consumer) -> set[tuple[str, int]]:
    """Sources with records that are not read yet, as far as the last fetch told."""
    behind = set()
    for at in consumer.position(consumer.assignment()):
        low, high = consumer.get_watermark_offsets(at, cached=True)
        if high < 0 or max(at.offset, low) < high:
            behind.add((at.topic, at.partition))
    return behind


def _records(messages: list[Message]) -> Iterator[Input]:
    for message in messages:
        error = message.error()
        if error is None:
            yield record_of(message)
        else:
            _log.warning("the broker reports", error=error.str())


def _publish(producer: Producer, settings: Settings, baseline: Baseline) -> None:
    """To DETECT first: in the catalogue it counts as done."""
    to = partition_of(baseline.segment, settings.kafka.partitions)
    producer.produce(SUMMARIES.name, encode(Fitted(baseline)), baseline.segment.encode(), partition=to)
    _delivered(producer, baseline)
    key = f"{baseline.segment}|{baseline.family}".encode()
    producer.produce(BASELINES.name, _json(baseline), key)
    _delivered(producer, baseline)


def _delivered(producer: Producer, baseline: Baseline) -> None:
    if producer.flush(SEND_SECONDS):
        raise Unreachable(f"the baseline of {baseline.segment} could not be published; is Kafka up?")


def _commit(consumer: Consumer, collector: Collector) -> None:
    positions = [at for at in consumer.position(consumer.assignment()) if at.offset >= 0]
    if not positions:
        return
    needed = [
        TopicPartition(at.topic, at.partition, collector.needed_from(at.topic, at.partition, at.offset))
        for at in positions
    ]
    try:
        consumer.commit(offsets=needed, asynchronous=False)
    except KafkaException as error:
        _log.warning("positions not committed; after a restart more is read again", error=str(error))
