"""The channel for a mixture that shifts: clusters, intents, ratings whose shape changes."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.streams.detectors.categorical import Counts
from drift_aware.streams.detectors.contract import Pane
from drift_aware.streams.evidence import Floats
from drift_aware.streams.predictive import LEARNED, Learned, Predictive, log_ratios

SPANS = (100.0, 200.0, 400.0)  # events
# How much of the recent difference a bet takes over, and how much a change must keep of it to count as going
# on.
_TAKEN = 0.7
_KEPT = 0.35
_SMALLEST_SHARE = 1e-4


class MixState(msgspec.Struct, array_like=True):
    """A ``Mix`` in bytes; arrays as little-endian float64."""

    learned: Learned
    differences: bytes
    at_alarm: bytes


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(MixState).decode


class Mix:
    """Bets that the shares go on to differ from what was learned as they lately did.

    Which way a mixture will shift cannot be listed beforehand, so each alternative follows: what was learned,
    plus a part of an exponentially weighted mean of past differences. It uses only panes before the one it
    bets on, so its ratio is as honest as a fixed one's.

    Args:
        name: what an alert calls it.
        counts: reads the counts of the bins off a summary, shape (bins,).
        prior: Dirichlet parameters before the first pane, shape (bins,).
        base: what a baseline has counted, shape (bins,).
    """

    alternatives = len(SPANS)

    def __init__(self, name: str, counts: Counts, prior: Floats, base: Floats | None = None) -> None:
        self.name, self._counts = name, counts
        base = np.zeros_like(prior) if base is None else base
        self._known = base.any()
        self._predictive = Predictive(prior, base, hourly=False, alternatives=len(SPANS))
        self._differences: Floats = np.zeros((len(SPANS), len(prior)))
        self._at_alarm: Floats = np.zeros(len(prior))

    @property
    def ready(self) -> bool:
        """See ``Channel``."""
        return bool(self._known) or self._predictive.learned >= LEARNED

    def increments(self, pane: Pane) -> Floats | None:
        """See ``Channel``."""
        counts = self._counts(pane.summary)
        if not counts.any():
            return None
        alpha, _ = self._predictive.at(pane.start)
        return log_ratios(counts, _shifted(alpha, _TAKEN * self._differences), alpha)

    def learn(self, pane: Pane, zero: NDArray[np.bool_]) -> None:
        """See ``Channel``."""
        counts = self._counts(pane.summary)
        events = counts.sum()
        alpha, _ = self._predictive.at(pane.start)
        difference = counts / events - alpha / alpha.sum()
        for index, span in enumerate(SPANS):
            fresh = 1 - (1 - 2 / (span + 1)) ** events
            self._differences[index] += fresh * (difference - self._differences[index])
        self._predictive.learn(pane.start, counts, zero)

    def roll_back(self, alternative: int) -> None:
        """See ``Channel``."""
        self._predictive.roll_back(alternative)
        self._at_alarm = self._differences[alternative].copy()
        self._differences[:] = 0.0

    def recovery(self, pane: Pane, alternative: int) -> float:
        """See ``Channel``."""
        del alternative
        alpha, _ = self._predictive.at(pane.start)
        drifted = _shifted(alpha, _KEPT * self._at_alarm[None, :])
        return float(log_ratios(self._counts(pane.summary), alpha[None, :], drifted)[0])

    def dump(self) -> bytes:
        """See ``Channel``."""
        state = MixState(self._predictive.dump(), self._differences.tobytes(), self._at_alarm.tobytes())
        return _pack(state)

    def load(self, state: bytes) -> None:
        """See ``Channel``."""
        kept = _unpack(state)
        self._predictive.load(kept.learned)
        self._differences = np.frombuffer(kept.differences).reshape(self._differences.shape).copy()
        self._at_alarm = np.frombuffer(kept.at_alarm).copy()


def _shifted(alpha: Floats, differences: Floats) -> Floats:
    """Parameters of the same total around shares moved by differences, shape (k, bins)."""
    total = alpha.sum()
    shares = np.maximum(alpha / total + differences, _SMALLEST_SHARE)
    moved: Floats = total * shares / shares.sum(axis=1, keepdims=True)
    return moved
