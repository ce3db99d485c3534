"""Partitions that aiokafka has given away before Faust has told anybody."""

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from drift_aware.schema.envelope import DeadLetter
from drift_aware.schema.topics import FEEDBACK, SUMMARIES
from drift_aware.streams.cursor import BrokerThread, Cursor
from drift_aware.streams.stage import Input


def test_a_partition_that_is_gone_is_not_caught_up() -> None:
    def highwater(tp: TP) -> int:
        raise AssertionError("Partition is not assigned")

    positions: Any = SimpleNamespace(app=SimpleNamespace(consumer=SimpleNamespace(highwater=highwater)))
    stage: Any = None
    cursor = Cursor(positions, stage, None, [FEEDBACK.name], lambda topic, letter: None)
    cursor.next[TP(FEEDBACK.name, 0)] = 7
    assert not cursor.caught_up(FEEDBACK.name, 0)


def test_a_commit_of_which_nothing_is_left_is_none() -> None:
    class Reassigned(BrokerThread):
        def __init__(self) -> None:
            pass  # there is no broker

        def assignment(self) -> set[TP]:
            return {TP(FEEDBACK.name, 1)}

    thread = Reassigned()
    assert asyncio.run(thread._commit({TP(FEEDBACK.name, 0): 7})) is False


def test_a_record_that_takes_long_lets_others_have_their_turn_and_is_left_when_its_partition_goes() -> None:
    tp = TP(SUMMARIES.name, 0)
    folded: list[int] = []

    class Slow:
        def fold(self, record: Input) -> list[DeadLetter] | None:
            folded.append(record.offset)
            return None if folded.count(record.offset) < 3 else []

    def event(offset: int) -> Any:
        message = SimpleNamespace(
            topic=tp.topic, partition=0, offset=offset, value=b"", headers=[], timestamp=0
        )
        return SimpleNamespace(message=message)

    async def lose(cursor: Cursor) -> None:
        while folded[-1:] != [1]:
            await asyncio.sleep(0)
        cursor.next.clear()

    async def run(cursor: Cursor) -> None:
        await asyncio.gather(cursor.apply([event(0), event(1), event(2)]), lose(cursor))

    positions: Any = SimpleNamespace(refuse_after_standstill=lambda: None)
    stage: Any = Slow()
    cursor = Cursor(positions, stage, None, [tp.topic], lambda topic, letter: None)
    cursor.next[tp] = 0
    asyncio.run(run(cursor))
    assert folded == [0, 0, 0, 1]
    assert cursor.next == {}
