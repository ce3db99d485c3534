"""Records packed into the producer's batches, with aiokafka's own builder and no broker."""

import asyncio
from collections import defaultdict
from itertools import chain
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.streams.batches import Batches

BATCH_BYTES = 300
PARTITIONS = [TP("rows", 0), TP("rows", 1), TP("summaries", 0)]

Pairs = list[tuple[bytes | None, bytes | None]]


class Producer:
    """Takes a batch when it is told to, and remembers what was in it."""

    def __init__(self) -> None:
        self.taken: dict[TP, list[Pairs]] = defaultdict(list)
        self.answers: list[asyncio.Future[None]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.refuses: Exception | None = None

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> "asyncio.Future[None]":
        await self.open.wait()
        if self.refuses is not None:
            raise self.refuses
        records = MemoryRecords(bytes(batch._build())).next_batch()
        self.taken[TP(topic, partition)].append([(record.key, record.value) for record in records])
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


values = st.none() | st.binary(max_size=2 * BATCH_BYTES)
puts = st.lists(st.tuples(st.sampled_from(PARTITIONS), st.binary(max_size=8), values))


@given(st.lists(puts, max_size=6))
def test_every_record_arrives_once_in_the_order_of_its_partition(bursts: list[Any]) -> None:
    failures: list[BaseException] = []
    expected: dict[TP, Pairs] = defaultdict(list)

    async def send() -> Producer:
        producer, batches = Producer(), Batches(failures.append)
        for burst in bursts:
            for tp, key, value in burst:
                batches.put(producer, tp, key, value)
                expected[tp].append((key, value))
            await asyncio.sleep(0)  # the next burst comes while this one is being sent
        await batches.flush()
        return producer

    producer = asyncio.run(send())
    assert {tp: [*chain.from_iterable(taken)] for tp, taken in producer.taken.items()} == expected
    assert failures == []


def test_a_batch_is_full_before_the_next_begins_and_a_large_record_has_one_of_its_own() -> None:
    async def send() -> list[int]:
        producer, batches = Producer(), Batches(lambda _: None)
        for size in (100, 100, 100, 2 * BATCH_BYTES, 1):
            batches.put(producer, PARTITIONS[0], b"k", b"v" * size)
        await batches.flush()
        return [len(pairs) for pairs in producer.taken[PARTITIONS[0]]]

    assert asyncio.run(send()) == [2, 1, 1, 1]


def test_a_partition_that_has_to_wait_holds_up_no_other() -> None:
    class Halted(Producer):
        async def send_batch(self, batch: Any, topic: str, *, partition: int) -> "asyncio.Future[None]":
            if TP(topic, partition) == PARTITIONS[0]:
                await asyncio.Event().wait()
            return await super().send_batch(batch, topic, partition=partition)

    async def send() -> Halted:
        producer, batches = Halted(), Batches(lambda _: None)
        for tp in PARTITIONS:
            batches.put(producer, tp, b"k", b"v")
        for _ in range(5):
            await asyncio.sleep(0)
        return producer

    assert set(asyncio.run(send()).taken) == set(PARTITIONS[1:])


def test_flushing_waits_until_the_producer_has_all() -> None:
    async def send() -> None:
        producer, batches = Producer(), Batches(lambda _: None)
        producer.open.clear()
        batches.put(producer, PARTITIONS[0], b"k", b"v")
        flushing = asyncio.ensure_future(batches.flush())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not flushing.done()
        producer.open.set()
        await flushing
        assert producer.taken

    asyncio.run(send())


def test_a_batch_that_the_producer_or_the_broker_does_not_take_is_told() -> None:
    failures: list[BaseException] = []
    away, full = OSError("no broker"), OSError("the disk is full")

    async def send() -> None:
        producer, batches = Producer(), Batches(failures.append)
        batches.put(producer, PARTITIONS[0], b"k", b"v")
        await batches.flush()
        producer.answers[0].set_exception(full)
        await asyncio.sleep(0)
        producer.refuses = away
        batches.put(producer, PARTITIONS[0], b"k", b"v")
        await batches.flush()

    asyncio.run(send())
    assert failures == [full, away]
