"""The channel for a limit: has the mean of bounded values passed what it must not pass?

Nothing is learned here: what counts as no change is known, a mean of at most the limit. Each alternative bets
a fixed part of its stake on every value (Waudby-Smith and Ramdas, "Estimating means of bounded random
variables by betting", JRSS B 2024, https://doi.org/10.1093/jrsssb/qkad009). For a rate that is the likelihood
ratio of a rate so many times the limit.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drift_aware.streams.detectors.categorical import Counts
from drift_aware.streams.detectors.contract import Pane
from drift_aware.streams.evidence import Floats

FACTORS = np.array([1.2, 1.5, 2.0, 4.0])
_MOST_MEAN = 0.95
_BACK = 1.2

Limit = Callable[[Pane], float | None]


class KnownMean:
    """Bets that the mean of values between 0 and 1 has passed a limit.

    Args:
        name: what an alert calls it.
        counts: reads the counts of the bins off a summary, shape (bins,).
        values: of the bins, between 0 and 1, higher is worse, shape (bins,).
        limit: the mean that must not be passed, given a pane; None while it is not known.
    """

    alternatives = len(FACTORS)
    ready = True

    def __init__(self, name: str, counts: Counts, values: Floats, limit: Limit) -> None:
        self.name, self._counts, self._values, self._limit = name, counts, values, limit

    def increments(self, pane: Pane) -> Floats | None:
        """See ``Channel``."""
        counts, limit = self._counts(pane.summary), self._limit(pane)
        if limit is None or not counts.any():
            return None
        means = np.minimum(FACTORS * limit, np.maximum(_MOST_MEAN, limit))
        stakes = (means / limit - 1) / (1 - limit)
        won: Floats = np.log1p(np.outer(stakes, self._values - limit)) @ counts
        return won

    def learn(self, pane: Pane, zero: NDArray[np.bool_]) -> None:
        """See ``Channel``; there is nothing to learn."""

    def roll_back(self, alternative: int) -> None:
        """See ``Channel``; there is nothing to forget."""

    def recovery(self, pane: Pane, alternative: int) -> float:
        """See ``Channel``: a bet that the mean is below the limit again by a sixth or more."""
        del alternative
        limit = self._limit(pane)
        if limit is None:
            return 0.0
        stake = (1 - 1 / _BACK) / (1 - limit)
        return float(np.log1p(-stake * (self._values - limit)) @ self._counts(pane.summary))

    def dump(self) -> bytes:
        """See ``Channel``."""
        return b""

    def load(self, state: bytes) -> None:
        """See ``Channel``."""
