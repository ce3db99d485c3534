"""From the bytes of embeddings to rows on the grid of the sums."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drift_aware.schema.events import Embedding

GRID = 1 << 14
# Wider vectors are reduced: a few thousand of them could not tell the covariance of so many dimensions.
WIDEST = 512
REDUCED = 384

Rows = NDArray[np.float64]

_DTYPES: dict[str, np.dtype[np.floating[Any]]] = {"float16": np.dtype("<f2"), "float32": np.dtype("<f4")}


def on_grid(embeddings: Sequence[Embedding]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Unit vectors of the embeddings, rounded to multiples of 1 / GRID.

    Each row is computed from its own numbers alone and in double precision, so a vector gives the same row
    in whatever batch it comes. Vectors of more than WIDEST dimensions are reduced to REDUCED first.

    Args:
        embeddings: of one dimension d, their vectors already bytes (``envelope.decode`` sees to both).

    Returns:
        The rows, shape (n, d) or (n, REDUCED), and which of them hold a direction, shape (n,): a vector with
        NaN or infinity, or of length zero, has none, and its row is zero.
    """
    dtypes = [each.dtype for each in embeddings]
    if len(set(dtypes)) == 1:
        return rows_on_grid(_matrix(embeddings))
    rows = np.empty((len(embeddings), embeddings[0].dim or 0), np.float64)
    for dtype in set(dtypes):
        chosen = [at for at, each in enumerate(dtypes) if each == dtype]
        rows[chosen] = _matrix([embeddings[at] for at in chosen])
    return rows_on_grid(rows)


def _matrix(embeddings: Sequence[Embedding]) -> Rows:
    """Vectors of one type as they are."""
    together: bytes = b"".join([each.vector for each in embeddings])  # type: ignore[misc]
    numbers = np.frombuffer(together, _DTYPES[embeddings[0].dtype]).astype(np.float64)
    return numbers.reshape(len(embeddings), -1)


def rows_on_grid(rows: Rows) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The same for vectors that are numbers already, shape (n, d); they are overwritten."""
    rows, usable = _unit(rows)
    if rows.shape[1] > WIDEST:
        rows, reduced = _unit(_reduced(rows))
        usable &= reduced
    np.multiply(rows, GRID, out=rows)
    return np.rint(rows, out=rows).astype(np.int32), usable


def width(dim: int) -> int:
    """How many dimensions a row has on the grid.

    >>> width(384), width(1536)
    (384, 384)
    """
    return REDUCED if dim > WIDEST else dim


def _unit(rows: Rows) -> tuple[Rows, NDArray[np.bool_]]:
    with np.errstate(invalid="ignore", over="ignore"):
        length = np.sqrt(np.square(rows).sum(axis=1))
    usable = np.isfinite(length) & (length > 0)
    rows[~usable] = 0
    length[~usable] = 1
    np.divide(rows, length[:, None], out=rows)
    return rows, usable


def _reduced(rows: Rows) -> Rows:
    """Signed buckets: every dimension is added to or taken from one of REDUCED sums.

    Keeps dot products on average, as a sparse Johnson-Lindenstrauss projection does (Charikar, Chen and
    Farach-Colton 2002, https://doi.org/10.1007/3-540-45465-9_59). Which bucket and which sign is a fixed
    function of the dimension's place, so that every machine has the same.
    """
    places = np.arange(rows.shape[1], dtype=np.uint64)
    order = np.argsort(places * np.uint64(0x9E3779B1) % np.uint64(1 << 32), kind="stable")
    signs = np.where(places * np.uint64(0x85EBCA6B) >> np.uint64(17) & np.uint64(1), 1.0, -1.0)
    buckets = np.zeros((len(rows), REDUCED))
    for begin in range(0, len(order), REDUCED):
        chosen = order[begin : begin + REDUCED]
        buckets[:, : len(chosen)] += rows[:, chosen] * signs[chosen]
    return buckets
