"""What is counted of an event: exact sums, labels, vectors on the grid, and what is kept out."""

import json
import re
import struct
from fractions import Fraction
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.events import Embedding, Event, Interaction, Kind
from drift_aware.schema.topics import EMBEDDINGS, INTERACTIONS
from drift_aware.streams import bins
from drift_aware.streams.counting import Batch, Groups, summarise_events
from drift_aware.streams.labels import label
from drift_aware.streams.labels.refusal import is_refusal
from drift_aware.streams.panes import END_OF_TIME, IDLE, Clock, complete_until
from drift_aware.streams.source import Pane
from drift_aware.streams.stage import Input
from drift_aware.streams.status import add_up
from drift_aware.streams.summarise import KEEP_CLOSED_MS, KEEP_SENT_SECONDS, Summarise
from drift_aware.streams.summary import EXAMPLES, Packed, Summary, family, merge, unpack
from drift_aware.streams.vectors import GRID, on_grid
from drift_aware.streams.words import words_of
from rig.clinc import labelled_answers
from rig.configuration import PARTITIONS, make_settings
from rig_events import NOON, embedding, evaluation, feedback, interaction

counts = st.dictionaries(st.sampled_from(["events", "refusals", "latency_us"]), st.integers(0, 2**40))
vectors = st.none() | arrays(np.int64, 3, elements=st.integers(-(2**50), 2**50))
summaries = st.lists(st.builds(Summary, counts, vectors), max_size=6)


@given(summaries, st.randoms())
def test_merging_is_exact_in_any_order(found: list[Summary], random: Random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert merge(found) == merge(shuffled) == merge([merge(found[:3]), merge(found[3:])])


@given(counts, vectors)
def test_a_summary_comes_back_from_its_bytes(names: dict[str, int], vector: NDArray[np.int64] | None) -> None:
    summary = Summary(names, vector)
    assert unpack(summary.pack()) == summary


def test_an_interaction_is_counted_in_whole_numbers() -> None:
    event = interaction(
        1, refusal=True, toxicity=0.5, error="timeout", latency_ms=12.5, cost_usd=0.000_000_001
    )
    assert summarise_events([event], [None]).counts == {
        "events": 1,
        "refusals_known": 1,
        "refusals": 1,
        "toxicity_known": 1,
        "toxicity_millionths": 500_000,
        "toxic": 1,
        "errors": 1,
        "responses": 1,
        "response_characters": 10,
        "intents": 1,
        "latency_known": 1,
        "latency_us": 12_500,
        "tokens_known": 1,
        "input_tokens": 7,
        "output_tokens": 3,
        "cost_known": 1,
        "cost_nano_usd": 1,
    }


amounts = st.none() | st.floats(0, 1e12) | st.integers(0, 10**6).map(float)
answers = st.builds(
    lambda number, **fields: interaction(number, **fields),
    st.integers(0, 50),
    model_response=st.none() | st.text(max_size=40),
    refusal=st.none() | st.booleans(),
    toxicity=st.none() | st.floats(0, 1),
    error=st.none() | st.booleans() | st.text(max_size=3),
    latency_ms=amounts,
    input_tokens=st.none() | st.integers(0, 10**12),
    output_tokens=st.none() | st.integers(0, 10**12),
    cost_usd=amounts,
    intent=st.none() | st.sampled_from(["a", "b", "\ud800"]),
)


@given(st.lists(answers, min_size=1, max_size=60), st.randoms(), st.integers(1, 5))
def test_groups_counted_together_are_what_they_are_alone(
    events: list[Event], random: Random, number: int
) -> None:
    codes = [*range(number), *(random.randrange(number) for _ in events)][: max(number, len(events))]
    events = (events * number)[: len(codes)]
    together = Batch(events).summaries(Groups(codes, number))
    for group, summary in enumerate(together):
        mine = [event for event, code in zip(events, codes, strict=True) if code == group]
        assert summary == summarise_events(mine, [None] * len(mine))
    whole = merge(together)
    whole.trim()
    assert whole == summarise_events(events, [None] * len(events))


asked = st.builds(
    # Few ids, so that some come twice, with the same question or another.
    lambda number, query: interaction(number, user_query=query),
    st.integers(0, 80),
    st.none() | st.sampled_from(["Where is it?", "WHERE is it", "Wo ist er, bitte schön?"]),
)


@settings(max_examples=60)
@given(st.lists(asked, max_size=150), st.lists(st.tuples(st.integers(1, 60), st.booleans())))
def test_a_pane_keeps_the_same_examples_however_it_is_filled_and_read(
    events: list[Interaction], steps: list[tuple[int, bool]]
) -> None:
    pane, left = Pane(), events
    for size, written in [*steps, (len(events), True)]:
        batch, left = left[:size], left[size:]
        if batch:
            [summary] = Batch(batch).summaries(Groups([0] * len(batch), 1))
            pane.add("interaction", summary)
        if written:
            pane.row()
    alone = {example for each in events for example in summarise_events([each], [None]).examples}
    kept = [example for packed in pane.row().families.values() for example in packed.examples]
    assert kept == sorted(alone)[:EXAMPLES]


@given(st.text(max_size=300) | st.text("aBc dE9_-", max_size=300))
def test_words_are_runs_of_letters_of_any_script(text: str) -> None:
    words = dict.fromkeys(re.findall(r"[^\W\d_]{3,20}", text[:240].lower()))
    assert words_of(text) == " ".join(list(words)[:12])


@given(answers)
def test_every_amount_is_in_the_bin_that_its_definition_says(event: Interaction) -> None:
    summary = summarise_events([event], [None])
    expected = {
        "latency": event.latency_ms,
        "cost": None if event.cost_usd is None else event.cost_usd * 1_000_000,
        "input_tokens": event.input_tokens,
        "output_tokens": event.output_tokens,
        "response_length": None if event.model_response is None else len(event.model_response),
    }
    for name, amount in expected.items():
        there = {} if amount is None else {bins.half_octave(round(amount)): 1}
        assert summary.histograms.get(name, {}) == there
    scored = {} if event.toxicity is None else {bins.toxicity(event.toxicity): 1}
    assert summary.histograms.get("toxicity", {}) == scored


def test_an_absurd_amount_is_capped_and_still_fits_the_wire() -> None:
    event = interaction(1, cost_usd=1e12, latency_ms=1e12, input_tokens=10**12)
    many = merge([summarise_events([event] * 1000, [None] * 1000)] * 100_000)
    assert unpack(msgspec.msgpack.decode(msgspec.msgpack.encode(many.pack()), type=Packed)).events == 10**8


def test_thumbs_are_ratings_and_equal_answers_are_correct() -> None:
    up = summarise_events([feedback(1, score=None, thumbs="up")], [None])
    assert (up.counts["ratings"], up.counts["rating_hundredths"]) == (1, 500)
    graded = summarise_events([evaluation(1, correct=None, expected="a", predicted="a")], [None])
    assert (graded.counts["graded"], graded.counts["correct"]) == (1, 1)


def test_vectors_of_two_models_or_sizes_are_two_families() -> None:
    assert (
        len(
            {
                family(embedding(1)),
                family(embedding(1, model="other")),
                family(embedding(1, dim=9, model="small")),
            }
        )
        >= 2
    )
    assert family(interaction(1)) == "interaction"


@given(
    arrays(np.float32, (5, 4), elements=st.floats(-(2.0**99), 2.0**99, width=32)), st.permutations(range(5))
)
def test_a_vector_gives_the_same_row_in_any_batch(matrix: NDArray[np.float32], order: list[int]) -> None:
    made = [
        Embedding(id=str(i), ts=1, vector=row.astype("<f4").tobytes(), dim=4) for i, row in enumerate(matrix)
    ]
    rows, usable = on_grid(made)
    again, usable_again = on_grid([made[i] for i in order])
    assert (again == rows[order]).all()
    assert (usable_again == usable[order]).all()
    for row, vector, good in zip(rows, matrix.astype(float), usable, strict=True):
        length = float(np.sqrt(np.square(vector).sum()))
        assert good == (length > 0)
        if good:
            assert np.abs(row - vector / length * GRID).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("bad", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_a_vector_without_a_direction_is_not_usable(bad: list[float]) -> None:
    for dtype, code in (("float16", "e"), ("float32", "f")):
        event = msgspec.convert(
            {"id": "1", "ts": 1, "vector": struct.pack(f"<2{code}", *bad), "dim": 2, "dtype": dtype},
            Embedding,
            builtin_types=(bytes,),
        )
        rows, usable = on_grid([event])
        assert usable.tolist() == [False]
        assert rows.tolist() == [[0, 0]]


def test_an_events_own_label_stands() -> None:
    said = interaction(1, refusal=False, model_response="I'm sorry, but I can't help with that.")
    silent = interaction(2, refusal=None, model_response="I'm sorry, but I can't help with that.")
    withheld = interaction(3, refusal=None, model_response=None)
    label([said, silent, withheld])
    assert [event.refusal for event in (said, silent, withheld)] == [False, True, None]


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot assist with that request.",
        "**I'm sorry**, but I am not able to share personal data.",
        "> Assistant: I won't help you write that.",
        "I must respectfully decline to answer.",
        "As an AI language model, I do not have opinions on this and can't take sides.",
        "Unfortunately, I can\u2019t provide that.",
        "That goes against my guidelines.",
        "I do not feel comfortable discussing this.",
    ],
)
def test_a_refusal_is_seen(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Sorry for the wait! Here is the recipe.",
        "You can't go wrong with a warm jacket; I recommend wool.",
        "Certainly. The word 'cannot' is written as one word.",
        "The bank declined the card because the limit was reached.",
        "I can help with that: open the settings first.",
        "",
        "x" * 5000 + " I cannot help with that.",
    ],
)
def test_what_only_looks_like_a_refusal_is_none(answer: str) -> None:
    assert not is_refusal(answer)


def test_refusals_of_real_models_are_found() -> None:
    hits = Fraction(0)
    missed = wrong = 0
    for answer, refused in labelled_answers():
        found = is_refusal(answer)
        hits += found and refused
        missed += refused and not found
        wrong += found and not refused
    assert 2 * hits / (2 * hits + missed + wrong) > 0.9


def stage(**values: Any) -> Summarise:
    made = Summarise(
        make_settings("nowhere:1", **({"pane_seconds": 10, "allowed_lateness_seconds": 10} | values)), label
    )
    made.restore(0, [], {})
    return made


def record(*events: Event, offset: int = 0, appended_ms: int | None = None) -> Input:
    topic = EMBEDDINGS if isinstance(events[0], Embedding) else INTERACTIONS
    return Input(topic.name, 0, offset, encode_rows(events), ROWS, appended_ms)


def totals(made: Summarise) -> dict[str, dict[str, int]]:
    return add_up(dict(made.changes(0).rows))


def test_a_late_event_counts_in_the_totals_only() -> None:
    made = stage()
    made.fold(record(interaction(1, ts=NOON)))
    made.fold(record(interaction(2, ts=NOON + 20_000), offset=1))
    made.fold(record(interaction(3, ts=NOON + 1), offset=2))
    rows = made.changes(0).rows
    found = add_up(dict(rows))["all"]
    assert (found["interactions"], found["late"]) == (3, 1)
    assert sum(key.startswith(b"0|interaction|all|1") for key, _ in rows) == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12))
@example([(0, False), (0, False)])
@example([(2, False), (0, True), (2, False)])
def test_a_record_that_is_read_again_counts_once_whether_its_events_are_written_or_not(
    reads: list[tuple[int, bool]],
) -> None:
    records = [
        record(
            interaction(offset, ts=NOON + 4_000 * offset, tenant="one"),
            interaction(offset + 10, ts=NOON, tenant=f"t{offset % 2}"),
            offset=offset,
        )
        for offset in range(6)
    ]
    found: dict[bytes, bytes | None] = {}
    made, reached = stage(segments=["tenant"], allowed_lateness_seconds=60), 0
    # Each time from somewhere that was reached already to as far as that, and one further.
    for start, write in [*reads, (0, False)] + [(5, True)] * len(records):
        reached = min(reached + 1, len(records))
        for each in records[min(start, reached - 1) : reached]:
            made.fold(each)
        if write:
            found.update(made.changes(0).rows)
    clean = stage(segments=["tenant"], allowed_lateness_seconds=60)
    for each in records:
        clean.fold(each)
    assert found == dict(clean.changes(0).rows)


def test_the_future_is_dead_lettered_by_the_records_own_time_and_moves_no_watermark() -> None:
    made = stage(future_tolerance_seconds=60)
    near, far = interaction(1, ts=NOON + 59_000), interaction(2, ts=NOON + 61_000)
    (dead,) = made.fold(record(near, far, appended_ms=NOON))
    assert dead.reason == "future"
    assert json.loads(dead.value)["id"] == "i2"
    assert made.note(INTERACTIONS.name, 0) == str(NOON + 59_000).encode()


def test_a_vector_of_another_size_than_the_setting_is_dead_lettered() -> None:
    (dead,) = stage(embedding_dim=8).fold(record(embedding(1, dim=8), embedding(2, dim=9)))
    assert dead.reason == "bad_vector"
    assert "embedding_dim is set to 8" in dead.message


def test_a_watermark_goes_out_when_it_has_moved_and_again_after_a_recovery() -> None:
    made = stage()
    busy = frozenset[Kind]().__contains__
    partitions = len(made.watermarks(0, busy))
    assert partitions == PARTITIONS
    assert made.watermarks(0, busy) == []
    made.fold(record(interaction(1)))
    moved = made.watermarks(0, busy)
    assert [output.partition for output in moved] == list(range(PARTITIONS))
    made.restore(0, [], {INTERACTIONS.name: made.note(INTERACTIONS.name, 0)})
    assert made.watermarks(0, busy) == moved


def test_beyond_the_cap_segments_are_counted_as_other() -> None:
    made = stage(segments=["tenant"], max_segments=3)
    for number in range(6):
        made.fold(record(interaction(number, tenant=f"t{number}"), offset=number))
    found = totals(made)
    assert set(found) == {"all", "tenant=t0", "tenant=t1", "other"}
    assert found["other"]["interactions"] == 4


def test_a_closed_pane_is_dropped_when_it_was_sent_long_ago_and_not_before() -> None:
    now = [0.0]
    made = Summarise(make_settings("nowhere:1", pane_seconds=10), label, clock=lambda: now[0])
    made.restore(0, [], {})
    made.fold(record(interaction(0, ts=NOON)))
    offset = 0

    def dropped_after(seconds: float) -> set[bytes]:
        """What is gone once so much has passed on the wall, and a pane more in event time."""
        nonlocal offset
        now[0], offset = seconds, offset + 1
        ts = NOON + KEEP_CLOSED_MS + 60_000 + 10_000 * offset
        made.fold(record(interaction(offset, ts=ts), offset=offset))
        return {key for key, value in made.changes(0).rows if value is None}

    assert dropped_after(0.0) == set()
    assert dropped_after(2 * KEEP_SENT_SECONDS) == set()  # it was never sent
    assert made.watermarks(0, lambda _: False)
    assert dropped_after(3 * KEEP_SENT_SECONDS - 1) == set()
    assert dropped_after(3 * KEEP_SENT_SECONDS) == {
        f"0|interaction|{name}|{NOON}".encode() for name in ("all", "app=shop,model=gpt")
    }


kinds: st.SearchStrategy[Kind] = st.sampled_from(["interaction", "embedding"])
marks = st.dictionaries(kinds, st.integers(1, 1000) | st.just(IDLE), min_size=1)


@given(st.dictionaries(st.integers(0, 3), marks, max_size=4))
def test_a_pane_is_complete_when_the_slowest_source_that_is_not_idle_has_passed(
    found: dict[int, dict[Kind, int]],
) -> None:
    complete = complete_until(found, 4)
    busy = [mark for each in found.values() for mark in each.values() if mark != IDLE]
    if len(found) < 4:
        assert complete == 0
    else:
        assert complete == (min(busy) if busy else END_OF_TIME)


@given(st.integers(1, 10**13), st.integers(1, 3_600_000))
def test_an_event_lies_in_its_pane(ts: int, pane_ms: int) -> None:
    pane = Clock(pane_ms, 0).pane(ts)
    assert pane <= ts < pane + pane_ms
    assert pane % pane_ms == 0
