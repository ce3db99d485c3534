"""Two axes through the clusters of a baseline, to draw a map along: pure."""

from typing import NamedTuple

import numpy as np

from drift_aware.streams.evidence import Floats


class Axes(NamedTuple):
    """The plane in which clusters lie furthest apart.

    Attributes:
        centre: its origin, shape (d,).
        directions: orthonormal, shape (2, d).
        explained: the share of the clusters' variance that shows in it, 0 to 1.
    """

    centre: Floats
    directions: Floats
    explained: float

    def place(self, vectors: Floats) -> Floats:
        """Where vectors lie on it, shape (n, 2)."""
        placed: Floats = (vectors - self.centre) @ self.directions.T
        return placed


def principal(centroids: Floats, shares: Floats) -> Axes:
    """The two principal axes of clusters, each with the weight of its share.

    The sign of an axis is free: here its largest part is positive, so that a map does not turn over from one
    look to the next.

    Args:
        centroids: shape (k, d).
        shares: shape (k,); they add up to one.

    >>> axes = principal(np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 0.5, 0]]), np.full(3, 1 / 3))
    >>> axes.place(np.array([[1.0, 0, 7.0]])).round(3).tolist(), round(axes.explained, 3)
    ([[1.0, -0.167]], 1.0)
    """
    centre: Floats = shares @ centroids
    weighted = np.sqrt(shares)[:, None] * (centroids - centre)
    _, spread, rows = np.linalg.svd(weighted, full_matrices=False)
    directions = np.zeros((2, centroids.shape[1]))
    directions[: len(rows[:2])] = rows[:2]
    largest = directions[np.arange(2), np.abs(directions).argmax(axis=1)]
    directions *= np.where(largest < 0, -1.0, 1.0)[:, None]
    variance = np.square(spread)
    total = float(variance.sum())
    return Axes(centre, directions, float(variance[:2].sum() / total) if total > 0 else 1.0)
