"""Ways in which the shares of bins may change: each gives the alternatives to what has been learned.

A tilt moves weight between bins and keeps the total, so it is a Dirichlet of the same certainty around
another point.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from drift_aware.streams.evidence import Floats
from drift_aware.streams.predictive import TOLERANCE

_MOST_SHARE = 0.95
_MOST_SD = 4.0


class Tilts(Protocol):
    """A family of alternatives."""

    @property
    def number(self) -> int:
        """How many there are."""

    def alternatives(self, alpha: Floats) -> Floats:
        """The alternatives to Dirichlet parameters of shape (bins,), shape (number, bins)."""

    def tolerated(self, alpha: Floats) -> Floats:
        """What still passes as no change when the hour of day is not known well; (number, bins) as above."""

    def weakest(self, alpha: Floats, alternative: int) -> Floats:
        """The smallest change worth an alarm in the direction of an alternative, shape (bins,)."""


class RateTilts:
    """The share of the second of two bins is multiplied: by 1.5, 2 and 4, or halved.

    >>> RateTilts().alternatives(np.array([90.0, 10.0]))[:, 1]
    array([15., 20., 40.,  5.])
    """

    number = 4
    _factors = np.array([1.5, 2.0, 4.0, 0.5])
    # Back to normal is tested against so much of the change, on a scale of logarithms, and at most a factor.
    _remaining = 0.45
    _most_back = 1.3

    def alternatives(self, alpha: Floats) -> Floats:
        """See ``Tilts``."""
        return self._times(alpha, self._factors)

    def tolerated(self, alpha: Floats) -> Floats:
        """See ``Tilts``."""
        return self._times(alpha, np.where(self._factors > 1, TOLERANCE, 1 / TOLERANCE))

    def weakest(self, alpha: Floats, alternative: int) -> Floats:
        """See ``Tilts``."""
        remaining = self._factors[alternative] ** self._remaining
        factor = np.clip(remaining, 1 / self._most_back, self._most_back)
        return np.asarray(self._times(alpha, np.array([factor]))[0])

    def _times(self, alpha: Floats, factors: Floats) -> Floats:
        total = alpha.sum()
        share = np.minimum(factors * alpha[1] / total, _MOST_SHARE)
        share = np.where(factors < 1, np.minimum(share, alpha[1] / total), share)
        tilted: Floats = np.stack([(1 - share) * total, share * total], axis=1)
        return tilted


class OrderedTilts:
    """The whole of ordered bins moves up or down: weights times exp(theta z).

    z is a bin's value in standard deviations from the mean of what was learned, within four of them.

    Args:
        values: of the bins, ascending, shape (bins,).
    """

    _thetas = np.array([0.15, 0.35, 0.8, -0.15, -0.35, -0.8])
    _tolerated = 0.1
    number = len(_thetas)

    def __init__(self, values: Floats) -> None:
        self._values = values

    def alternatives(self, alpha: Floats) -> Floats:
        """See ``Tilts``."""
        return self._moved(alpha, self._thetas)

    def tolerated(self, alpha: Floats) -> Floats:
        """See ``Tilts``."""
        return self._moved(alpha, np.sign(self._thetas) * self._tolerated)

    def weakest(self, alpha: Floats, alternative: int) -> Floats:
        """See ``Tilts``."""
        smallest = np.sign(self._thetas[[alternative]]) * np.abs(self._thetas).min()
        return np.asarray(self._moved(alpha, smallest)[0])

    def _moved(self, alpha: Floats, thetas: Floats) -> Floats:
        shares = alpha / alpha.sum()
        mean = shares @ self._values
        spread = np.sqrt(max(shares @ np.square(self._values - mean), 1e-12))
        z = np.clip((self._values - mean) / spread, -_MOST_SD, _MOST_SD)
        moved = alpha * np.exp(np.outer(thetas, z))
        scaled: Floats = moved * (alpha.sum() / moved.sum(axis=1, keepdims=True))
        return scaled


class TailTilts:
    """A share p of the events comes from the upper tail of bins ordered by how unusual their events are.

    On the scale u of the learned distribution function, uniform while nothing changes, the alternatives have
    the density 1 - p + p b u^(b-1).
    """

    _powers = (5.0, 15.0, 40.0)
    _shares = (0.05, 0.15, 0.5)
    number = len(_powers) * len(_shares)

    def __init__(self) -> None:
        pairs = [(power, share) for power in self._powers for share in self._shares]
        self._power = np.array([power for power, _ in pairs])[:, None]
        self._share = np.array([share for _, share in pairs])[:, None]

    def alternatives(self, alpha: Floats) -> Floats:
        """See ``Tilts``."""
        return self._mixed(alpha, self._power, self._share)

    def tolerated(self, alpha: Floats) -> Floats:
        """See ``Tilts``; the rhythm of the day is not tolerated here."""
        return np.broadcast_to(alpha, (self.number, len(alpha)))

    def weakest(self, alpha: Floats, alternative: int) -> Floats:
        """See ``Tilts``."""
        chosen = self._power[[alternative]]
        return np.asarray(self._mixed(alpha, chosen, np.full_like(chosen, min(self._shares)))[0])

    def _mixed(self, alpha: Floats, power: Floats, share: Floats) -> Floats:
        upper = np.cumsum(alpha) / alpha.sum()
        lower = np.concatenate([[0.0], upper[:-1]])
        # The last bins' differences of high powers lose digits, not more than the weights are worth.
        tail = np.power(upper, power) - np.power(lower, power)
        mixed: Floats = alpha.sum() * ((1 - share) * (upper - lower) + share * tail)
        return np.maximum(mixed, 1e-12)


def cuts(edges: Sequence[float]) -> Floats:
    """Middles of bins between edges, the outer bins taken as wide as their neighbours.

    >>> cuts([1.0, 2.0, 4.0])
    array([0.5, 1.5, 3. , 5. ])
    """
    inner = np.asarray(edges, np.float64)
    widths = np.diff(inner)
    return np.concatenate(
        [[inner[0] - widths[0] / 2], (inner[:-1] + inner[1:]) / 2, [inner[-1] + widths[-1] / 2]]
    )
