"""Partitions take turns, however much of one is fetched at once."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer

from drift_aware.schema.topics import INTERACTIONS
from drift_aware.streams.cursor import BrokerThread
from rig.brokers import Broker
from rig.configuration import PARTITIONS

_RECORDS = 400
_AT_ONCE = 50


def all_ready(consumer: AIOKafkaConsumer, taken: Counter[int]) -> bool:
    """Whether something waits of every partition that has not been read to its end."""
    unread = {tp for tp in consumer.assignment() if taken[tp.partition] < _RECORDS}
    return bool(unread) and unread <= consumer._fetcher._records.keys()


async def taken_in_turn(bootstrap: str) -> list[Counter[int]]:
    """After each fetch, how many records of each partition have been taken so far."""
    thread = BrokerThread.__new__(BrokerThread)
    thread.consumer = cast(Any, SimpleNamespace(flow_active=True))
    consumer = AIOKafkaConsumer(
        INTERACTIONS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    so_far: list[Counter[int]] = []
    try:
        taken: Counter[int] = Counter()
        while taken.total() < PARTITIONS * _RECORDS:
            while not all_ready(consumer, taken):
                await asyncio.sleep(0)
            fetched = await thread._fetch_records(consumer, consumer.assignment(), 10.0, _AT_ONCE)
            taken.update({tp.partition: len(records) for tp, records in fetched.items()})
            so_far.append(taken.copy())
    finally:
        await consumer.stop()
    return so_far


def test_no_partition_waits_until_another_is_read_to_the_end(broker: Broker) -> None:
    # Each partition has one batch, which one fetch brings: nothing goes before the flush, and the producer
    # knows the partitions before the first record, else what it learns during the flush sends one at a time.
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 60_000, "log_level": 2})
    producer.list_topics(INTERACTIONS.name, timeout=30)
    for partition in range(PARTITIONS):
        for _ in range(_RECORDS):
            producer.produce(INTERACTIONS.name, b"{}", partition=partition)
    assert producer.flush(30) == 0
    steps = asyncio.run(taken_in_turn(broker.bootstrap))
    assert steps[-1] == dict.fromkeys(range(PARTITIONS), _RECORDS)
    ahead = [max(step.values()) - min(step[each] for each in range(PARTITIONS)) for step in steps]
    assert max(ahead) <= 2 * _AT_ONCE
