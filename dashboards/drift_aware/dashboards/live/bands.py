"""What of a rate chance alone explains: pure."""

import math

# The quantile of the normal distribution for 99 % in the middle.
_Z = 2.5758293035489004


def usual(baseline: float, events: float) -> tuple[float, float]:
    """Between what a rate stays 99 times in a hundred, if nothing has changed.

    Wilson's interval (1927, https://doi.org/10.1080/01621459.1927.10502953) around the baseline for so many
    events. Unlike the plain normal one it does not leave 0 to 1, and it holds for rare events.

    Args:
        baseline: the rate, 0 to 1.
        events: how many, above 0.

    >>> [round(edge, 3) for edge in usual(0.04, 500)]
    [0.023, 0.069]
    >>> [round(edge, 3) for edge in usual(0.0, 100)]
    [0.0, 0.062]
    """
    square = _Z * _Z / events
    middle = (baseline + square / 2) / (1 + square)
    half = _Z * math.sqrt(baseline * (1 - baseline) / events + square / (4 * events)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
