"""What the simulated chat application says, scenario by scenario."""

import math
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice, pairwise
from statistics import median
from typing import Any, TypeVar

import pytest

from drift_aware.producers.simulate.embedder import TextHashEmbedder
from drift_aware.producers.simulate.lines import line
from drift_aware.producers.simulate.pace import limited
from drift_aware.producers.simulate.scenarios import SCENARIOS, Mood
from drift_aware.producers.simulate.texts import TOPICS
from drift_aware.producers.simulate.traffic import events
from drift_aware.schema.events import Embedding, Evaluation, Event, Feedback, Interaction
from drift_aware.streams.labels.refusal import is_refusal
from rig_events import NOON

HALF = 3000
RATE = 50
# A session of 1 to 6 turns keeps to its topic, so turns tell less of the topics' shares than their number.
TURNS_PER_CHOICE_OF_TOPIC = (91 / 6) / (21 / 6)
# Of a normal distribution: one check in 16,000 fails by chance, and never another than with this seed.
DEVIATIONS = 4.0

Some = TypeVar("Some", bound=Event)


def told(scenario: str, seed: int = 7, **options: Any) -> Iterator[Event]:
    usual: dict[str, Any] = {"rate": RATE, "start_ms": NOON, "change_at": HALF, "dim": 8}
    return events(SCENARIOS[scenario], seed=seed, **usual | {"explicit_labels": True} | options)


@cache
def story(scenario: str) -> Sequence[Event]:
    return list(limited(told(scenario), HALF + SCENARIOS[scenario].ramp + HALF))


def part(found: Sequence[Event], begin: int, end: int) -> list[Event]:
    """The events of the interactions from ``begin`` up to ``end``."""
    first, last = (NOON + number * 1000 / RATE for number in (begin, end))
    return [event for event in found if first <= float(event.ts) < last]


def only(kind: type[Some], found: Sequence[Event]) -> list[Some]:
    return [event for event in found if isinstance(event, kind)]


def bytes_of(embedding: Embedding) -> bytes:
    assert isinstance(embedding.vector, bytes)
    return embedding.vector


def assert_share(times: int, trials: float, expected: float, what: str) -> None:
    tolerance = DEVIATIONS * math.sqrt(expected * (1 - expected) / trials) + 1 / trials
    assert times / trials == pytest.approx(expected, abs=tolerance), what


def assert_mood(found: Sequence[Event], mood: Mood) -> None:
    asked, rated, graded = only(Interaction, found), only(Feedback, found), only(Evaluation, found)
    refused = sum(bool(each.refusal) for each in asked)
    insulted = sum((each.toxicity or 0) >= 0.5 for each in asked)
    assert_share(refused, len(asked), mood.refusal, "refusals")
    assert_share(insulted, len(asked), mood.toxicity * (1 - mood.refusal), "insults")
    assert_share(sum(bool(each.task_success) for each in rated), len(rated), mood.satisfaction, "feedback")
    assert_share(sum(bool(each.correct) for each in graded), len(graded), mood.accuracy, "accuracy")
    intents = Counter(each.intent for each in asked)
    for name, topic in TOPICS.items():
        choices = len(asked) / TURNS_PER_CHOICE_OF_TOPIC
        times = round(intents[topic.intent] / TURNS_PER_CHOICE_OF_TOPIC)
        assert_share(times, choices, mood.topics.get(name, 0.0), name)
    assert median(each.latency_ms or 0 for each in asked) == pytest.approx(mood.latency_ms, rel=0.05)
    tokens = sum((each.input_tokens or 0) + (each.output_tokens or 0) for each in asked)
    assert 1000 * sum(each.cost_usd or 0 for each in asked) / tokens == pytest.approx(mood.cost, rel=1e-3)


@pytest.mark.parametrize("name", SCENARIOS)
def test_before_and_after_its_change_a_scenario_is_what_it_says(name: str) -> None:
    scenario = SCENARIOS[name]
    end = HALF + scenario.ramp + HALF
    assert_mood(part(story(name), 0, HALF), scenario.before)
    assert_mood(part(story(name), end - HALF, end), scenario.after)


def test_drift_is_from_music_to_programming_with_worse_answers() -> None:
    before, after = SCENARIOS["drift"].before, SCENARIOS["drift"].after
    assert max(before.topics, key=before.topics.__getitem__) == "music"
    assert max(after.topics, key=after.topics.__getitem__) == "programming"
    assert (before.accuracy, after.accuracy) == (0.92, 0.78)
    assert (before.refusal, after.refusal) == (0.03, 0.12)
    assert before.cost < after.cost


@pytest.mark.parametrize("mood", [mood for each in SCENARIOS.values() for mood in (each.before, each.after)])
def test_the_shares_of_the_topics_add_up(mood: Mood) -> None:
    assert sum(mood.topics.values()) == pytest.approx(1)
    assert mood.topics.keys() <= TOPICS.keys()


def test_a_slow_ramp_goes_up_at_every_step() -> None:
    intent = TOPICS["programming"].intent
    steps = [HALF + step * 1000 for step in range(-1, 6)]
    counts = [
        sum(event.intent == intent for event in only(Interaction, part(story("slow-ramp"), *step)))
        for step in pairwise(steps)
    ]
    before, *ramp, after = counts
    assert before == 0
    assert ramp == sorted(set(ramp))
    assert ramp[-1] < after


def test_refusals_creep_up_at_every_step() -> None:
    steps = [HALF - 1000, HALF, HALF + 1000, HALF + 2000, HALF + 3000]
    counts = [
        sum(bool(event.refusal) for event in only(Interaction, part(story("refusal-creep"), *step)))
        for step in pairwise(steps)
    ]
    assert counts == sorted(set(counts))


def test_all_is_well_again_from_the_interaction_named() -> None:
    found = list(limited(told("recovery", recover_at=2 * HALF), 3 * HALF))
    scenario = SCENARIOS["recovery"]
    assert_mood(part(found, HALF, 2 * HALF), scenario.after)
    assert_mood(part(found, 2 * HALF, 3 * HALF), scenario.before)


def test_all_is_well_again_once_an_action_has_helped() -> None:
    asked: list[int] = []

    def recovered() -> bool:
        asked.append(1)
        return len(asked) > HALF

    found = list(limited(told("recovery", recovered=recovered), 3 * HALF))
    scenario = SCENARIOS["recovery"]
    assert_mood(part(found, HALF, 2 * HALF), scenario.after)
    assert_mood(part(found, 2 * HALF, 3 * HALF), scenario.before)
    assert len(asked) == HALF + 1  # not before the change, and never again after it has helped


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_seed_tells_the_same_story_to_the_byte(name: str) -> None:
    first, again, other = (
        b"".join(line(event) for event in islice(told(name, seed, change_at=100), 500)) for seed in (7, 7, 8)
    )
    assert first == again != other


def test_the_labels_can_be_read_off_the_texts() -> None:
    asked = only(Interaction, story("drift"))
    seen = Counter((bool(each.refusal), is_refusal(each.model_response or "")) for each in asked)
    assert seen[True, False] <= 0.02 * (seen[True, True] + seen[True, False])
    assert seen[False, True] <= 0.001 * len(asked)


def test_refusals_are_left_for_the_labels_to_find_unless_asked_for() -> None:
    silent = only(Interaction, list(islice(told("drift", explicit_labels=False), 200)))
    spoken = only(Interaction, list(islice(told("drift"), 200)))
    assert {each.refusal for each in silent} == {None}
    assert [each.model_response for each in silent] == [each.model_response for each in spoken]


def test_events_come_at_the_rate_and_belong_together() -> None:
    found = story("baseline")
    asked, vectors = only(Interaction, found), only(Embedding, found)
    assert [each.ts for each in asked] == [NOON + number * 1000 // RATE for number in range(2 * HALF)]
    assert [(each.interaction_id, each.ts) for each in vectors] == [(each.id, each.ts) for each in asked]
    assert len({each.id for each in asked} | {each.id for each in vectors}) == 4 * HALF
    assert {each.interaction_id for each in only(Feedback, found)} < {each.id for each in asked}
    assert_share(len(only(Feedback, found)), len(asked), 0.2, "feedback")
    assert_share(len(only(Evaluation, found)), len(asked), 0.1, "evaluations")


def test_the_turns_of_a_session_are_counted_and_stay_with_their_topic() -> None:
    sessions: dict[str | None, list[Interaction]] = defaultdict(list)
    for each in only(Interaction, story("baseline")):
        sessions[each.session_id].append(each)
    for turns in sessions.values():
        assert [each.turn for each in turns] == list(range(1, len(turns) + 1))
        assert len({each.intent for each in turns}) == 1
    assert max(map(len, sessions.values())) == 6


def test_the_embedder_says_what_it_is_and_gives_unit_vectors_or_none() -> None:
    for dim in (8, 64, 300):
        embedder = TextHashEmbedder(dim)
        assert embedder.name == f"text-hash-{dim}"
        vector = embedder.embed("How do I tune a guitar?")
        assert math.hypot(*struct.unpack(f"<{dim}e", vector)) == pytest.approx(1, abs=0.01)
        assert vector == TextHashEmbedder(dim).embed("How do I tune a guitar?")
        assert embedder.embed("?!") == bytes(2 * dim)


def test_the_embedder_puts_topics_apart() -> None:
    found = list(limited(told("mix-shift", dim=64), 2000))
    vectors = [struct.unpack("<64e", bytes_of(each)) for each in only(Embedding, found)]
    intents = [each.intent for each in only(Interaction, found)]
    centres = {
        intent: [sum(column) / len(column) for column in zip(*of_intent, strict=True)]
        for intent in set(intents)
        if (of_intent := [vector for vector, own in zip(vectors, intents, strict=True) if own == intent])
    }
    nearest = [min(centres, key=lambda each: math.dist(centres[each], vector)) for vector in vectors]
    assert len(centres) == 4
    assert sum(near == own for near, own in zip(nearest, intents, strict=True)) >= 0.9 * 2000
