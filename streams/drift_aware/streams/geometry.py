"""The geometry in which a movement of the mean of embeddings is measured.

Differences of means are weighed by the covariance of the reference to the power of -1/4: between plain
distance, which sees only the widest directions, and full whitening, which sees mostly noise. No direction is
left out: a new topic often shows in trailing ones.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.streams.evidence import Floats

SPANS = (80.0, 160.0, 320.0, 640.0)  # events
THETAS = (0.15, 0.3, 0.6, 1.0)
_POWER = -0.25
# Variances below this part of the mean variance count as this much: a constant dimension has none.
_FLOOR = 1e-3
# Sizes of panes for which cumulants are found, and how many panes are drawn for each.
SIZES = (1, 4, 16, 64)
_DRAWN = 4000
_SETTLED = 400  # panes after which the running directions have forgotten their start


class Geometry(msgspec.Struct, array_like=True):
    """Arrays as little-endian float32 bytes.

    Attributes:
        metric: upper triangle of the weighing matrix A, (d, d) symmetric.
        spread: upper triangle of A C A, with C the covariance of held-out vectors.
        cumulants: ln E exp(theta s) of the standardised projection s, shape (sizes, spans, thetas), flat.
    """

    metric: bytes
    spread: bytes
    cumulants: list[float]


def fit_geometry(vectors: Floats, units: NDArray[np.bool_], rng: np.random.Generator) -> Geometry:
    """Fit the geometry of a reference.

    Two thirds give the metric; the last third, which it has not seen, how far calm means scatter in it.

    Args:
        vectors: in random order, shape (n, d).
        units: which of them are independent.
        rng: of the draws.
    """
    cut = max(1, 2 * len(vectors) // 3)
    metric = _metric(vectors[:cut])
    held_out = vectors[cut:][units[cut:]]
    if len(held_out) < 2:
        held_out = vectors[units] if units.sum() > 1 else vectors
    centred = held_out - held_out.mean(axis=0)
    spread = metric @ (centred.T @ centred / max(1, len(centred) - 1)) @ metric
    single, spread32 = metric.astype(np.float32), spread.astype(np.float32)
    cumulants = [
        _cumulants(centred.astype(np.float32), single, spread32, size, span, rng)
        for size in SIZES
        for span in SPANS
    ]
    return Geometry(triangle(single), triangle(spread32), np.array(cumulants).ravel().tolist())


def triangle(matrix: NDArray[np.float32]) -> bytes:
    """The upper triangle of a symmetric matrix."""
    return matrix[np.triu_indices(len(matrix))].astype("<f4").tobytes()


def symmetric(packed: bytes, dim: int) -> NDArray[np.float32]:
    """The reverse of ``triangle``, shape (dim, dim)."""
    matrix = np.zeros((dim, dim), np.float32)
    matrix[np.triu_indices(dim)] = np.frombuffer(packed, "<f4")
    return matrix + np.triu(matrix, 1).T


def cumulants_for(geometry: Geometry, events: float) -> Floats:
    """Cumulants for a pane of so many events, shape (spans, thetas), interpolated in ln(events)."""
    table = np.array(geometry.cumulants).reshape(len(SIZES), len(SPANS), len(THETAS))
    place = float(np.interp(np.log(max(events, 1.0)), np.log(SIZES), np.arange(len(SIZES))))
    below = min(int(place), len(SIZES) - 2)
    found: Floats = table[below] + (place - below) * (table[below + 1] - table[below])
    return found


def fresh_share(span: float, events: float) -> float:
    """The weight of the newest pane in an exponentially weighted mean over ``span`` events."""
    return float(1 - (1 - 2 / (span + 1)) ** events)


def _metric(vectors: Floats) -> Floats:
    centred = vectors - vectors.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred / max(1, len(vectors) - 1))
    floor = max(_FLOOR * float(values.mean()), 1e-12)
    weights = np.maximum(values, floor) ** _POWER
    metric: Floats = (axes * weights) @ axes.T
    return metric


def _cumulants(
    centred: NDArray[np.float32],
    metric: NDArray[np.float32],
    spread: NDArray[np.float32],
    size: int,
    span: float,
    rng: np.random.Generator,
) -> list[float]:
    """Ln E exp(theta s) over panes drawn from held-out vectors around their own mean.

    s has mean 0 and variance 1 given its direction, so what exp(theta s) owes to s and s*s is taken off
    before averaging: a tenth of the draws does as well.
    """
    from scipy.signal import lfilter  # it takes half a second, which only fitting should wait for

    drawn = _DRAWN + _SETTLED
    means = np.zeros((drawn, centred.shape[1]), np.float32)
    for _ in range(size):
        means += centred[rng.integers(0, len(centred), drawn)]
    means /= size
    fresh = fresh_share(span, size)
    directions = lfilter([fresh], [1, fresh - 1], means, axis=0).astype(np.float32)
    past, now = directions[_SETTLED - 1 : -1], means[_SETTLED:]
    variance = np.einsum("ij,ij->i", past @ spread, past) / size
    moved = np.einsum("ij,ij->i", past @ metric, now)
    usable = variance > 1e-12
    if not usable.any():
        return [theta * theta / 2 for theta in THETAS]
    s = (moved[usable] / np.sqrt(variance[usable])).astype(np.float64)
    return [_log_mean_exp(s, theta) for theta in THETAS]


def _log_mean_exp(s: Floats, theta: float) -> float:
    values = np.exp(theta * s)
    controls = np.stack([s, s * s - 1], axis=1)
    weights, *_ = np.linalg.lstsq(controls - controls.mean(axis=0), values - values.mean(), rcond=None)
    mean = float(np.mean(values - controls @ weights))
    # A mean of exp(theta s) below one contradicts a mean of s of zero: only noise can give it.
    return max(float(np.log(max(mean, 1.0))), 0.0)
