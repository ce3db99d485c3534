"""The channel for everything that falls into bins: rates, ratings, lengths, latencies, novelty."""

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.streams.detectors.contract import Pane
from drift_aware.streams.detectors.tilts import Tilts
from drift_aware.streams.evidence import Floats
from drift_aware.streams.predictive import LEARNED, Learned, Predictive, log_ratios
from drift_aware.streams.summary import Summary

Counts = Callable[[Summary], Floats]

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Learned).decode


class Categorical:
    """Bets that the shares of bins have moved along given tilts.

    Args:
        name: what an alert calls it.
        counts: reads the counts of the bins off a summary, shape (bins,).
        prior: Dirichlet parameters before the first pane, shape (bins,).
        tilts: the alternatives.
        hourly: whether the hours of the day are told apart.
        base: what a baseline has counted, shape (bins,).
    """

    def __init__(
        self, name: str, counts: Counts, prior: Floats, tilts: Tilts, hourly: bool, base: Floats | None = None
    ) -> None:
        self.name, self._counts, self._tilts = name, counts, tilts
        self.alternatives = tilts.number
        base = np.zeros_like(prior) if base is None else base
        self._known = base.any()
        self._predictive = Predictive(prior, base, hourly, tilts.number)

    @property
    def ready(self) -> bool:
        """See ``Channel``."""
        return bool(self._known) or self._predictive.learned >= LEARNED

    def increments(self, pane: Pane) -> Floats | None:
        """See ``Channel``."""
        counts = self._counts(pane.summary)
        if not counts.any():
            return None
        alpha, tolerant = self._predictive.at(pane.start)
        null = self._tilts.tolerated(alpha) if tolerant else alpha
        return log_ratios(counts, self._tilts.alternatives(alpha), null)

    def learn(self, pane: Pane, zero: NDArray[np.bool_]) -> None:
        """See ``Channel``."""
        self._predictive.learn(pane.start, self._counts(pane.summary), zero)

    def roll_back(self, alternative: int) -> None:
        """See ``Channel``."""
        self._predictive.roll_back(alternative)

    def recovery(self, pane: Pane, alternative: int) -> float:
        """See ``Channel``."""
        alpha, _ = self._predictive.at(pane.start)
        weakest = self._tilts.weakest(alpha, alternative)
        return float(log_ratios(self._counts(pane.summary), alpha[None, :], weakest)[0])

    def dump(self) -> bytes:
        """See ``Channel``."""
        return _pack(self._predictive.dump())

    def load(self, state: bytes) -> None:
        """See ``Channel``."""
        self._predictive.load(_unpack(state))
