"""Partitions that aiokafka has given away before Faust has told anybody."""

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from drift_aware.schema.topics import FEEDBACK
from drift_aware.streams.cursor import BrokerThread, Cursor


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
