"""The classic measures: equal to scipy's where it has them, and defined where there is nothing to measure."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import distance

from drift_aware.streams.classic import (
    bins_used,
    cluster_shift,
    combined_score,
    cosine_distance,
    euclidean_distance,
    kl,
    kl_noise,
    ks,
    psi,
    psi_noise,
    psi_terms,
    severity,
    simplified_silhouette,
    variance_ratio,
)

Counts = NDArray[np.int64]
Vector = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


def of_bins(bins: int) -> st.SearchStrategy[tuple[Counts, Counts]]:
    counts = arrays(np.int64, bins, elements=st.integers(0, 40))
    return st.tuples(counts, counts).filter(lambda pair: all(counts.any() for counts in pair))


def vectors(*shape: int) -> st.SearchStrategy[Any]:
    # Of parts of 1/64, so that no vector but zero has a length that underflows.
    return arrays(np.int64, shape, elements=st.integers(-64, 64)).map(lambda found: found / 64)


pairs = st.integers(1, 12).flatmap(of_bins)


def smoothed(current: Counts, baseline: Counts) -> tuple[Vector, Vector]:
    kept = [(c + 0.5, b + 0.5) for c, b in zip(current, baseline, strict=True) if c or b]
    p, q = np.array(kept).T
    return p, q  # scipy makes shares of them


@given(pairs)
def test_kl_is_the_entropy_of_scipy_on_smoothed_shares(pair: tuple[Counts, Counts]) -> None:
    assert kl(*pair) == pytest.approx(stats.entropy(*smoothed(*pair)), abs=1e-12)


@given(pairs)
def test_psi_is_both_entropies_of_scipy(pair: tuple[Counts, Counts]) -> None:
    p, q = smoothed(*pair)
    assert psi(*pair) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-12)


@given(pairs)
def test_psi_is_the_same_in_both_directions(pair: tuple[Counts, Counts]) -> None:
    current, baseline = pair
    assert psi(current, baseline) == pytest.approx(psi(baseline, current), abs=1e-12)


@given(pairs)
def test_the_terms_of_psi_add_up_and_none_is_negative(pair: tuple[Counts, Counts]) -> None:
    terms = psi_terms(*pair)
    assert terms.shape == pair[0].shape
    assert (terms >= 0).all()
    assert terms.sum() == pytest.approx(psi(*pair))


def test_the_bin_that_moved_has_the_largest_term() -> None:
    assert np.argmax(psi_terms(np.array([30, 40, 30, 0]), np.array([33, 10, 57, 0]))) == 1


@given(pairs, st.integers(1, 40))
def test_bins_empty_on_both_sides_change_nothing(pair: tuple[Counts, Counts], empty: int) -> None:
    padded = [np.pad(counts, (0, empty)) for counts in pair]
    assert kl(padded[0], padded[1]) == pytest.approx(kl(*pair), abs=1e-12)
    assert psi(padded[0], padded[1]) == pytest.approx(psi(*pair), abs=1e-12)
    assert bins_used(padded[0], padded[1]) == bins_used(*pair)


@given(pairs)
def test_ks_is_that_of_scipy_on_the_events(pair: tuple[Counts, Counts]) -> None:
    current, baseline = (np.repeat(np.arange(len(counts)), counts) for counts in pair)
    assert ks(*pair) == pytest.approx(stats.ks_2samp(current, baseline).statistic, abs=1e-12)


@given(pairs)
def test_equal_counts_are_at_distance_zero(pair: tuple[Counts, Counts]) -> None:
    same = pair[0]
    assert kl(same, same) == psi(same, same) == ks(same, same) == 0.0


@given(pairs)
def test_counts_may_be_floats(pair: tuple[Counts, Counts]) -> None:
    current, baseline = (counts.astype(np.float64) for counts in pair)
    assert kl(current, baseline) == kl(*pair)
    assert psi(current, baseline) == psi(*pair)
    assert ks(current, baseline) == ks(*pair)


@given(st.integers(1, 12).flatmap(of_bins))
def test_without_events_nothing_has_drifted(pair: tuple[Counts, Counts]) -> None:
    some, none = pair[0], np.zeros_like(pair[0])
    for current, baseline in ((some, none), (none, some), (none, none)):
        assert kl(current, baseline) == psi(current, baseline) == ks(current, baseline) == 0.0
        assert not psi_terms(current, baseline).any()
        assert cluster_shift(current, baseline, np.ones((len(some), 3))) == 0.0


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_a_single_bin_cannot_drift(n: int, m: int) -> None:
    current, baseline = np.array([n]), np.array([m])
    assert kl(current, baseline) == psi(current, baseline) == ks(current, baseline) == 0.0
    assert psi_noise(bins_used(current, baseline), n, m) == 0.0


@pytest.mark.parametrize("level", LEVELS)
def test_noise_is_a_chi_squared_quantile(level: float) -> None:
    for bins in (2, 3, 4, 5, 11, 51, 201):
        expected = stats.chi2.ppf(level, bins - 1) * (1 / 300 + 1 / 3000)
        assert psi_noise(bins, 300, 3000, level) == pytest.approx(expected)
        assert kl_noise(bins, 300, 3000, level) == pytest.approx(expected / 2)


def test_without_events_everything_may_be_chance() -> None:
    assert psi_noise(5, 0, 100) == kl_noise(5, 100, 0) == math.inf


SHAPES = {
    "two_bins": np.array([0.97, 0.03]),
    "ratings": np.array([0.05, 0.05, 0.1, 0.3, 0.5]),
    "intents": np.full(12, 1 / 12),
    "distances": stats.norm.pdf(np.linspace(-5, 5, 50)) / stats.norm.pdf(np.linspace(-5, 5, 50)).sum(),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [100, 300, 3000])
def test_unchanged_traffic_passes_the_noise_in_one_look_of_a_hundred_at_most(shape: str, n: int) -> None:
    rng = np.random.default_rng(7)
    looks, m = 1000, 3000
    passed_psi = passed_kl = 0
    for current, baseline in zip(
        rng.multinomial(n, SHAPES[shape], looks), rng.multinomial(m, SHAPES[shape], looks), strict=True
    ):
        bins = bins_used(current, baseline)
        passed_psi += psi(current, baseline) > psi_noise(bins, n, m)
        passed_kl += kl(current, baseline) > kl_noise(bins, n, m)
    # 10 expected at a level of 0.99; 20 is three standard errors more.
    assert passed_psi <= 20
    assert passed_kl <= 25


@given(vectors(5), vectors(5))
def test_distances_are_those_of_scipy(a: Vector, b: Vector) -> None:
    assert euclidean_distance(a, b) == pytest.approx(distance.euclidean(a, b))
    if a.any() and b.any():
        assert cosine_distance(a, b) == pytest.approx(distance.cosine(a, b), abs=1e-12)


@given(vectors(5), st.integers(1, 64))
def test_cosine_distance_sees_no_length(a: Vector, times: int) -> None:
    assert cosine_distance(a, a) == 0.0
    assert cosine_distance(a, a * times / 64) == pytest.approx(0.0, abs=1e-15)


@given(vectors(3))
def test_a_vector_without_direction_is_at_cosine_distance_zero(a: Vector) -> None:
    for without in (np.zeros(3), np.full(3, np.nan), np.array([np.inf, 0.0, -np.inf])):
        assert cosine_distance(a, without) == cosine_distance(without, a) == 0.0


@given(vectors(3))
def test_a_mean_of_nothing_has_not_moved(a: Vector) -> None:
    for nothing in (np.full(3, np.nan), np.array([np.inf, 0.0, -np.inf])):
        assert euclidean_distance(a, nothing) == euclidean_distance(nothing, a) == 0.0
        assert variance_ratio(a, nothing) == variance_ratio(nothing, a) == 1.0


def test_the_variance_ratio_is_that_of_the_vectors() -> None:
    rng = np.random.default_rng(7)
    wide, narrow = (rng.normal([1, 0, 0, 0], scatter, (500, 4)) for scatter in (0.4, 0.1))
    for x in (wide, narrow):
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    expected = wide.var(axis=0).sum() / narrow.var(axis=0).sum()
    assert variance_ratio(wide.mean(axis=0), narrow.mean(axis=0)) == pytest.approx(expected)


def test_a_baseline_of_one_repeated_vector_gives_a_finite_variance_ratio() -> None:
    repeated, scattered = np.array([1.0, 0.0]), np.array([0.0, 0.0])
    assert variance_ratio(repeated, repeated) == 1.0
    assert variance_ratio(scattered, repeated) == pytest.approx(10_000)
    # Rounded to the grid, a mean may be a little longer than one.
    assert variance_ratio(repeated * 1.0001, repeated) == 1.0


@given(of_bins(4), vectors(4, 3))
def test_a_cluster_shift_is_the_movement_of_the_mean(pair: tuple[Counts, Counts], centroids: Vector) -> None:
    now, then = (np.repeat(centroids, counts, axis=0).mean(axis=0) for counts in pair)
    assert cluster_shift(*pair, centroids) == pytest.approx(euclidean_distance(now, then), abs=1e-12)


@given(of_bins(4), vectors(3))
def test_between_equal_centroids_no_shift_is_seen(pair: tuple[Counts, Counts], centroid: Vector) -> None:
    assert cluster_shift(*pair, np.tile(centroid, (4, 1))) == pytest.approx(0.0, abs=1e-12)


@given(vectors(20, 3), vectors(4, 3))
def test_a_silhouette_lies_between_zero_and_one_and_its_sum_merges(x: Vector, centroids: Vector) -> None:
    distances = np.sort(distance.cdist(x, centroids), axis=1)
    nearest, second = distances[:, 0], distances[:, 1]
    whole = simplified_silhouette(nearest, second)
    assert ((whole >= 0) & (whole <= 1)).all()
    parts = simplified_silhouette(nearest[:7], second[:7]), simplified_silhouette(nearest[7:], second[7:])
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_silhouette_without_distances_is_zero() -> None:
    nearest, second = np.array([0.0, np.nan, 0.0]), np.array([0.0, 1.0, 2.0])
    assert simplified_silhouette(nearest, second).tolist() == [0.0, 0.0, 1.0]
    assert simplified_silhouette(np.empty(0), np.empty(0)).shape == (0,)


def test_a_combined_score_is_the_mean_of_what_was_measured() -> None:
    assert combined_score(0.1, 0.1, 0.4, 0.2, 0.75, 0.75) == pytest.approx((1 + 2 + 3) / 3)
    assert combined_score(None, 0.1, 0.4, 0.2, None, 0.75) == pytest.approx(2)
    assert combined_score(None, 0.1, None, 0.2, 0.05, 0.75) == pytest.approx(0.2)
    assert combined_score(None, 0.1, None, 0.2, None, 0.75) is None


def test_a_gain_in_accuracy_does_not_hide_a_drift() -> None:
    assert combined_score(0.3, 0.1, None, 0.2, -0.2, 0.75) == combined_score(0.3, 0.1, None, 0.2, 0.0, 0.75)


def test_an_accuracy_that_may_not_fall_at_all_is_left_out_of_the_score() -> None:
    assert combined_score(0.3, 0.1, None, 0.2, 0.1, 1.0) == pytest.approx(3)
    assert combined_score(None, 0.1, None, 0.2, 0.1, 1.0) is None


@pytest.mark.parametrize(
    ("score", "points", "expected"),
    [
        (1.0, 5.0, None),
        (1.01, None, "info"),
        (None, 5.1, "info"),
        (1.5, 10.0, "info"),
        (1.51, 0.0, "warning"),
        (0.0, 10.1, "warning"),
        (2.0, 15.0, "warning"),
        (2.01, 6.0, "critical"),
        (None, 15.1, "critical"),
        (None, None, None),
        (math.inf, None, "critical"),
        (-1.0, -20.0, None),
    ],
)
def test_severity_rises_above_its_steps(
    score: float | None, points: float | None, expected: str | None
) -> None:
    assert severity(score, points) == expected


@given(st.lists(st.floats(0, 3), min_size=2), st.lists(st.floats(0, 20), min_size=2))
def test_more_is_never_less_severe(scores: list[float], points: list[float]) -> None:
    order = [None, "info", "warning", "critical"]
    by_score = [order.index(severity(score)) for score in sorted(scores)]
    by_points = [order.index(severity(None, lost)) for lost in sorted(points)]
    assert all(a <= b for a, b in itertools.pairwise(by_score))
    assert all(a <= b for a, b in itertools.pairwise(by_points))
