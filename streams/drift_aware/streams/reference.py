"""The reference of embeddings: what the vectors of calm traffic look like.

Fitted once on a few thousand vectors on the grid (``vectors.on_grid``), it says of any later vector how
unlike the baseline it is, and to which cluster it is nearest; and it holds the geometry in which a movement
of the mean is measured. Scores are computed from dot products of integers below 2**53, which are exact in
double precision whatever the order of summation, so a vector gets the same score on any machine and in any
batch.
"""

from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.streams import classic
from drift_aware.streams.clustering import spherical_kmeans
from drift_aware.streams.evidence import Floats
from drift_aware.streams.geometry import Geometry, fit_geometry
from drift_aware.streams.vectors import GRID

Rows = NDArray[np.int32]
Ints = NDArray[np.int64]

CLUSTERS = 64
GROUPS = 12
# A cluster is not fitted on fewer vectors than this.
_PER_CLUSTER = 10
# Concentration of the von Mises-Fisher components.
KAPPA = 60.0
# Likelihoods are compared in steps of 1/256, far above rounding and far below what matters.
_STEPS = 256
DISTANCE_BINS = 50
_DISTANCE_SCALE = 1 << 14
# Upper edges of the novelty bins, as shares of the held-out scores above them: fine where novelty shows.
_ABOVE = (
    0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.16, 0.13, 0.1,
    0.085, 0.07, 0.06, 0.05, 0.042, 0.035, 0.03, 0.025, 0.02, 0.0165, 0.0135, 0.01, 0.008, 0.006, 0.0045,
    0.003, 0.002, 0.001,
)  # fmt: skip


class Packed(msgspec.Struct, array_like=True):
    """A ``Reference`` on the wire; arrays as little-endian bytes."""

    dim: int
    centroids: bytes  # int16 (k, d)
    weights: bytes  # float64 (k,)
    groups: list[int]
    mean: bytes  # float64 (d,)
    novelty_edges: list[int]
    novelty_counts: list[int]
    cluster_counts: list[int]
    distance_edges: list[int]
    distance_counts: list[int]
    units: int
    geometry: Geometry


class Scores(NamedTuple):
    """What a reference says of n vectors.

    Attributes:
        novelty: bin of the negative log likelihood, shape (n,); the last bin is the most unusual.
        cluster: nearest of the clusters, shape (n,).
        distance: bin of the cosine distance to the baseline's mean, shape (n,).
        silhouette: simplified silhouette in parts of the grid, shape (n,).
    """

    novelty: Ints
    cluster: Ints
    distance: Ints
    silhouette: Ints


class Reference:
    """See the module.

    Attributes:
        id: tells references apart.
        dim: d, of the vectors on the grid.
        clusters: how many clusters there are.
        groups: cluster to group, shape (clusters,).
        novelty_counts: of held-out units by novelty bin.
        cluster_counts: of units by cluster.
        distance_counts: of units by bin of the distance to the mean.
        units: how many independent units it was fitted on.
    """

    def __init__(self, packed: Packed) -> None:
        self.packed = packed
        self.id = format(crc32(packed.centroids + packed.mean), "08x")
        self.dim = packed.dim
        self._centroids = np.frombuffer(packed.centroids, "<i2").astype(np.float64).reshape(-1, packed.dim)
        self._log_weights = np.log(np.frombuffer(packed.weights))
        self.clusters = len(self._centroids)
        self.groups = np.array(packed.groups, np.int64)
        self.mean = np.frombuffer(packed.mean)
        self._direction = _on_grid(self.mean[None, :])[0].astype(np.float64)
        self.novelty_counts = np.array(packed.novelty_counts, np.float64)
        self.cluster_counts = np.array(packed.cluster_counts, np.float64)
        self.distance_counts = np.array(packed.distance_counts, np.float64)
        self.units = packed.units
        self.geometry = packed.geometry

    @property
    def centroids(self) -> Floats:
        """Unit centroids, shape (clusters, d)."""
        return self._centroids / GRID

    def unusual(self, share: float) -> int:
        """The first bin of novelty from which on there is at most such a share of calm vectors."""
        above = np.cumsum(self.novelty_counts[::-1])[::-1] / max(self.novelty_counts.sum(), 1.0)
        return int(np.argmax(above <= share)) if above[-1] <= share else len(above)

    def score(self, rows: Rows) -> Scores:
        """Score vectors.

        Args:
            rows: on the grid, shape (n, d).
        """
        likelihood, similarity, distance = self._measure(rows)
        order = np.sort(similarity, axis=1)
        nearest = np.sqrt(np.maximum(0.0, 2 - 2 * order[:, -1]))
        second = np.sqrt(np.maximum(0.0, 2 - 2 * order[:, -2])) if self.clusters > 1 else nearest
        return Scores(
            novelty=np.searchsorted(self.packed.novelty_edges, likelihood, "right"),
            cluster=np.argmax(similarity, axis=1),
            distance=np.searchsorted(self.packed.distance_edges, distance, "right"),
            silhouette=np.rint(classic.simplified_silhouette(nearest, second) * GRID).astype(np.int64),
        )

    def _measure(self, rows: Rows) -> tuple[Ints, Floats, Ints]:
        """Novelty in steps, cosine with each centroid, cosine distance to the mean in steps."""
        exact = rows.astype(np.float64)
        similarity = exact @ self._centroids.T / GRID**2
        logits = KAPPA * similarity + self._log_weights
        largest = logits.max(axis=1, keepdims=True)
        log_sum = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
        distance = 1 - exact @ self._direction / GRID**2
        return (
            np.rint(-log_sum * _STEPS).astype(np.int64),
            similarity,
            np.rint(distance * _DISTANCE_SCALE).astype(np.int64),
        )


def fit(rows: Rows, units: NDArray[np.bool_], seed: int = 0) -> Reference:
    """Fit a reference.

    Half of the vectors give the clusters; the other half, which the clusters have not seen, says how unusual
    calm vectors look to them.

    Args:
        rows: vectors on the grid in a fixed order, shape (n, d), n at least 1.
        units: which of them count as independent units, shape (n,); at least one.
        seed: of the split and of the clustering.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    rows, units = rows[order], units[order]
    half = max(1, len(rows) // 2)
    vectors = rows / GRID
    wanted = max(1, min(CLUSTERS, half // _PER_CLUSTER))
    centroids, weights = spherical_kmeans(vectors[:half], wanted, rng)
    groups, _ = spherical_kmeans(centroids, min(GROUPS, len(centroids)), rng)
    mean = vectors[units].mean(axis=0)
    bare = Packed(
        dim=rows.shape[1],
        centroids=_on_grid(centroids).astype("<i2").tobytes(),
        weights=weights.tobytes(),
        groups=np.argmax(centroids @ groups.T, axis=1).tolist(),
        mean=mean.tobytes(),
        novelty_edges=[],
        novelty_counts=[],
        cluster_counts=[],
        distance_edges=[],
        distance_counts=[],
        units=int(units.sum()),
        geometry=fit_geometry(vectors, units, rng),
    )
    return Reference(_counted(bare, rows, units, half))


def _counted(bare: Packed, rows: Rows, units: NDArray[np.bool_], half: int) -> Packed:
    """The bins, and what the reference's own vectors put into them."""
    reference = Reference(bare)
    novelty, similarity, distance = reference._measure(rows)
    held_out = novelty[half:] if len(novelty) > half else novelty
    mine = units[half:] if len(novelty) > half else units
    edges = np.unique(np.ceil(np.quantile(held_out, 1 - np.array(_ABOVE)))).astype(np.int64)
    low, high = np.quantile(distance, [0.001, 0.999])
    steps = np.unique(np.rint(np.linspace(low, max(high, low + DISTANCE_BINS), DISTANCE_BINS - 1)))
    distance_edges = steps.astype(np.int64)
    return msgspec.structs.replace(
        bare,
        novelty_edges=edges.tolist(),
        novelty_counts=_histogram(np.searchsorted(edges, held_out[mine], "right"), len(edges) + 1),
        cluster_counts=_histogram(np.argmax(similarity[units], axis=1), reference.clusters),
        distance_edges=distance_edges.tolist(),
        distance_counts=_histogram(
            np.searchsorted(distance_edges, distance[units], "right"), len(distance_edges) + 1
        ),
    )


def _histogram(bins: NDArray[np.int64], number: int) -> list[int]:
    counts: list[int] = np.bincount(bins, minlength=number).tolist()
    return counts


def _on_grid(vectors: Floats) -> Rows:
    """Unit vectors on the grid; a vector without length stays zero."""
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.rint(vectors / np.where(length > 0, length, 1.0) * GRID).astype(np.int32)
