"""Trees of runs, and what is read of values that are not what they ought to be."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers.integrations.answers import Answer
from drift_aware.producers.integrations.messages import answered, asked, fields, result
from drift_aware.producers.integrations.runs import Forest

NAMES = [
    "messages",
    "content",
    "type",
    "role",
    "question",
    "answer",
    "generations",
    "message",
    "usage_metadata",
]
WORDS = ["user", "human", "ai", "text", "refusal", "Where is my parcel?"]
odd: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.binary(max_size=3),
    lambda values: (
        st.lists(values, max_size=3)
        | st.tuples(values, values)
        | st.dictionaries(st.sampled_from(NAMES), values, max_size=3)
    ),
    max_leaves=12,
)


@given(odd)
def test_no_value_is_too_odd(value: Any) -> None:
    for said in (asked(value), answered(value), result(value).text, result({"generations": [[value]]}).text):
        assert said is None or (isinstance(said, str) and said)
    assert all(isinstance(found, str) for found in fields(value).values())


# Each run's parent is one that began before it, or none.
trees = st.lists(st.integers(0, 30), min_size=1, max_size=30).map(
    lambda numbers: [number % (index + 1) - 1 for index, number in enumerate(numbers)]
)


@given(parents=trees, data=st.data())
def test_every_run_belongs_to_its_outermost_and_a_tree_ends_with_that(
    parents: list[int], data: st.DataObject
) -> None:
    forest = Forest()
    roots: list[int] = []
    for run, parent in enumerate(parents):
        roots.append(run if parent < 0 else roots[parent])
        tree = forest.begin(UUID(int=run), None if parent < 0 else UUID(int=parent))
        assert tree.id == UUID(int=roots[run])
    for run in data.draw(st.permutations(range(len(parents)))):
        ended = forest.end(UUID(int=run))
        assert (ended is not None) == (roots[run] == run)
    assert len(forest) == 0


@given(st.lists(st.tuples(st.none() | st.integers(0, 99), st.none() | st.integers(0, 99)), min_size=1))
def test_tokens_are_those_of_all_calls(counts: list[tuple[int | None, int | None]]) -> None:
    tree = Forest().begin(UUID(int=1), None)
    for given_tokens, taken in counts:
        tree.add(Answer(text="x", input_tokens=given_tokens, output_tokens=taken))
    told = tree.interaction(None, None)
    assert told is not None
    for name, of_calls in zip(("input_tokens", "output_tokens"), zip(*counts, strict=True), strict=True):
        known = [count for count in of_calls if count is not None]
        assert told[name] == (sum(known) if known else None)


def test_the_latency_is_that_of_the_whole() -> None:
    seconds = iter([10.0, 12.5])
    tree = Forest(clock=lambda: 1000.25, timer=lambda: next(seconds)).begin(UUID(int=1), None)
    tree.add(Answer(text="x"))
    told = tree.interaction(None, None)
    assert told is not None
    assert (told["ts"], told["latency_ms"]) == (1_000_250, 2500)
