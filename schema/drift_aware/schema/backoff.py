"""How long to wait before the next try."""

import random

# Beyond so many doublings nothing changes any more, and the power would not fit a float.
_MOST_DOUBLINGS = 10


def backoff(failures: int, first_seconds: float, longest_seconds: float) -> float:
    """Seconds to wait: twice as long each time, up to a limit, and never two processes in step.

    Args:
        failures: how many tries have failed before this one.
        first_seconds: after the first, at most; half of it at least.
        longest_seconds: the limit.

    >>> 0.1 <= backoff(0, 0.2, 30.0) <= 0.2, 15.0 <= backoff(1_000_000, 0.2, 30.0) <= 30.0
    (True, True)
    """
    ceiling = min(longest_seconds, first_seconds * 2.0 ** min(failures, _MOST_DOUBLINGS))
    return random.uniform(ceiling / 2, ceiling)
