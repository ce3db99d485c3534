"""Into which bin of a histogram a value falls."""

from bisect import bisect_right
from zlib import crc32

OCTAVE_BINS = 64
INTENT_BINS = 256
RATING_BINS = 5
# Most answers score near zero, and there it matters.
TOXICITY_EDGES = (
    0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4, 0.5, 0.65, 0.8, 0.9,
)  # fmt: skip
TOXICITY_BINS = len(TOXICITY_EDGES) + 1


def half_octave(value: int) -> int:
    """The bin of a whole number on a scale of two bins for every doubling; 0 and 1 have bins of their own.

    >>> [half_octave(value) for value in (0, 1, 2, 3, 4, 6, 8, 1000)]
    [0, 1, 2, 3, 4, 5, 6, 19]
    """
    length = value.bit_length()
    if length < 2:
        return length
    return min(2 * (length - 1) + (value >> (length - 2) & 1), OCTAVE_BINS - 1)


def toxicity(score: float) -> int:
    """The bin of a score from 0 to 1."""
    return bisect_right(TOXICITY_EDGES, score)


def stars(rating: float) -> int:
    """The bin of a rating from 1 to 5, to the nearest whole star.

    >>> [stars(rating) for rating in (1, 2.4, 4.6, 5)]
    [0, 1, 4, 4]
    """
    return min(max(round(rating), 1), RATING_BINS) - 1


def named(name: str) -> int:
    """One of 256 bins for a name, the same everywhere; two names may share one."""
    return crc32(name.encode("utf-8", "surrogatepass")) % INTENT_BINS
