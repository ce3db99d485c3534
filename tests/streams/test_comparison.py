"""What is made of two windows: pure numbers, without a database."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema.events import Evaluation, Event, Feedback
from drift_aware.schema.settings import Limits
from drift_aware.streams.classic import combined_score
from drift_aware.streams.comparison import Comparison, Measure, compare, values
from drift_aware.streams.counting import summarise_events
from drift_aware.streams.summary import AGAIN, SCORED, Summary, merge
from rig_events import interaction

LIMITS = Limits(min_samples=50)
FAMILY = "embedding/query/m/3"
GRID = 1 << 14


def measured(comparison: Comparison) -> dict[str, Measure]:
    return {each.metric: each for each in comparison.measures}


def interactions(count: int, seed: int = 1, refusals: float = 0.03, latency: float = 300.0) -> Summary:
    rng = np.random.default_rng(seed)
    events: list[Event] = [
        interaction(
            number,
            refusal=bool(rng.random() < refusals),
            toxicity=float(rng.beta(1, 20)),
            latency_ms=float(rng.lognormal(np.log(latency), 0.5)),
            intent=str(rng.integers(40)),
            error=None,
        )
        for number in range(count)
    ]
    return summarise_events(events, [None] * count)


def ratings(count: int, seed: int, low: int = 1) -> Summary:
    rng = np.random.default_rng(seed)
    events: list[Event] = [
        Feedback(interaction_id=f"i{number}", ts=0, score=float(rng.integers(low, 6)))
        for number in range(count)
    ]
    return summarise_events(events, [None] * count)


def grades(count: int, right: int) -> Summary:
    events: list[Event] = [
        Evaluation(eval_set="e", run_id="r", ts=0, correct=number < right) for number in range(count)
    ]
    return summarise_events(events, [None] * count)


def vectors(count: int, seed: int, centre: Any = (1.0, 0.0, 0.0), scorer: str | None = None) -> Summary:
    rng = np.random.default_rng(seed)
    rows = rng.normal(centre, 0.3, (count, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    summary = Summary({"events": count}, np.rint(rows * GRID).astype(np.int64).sum(axis=0))
    if scorer is not None:
        summary.counts[SCORED + scorer] = count
        summary.histograms["distance"] = {int(place): 1 for place in rng.choice(50, 20, replace=False)}
    return summary


def test_nothing_to_compare_says_so_and_gives_no_numbers() -> None:
    for now, then in (
        ({}, {}),
        ({"interaction": interactions(400)}, {}),
        ({"interaction": interactions(49)}, {"interaction": interactions(400)}),
        ({FAMILY: vectors(49, 1)}, {FAMILY: vectors(500, 2)}),
    ):
        found = compare(now, then, LIMITS)
        assert (found.state, found.severity) == ("not enough events", "none")
        assert found.overall_score is found.combined is found.accuracy is None
        for each in found.measures:
            assert each.state == "not enough events"
            assert {each.current, each.kl, each.psi, each.ks, each.cosine, each.score} == {None}


def test_a_window_against_itself_has_not_moved() -> None:
    same = {
        "interaction": interactions(300),
        "feedback": ratings(200, 1),
        "evaluation": grades(100, 80),
        FAMILY: vectors(200, 3, scorer="a"),
    }
    found = compare(same, same, LIMITS)
    assert found.severity == "none"
    assert (found.overall_score, found.accuracy_score, found.embedding_score, found.behavior_score) == (
        0,
    ) * 4
    for each in found.measures:
        assert each.kl == each.psi == 0
        assert not each.ks
        assert not each.cosine


def test_two_samples_of_one_traffic_are_no_drift() -> None:
    judged = []
    for seed in range(0, 200, 2):
        now, then = (
            {
                "interaction": interactions(150, each),
                "feedback": ratings(100, each),
                "evaluation": grades(100, int(np.random.default_rng(each).binomial(100, 0.85))),
                FAMILY: vectors(150, each),
            }
            for each in (seed, seed + 1)
        )
        judged.append(compare(now, then, LIMITS).severity)
    assert judged.count("none") >= 97


@pytest.mark.parametrize(
    ("metric", "kind", "now", "then"),
    [
        (
            "refusal_rate",
            "behavior_score",
            {"interaction": interactions(900, 1, refusals=0.3)},
            {"interaction": interactions(900, 2)},
        ),
        (
            "latency_ms",
            "operational_score",
            {"interaction": interactions(900, 1, latency=900)},
            {"interaction": interactions(900, 2)},
        ),
        (
            "feedback_mean",
            "behavior_score",
            {"feedback": ratings(400, 1)},
            {"feedback": ratings(400, 2, low=4)},
        ),
        ("accuracy", "accuracy_score", {"evaluation": grades(500, 300)}, {"evaluation": grades(500, 450)}),
        (
            "query_embedding",
            "embedding_score",
            {FAMILY: vectors(400, 1, (0, 1, 0))},
            {FAMILY: vectors(400, 2)},
        ),
    ],
)
def test_what_has_drifted_is_told_by_its_measure_its_score_and_the_severity(
    metric: str, kind: str, now: dict[str, Summary], then: dict[str, Summary]
) -> None:
    found = compare(now, then, LIMITS)
    worst = max((each for each in found.measures if each.score is not None), key=lambda each: each.score or 0)
    assert worst.metric == metric
    assert getattr(found, kind) == 1.0
    assert found.severity == "critical"


@pytest.mark.parametrize(
    ("right", "severity"), [(445, "none"), (420, "info"), (390, "warning"), (360, "critical")]
)
def test_accuracy_is_judged_by_the_points_it_lost(right: int, severity: str) -> None:
    found = compare({"evaluation": grades(500, right)}, {"evaluation": grades(500, 450)}, LIMITS)
    assert (found.accuracy, found.baseline_accuracy) == (right / 500, 0.9)
    assert found.severity == severity


def test_a_fall_that_chance_may_have_made_does_not_count() -> None:
    found = compare({"evaluation": grades(50, 41)}, {"evaluation": grades(50, 45)}, LIMITS)
    assert (found.accuracy_score, found.severity) == (0.0, "none")


def test_an_accuracy_that_may_not_fall_at_all_is_judged_by_points_alone() -> None:
    strict = Limits(min_samples=50, accuracy_min=1.0)
    found = compare({"evaluation": grades(500, 300)}, {"evaluation": grades(500, 450)}, strict)
    assert (found.accuracy_score, found.severity, found.combined) == (0.0, "critical", None)


def test_one_answer_in_a_conversation_of_ten_is_a_tenth_as_sure() -> None:
    now, then = interactions(900, 1, refusals=0.08), interactions(900, 2)
    talkative = merge([now, Summary({AGAIN: 810})])
    plain = measured(compare({"interaction": now}, {"interaction": then}, LIMITS))["latency_ms"]
    unsure = measured(compare({"interaction": talkative}, {"interaction": then}, LIMITS))["latency_ms"]
    assert unsure.psi == plain.psi
    assert unsure.psi_chance == pytest.approx((plain.psi_chance or 0) * (1 / 90 + 1 / 900) / (2 / 900))


def test_bins_of_distances_are_compared_only_where_one_reference_made_them() -> None:
    then = {FAMILY: vectors(300, 1, scorer="a")}
    same = measured(compare({FAMILY: vectors(300, 2, scorer="a")}, then, LIMITS))["query_embedding"]
    other = measured(compare({FAMILY: vectors(300, 2, scorer="b")}, then, LIMITS))["query_embedding"]
    unscored = measured(compare({FAMILY: vectors(300, 2)}, then, LIMITS))["query_embedding"]
    assert same.psi is not None
    assert other.psi is unscored.psi is None
    assert same.cosine == other.cosine == unscored.cosine


counts = st.integers(50, 2000)
shares = st.floats(0, 1)


@given(counts, counts, shares, shares, shares, shares)
def test_scores_are_shares_and_the_combined_one_is_the_mean_in_limits(
    n: int, m: int, refused: float, before: float, right: float, was_right: float
) -> None:
    def window(events: int, refusals: float, correct: float) -> dict[str, Summary]:
        hits = {"events": events, "refusals_known": events, "refusals": round(refusals * events)}
        graded = {"events": events, "graded": events, "correct": round(correct * events)}
        return {"interaction": Summary(hits), "evaluation": Summary(graded)}

    found = compare(window(n, refused, right), window(m, before, was_right), LIMITS)
    of = measured(found)
    rate, accuracy = of["refusal_rate"], of["accuracy"]
    for score in (found.behavior_score, found.accuracy_score, found.overall_score):
        assert score is not None
        assert 0 <= score <= 1
    assert None not in (rate.kl, rate.kl_chance, rate.psi, rate.psi_chance, accuracy.score)
    distances = [max(0.0, x - y) for x, y in ((rate.kl, rate.kl_chance), (rate.psi, rate.psi_chance))]  # type: ignore[operator]
    errors = max(0.0, of["error_rate"].kl or 0.0)
    assert errors == 0
    lost = (accuracy.score or 0.0) * (1 - LIMITS.accuracy_min)
    assert found.combined == pytest.approx(
        combined_score(distances[0], LIMITS.kl, distances[1], LIMITS.psi, lost, LIMITS.accuracy_min)
    )


def test_values_are_what_there_are_events_for() -> None:
    sums = {"evaluation": grades(10, 7), "interaction": Summary({"events": 4, "errors": 1})}
    assert values(sums) == {"accuracy": 0.7, "error_rate": 0.25}


def test_a_comparison_is_json() -> None:
    now, then = {"interaction": interactions(300)}, {"interaction": interactions(300, 2)}
    found = compare(now, then, LIMITS)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found


def test_where_all_may_be_chance_nothing_has_moved() -> None:
    directionless = Summary({"events": 100}, np.zeros(3, np.int64))
    no_units = Summary({"events": 100, AGAIN: 100, "errors": 90})
    now, then = {FAMILY: directionless, "interaction": no_units}, {FAMILY: vectors(100, 1)}
    found = compare(now, then | {"interaction": Summary({"events": 100})}, LIMITS)
    assert (found.embedding_score, found.operational_score, found.severity) == (0.0, 0.0, "none")
    # JSON has no infinity.
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found
