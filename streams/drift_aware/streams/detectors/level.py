"""The channel for a mean that moves: embeddings drift as a whole."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.streams.detectors.contract import Pane
from drift_aware.streams.evidence import Floats
from drift_aware.streams.geometry import SPANS, THETAS, cumulants_for, fresh_share, symmetric
from drift_aware.streams.reference import Reference
from drift_aware.streams.summary import Summary
from drift_aware.streams.vectors import GRID

_THETA = np.array(THETAS)
# The reference's mean is worth so much of its events: it also chose the metric.
_TRUST = 1 / 3
_NO_VARIANCE = 1e-20


class LevelState(msgspec.Struct, array_like=True):
    """A ``Level`` in bytes; arrays as little-endian float64 and int64."""

    mean: bytes
    weight: float
    directions: bytes
    recent: bytes
    recent_events: list[int]
    at_alarm: bytes


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(LevelState).decode


class Level:
    """Bets that the mean goes on to move the way it lately did.

    The mean of a pane, less what was expected, is projected on an exponentially weighted mean of earlier such
    differences, one for each of several spans; the projection is brought to variance one, and each of several
    rates of betting has its cumulant, found on held-out vectors, taken off.

    Args:
        reference: mean and geometry.
    """

    name = "level"
    alternatives = len(SPANS) * len(THETAS)
    ready = True

    def __init__(self, reference: Reference) -> None:
        dim = reference.dim
        self._geometry = reference.geometry
        self._metric = symmetric(reference.geometry.metric, dim)
        self._spread = symmetric(reference.geometry.spread, dim)
        self._mean: Floats = reference.mean.copy()
        self._weight = max(reference.units * _TRUST, 1.0)
        self._directions: Floats = np.zeros((len(SPANS), dim))
        self._recent: NDArray[np.int64] = np.zeros((len(SPANS), dim), np.int64)
        self._recent_events = [0] * len(SPANS)
        self._at_alarm: Floats = np.zeros(dim)

    def increments(self, pane: Pane) -> Floats | None:
        """See ``Channel``."""
        if not pane.summary.events or pane.summary.vector is None:
            return None
        projected, _ = self._projected(self._directions, pane.summary)
        cumulants = cumulants_for(self._geometry, pane.summary.events)
        bets = np.where(projected[:, None] != 0, np.outer(projected, _THETA) - cumulants, 0.0)
        return bets.ravel()

    def learn(self, pane: Pane, zero: NDArray[np.bool_]) -> None:
        """See ``Channel``."""
        vector, events = pane.summary.vector, pane.summary.events
        assert vector is not None
        innovation = vector / (GRID * events) - self._mean
        calm = [bool(each.all()) for each in zero.reshape(len(SPANS), len(THETAS))]
        for index, span in enumerate(SPANS):
            self._directions[index] += fresh_share(span, events) * (innovation - self._directions[index])
            if calm[index]:
                self._recent[index], self._recent_events[index] = 0, 0
            else:
                self._recent[index] += vector
                self._recent_events[index] += events
        self._mean = self._mean + innovation * (events / (self._weight + events))
        self._weight += events

    def roll_back(self, alternative: int) -> None:
        """See ``Channel``."""
        span = alternative // len(THETAS)
        events = min(self._recent_events[span], self._weight - 1)
        if events > 0:
            recent = self._recent[span] / GRID
            self._mean = (self._mean * self._weight - recent) / (self._weight - events)
            self._weight -= events
        self._at_alarm = self._directions[span].copy()
        self._directions[:] = 0.0
        self._recent[:] = 0
        self._recent_events = [0] * len(SPANS)

    def recovery(self, pane: Pane, alternative: int) -> float:
        """See ``Channel``."""
        del alternative
        moved, size = self._projected(self._at_alarm[None, :], pane.summary)
        # Half of the movement at the alarm must still be there for the drift to count as going on; a bet of
        # more than one standard deviation would lean on tails that no one has seen.
        still = float(size[0]) / 2
        bet = min(still, THETAS[-1])
        return bet * still - bet * bet / 2 - bet * float(moved[0])

    def dump(self) -> bytes:
        """See ``Channel``."""
        return _pack(
            LevelState(
                self._mean.tobytes(),
                self._weight,
                self._directions.tobytes(),
                self._recent.tobytes(),
                self._recent_events,
                self._at_alarm.tobytes(),
            )
        )

    def load(self, state: bytes) -> None:
        """See ``Channel``."""
        kept = _unpack(state)
        self._mean, self._weight = np.frombuffer(kept.mean).copy(), kept.weight
        self._directions = np.frombuffer(kept.directions).reshape(self._directions.shape).copy()
        self._recent = np.frombuffer(kept.recent, np.int64).reshape(self._recent.shape).copy()
        self._recent_events, self._at_alarm = kept.recent_events, np.frombuffer(kept.at_alarm).copy()

    def _projected(self, directions: Floats, units: Summary) -> tuple[Floats, Floats]:
        """The pane's movement along each direction, and each direction's own length, shape (k,) each.

        Both in standard deviations of a calm pane's movement; zero along a direction that is none.
        """
        assert units.vector is not None
        innovation = units.vector / (GRID * units.events) - self._mean
        weighed = directions @ self._metric
        variance = np.einsum("ij,ij->i", directions @ self._spread, directions)
        variance = variance * (1 / units.events + 1 / self._weight)
        inverse = np.where(variance > _NO_VARIANCE, 1 / np.sqrt(np.maximum(variance, _NO_VARIANCE)), 0.0)
        return (weighed @ innovation) * inverse, np.einsum("ij,ij->i", weighed, directions) * inverse
