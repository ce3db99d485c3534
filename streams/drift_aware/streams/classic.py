"""The classic measures of drift, as pure functions of what summaries hold: counts of bins and mean vectors.

They describe; by themselves they promise nothing about false alarms. A sample is never at distance zero from
the one it is compared with, so a rule on a small window takes off what chance makes of it (``psi_noise``).
Where there is nothing to compare (no events, no direction) a measure is 0.0: nothing says that it drifted.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from drift_aware.schema.alerts import Severity

Floats = NDArray[np.float64]
Numbers = NDArray[np.integer[Any] | np.floating[Any]]

# Rounding unit vectors to 2^-14 per component moves 1 - |mean|^2 by about 4e-5; less is no variance.
_SMALLEST_VARIANCE = 1e-4


def kl(current: Numbers, baseline: Numbers) -> float:
    """Kullback-Leibler divergence of ``current`` from ``baseline``, in nats (Kullback and Leibler 1951).

    Half a count is added to every bin that holds an event on either side, which keeps it finite. A bin empty
    on both sides is left out: it says nothing, yet half a count is a larger share of the smaller side, and
    forty such bins, 100 events against 3,000, would make a PSI of a half out of no change.

    Args:
        current: events in each bin, shape (bins,).
        baseline: the same bins, shape (bins,).

    >>> round(kl(np.array([50, 50]), np.array([90, 10])), 3)
    0.494
    """
    p, q = _shares(current, baseline)
    # Terms of both signs: rounding may leave a little less than nothing.
    return max(0.0, float(np.sum(p * np.log(p / q))))


def psi_terms(current: Numbers, baseline: Numbers) -> Floats:
    """What each bin adds to ``psi``, shape (bins,); no term is negative."""
    p, q = _shares(current, baseline)
    terms = np.zeros(current.shape)
    if len(p):
        terms[(current + baseline) > 0] = (p - q) * np.log(p / q)
    return terms


def psi(current: Numbers, baseline: Numbers) -> float:
    """Population stability index: both Kullback-Leibler divergences added up, with the smoothing of ``kl``.

    By convention below 0.1 nothing, up to 0.2 a moderate and beyond a significant shift; the convention knows
    nothing of how many events there are.

    Args:
        current: events in each bin, shape (bins,).
        baseline: the same bins, shape (bins,).

    >>> round(psi(np.array([50, 50]), np.array([90, 10])), 3)
    0.853
    """
    return float(np.sum(psi_terms(current, baseline)))


def ks(current: Numbers, baseline: Numbers) -> float:
    """Two-sample Kolmogorov-Smirnov statistic of ordered bins: the largest gap between cumulative shares.

    Events of one bin count as equal, so on bins wider than the data it is at most the statistic of the data.

    Args:
        current: events in each bin, lowest bin first, shape (bins,).
        baseline: the same bins, shape (bins,).

    >>> ks(np.array([1, 1, 2]), np.array([2, 2, 0]))
    0.5
    """
    assert current.shape == baseline.shape
    n, m = float(current.sum()), float(baseline.sum())
    if not n or not m:
        return 0.0
    return float(np.max(np.abs(np.cumsum(current) / n - np.cumsum(baseline) / m)))


def bins_used(current: Numbers, baseline: Numbers) -> int:
    """How many bins hold an event on either side."""
    return int(np.count_nonzero(current + baseline))


def psi_noise(bins: int, n: float, m: float, level: float = 0.99) -> float:
    """What chance alone seldom passes: the quantile ``level`` of ``psi`` between two samples of one traffic.

    With nothing changed, n * m / (n + m) * PSI is about chi-squared with ``bins`` - 1 degrees of freedom
    (Yurdakul 2018, https://scholarworks.wmich.edu/dissertations/3208). With few events to a bin the smoothing
    makes PSI smaller than that, so this errs towards silence. It holds for one look at independent events.

    Args:
        bins: number of bins in use (``bins_used``).
        n: events of one side.
        m: events of the other.
        level: from 0.5 to below 1.

    Returns:
        Infinity if a side has no events: everything may be chance.

    >>> round(psi_noise(50, 300, 3000), 2), round(psi_noise(50, 30_000, 30_000), 3)
    (0.27, 0.005)
    """
    if not n or not m:
        return math.inf
    return float(chdtri(bins - 1, 1 - level)) * (1 / n + 1 / m) if bins > 1 else 0.0


def kl_noise(bins: int, n: float, m: float, level: float = 0.99) -> float:
    """The same for ``kl``, in nats: near equal shares each direction is half of the sum of both.

    With two events to a bin against a far larger baseline the halves differ: 100 events over 50 bins against
    100,000 pass a level of 0.99 in 5 looks of a hundred, where PSI stays within its one.
    """
    return psi_noise(bins, n, m, level) / 2


def cosine_distance(a: Numbers, b: Numbers) -> float:
    """One less the cosine of the angle between two mean vectors, 0 to 2.

    0.0 if either has no direction: of length zero, or not finite (a mean of nothing).

    Args:
        a: shape (d,), of length up to about 1.
        b: shape (d,).

    >>> cosine_distance(np.array([1.0, 0.0]), np.array([0.0, 0.5]))
    1.0
    """
    first, second = _direction(a), _direction(b)
    if first is None or second is None:
        return 0.0
    # Half the squared chord: exactly zero for equal directions, where one less the cosine is rounding.
    return min(2.0, float(np.sum(np.square(first - second))) / 2)


def cosine_noise(baseline_mean: Numbers, n: float, m: float) -> float:
    """What chance makes of ``cosine_distance`` on average, between mean unit vectors of one traffic.

    The sampling error of a mean over n unit vectors with mean m has squared length (1 - |m|^2)/n, which makes
    an expected distance of half of it over |m|^2; both samples add theirs.

    Args:
        baseline_mean: shape (d,), of length up to 1.
        n: events of one side.
        m: events of the other.

    Returns:
        Infinity if there is no direction, or a side has no events.

    >>> round(cosine_noise(np.array([0.8, 0.0]), 100, 100), 5)
    0.00562
    """
    squared = float(baseline_mean @ baseline_mean)
    if not squared or not n or not m:
        return math.inf
    return (1 - squared) / squared / 2 * (1 / n + 1 / m)


def euclidean_distance(a: Numbers, b: Numbers) -> float:
    """Length of the difference of two mean vectors, each of shape (d,); 0.0 if either is not finite.

    >>> euclidean_distance(np.array([3.0, 0.0]), np.array([0.0, 4.0]))
    5.0
    """
    assert a.shape == b.shape
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0
    return float(np.sqrt(np.sum(np.square(a - b))))


def variance_ratio(current_mean: Numbers, baseline_mean: Numbers) -> float:
    """How much wider unit vectors scatter now: total variance of current over that of baseline.

    The total variance of unit vectors with mean m is 1 - |m|^2, so the mean is all it takes. Variances below
    the rounding of stored vectors count as that rounding: two samples of one repeated vector give 1.0, never
    a division by zero. 1.0, too, if a mean is not finite (a mean of nothing).

    Args:
        current_mean: mean of unit vectors, shape (d,).
        baseline_mean: the same, shape (d,).

    >>> round(variance_ratio(np.array([0.6, 0.0]), np.array([0.8, 0.0])), 3)
    1.778
    """
    if not (np.isfinite(current_mean).all() and np.isfinite(baseline_mean).all()):
        return 1.0
    return _variance(current_mean) / _variance(baseline_mean)


def cluster_shift(current_counts: Numbers, baseline_counts: Numbers, centroids: Numbers) -> float:
    """How far the mean moves by the change of cluster shares alone, in the unit of the centroids.

    Where the clusters themselves lie is held fixed, so set against the ``euclidean_distance`` of the means it
    tells a changed mix of known topics from topics that have moved.

    Args:
        current_counts: events nearest to each centroid, shape (k,).
        baseline_counts: the same, shape (k,).
        centroids: shape (k, d).

    >>> round(cluster_shift(np.array([5, 5]), np.array([8, 2]), np.array([[1.0, 0.0], [0.0, 1.0]])), 3)
    0.424
    """
    assert current_counts.shape == baseline_counts.shape
    n, m = float(current_counts.sum()), float(baseline_counts.sum())
    if not n or not m:
        return 0.0
    moved = (current_counts / n - baseline_counts / m) @ centroids
    return float(np.sqrt(moved @ moved))


def simplified_silhouette(nearest: Numbers, second: Numbers) -> Floats:
    """How clearly each event belongs to its cluster: (b - a) / max(a, b), from 0 to 1 as a <= b.

    Distances to centroids stand in for the mean distances to all members (Hruschka, Campello and de Castro,
    "Evolutionary algorithms for clustering gene-expression data", ICDM 2004). So each event has a number of
    its own, and sums of them merge; the silhouette of a window is its sum over its events.

    Args:
        nearest: a, distance of each event to its nearest centroid, shape (n,).
        second: b, to the second nearest, shape (n,).

    Returns:
        Shape (n,); 0 where both are 0 or one is not a number.

    >>> simplified_silhouette(np.array([1.0, 2.0, 0.0]), np.array([4.0, 2.0, 0.0])).tolist()
    [0.75, 0.0, 0.0]
    """
    larger = np.maximum(nearest, second)
    clarity = np.zeros(larger.shape)
    np.divide(second - nearest, larger, out=clarity, where=larger > 0)
    return clarity


def combined_score(
    kl: float | None,
    kl_limit: float,
    psi: float | None,
    psi_limit: float,
    accuracy_drop: float | None,
    accuracy_min: float,
) -> float | None:
    """Several measures as one number, in thresholds: the mean of what each is of its own.

    A gain in accuracy counts as no drop, so that it does not hide a drift of the others.

    Args:
        kl: in nats.
        kl_limit: its threshold.
        psi: the index.
        psi_limit: its threshold.
        accuracy_drop: baseline less current, as a share (0.05 is five points).
        accuracy_min: the lowest accuracy allowed, a share; what it leaves to lose is the threshold of the
            drop. At 1 it leaves nothing to measure a drop by, and the drop counts as not measured.

    Returns:
        The mean over what was measured (is not None); None if nothing was.

    >>> combined_score(0.2, 0.1, 0.2, 0.2, None, 0.75)
    1.5
    """
    pairs = ((kl, kl_limit), (psi, psi_limit), (accuracy_drop, 1 - accuracy_min))
    ratios = [max(0.0, value) / limit for value, limit in pairs if value is not None and limit > 0]
    return sum(ratios) / len(ratios) if ratios else None


def severity(score_in_thresholds: float | None, points: float | None = None) -> Severity | None:
    """How bad it is: by the score, or by the fall of accuracy where that is worse.

    Args:
        score_in_thresholds: info above 1, warning above 1.5, critical above 2 times the threshold.
        points: percentage points of accuracy lost: info above 5, warning above 10, critical above 15.

    Returns:
        None if neither is above its first step.

    >>> severity(1.2), severity(1.2, points=16), severity(1.0)
    ('info', 'critical', None)
    """
    score, lost = score_in_thresholds or 0.0, points or 0.0
    if score > 2 or lost > 15:
        return "critical"
    if score > 1.5 or lost > 10:
        return "warning"
    return "info" if score > 1 or lost > 5 else None


def _shares(current: Numbers, baseline: Numbers) -> tuple[Floats, Floats]:
    """Smoothed shares of the bins in use, shape (bins in use,); of none if a side has no events."""
    assert current.shape == baseline.shape
    if not current.any() or not baseline.any():
        return np.empty(0), np.empty(0)
    used = (current + baseline) > 0
    p, q = current[used] + 0.5, baseline[used] + 0.5
    return p / p.sum(), q / q.sum()


def _direction(vector: Numbers) -> Floats | None:
    if not np.isfinite(vector).all():
        return None
    length = math.sqrt(float(vector @ vector))
    return np.asarray(vector, np.float64) / length if length > 0 else None


def _variance(mean: Numbers) -> float:
    return max(_SMALLEST_VARIANCE, 1 - float(mean @ mean))
