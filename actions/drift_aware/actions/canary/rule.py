"""When so much has changed that chance is no explanation: pure.

A prompt that repeated itself while learning may still be unsteady and change by chance. Say that each of n
does so in a round with a chance of at most FLIP, independently of the others. Then the number that has
changed is at most binomial, and ``needed(n)`` is the smallest m with P(Bin(n, FLIP) >= m) <= TAIL. An alert
takes m of them in two rounds in a row, which by chance happens in at most TAIL² of the rounds: one in 90,000,
with a round an hour once in ten years. A prompt that changes and comes back has shown that it is unsteady and
counts no more, so that a bad start does not last.

A string's vector counts as moved beyond MARGIN times the largest jitter of its own while learning, and FLOOR
at least. For noise that is spread over d dimensions the distance is a multiple of a chi-square variable, and
to be MARGIN times as large as the usual has a chance below exp(-0.45 d) (Chernoff's bound): nothing at the
sizes embedders have. The floor is above what the same model gives on other hardware, so that a whole round
that jitters together, served by another machine, does not count either.

Another embedder moves nearly all strings at once and for good: it is found in the second round after the
swap, in the third if it came in the middle of a round. Another chat model is found as soon if it words
``needed(n)`` of the prompts differently.

>>> [needed(n) for n in (2, 3, 6, 12, 24, 100)]
[None, 3, 4, 6, 8, 20]
"""

from functools import lru_cache
from math import comb

from drift_aware.schema.canary_settings import LEAST_PROBES

FLIP = 0.1
TAIL = 1 / 300
ROUNDS_IN_A_ROW = 2

MARGIN = 3.0
FLOOR = 3e-4
# A "jitter" beyond this is no jitter: the embedder was swapped while its vectors were learned.
MOST_JITTER = 0.01


@lru_cache
def needed(steady: int) -> int | None:
    """How many of so many steady ones have to change; None if all of them would prove nothing."""
    if steady < LEAST_PROBES:
        return None
    return next(m for m in range(steady + 1) if tail(steady, m) <= TAIL)


def tail(n: int, m: int) -> float:
    """The chance that at least m of n change.

    >>> round(tail(12, 6), 6), round(tail(3, 0), 6)
    (0.000541, 1.0)
    """
    return sum(comb(n, k) * FLIP**k * (1 - FLIP) ** (n - k) for k in range(m, n + 1))


def limit(jitter: float) -> float:
    """Beyond which cosine distance a vector has moved.

    >>> limit(0.0), limit(2e-4)
    (0.0003, 0.0006000000000000001)
    """
    return max(MARGIN * jitter, FLOOR)
