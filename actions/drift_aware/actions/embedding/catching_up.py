"""Ends work that reads a topic once it has read all that was there when it began."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, TopicPartition

from drift_aware.schema.kafka import Kafka

_ANSWER_SECONDS = 10.0
_LOOK_SECONDS = 0.2


@contextmanager
def caught_up(kafka: Kafka, group: str, topics: Sequence[str], stop: threading.Event) -> Iterator[None]:
    """Set ``stop`` when the group has committed what the topics hold at the beginning of the block.

    Raises:
        KafkaException: Kafka does not say what they hold.
    """
    config = kafka.client() | {"group.id": group, "client.id": f"{group}-once", "enable.auto.commit": False}
    consumer = Consumer(config, logger=logging.getLogger("librdkafka"))
    ended = threading.Event()
    try:
        ends = _ends(consumer, topics)
        thread = threading.Thread(target=_look, args=(consumer, ends, stop, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
    finally:
        consumer.close()


def _ends(consumer: Consumer, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """The offset behind the last record of each partition that holds one."""
    there = consumer.list_topics(timeout=_ANSWER_SECONDS).topics
    ends = {}
    for topic in topics:
        for part in there[topic].partitions if topic in there else ():
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=_ANSWER_SECONDS)
            if high > low:
                ends[topic, part] = high
    return ends


def _look(
    consumer: Consumer, ends: dict[tuple[str, int], int], stop: threading.Event, ended: threading.Event
) -> None:
    asked = [TopicPartition(*home) for home in ends]
    while not ended.wait(_LOOK_SECONDS):
        try:
            committed = consumer.committed(asked, timeout=_ANSWER_SECONDS) if asked else []
        except KafkaException:
            continue  # the work itself waits for Kafka, and says so
        if all(each.offset >= ends[each.topic, each.partition] for each in committed):
            stop.set()
            return
