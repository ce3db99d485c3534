"""What holds for every detector of every family."""

import json
import math
from functools import cache

import msgspec
import numpy as np
import pytest

from drift_aware.schema.alerts import Reading
from drift_aware.schema.settings import DETECTORS
from drift_aware.streams import bins
from drift_aware.streams.counting import add_vectors
from drift_aware.streams.days import Days
from drift_aware.streams.detectors import Detector, EmbeddingShift, Pane, detectors_for
from drift_aware.streams.reference import Reference, fit
from drift_aware.streams.summary import Summary, merge
from drift_aware.streams.vectors import GRID, rows_on_grid
from rig.configuration import make_settings

EMBEDDINGS = "embedding/query/m/8"
FAMILIES = ("interaction", "feedback", "evaluation", EMBEDDINGS)
SETTINGS = make_settings(hour_of_day_cells=False)
UNCONFIRMED = make_settings(hour_of_day_cells=False, limits={"confirm": False})
DAY_MS = 86_400_000


def vectors(events: int, rng: np.random.Generator, worse: float = 0.0) -> np.ndarray:
    """Embeddings on the grid."""
    return rows_on_grid(rng.normal([1.0 - 1.5 * worse, worse, *[0.0] * 6], 0.3, (events, 8)))[0]


@cache
def reference() -> Reference:
    return fit(vectors(3000, np.random.default_rng(1)), np.ones(3000, np.bool_))


def made(family: str, index: int) -> Detector:
    """A new detector; those of unconfirmed limits come after the others."""
    return every(family)[index]


def every(family: str) -> list[Detector]:
    known = reference() if family == EMBEDDINGS else None
    found = detectors_for(family, SETTINGS, known)
    plain = [each for each in detectors_for(family, UNCONFIRMED, known) if each.name in ("limit", "drop")]
    return [*found, *plain]


EVERY = [
    pytest.param(
        family,
        index,
        id=f"{family.split('/')[0]}-{detector.subject.metric}-{type(detector).__name__}-{index}",
    )
    for family in FAMILIES
    for index, detector in enumerate(every(family))
]
# What happens to these is not part of the drift below.
UNMOVED = {"input_tokens", "intent", "intent_psi"}
# These are shown, and never fire.
SHOWN = {
    f"query_embedding_{name}" for name in ("euclidean", "variance_ratio", "ks", "cluster_shift", "silhouette")
}


def traffic(family: str, events: int, rng: np.random.Generator, worse: float = 0.0) -> Summary:
    """Traffic of a family; ``worse`` from 0 to 1 is how far it has drifted."""
    if family == EMBEDDINGS:
        summary = Summary({"events": events})
        add_vectors(summary, vectors(events, rng, worse), reference())
        return summary
    if family == "evaluation":
        expected = rng.integers(0, 3, events)
        predicted = np.where(rng.random(events) < 0.92 - 0.3 * worse, expected, (expected + 1) % 3)
        histograms = {
            "expected": counted(expected.tolist()),
            "predicted": counted(predicted.tolist()),
            "matched": counted(expected[expected == predicted].tolist()),
        }
        correct = int((expected == predicted).sum())
        return Summary({"events": events, "graded": events, "correct": correct}, histograms=histograms)
    if family == "feedback":
        return ratings(events, rng, worse)
    return interactions(events, rng, worse)


def interactions(events: int, rng: np.random.Generator, worse: float) -> Summary:
    amounts = {
        "latency": ("latency_us", 1000, rng.lognormal(6.6 + worse, 0.4, events)),
        "cost": ("cost_nano_usd", 1000, rng.lognormal(4.5 + worse, 0.3, events)),
        "response_length": ("response_characters", 1, rng.lognormal(6 - worse, 0.5, events)),
        "input_tokens": ("input_tokens", 1, rng.lognormal(5, 0.3, events)),
        "output_tokens": ("output_tokens", 1, rng.lognormal(4.6 + worse, 0.3, events)),
    }
    known = {"latency_known", "cost_known", "responses", "tokens_known", "refusals_known", "toxicity_known"}
    counts = dict.fromkeys(known, events) | {
        "events": events,
        "refusals": int(rng.binomial(events, 0.02 + 0.2 * worse)),
        "toxic": int(rng.binomial(events, 0.005 + 0.1 * worse)),
        "errors": int(rng.binomial(events, 0.01 + 0.2 * worse)),
        "intents": events,
    }
    scores = np.clip(rng.beta(1, 20, events) + worse * 0.3, 0, 1)
    counts["toxicity_millionths"] = int((scores * 1e6).sum())
    histograms = {"toxicity": counted([bins.toxicity(score) for score in scores.tolist()])}
    histograms["intent"] = counted([bins.named(f"intent {n}") for n in rng.integers(0, 9, events)])
    for name, (total, unit, values) in amounts.items():
        counts[total] = int(np.rint(values * unit).sum())
        histograms[name] = counted([bins.half_octave(round(value)) for value in values.tolist()])
    return Summary(counts, histograms=histograms)


def ratings(events: int, rng: np.random.Generator, worse: float) -> Summary:
    stars = np.clip(np.rint(rng.normal(4.2 - 1.5 * worse, 0.8, events)), 1, 5).astype(int)
    return Summary(
        {
            "events": events,
            "ratings": events,
            "rating_hundredths": int(100 * stars.sum()),
            "rating_squares": int(10_000 * (stars * stars).sum()),
            "tasks": events,
            "task_successes": int(rng.binomial(events, 0.9 - 0.5 * worse)),
        },
        histograms={"rating": counted([bins.stars(float(each)) for each in stars])},
    )


def counted(places: list[int]) -> dict[int, int]:
    found, counts = np.unique(places, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


@cache
def panes(family: str, drift_at: int, count: int, events: int = 200) -> list[Pane]:
    """Panes of an hour of event time; the window is the last ten."""
    rng = np.random.default_rng(3)
    baseline = traffic(family, 3000, rng)
    summaries = [traffic(family, events, rng, float(index >= drift_at)) for index in range(count)]
    hour, days, found = 3_600_000, Days(7, 7), []
    for index, summary in enumerate(summaries):
        days.add((index + 1) * hour, summary)
        found.append(
            Pane(
                start=(index + 1) * hour,
                end=(index + 2) * hour,
                summary=summary,
                steps=[((at + 1) * hour, summaries[at]) for at in range(max(0, index - 9), index + 1)],
                baseline=baseline,
                granted_ms=index * hour / 400,  # of four hundred monitors
                days=copy(days),
            )
        )
    return found


def copy(days: Days) -> Days:
    """The days as they are now."""
    today = days.today()
    over = {day: row for day in range(today.day) if (row := days.row(day)) is not None}
    return Days(7, 7, today, over)


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_it_finds_a_drift_soon_and_nothing_before(family: str, index: int) -> None:
    detector = made(family, index)
    if detector.subject.metric in UNMOVED | SHOWN:
        pytest.skip("this drift does not touch it, or it only shows")
    fired = [at for at, pane in enumerate(panes(family, 60, 160)) if detector.update(pane).fired]
    assert fired
    assert 60 <= fired[0] <= (75 if detector.subject.paging else 150)


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_a_drift_that_is_there_from_the_first_pane_is_not_said_to_have_begun_before_it(
    family: str, index: int
) -> None:
    detector, seen = made(family, index), panes(family, 0, 40)
    onsets = [reading.onset for pane in seen if (reading := detector.update(pane)).onset is not None]
    assert all(onset >= seen[0].start for onset in onsets)


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_many_calm_panes_raise_nothing(family: str, index: int) -> None:
    detector = made(family, index)
    fired = [at for at, pane in enumerate(panes(family, 500, 500, events=50)) if detector.update(pane).fired]
    assert fired == []


@pytest.mark.parametrize(("family", "index"), EVERY)
@pytest.mark.parametrize("stop", [1, 37, 70])
def test_it_goes_on_from_its_dumped_state_as_if_nothing_had_happened(
    family: str, index: int, stop: int
) -> None:
    whole, first, second = (made(family, index) for _ in range(3))
    story = panes(family, 60, 160)[:90]
    readings = [whole.update(pane) for pane in story]
    for pane in story[:stop]:
        first.update(pane)
    second.load(first.dump())
    assert [second.update(pane) for pane in story[stop:]] == readings[stop:]
    assert second.dump() == whole.dump()


GARBAGE = {
    "empty": Summary({"events": 0}, np.zeros(8, np.int64)),
    "three that cancel out": Summary({"events": 3}, np.zeros(8, np.int64)),
    "one": Summary({"events": 1}, np.full(8, GRID)),
    "very many without a direction": Summary({"events": 10**12}, np.zeros(8, np.int64)),
    "a bin that there is not": Summary(
        {"events": 2}, np.zeros(8, np.int64), {"rating": {-3: 1, 900: 1}, "latency": {10**6: 2}}
    ),
}


@pytest.mark.parametrize("summary", GARBAGE.values(), ids=list(GARBAGE))
@pytest.mark.parametrize(("family", "index"), EVERY)
def test_garbage_raises_no_alarm_and_no_error(family: str, index: int, summary: Summary) -> None:
    detector = made(family, index)
    for at in range(20):
        pane = Pane(at, at + 1, summary, [(at, summary)], summary, granted_ms=float(at))
        reading = detector.update(pane)
        assert_sound(detector, reading)
        # To a reference that is there, vectors that cancel out are no garbage but a drift.
        assert not reading.fired or isinstance(detector, EmbeddingShift)


@pytest.mark.parametrize(
    "baseline",
    [
        np.tile([1.0, 0, 0, 0, 0, 0, 0, 0], (300, 1)),
        np.tile([1.0, 0, 0, 0, 0, 0, 0, 0], (3, 1)),
        np.eye(8)[:3],
        np.eye(8)[:1],
        np.hstack([np.random.default_rng(5).normal(size=(400, 5)), np.full((400, 3), 0.25)]),
    ],
    ids=["all the same", "three the same", "three", "one", "constant dimensions"],
)
def test_more_of_what_a_poor_baseline_holds_raises_no_alarm(baseline: np.ndarray) -> None:
    rows = rows_on_grid(baseline.copy())[0]
    known = fit(rows, np.ones(len(rows), np.bool_))
    detector, rng = EmbeddingShift(EMBEDDINGS, known, SETTINGS.budget_ms), np.random.default_rng(2)
    for at in range(200):
        summary = Summary({"events": 10})
        add_vectors(summary, rows[rng.integers(0, len(rows), 10)], known)
        start = at * 10_000 + 1
        reading = detector.update(
            Pane(start, start + 1, summary, [(start, summary)], None, granted_ms=start / 40)
        )
        assert_sound(detector, reading)
        assert not reading.fired


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_one_event_a_day_is_watched_for_a_year_without_an_alarm(family: str, index: int) -> None:
    detector, rng = made(family, index), np.random.default_rng(11)
    baseline = traffic(family, 3, rng)
    for day in range(365):
        one = traffic(family, 1, rng)
        start = day * DAY_MS + 1
        pane = Pane(start, start + 1000, one, [(start, one)], baseline, granted_ms=float(day * DAY_MS) / 40)
        reading = detector.update(pane)
        assert not reading.fired
        assert_sound(detector, reading)


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_its_readings_are_sound_throughout_a_drift(family: str, index: int) -> None:
    detector = made(family, index)
    for pane in panes(family, 60, 160)[40:110]:
        reading = detector.update(pane)
        assert_sound(detector, reading)
        if reading.current is not None:
            assert detector.text(reading.current)


@pytest.mark.parametrize(("family", "index"), EVERY)
def test_the_parts_of_a_drift_add_up_to_the_whole(family: str, index: int) -> None:
    detector = made(family, index)
    pane = panes(family, 60, 160)[-1]
    parts = detector.explain(pane, merge(step for _, step in pane.steps)).parts
    assert not parts or sum(part.share for part in parts) == pytest.approx(1.0)


def assert_sound(detector: Detector, reading: Reading) -> None:
    """Readings are finite numbers that JSON can carry, and say the same thing twice."""
    said = json.loads(msgspec.json.encode(reading))
    assert said["metric"] == detector.subject.metric
    assert said["detector"] == detector.name
    assert (said["state"] == "firing") == said["fired"]
    assert said["fired"] is False or said["score"] >= said["threshold"]
    assert all(math.isfinite(value) for value in said.values() if isinstance(value, float))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_leading_minus_switches_a_detector_off(family: str) -> None:
    for name in DETECTORS:
        left = detectors_for(family, make_settings(detectors=[f"-{name}"]), reference())
        assert name not in {detector.name for detector in left}


def test_adwin_pages_only_when_it_is_named() -> None:
    def paging(detectors: list[str]) -> set[bool]:
        found = detectors_for("evaluation", make_settings(detectors=detectors))
        return {detector.subject.paging for detector in found if detector.name == "adwin"}

    assert paging([]) == {False}
    assert paging(["adwin"]) == {True}


def test_everything_that_is_measured_is_watched() -> None:
    watched = {detector.subject.metric for family in FAMILIES for detector in every(family)}
    assert watched - SHOWN == {
        "refusal_rate", "toxicity_rate", "toxicity", "error_rate", "latency_ms", "cost_usd",
        "response_length", "input_tokens", "output_tokens", "intent", "feedback_mean", "task_success_rate",
        "accuracy", "query_embedding", "query_embedding_cosine", "query_embedding_psi", "query_embedding_kl",
        "intent_psi", "precision", "recall", "f1",
    }  # fmt: skip
