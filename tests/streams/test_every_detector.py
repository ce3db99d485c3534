"""What holds for every detector of every family."""

import json
import math
from collections.abc import Callable
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema.settings import Detector as DetectorName
from drift_aware.streams.detectors import NAMES, Detector, Pane, detectors_for
from drift_aware.streams.detectors.limits import Drop, Limit, Z, wilson
from drift_aware.streams.measures import ACCURACY, FEEDBACK, REFUSAL_RATE
from drift_aware.streams.summary import GRID, Summary, merge
from rig.configuration import make_settings

EMBEDDINGS = "embedding/query/m/8"
FAMILIES = ("interaction", "feedback", "evaluation", EMBEDDINGS)
SETTINGS = make_settings()
EVERY = [
    pytest.param(family, index, id=f"{family.split('/')[0]}-{detector.subject.metric}-{detector.name}")
    for family in FAMILIES
    for index, detector in enumerate(detectors_for(family, SETTINGS))
]


def calm(family: str, events: int, rng: np.random.Generator, worse: float = 0.0) -> Summary:
    """Traffic of a family; ``worse`` from 0 to 1 is how far it has drifted."""
    if family == "interaction":
        return Summary(
            {
                "events": events,
                "refusals_known": events,
                "refusals": int(rng.binomial(events, 0.03 + 0.2 * worse)),
                "toxicity_known": events,
                "toxic": int(rng.binomial(events, 0.005 + 0.1 * worse)),
                "errors": int(rng.binomial(events, 0.01 + 0.2 * worse)),
                "latency_known": events,
                "latency_us": int(rng.normal(800_000 * (1 + worse), 1000) * events),
                "cost_known": events,
                "cost_nano_usd": int(rng.normal(90_000 * (1 + worse), 10) * events),
                "tokens_known": events,
                "input_tokens": 200 * events,
                "output_tokens": int(rng.normal(100 * (1 + worse), 1) * events),
            }
        )
    if family == "feedback":
        stars = np.clip(np.rint(rng.normal(4.2 - 1.5 * worse, 0.8, events)), 1, 5).astype(int) * 100
        return Summary(
            {
                "events": events,
                "ratings": events,
                "rating_hundredths": int(stars.sum()),
                "rating_squares": int((stars * stars).sum()),
                "tasks": events,
                "task_successes": int(rng.binomial(events, 0.9 - 0.5 * worse)),
            }
        )
    if family == "evaluation":
        return Summary(
            {"events": events, "graded": events, "correct": int(rng.binomial(events, 0.92 - 0.3 * worse))}
        )
    vectors = rng.normal([1.0 - 1.5 * worse] + [worse] + [0.0] * 6, 0.3, (events, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Summary({"events": events}, np.rint(vectors * GRID).astype(np.int64).sum(axis=0))


def panes(family: str, drift_at: int, count: int, seed: int = 3, events: int = 200) -> list[Pane]:
    """Panes of a second; the window is the last ten."""
    rng = np.random.default_rng(seed)
    baseline = calm(family, 3000, rng)
    summaries = [calm(family, events, rng, worse=1.0 if index >= drift_at else 0.0) for index in range(count)]
    return [
        Pane(
            index,
            index + 1,
            summary,
            merge(summaries[max(0, index - 9) : index + 1]),
            max(0, index - 9),
            baseline,
        )
        for index, summary in enumerate(summaries)
    ]


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_it_finds_a_drift_soon_and_nothing_before(family: str, index: int) -> None:
    detector = detectors_for(family, SETTINGS)[index]
    fired = [pane.start for pane in panes(family, 100, 250) if detector.update(pane).fired]
    assert fired
    assert 100 <= fired[0] <= (110 if detector.subject.paging else 200)


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_a_thousand_calm_panes_raise_nothing(family: str, index: int) -> None:
    detector = detectors_for(family, SETTINGS)[index]
    assert [pane.start for pane in panes(family, 1000, 1000, events=50) if detector.update(pane).fired] == []


@pytest.mark.parametrize(("family", "index"), EVERY)
@pytest.mark.parametrize("stop", [1, 37, 103])
def test_it_goes_on_from_its_dumped_state_as_if_nothing_had_happened(
    family: str, index: int, stop: int
) -> None:
    whole, first, second = (detectors_for(family, SETTINGS)[index] for _ in range(3))
    story = panes(family, 100, 120)
    readings = [whole.update(pane) for pane in story]
    for pane in story[:stop]:
        first.update(pane)
    second.load(first.dump())
    assert [second.update(pane) for pane in story[stop:]] == readings[stop:]


@pytest.mark.parametrize(
    "summary",
    [
        Summary({"events": 0}, np.zeros(8, np.int64)),
        Summary({"events": 3}, np.zeros(8, np.int64)),
        Summary({"events": 1}, np.full(8, GRID)),
        Summary({"events": 10**12}, np.zeros(8, np.int64)),
    ],
    ids=["empty", "three that cancel out", "one", "very many without a direction"],
)
@pytest.mark.parametrize(("family", "index"), EVERY)
def test_garbage_raises_no_alarm_and_no_error(family: str, index: int, summary: Summary) -> None:
    detector = detectors_for(family, SETTINGS)[index]
    for start in range(20):
        reading = detector.update(Pane(start, start + 1, summary, summary, start, summary))
        assert not reading.fired
        assert_sound(detector, reading)


def assert_sound(detector: Detector, reading: msgspec.Struct) -> None:
    """Readings are finite numbers that JSON can carry, and say the same thing twice."""
    said = json.loads(msgspec.json.encode(reading))
    assert said["metric"] == detector.subject.metric
    assert said["detector"] == detector.name
    assert (said["state"] == "firing") == said["fired"]
    assert (said["score"] is None) == (said["state"] == "no_data")
    assert all(math.isfinite(value) for value in said.values() if isinstance(value, float))


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_its_readings_are_sound_throughout_a_drift(family: str, index: int) -> None:
    detector = detectors_for(family, SETTINGS)[index]
    for pane in panes(family, 20, 60):
        reading = detector.update(pane)
        assert_sound(detector, reading)
        if reading.current is not None:
            assert detector.text(reading.current)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_leading_minus_switches_a_detector_off(family: str) -> None:
    for name in NAMES:
        left = detectors_for(family, make_settings(detectors=[f"-{name}"]))
        assert name not in {detector.name for detector in left}
    assert set(get_args(DetectorName)) == {*NAMES, *(f"-{name}" for name in NAMES)}


def test_adwin_pages_only_when_it_is_named() -> None:
    def paging(detectors: list[str]) -> set[bool]:
        found = detectors_for("evaluation", make_settings(detectors=detectors))
        return {detector.subject.paging for detector in found if detector.name == "adwin"}

    assert paging([]) == {False}
    assert paging(["adwin"]) == {True}


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_wilson_interval_holds_the_share_and_solves_its_equation(hits: int, more: int) -> None:
    of = hits + more
    for bound in wilson(hits, of):
        # The bounds are where a score test just rejects: |p - bound| = z * sqrt(bound(1 - bound)/n).
        assert abs(hits / of - bound) == pytest.approx(
            Z * math.sqrt(max(0.0, bound * (1 - bound)) / of), abs=1e-9
        )
    low, high = wilson(hits, of)
    assert -1e-12 <= low <= hits / of <= high <= 1 + 1e-12


def rate_pane(hits: int, of: int, name: str = "refusals", known: str = "refusals_known") -> Pane:
    window = Summary({"events": of, known: of, name: hits})
    baseline = Summary({"events": 300, known: 300, name: 9})
    return Pane(0, 1, window, window, 0, baseline)


@pytest.mark.parametrize(
    ("make", "fires_at"),
    [
        (lambda confirm: Limit(REFUSAL_RATE, 0.05, confirm=confirm), {True: 21, False: 11}),
        (lambda confirm: Limit(REFUSAL_RATE, 0.10, confirm=confirm), {True: 34, False: 21}),
    ],
    ids=["5 %", "10 %"],
)
def test_a_limit_fires_just_above_it_or_when_it_is_certainly_above(
    make: Callable[[bool], Limit], fires_at: dict[bool, int]
) -> None:
    for confirm, expected in fires_at.items():
        first = next(hits for hits in range(200) if make(confirm).update(rate_pane(hits, 200)).fired)
        assert first == expected


def test_too_few_events_are_no_data() -> None:
    reading = Limit(REFUSAL_RATE, 0.05, min_samples=100).update(rate_pane(99, 99))
    assert reading.state == "no_data"
    assert reading.message == "99 of 100 events needed"


def test_an_accuracy_must_not_fall_below_its_minimum() -> None:
    detector = Limit(ACCURACY, 0.75, "below", confirm=False)
    assert not detector.update(rate_pane(150, 200, "correct", "graded")).fired
    assert detector.update(rate_pane(149, 200, "correct", "graded")).fired


def test_a_drop_needs_a_baseline() -> None:
    window = Summary(
        {"events": 200, "ratings": 200, "rating_hundredths": 20_000, "rating_squares": 2_000_000}
    )
    reading = Drop(FEEDBACK, 0.5).update(Pane(0, 1, window, window, 0, Summary({"events": 5})))
    assert not reading.fired
    assert reading.baseline_value is None
