"""Spherical k-means: clusters of directions."""

import numpy as np

from drift_aware.streams.evidence import Floats

_ROUNDS = 30


def spherical_kmeans(vectors: Floats, clusters: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Unit centroids and the share of each.

    Lloyd's rounds on cosine similarity (Dhillon and Modha 2001, https://doi.org/10.1023/A:1007612920971) from
    a k-means++ start (Arthur and Vassilvitskii 2007). A cluster that runs empty is left out.

    Args:
        vectors: shape (n, d), of about unit length.
        clusters: how many at most.
        rng: of the start.

    Returns:
        Centroids, shape (k, d), and their shares, shape (k,).

    >>> rng = np.random.default_rng(3)
    >>> centroids, shares = spherical_kmeans(np.repeat(np.eye(3), [5, 3, 2], axis=0), 3, rng)
    >>> sorted(shares.tolist())
    [0.2, 0.3, 0.5]
    """
    centroids = _start(vectors, clusters, rng)
    nearest = np.argmax(vectors @ centroids.T, axis=1)
    for _ in range(_ROUNDS):
        centroids = _centres(vectors, nearest, centroids)
        moved = np.argmax(vectors @ centroids.T, axis=1)
        if np.array_equal(moved, nearest):
            break
        nearest = moved
    counts = np.bincount(nearest, minlength=len(centroids))
    return centroids[counts > 0], counts[counts > 0] / len(vectors)


def _start(vectors: Floats, clusters: int, rng: np.random.Generator) -> Floats:
    chosen = [int(rng.integers(len(vectors)))]
    distance = np.full(len(vectors), np.inf)
    while len(chosen) < clusters:
        distance = np.minimum(distance, np.maximum(0.0, 1 - vectors @ vectors[chosen[-1]]))
        if distance.sum() <= 0:
            break  # fewer different vectors than clusters
        chosen.append(int(rng.choice(len(vectors), p=distance / distance.sum())))
    return vectors[chosen]


def _centres(vectors: Floats, nearest: np.ndarray[tuple[int], np.dtype[np.int64]], old: Floats) -> Floats:
    members = np.zeros((len(old), len(vectors)))
    members[nearest, np.arange(len(vectors))] = 1.0
    sums = members @ vectors
    length = np.sqrt(np.square(sums).sum(axis=1, keepdims=True))
    return np.where(length > 0, sums / np.where(length > 0, length, 1.0), old)
