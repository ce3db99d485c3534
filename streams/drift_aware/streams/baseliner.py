"""Fits baselines in a process of its own: the first events of every family of every segment, or a range.

Reads the source topics with a plain consumer. A finished baseline goes to DETECT, on ``drift.summaries.v1``,
and to the catalogue ``drift.baselines.v1``; what stands in the catalogue is not fitted again. The committed
offset is that of the oldest record an unfinished collection needs, so a restart collects the same events.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from threading import Event as Flag

import msgspec
import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.producing import EXACT
from drift_aware.schema.progress import Advance
from drift_aware.schema.settings import BaselinePolicy, Settings
from drift_aware.schema.topics import (
    BASELINES,
    EMBEDDINGS,
    LARGEST_BYTES,
    SOURCES,
    SUMMARIES,
    WORKER_APP,
    require,
)
from drift_aware.streams.baseline import Policy
from drift_aware.streams.catalogue import baselines
from drift_aware.streams.collector import Collector
from drift_aware.streams.labels import label
from drift_aware.streams.reader import ANSWER_SECONDS, read_each, record_of
from drift_aware.streams.stage import Input
from drift_aware.streams.wire import Fitted, encode, partition_of

_log = structlog.get_logger(__name__)

GROUP = f"{WORKER_APP}-baseliner"
POLL_SECONDS = 0.2
COMMIT_SECONDS = 5.0
SEND_SECONDS = 30.0
DAY_MS = 86_400_000
RANGE_SECONDS = 60.0
_PANE_MS = 3_600_000  # the longest there is
_MOST_RECORDS = 100

# Topic to partition to the first offset and the one after the last.
Offsets = Mapping[str, Mapping[str, tuple[int, int]]]
_TOPICS = [topic.name for topic in SOURCES.values()]
# The first events are collected of embeddings alone; of all else DETECT learns by itself.
_COLLECTED = [EMBEDDINGS.name]
_json = msgspec.json.Encoder().encode


def fit_range(
    settings: Settings, span: tuple[int, int], policy: Policy = "pinned", offsets: Offsets | None = None
) -> list[Baseline]:
    """Fit baselines on everything in a range of event time; nothing is published.

    Args:
        settings: everything.
        span: event time from and to, milliseconds.
        policy: what the records shall say.
        offsets: read these alone; without, every record that may hold such an event.

    Raises:
        Unreachable: no Kafka.
    """
    collector = Collector(settings, label, [], span)
    since = span[0] - settings.future_tolerance_seconds * 1000
    for topic in _TOPICS if offsets is None else sorted(offsets):
        with Advance(f"reading {topic}") as job:
            for record in read_each(settings, topic, since, job.reach):
                if offsets is None or _within(offsets[topic], record):
                    collector.take(record)
    return collector.conclude(policy, _now())


def publish(settings: Settings, fitted: list[Baseline]) -> None:
    """Put baselines in force.

    Raises:
        Unreachable: Kafka does not take them.
    """
    producer = _producer(settings)
    for baseline in fitted:
        _publish(producer, settings, baseline)


def due(policy: BaselinePolicy, known: list[Baseline], now_ms: int) -> tuple[int, int] | None:
    """The range that a policy wants fitted now, if any.

    Args:
        policy: as configured.
        known: the baselines in force.
        now_ms: the wall clock.

    >>> day = 86_400_000
    >>> due(BaselinePolicy(policy="rolling"), [], 20 * day + 5) == (6 * day, 13 * day)
    True
    """
    if policy.policy == "pinned":
        assert policy.begin is not None
        assert policy.end is not None
        span = _ms(policy.begin), _ms(policy.end)
    elif policy.policy == "rolling":
        current = now_ms - now_ms % DAY_MS - policy.current_days * DAY_MS
        span = current - policy.baseline_days * DAY_MS, current
    else:
        return None
    fits = [each for each in known if each.policy == policy.policy]
    # Baselines are made of whole panes, which may reach over the edges.
    there = any(span[0] - _PANE_MS < each.since and each.until < span[1] + _PANE_MS for each in fits)
    return None if there or span[1] > now_ms else span


def reproduced(settings: Settings, baseline: Baseline) -> list[Baseline]:
    """Fit a baseline again from its record, as far as its events are still kept; see ``fit_range``."""
    fitted = fit_range(settings, (baseline.since, baseline.until), baseline.policy, baseline.offsets or None)
    return [each for each in fitted if (each.segment, each.family) == (baseline.segment, baseline.family)]


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
    known = baselines(settings)
    collector = Collector(settings, label, known)
    producer = _producer(settings)
    consumer = Consumer(
        settings.kafka.client()
        | {
            "group.id": GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
        }
    )
    committed = looked = time.monotonic()
    try:
        consumer.assign(_where_left_off(consumer, settings))
        known = _put_range(producer, settings, known, fitted)
        while not stop.is_set():
            for record in _records(consumer.consume(_MOST_RECORDS, POLL_SECONDS)):
                collector.take(record)
            for baseline in collector.settle(_behind(consumer), _now()):
                _publish(producer, settings, baseline)
                fitted(baseline)
            if time.monotonic() - committed > COMMIT_SECONDS:
                _commit(consumer, collector)
                committed = time.monotonic()
            if time.monotonic() - looked > RANGE_SECONDS:
                known = _put_range(producer, settings, known, fitted)
                looked = time.monotonic()
        _commit(consumer, collector)
    except KafkaException as error:
        raise Unreachable(f"Kafka at {settings.kafka.bootstrap_servers}: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _put_range(
    producer: Producer, settings: Settings, known: list[Baseline], fitted: Callable[[Baseline], None]
) -> list[Baseline]:
    """Fit what a pinned or rolling policy wants by now; what is in force then."""
    span = due(settings.baseline, known, _now())
    if span is None:
        return known
    found = fit_range(settings, span, settings.baseline.policy)
    if not found:
        _log.warning("no events in the range of the baseline policy", since=span[0], until=span[1])
    for baseline in found:
        _publish(producer, settings, baseline)
        fitted(baseline)
    return found or known


def _where_left_off(consumer: Consumer, settings: Settings) -> list[TopicPartition]:
    """Every partition; one baseliner reads them all, so that a segment is seen whole."""
    asked = [TopicPartition(topic, each) for topic in _COLLECTED for each in range(settings.kafka.partitions)]
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


def _producer(settings: Settings) -> Producer:
    return Producer(settings.kafka.client() | EXACT | {"message.max.bytes": LARGEST_BYTES})


def _within(partitions: Mapping[str, tuple[int, int]], record: Input) -> bool:
    first, end = partitions.get(str(record.partition), (0, 0))
    return first <= record.offset < end


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _now() -> int:
    return round(time.time() * 1000)
