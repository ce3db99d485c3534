"""From keyword arguments to events, without a publisher; and what the signatures promise."""

import subprocess
import sys
import time
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers import MemoryPublisher, fields
from drift_aware.producers.identifiers import new_id, uuid7
from drift_aware.producers.packing import Packer
from drift_aware.producers.partitions import Partitions
from drift_aware.schema.envelope import decode
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import TYPES


@pytest.mark.parametrize("kind", list(TYPES))
def test_the_signatures_name_the_fields_of_the_events(kind: str) -> None:
    spelt = getattr(fields, f"{kind.capitalize()}Fields")
    assert set(spelt.__annotations__) == set(TYPES[kind].__struct_fields__)  # type: ignore[index]


def test_ids_are_uuids_of_version_7_that_sort_by_time() -> None:
    before = time.time_ns() // 1_000_000
    them = [uuid.UUID(new_id()) for _ in range(2000)]
    after = time.time_ns() // 1_000_000
    assert len(set(them)) == 2000
    assert {(each.version, each.variant) for each in them} == {(7, uuid.RFC_4122)}
    stamps = [each.int >> 80 for each in them]
    assert stamps == sorted(stamps)
    assert before <= stamps[0] <= stamps[-1] <= after


def test_all_random_bits_but_two_are_used() -> None:
    ones, zeros = uuid7(0, (1 << 76) - 1), uuid7(0, 0)
    assert (uuid.UUID(ones).int ^ uuid.UUID(zeros).int).bit_count() == 74


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 5),
    st.floats(),
    st.floats(0, 1),
    st.text(st.characters(exclude_categories=[]), max_size=5),
    st.binary(max_size=8),
    st.datetimes(),
    st.just(1_772_366_400_000),
    st.sampled_from(["query", "up", "float16", "2026-03-01T12:00:00Z"]),
    st.lists(st.floats(width=32), max_size=3),
    st.dictionaries(st.text(max_size=2), st.one_of(st.text(max_size=2), st.integers()), max_size=2),
    st.builds(object),
)


@given(st.data())
def test_whatever_is_passed_it_is_dropped_or_the_worker_can_read_it(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(TYPES)))
    names = st.sampled_from(TYPES[kind].__struct_fields__)
    passed: dict[str, Any] = data.draw(st.dictionaries(names, anything, max_size=4))
    publisher = MemoryPublisher()
    getattr(publisher, kind)(**passed)
    assert len(publisher.events) + sum(publisher.dropped.values()) == 1
    assert publisher.dropped.keys() <= {"bad_event", "bad_vector"}
    packer = Packer(lambda topic: 4)
    for event in publisher.events:
        packer.add(event)
    for record in packer.rest():
        decoded = decode(record.kind, record.value, record.content_type)
        assert (len(decoded.events), decoded.dead) == (1, [])


class Broker:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.answer: int | Unreachable | None = 4

    def __call__(self, topic: str) -> int | None:
        self.asked.append(topic)
        if isinstance(self.answer, Unreachable):
            raise self.answer
        return self.answer


def test_partition_counts_are_asked_for_once_in_a_while() -> None:
    broker = Broker()
    partitions = Partitions(broker, lambda: broker.now)
    assert [partitions.count("t") for _ in range(5)] == [4] * 5
    assert broker.asked == ["t"]
    broker.now, broker.answer = 301.0, 8
    assert partitions.count("t") == 8


def test_a_topic_nobody_knows_is_asked_for_again_soon() -> None:
    broker = Broker()
    partitions = Partitions(broker, lambda: broker.now)
    broker.answer = None
    assert partitions.count("t") is None
    broker.answer = 4
    assert partitions.count("t") is None
    assert partitions.count("other") == 4
    broker.now = 6.0
    assert partitions.count("t") == 4


def test_without_a_broker_only_one_question_is_asked_and_what_was_known_stays() -> None:
    broker = Broker()
    partitions = Partitions(broker, lambda: broker.now)
    assert partitions.count("known") == 4
    broker.answer, broker.now = Unreachable("gone"), 400.0
    assert [partitions.count(topic) for topic in ("known", "a", "b", "c")] == [4, None, None, None]
    assert broker.asked == ["known", "known"]
    broker.answer, broker.now = 4, 406.0
    assert partitions.count("a") == 4


def test_a_count_proved_wrong_is_asked_for_at_once() -> None:
    broker = Broker()
    partitions = Partitions(broker, lambda: broker.now)
    partitions.count("t")
    broker.answer = 2
    partitions.forget("t")
    assert partitions.count("t") == 2


def test_publishing_needs_neither_numpy_nor_any_other_extra() -> None:
    script = """
import sys
for name in ("numpy", "pydantic", "pydantic_settings", "typer", "structlog", "rich", "yaml"):
    sys.modules[name] = None
from drift_aware.producers import MemoryPublisher, Publisher
publisher = MemoryPublisher()
publisher.embedding([1.0, 2.0])
assert publisher.embeddings[0].dim == 2
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
