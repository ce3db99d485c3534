"""What a relay leaves behind, and what it makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers.holding import Holding
from drift_aware.producers.relayed import Done, Mark, Note, Origin, marked, packed, read_mark, read_note
from drift_aware.producers.work import Received
from drift_aware.schema import envelope
from drift_aware.schema.events import KINDS, Event, Interaction
from drift_aware.schema.topics import SOURCES
from rig.events import embeddings, evaluations, feedback, interactions

names = st.text(st.characters(categories=["L", "N"], include_characters="-._"), min_size=1, max_size=20)
origins = st.builds(Origin, names, st.integers(0, 1000), st.integers(0, 2**60))
marks = st.builds(Mark, origins, st.integers(0, 50), st.integers(1, 50))
events = st.lists(interactions | feedback | evaluations | embeddings(), max_size=120)
COUNTS = {topic.name: 4 for topic in SOURCES.values()}


@given(names, marks)
def test_a_mark_reads_as_it_was_written_and_only_by_its_own_relay(name: str, mark: Mark) -> None:
    assert read_mark(name, mark.header(name)) == mark
    assert read_mark(f"{name}x", mark.header(name)) is None


@given(names, st.none() | st.binary(max_size=60))
def test_any_header_can_be_read(name: str, header: bytes | None) -> None:
    found = read_mark(name, header)
    assert found is None or found.header(name).split(b"/")[0] == name.encode()


@given(
    st.integers(0, 2**50), st.dictionaries(st.text(max_size=5), st.integers(0, 2**40) | st.text(max_size=5))
)
def test_a_note_reads_as_it_was_written(since_ms: int, state: dict[str, object]) -> None:
    note = Note(since_ms, state)
    assert read_note(note.text()) == note


@pytest.mark.parametrize("text", [None, "", "{", '{"since_ms": "soon"}', "[]"])
def test_the_offset_somebody_else_set_has_outputs_of_any_time(text: str | None) -> None:
    assert read_note(text) == Note(0)


def test_a_state_that_a_broker_would_not_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="can be committed"):
        Note(0, {"text": "x" * 5_000}).text()


@given(events)
def test_packing_loses_and_doubles_nothing_and_is_always_the_same(given: list[Event]) -> None:
    made, refused = packed(given, COUNTS)
    assert not refused
    assert packed(given, COUNTS)[0] == made
    read = [
        event
        for record in made
        for event in envelope.decode(record.kind, record.value, record.content_type).events
    ]
    assert sorted(map(repr, read)) == sorted(map(repr, given))
    assert all(record.partition is not None and record.partition < 4 for record in made)
    assert [record.kind for record in made] == [KINDS[type(event)] for event in _firsts(made)]


def _firsts(made: list) -> list[Event]:  # type: ignore[type-arg]
    return [envelope.decode(r.kind, r.value, r.content_type).events[0] for r in made]


def test_an_event_no_record_holds_is_named_and_the_rest_goes() -> None:
    big = Interaction(id="big", ts=1, labels={"x": "y" * 1_000_000})
    made, refused = packed([big, Interaction(id="small", ts=1)], COUNTS)
    assert [error.reason for error in refused] == ["too_large"]
    assert sum(record.events for record in made) == 1


@given(events, st.sets(st.integers(0, 20)))
def test_what_is_there_and_what_is_still_to_be_sent_make_up_the_whole(
    given: list[Event], there: set[int]
) -> None:
    origin = Origin("t", 0, 7)
    made, _ = packed(given, COUNTS)
    done = Done()
    for index in there & set(range(len(made))):
        done.add(Mark(origin, index, len(made)))
    left = [mark.number for mark, _ in marked(origin, made) if not done.has(mark)]
    assert sorted([*left, *(there & set(range(len(made))))]) == list(range(len(made)))
    assert done.complete(origin) == (bool(made) and not left)


@given(st.lists(st.integers(0, 20)), st.integers(0, 21))
def test_only_outputs_at_or_after_the_offset_are_remembered(offsets: list[int], following: int) -> None:
    done = Done()
    for offset in offsets:
        done.add(Mark(Origin("t", 0, offset), 0, 1))
    assert done.pass_by(("t", 0), following) == (not [each for each in offsets if each >= following])
    assert all(done.complete(Origin("t", 0, offset)) == (offset >= following) for offset in offsets)
    assert done.pass_by(("t", 1), 0)


homes = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 2))
offsets = st.integers(0, 10)


@given(st.dictionaries(homes, offsets), st.lists(st.tuples(homes, offsets)))
def test_of_what_is_polled_only_what_comes_next_is_relayed_and_only_once(
    held: dict[tuple[str, int], int], polled: list[tuple[tuple[str, int], int]]
) -> None:
    holding = Holding()
    for home, offset in held.items():
        holding.take(home, offset, 0)
    fresh, following = holding.fresh(
        Received(Origin(*home, offset), None, b"", "application/json") for home, offset in polled
    )
    origins = [record.origin for record in fresh]
    assert len(set(origins)) == len(origins)
    for home, offset in held.items():
        there = [origin.offset for origin in origins if origin.home == home]
        assert there == sorted(there)
        assert all(each >= offset for each in there)
        assert following.get(home) == (there[-1] + 1 if there else None)
    assert {origin.home for origin in origins} <= held.keys()


@given(st.sets(offsets), offsets, offsets)
def test_the_time_of_a_note_moves_on_only_when_no_outputs_are_left_beyond_its_offset(
    outputs: set[int], begin: int, steps: int
) -> None:
    holding = Holding()
    holding.take(("t", 0), begin, 1_000)
    beyond = {offset for offset in outputs if holding.found(Mark(Origin("t", 0, offset), 0, 1))}
    assert beyond == {offset for offset in outputs if offset >= begin}
    assert not holding.found(Mark(Origin("t", 1, begin), 0, 1))
    following = begin + steps
    left = {offset for offset in beyond if offset >= following}
    assert holding.note(("t", 0), following, 2_000, {}) == Note(1_000 if left else 2_000)
    assert holding.since_ms == (1_000 if left else 2_000)
    assert {offset for offset in outputs if holding.complete(Origin("t", 0, offset))} == left
