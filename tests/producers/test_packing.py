"""Packing, without a broker."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest
from confluent_kafka import murmur2
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers.packing import Packer, Record, key
from drift_aware.schema.envelope import MAX_BYTES, MAX_EVENTS, decode, encode_rows
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Embedding, Evaluation, Event, Feedback, Interaction

NOON = 1_772_366_400_000
ids = st.text(min_size=1, max_size=8)
sessions = st.sampled_from([None, "s1", "s2", "s3"])
texts = st.one_of(st.none(), st.text(max_size=50), st.integers(0, 40_000).map("x".__mul__))
interactions = st.builds(
    Interaction, id=ids, ts=st.just(NOON), session_id=sessions, user_query=texts, model_response=texts
)
embeddings = st.integers(1, 3000).flatmap(
    lambda dim: st.builds(
        Embedding,
        id=ids,
        ts=st.just(NOON),
        session_id=sessions,
        dim=st.just(dim),
        vector=st.just(bytes(4 * dim)),
    )
)
feedbacks = st.builds(Feedback, interaction_id=ids, ts=st.just(NOON), score=st.integers(1, 5).map(float))
evaluations = st.builds(Evaluation, eval_set=ids, run_id=ids, ts=st.just(NOON), correct=st.booleans())
events = st.lists(st.one_of(interactions, embeddings, feedbacks, evaluations), max_size=120)


def packed(them: Iterable[Event], partitions: int | None) -> list[Record]:
    packer = Packer(lambda topic: partitions)
    full = [record for event in them if (record := packer.add(event))]
    return full + list(packer.rest())


@given(events, st.sampled_from([None, 1, 4, 8]))
def test_every_event_is_in_exactly_one_record_of_its_kind(them: list[Event], partitions: int | None) -> None:
    decoded = [
        event
        for record in packed(them, partitions)
        for event in decode(record.kind, record.value, record.content_type).events
    ]
    assert Counter(map(repr, decoded)) == Counter(map(repr, them))


@given(events, st.sampled_from([None, 1, 4, 8]))
def test_a_record_is_full_or_small_unless_one_event_fills_it(
    them: list[Event], partitions: int | None
) -> None:
    for record in packed(them, partitions):
        assert 1 <= record.events <= MAX_EVENTS
        # The msgpack of a column of ids is a little longer than their JSON may be.
        assert record.events == 1 or len(record.value) <= MAX_BYTES + 500


@given(events, st.sampled_from([1, 4, 8]))
def test_a_record_lies_where_the_key_of_each_of_its_events_belongs(
    them: list[Event], partitions: int
) -> None:
    for record in packed(them, partitions):
        assert record.key is None
        for event in decode(record.kind, record.value, record.content_type).events:
            assert record.partition == murmur2(key(event), partitions)


@given(events)
def test_without_a_partition_count_a_record_holds_one_key_and_names_it(them: list[Event]) -> None:
    for record in packed(them, None):
        assert record.partition is None
        inside = decode(record.kind, record.value, record.content_type).events
        assert {key(event) for event in inside} == {record.key}


@given(events, st.sampled_from([None, 4]))
def test_events_of_one_key_and_shape_keep_their_order(them: list[Event], partitions: int | None) -> None:
    def order(some: Iterable[Event]) -> dict[tuple[object, ...], list[str]]:
        seen: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for event in some:
            seen[type(event), key(event), getattr(event, "dim", None)].append(repr(event))
        return seen

    out = [
        event
        for record in packed(them, partitions)
        for event in decode(record.kind, record.value, record.content_type).events
    ]
    assert order(out) == order(them)


@given(st.lists(interactions, min_size=1, max_size=MAX_EVENTS))
def test_rows_are_byte_for_byte_those_of_the_envelope(them: list[Interaction]) -> None:
    records = packed(them, 1)
    if len(records) == 1:
        assert records[0].value == encode_rows(them)


# What org.apache.kafka.common.utils.Utils.murmur2 gives, from Apache Kafka's own tests.
@pytest.mark.parametrize(
    ("text", "java"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_partitions_are_those_of_java(text: bytes, java: int) -> None:
    for partitions in (1, 4, 8, 1000, 2**31 - 1):
        assert murmur2(text, partitions) == (java & 0x7FFFFFFF) % partitions


def test_the_key_is_the_session_else_what_the_event_belongs_to() -> None:
    assert key(Interaction(id="i", ts=1, session_id="s")) == b"s"
    assert key(Interaction(id="i", ts=1)) == b"i"
    assert key(Embedding(id="e", ts=1, vector=b"", interaction_id="i", session_id="s")) == b"s"
    assert key(Embedding(id="e", ts=1, vector=b"", interaction_id="i")) == b"i"
    assert key(Embedding(id="e", ts=1, vector=b"")) == b"e"
    assert key(Feedback(interaction_id="i", ts=1, session_id="s")) == b"s"
    assert key(Feedback(interaction_id="i", ts=1)) == b"i"
    assert key(Evaluation(eval_set="golden", run_id="r", ts=1)) == b"r"


def test_an_event_refused_leaves_the_packer_as_it_was() -> None:
    packer = Packer(lambda topic: 1)
    packer.add(Interaction(id="1", ts=NOON))
    with pytest.raises(BadEvent, match="900000"):
        packer.add(Interaction(id="2", ts=NOON, user_query="x" * 900_000))
    with pytest.raises(BadEvent, match="JSON"):
        packer.add(Interaction(id="3", ts=NOON, user_query="\ud800"))
    (record,) = packer.rest()
    assert record.events == 1
