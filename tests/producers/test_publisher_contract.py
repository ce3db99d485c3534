"""What an application may rely on, whichever publisher it holds."""

import enum
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from drift_aware.producers import MemoryPublisher, Publisher
from drift_aware.producers.interface import EventPublisher
from drift_aware.schema import topics
from drift_aware.schema.events import Embedding, Evaluation, Event, Feedback, Interaction
from rig.brokers import Broker
from rig.records import records

NOON = 1_772_366_400_000
DEFAULTS: dict[str, Any] = {"app": "shop", "model": "gpt", "prompt_version": "7", "tenant": "acme"}


class Subject:
    """A publisher, and a way to see what came out of it."""

    def __init__(self, publisher: EventPublisher, read: Callable[[], list[Event]]) -> None:
        self.publisher = publisher
        self._read = read

    def published(self) -> list[Event]:
        assert self.publisher.flush(20) == 0
        return self._read()

    def only(self) -> Any:
        (event,) = self.published()
        return event


def _on(bootstrap: str) -> list[Event]:
    return [
        event
        for kind, topic in topics.SOURCES.items()
        for record in records(bootstrap, topic.name)
        for event in record.events(kind)
    ]


# What a real Kafka makes of it, test_publisher_delivery.py asks.
@pytest.fixture(params=["memory", "embedded"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "memory":
        memory = MemoryPublisher(**DEFAULTS, max_text_chars=100)
        yield Subject(memory, lambda: memory.events)
        return
    broker: Broker = request.getfixturevalue("embedded_broker")
    with Publisher(broker.bootstrap, **DEFAULTS, max_text_chars=100, linger_ms=5) as publisher:
        yield Subject(publisher, lambda: _on(broker.bootstrap))


def test_every_kind_of_event_arrives_with_its_fields(subject: Subject) -> None:
    it = subject.publisher
    session: dict[str, Any] = {"session_id": "s1"}
    asked = it.interaction(user_query="hi", model_response="hello", latency_ms=3, ts=NOON, **session)
    vector = it.embedding([1.0, 2.0], interaction_id=asked, model="embedder", ts=NOON, **session)
    it.feedback(asked, score=4, ts=NOON, **session)
    it.evaluation(eval_set="golden", run_id="r1", expected="a", predicted="b", ts=NOON)
    by_type = {type(event): event for event in subject.published()}
    assert by_type == {
        Interaction: Interaction(
            id=asked, ts=NOON, user_query="hi", model_response="hello", latency_ms=3, **DEFAULTS, **session
        ),
        Embedding: Embedding(
            id=vector,
            ts=NOON,
            vector=array("f", [1, 2]).tobytes(),
            dim=2,
            interaction_id=asked,
            **DEFAULTS | {"model": "embedder"},
            **session,
        ),
        Feedback: Feedback(interaction_id=asked, ts=NOON, score=4, **DEFAULTS, **session),
        Evaluation: Evaluation(
            eval_set="golden", run_id="r1", ts=NOON, expected="a", predicted="b", **DEFAULTS
        ),
    }
    assert subject.publisher.stats.delivered == 4


def test_a_ready_event_arrives_and_is_not_changed(subject: Subject) -> None:
    event = Interaction(id="1", ts=NOON, app="own")
    subject.publisher.publish(event)
    assert subject.only() == Interaction(id="1", ts=NOON, **DEFAULTS | {"app": "own"})
    assert event == Interaction(id="1", ts=NOON, app="own")


def test_an_embedding_never_takes_the_chat_model_for_its_own(subject: Subject) -> None:
    subject.publisher.embedding([1.0])
    assert subject.only().model is None


VECTORS: list[tuple[Any, str]] = [
    ([0.5, 2.0], "float32"),
    ((0.5, 2), "float32"),
    (array("d", [0.5, 2.0]), "float32"),
    (np.array([0.5, 2.0]), "float32"),
    (np.array([0.5, 2.0], "f4"), "float32"),
    (np.array([0.5, 2.0], ">f4"), "float32"),
    (np.array([0.5, 2.0], "f2"), "float16"),
    (np.array([0.5, 9.0, 2.0, 9.0])[::2], "float32"),
    (np.array([0.5, 2.0], "<f4").tobytes(), "float32"),
]


def test_a_vector_may_come_in_any_form(subject: Subject) -> None:
    for number, (vector, _) in enumerate(VECTORS):
        subject.publisher.embedding(vector, id=str(number))
    found: dict[str, Any] = {event.id: event for event in subject.published() if isinstance(event, Embedding)}
    for number, (vector, dtype) in enumerate(VECTORS):
        event = found[str(number)]
        assert (event.dtype, event.dim) == (dtype, 2), vector
        assert np.frombuffer(event.vector, event.dtype).tolist() == [0.5, 2.0], vector


def test_a_vector_with_nan_is_left_to_the_worker(subject: Subject) -> None:
    subject.publisher.embedding([float("nan"), float("inf"), 1e300])
    assert np.isfinite(np.frombuffer(subject.only().vector, "f4")).sum() == 0


@pytest.mark.parametrize(
    "vector", ["abc", 3, [[1.0], [2.0]], np.ones((2, 2)), [], b"123", [1.0, "x"], object(), range(20_000)]
)
def test_what_is_no_vector_is_dropped_and_counted(subject: Subject, vector: object) -> None:
    assert subject.publisher.embedding(vector)
    assert subject.published() == []
    assert subject.publisher.dropped == {"bad_vector": 1}


class Explosive:
    """An argument that no question can be asked of."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


# The calls are wrong on purpose, which is what the type checker would say of each of them.
WRONG: list[Callable[[Any], object]] = [
    lambda it: it.interaction(answer="42"),
    lambda it: it.interaction("hi", "hello"),
    lambda it: it.interaction(user_query=3),
    lambda it: it.interaction(toxicity=7.0),
    lambda it: it.interaction(latency_ms=-1.0),
    lambda it: it.interaction(latency_ms=object()),
    lambda it: it.interaction(latency_ms=np.array([1.0, 2.0])),
    lambda it: it.interaction(latency_ms=Explosive()),
    lambda it: it.interaction(input_tokens=10**30),
    lambda it: it.interaction(labels={"of": np.str_("numpy")}),
    lambda it: it.interaction(id=12),
    lambda it: it.interaction(ts="yesterday"),
    lambda it: it.interaction(user_query="\ud800"),
    lambda it: it.embedding(),
    lambda it: it.embedding([1.0], "s1"),
    lambda it: it.embedding([1.0], model="\ud800"),
    lambda it: it.embedding([1.0], kind="picture"),
    lambda it: it.feedback(score=3),
    lambda it: it.feedback("i1", score=9),
    lambda it: it.evaluation(),
    lambda it: it.publish({"id": "1"}),
    lambda it: it.publish(None),
]


@pytest.mark.parametrize("call", WRONG, ids=range(len(WRONG)))
def test_a_wrong_call_neither_raises_nor_publishes_and_is_counted(
    subject: Subject, call: Callable[[Any], object]
) -> None:
    call(subject.publisher)
    assert subject.published() == []
    assert subject.publisher.dropped == {"bad_event": 1}


def test_numbers_of_numpy_are_numbers(subject: Subject) -> None:
    numbers: dict[str, Any] = {
        "latency_ms": np.float64(2.5),
        "turn": np.int64(3),
        "toxicity": np.float32(0.5),
    }
    subject.publisher.interaction(**numbers)
    event = subject.only()
    assert (event.latency_ms, event.turn, event.toxicity) == (2.5, 3, 0.5)


class Model(enum.StrEnum):
    SMALL = "small"


class Text(str):
    """As templating libraries have them."""

    def __len__(self) -> int:
        raise RuntimeError


def test_a_text_may_be_of_a_type_of_its_own(subject: Subject) -> None:
    for text in (Model.SMALL, Text("small"), np.str_("small")):
        subject.publisher.interaction(model=text, user_query=text)
    found = [event for event in subject.published() if isinstance(event, Interaction)]
    assert [(event.model, event.user_query) for event in found] == [("small", "small")] * 3
    assert {type(event.model) for event in found} == {str}


def test_a_wrong_call_costs_itself_alone(subject: Subject) -> None:
    for call in WRONG:
        subject.publisher.interaction()
        call(subject.publisher)
    assert len(subject.published()) == len(WRONG)
    assert subject.publisher.dropped == {"bad_event": len(WRONG)}


def test_a_long_text_loses_its_end_and_is_counted(subject: Subject) -> None:
    subject.publisher.interaction(user_query="q" * 2_000_000, model_response="r" * 101)
    event = subject.only()
    assert (event.user_query, event.model_response) == ("q" * 100, "r" * 100)
    assert subject.publisher.stats.clipped == 2


def test_ids_given_are_kept_and_others_are_new(subject: Subject) -> None:
    it = subject.publisher
    assert it.interaction(id="mine") == "mine"
    others = {it.interaction() for _ in range(1000)}
    assert len(others) == 1000
    assert {event.id for event in subject.published() if isinstance(event, Interaction)} == {"mine", *others}


def test_after_close_events_are_counted_and_nothing_else(subject: Subject) -> None:
    subject.publisher.close()
    subject.publisher.close()
    assert subject.publisher.interaction()
    subject.publisher.feedback("i1", thumbs="up")
    assert subject.publisher.flush(1) == 0
    assert subject.publisher.dropped == {"closed": 2}
