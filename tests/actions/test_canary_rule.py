"""The canary's rule on a simulated clock: a swap is found in three rounds, and a calm week raises nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions.canary import rule, story
from drift_aware.actions.canary.asking import Round
from drift_aware.actions.canary.comparing import distance, normalised
from drift_aware.actions.canary.goldens import PROMPTS, Question
from drift_aware.schema.canaries import CanaryId
from rig.canaries import HOUR_MS, LEARN, MODELS, WEEK, asked, jittery, unsteady
from rig_events import NOON

SEEDS = 60


@pytest.mark.parametrize("which", MODELS)
def test_a_calm_week_raises_nothing(which: CanaryId) -> None:
    for seed in range(SEEDS):
        endpoint = asked(which)
        for found in itertools.islice(MODELS[which](seed), WEEK):
            endpoint.go(found)
        assert endpoint.canary.alert is None, f"seed {seed}"


@pytest.mark.parametrize("which", MODELS)
def test_a_swap_is_reported_within_three_rounds_and_is_over_two_rounds_after_it_was_undone(
    which: CanaryId,
) -> None:
    for seed in range(SEEDS):
        endpoint = asked(which)
        before, after = MODELS[which](seed), MODELS[which](seed + 1000, "other")
        for found in itertools.islice(before, LEARN + seed % 48):
            endpoint.go(found)
        swapped = NOON + endpoint.canary.round * HOUR_MS
        fired = [story.is_firing(endpoint.go(next(after))) for _ in range(3)]
        assert fired[-1], f"seed {seed}"
        assert endpoint.canary.alert is not None
        assert endpoint.canary.alert.onset == swapped, f"seed {seed}"
        assert "the API now reports model other, not small" in endpoint.canary.alert.summary
        fired = [story.is_firing(endpoint.go(next(before))) for _ in range(2)]
        assert fired == [True, False], f"seed {seed}"


def test_nor_does_a_week_in_which_every_prompt_is_as_unsteady_as_the_rule_allows() -> None:
    fired = 0
    for seed in range(SEEDS):
        endpoint = asked("answers")
        for found in itertools.islice(unsteady(seed, few=len(PROMPTS), flips=rule.FLIP), WEEK):
            fired += story.is_firing(endpoint.go(found))
    assert fired == 0


@given(st.integers(3, 100))
def test_by_chance_an_alert_comes_in_one_of_ninety_thousand_rounds_at_most(steady: int) -> None:
    enough = rule.needed(steady)
    assert enough is not None
    assert rule.tail(steady, enough) ** rule.ROUNDS_IN_A_ROW <= 1 / 90_000
    assert rule.tail(steady, enough - 1) > rule.TAIL


def test_two_that_count_prove_nothing() -> None:
    endpoint = asked("answers", list(PROMPTS[:2]))
    for found in itertools.islice(unsteady(1, few=0), LEARN):
        endpoint.go(found)
    for found in itertools.islice(unsteady(2, "other", few=0), 20):
        endpoint.go(found)
    assert endpoint.canary.alert is None
    assert all(probe.changed for probe in endpoint.canary.probes)


def test_an_embedder_of_another_size_is_told_with_both_sizes() -> None:
    endpoint = asked("embedding")
    for found in itertools.islice(jittery(1), LEARN):
        endpoint.go(found)
    for found in itertools.islice(jittery(1, dim=32), 2):
        endpoint.go(found)
    alert = endpoint.canary.alert
    assert alert is not None
    assert alert.summary == (
        "12 of 12 fixed strings have moved since 2026-03-01 17:00 UTC, from 64 numbers to 32; "
        "the API still reports model small."
    )
    assert (alert.kind, alert.metric, alert.severity, alert.status) == (
        *("embedding", "canary_embedding", "critical"),
        "firing",
    )
    assert alert.current == 2.0
    assert len(alert.contributions) == alert.score == 12.0
    assert alert.suggested_actions == ["reindex"]


def test_an_embedder_that_is_swapped_while_it_is_learned_is_learned_anew() -> None:
    endpoint = asked("embedding")
    for found in itertools.islice(jittery(1), LEARN - 1):
        endpoint.go(found)
    other = jittery(2, "other")
    for found in itertools.islice(other, LEARN + 3):
        endpoint.go(found)
    assert endpoint.canary.alert is None
    assert all(probe.jitter < rule.MOST_JITTER for probe in endpoint.canary.probes)
    for found in itertools.islice(jittery(1), 2):
        endpoint.go(found)
    assert endpoint.firing


def test_what_is_accepted_is_the_reference_from_then_on() -> None:
    endpoint = asked("answers")
    for found in itertools.islice(unsteady(1, few=0, flips=0), LEARN):
        endpoint.go(found)
    other = unsteady(2, "other", few=0, flips=0)
    for found in itertools.islice(other, 2):
        endpoint.go(found)
    fired = endpoint.canary.alert
    assert fired is not None
    endpoint.canary = story.accept(endpoint.canary, NOON + 99 * HOUR_MS)
    resolved = endpoint.canary.alert
    assert resolved is not None
    assert (resolved.id, resolved.revision, resolved.status) == (fired.id, 2, "resolved")
    assert resolved.ts == NOON + 99 * HOUR_MS
    for found in itertools.islice(other, 30):
        endpoint.go(found)
    assert endpoint.canary.alert == resolved
    for found in itertools.islice(unsteady(1, few=0, flips=0), 2):
        endpoint.go(found)
    assert endpoint.canary.alert is not None
    assert endpoint.canary.alert.id != fired.id
    assert endpoint.firing


def test_a_prompt_that_changes_and_comes_back_counts_no_more() -> None:
    endpoint = asked("answers")
    same = Round(answers={question.name: "yes" for question in PROMPTS})
    once = Round(answers=same.answers | {"sum": "43"})
    for _ in range(LEARN):
        endpoint.go(same)
    assert len(story.count(endpoint.canary, LEARN).steady) == len(PROMPTS)
    endpoint.go(once)
    assert [probe.name for probe in story.count(endpoint.canary, LEARN).changed] == ["sum"]
    endpoint.go(same)
    assert "sum" not in {probe.name for probe in story.count(endpoint.canary, LEARN).steady}


def test_a_probe_without_an_answer_is_as_it_was() -> None:
    endpoint = asked("answers")
    for found in itertools.islice(unsteady(1, few=0, flips=0), LEARN):
        endpoint.go(found)
    before = endpoint.canary.probes
    endpoint.go(Round(answers={"sum": "other"}))
    assert endpoint.canary.probes[1:] == before[1:]
    assert endpoint.canary.probes[0].changed


def test_a_prompt_with_another_text_begins_to_learn_and_one_that_is_gone_is_forgotten() -> None:
    endpoint = asked("answers")
    for found in itertools.islice(unsteady(1, few=0), LEARN):
        endpoint.go(found)
    edited = [Question("sum", "What is 1 + 1?"), *PROMPTS[2:]]
    endpoint.plan = story.Plan("small", edited, LEARN)
    endpoint.go(next(unsteady(1, few=0)))
    rounds = {probe.name: probe.rounds for probe in endpoint.canary.probes}
    assert rounds == {question.name: 1 if question.name == "sum" else LEARN for question in edited}


@given(st.text(), st.sampled_from(["", " ", "\n", "."]))
def test_spacing_and_a_full_stop_at_the_end_are_no_other_answer(text: str, end: str) -> None:
    assert normalised(text + end) == normalised(text) == normalised(text.replace(" ", "  "))


@given(
    st.lists(st.floats(-1, 1, width=32).filter(lambda x: abs(x) > 1e-3), min_size=2, max_size=9),
    st.floats(0.5, 4, width=32),
)
def test_the_length_of_a_vector_does_not_matter(row: list[float], factor: float) -> None:
    one = np.array(row, "<f4")
    longer = (one * np.float32(factor)).astype("<f4")
    assert distance(one.tobytes(), longer.tobytes()) < 1e-12
    assert distance(one.tobytes(), (-one).tobytes()) == pytest.approx(2.0)
