"""From the bytes of embeddings to rows on the grid of the sums."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drift_aware.schema.events import Embedding
from drift_aware.streams.summary import GRID

_DTYPES: dict[str, np.dtype[np.floating[Any]]] = {"float16": np.dtype("<f2"), "float32": np.dtype("<f4")}


def on_grid(embeddings: Sequence[Embedding]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Unit vectors of the embeddings, rounded to multiples of 1 / GRID.

    Each row is computed from its own numbers alone and in double precision, so a vector gives the same row
    in whatever batch it comes.

    Args:
        embeddings: of one dimension d, their vectors already bytes (``envelope.decode`` sees to both).

    Returns:
        The rows, shape (n, d), and which of them hold a direction, shape (n,): a vector with NaN or
        infinity, or of length zero, has none, and its row is zero.
    """
    dim = embeddings[0].dim
    rows = np.empty((len(embeddings), dim or 0), np.float64)
    for row, embedding in zip(rows, embeddings, strict=True):
        assert isinstance(embedding.vector, bytes)
        row[:] = np.frombuffer(embedding.vector, _DTYPES[embedding.dtype])
    length = np.sqrt(np.square(rows).sum(axis=1))
    usable = np.isfinite(length) & (length > 0)
    rows[~usable] = 0
    length[~usable] = 1
    return np.rint(rows * (GRID / length)[:, None]).astype(np.int32), usable
