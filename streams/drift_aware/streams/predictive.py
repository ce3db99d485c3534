"""What has been learned about counts: a Dirichlet predictive that absorbs calm panes.

A baseline of a few thousand events is not the truth, and a likelihood ratio against it as if it were raises
far too many alarms. The Dirichlet-multinomial of what was seen so far carries that uncertainty, and goes on
learning.

Traffic has a daily rhythm, so counts are kept by hour of day (UTC) and an hour is predicted from itself and
two hours on either side: after the first day the neighbours' differences cancel, and within it only the last
hours are used, which are nearest. Where those hours have shown too little, all hours together are used with a
tolerance.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from drift_aware.streams.evidence import Floats

HOURS = 24
_HOUR_MS = 3_600_000
# Two hours on either side.
_NEAR = np.array([-2, -1, 0, 1, 2])
# An hour that has shown so many values outside its commonest bin, for each bin but one, learns no more: it
# would gain nothing, and absorb a slow drift.
ENOUGH = 10_000
# So many values must have been learned before a prediction is trusted.
LEARNED = 300
# By what factor a value may swing over the day while an hour is predicted from other hours.
TOLERANCE = 1.2


class Learned(msgspec.Struct, array_like=True):
    """A ``Predictive`` in bytes; counts as little-endian uint32."""

    cells: bytes
    recent: list[tuple[int, int, bytes]]


class Predictive:
    """Counts by bin, learned from a baseline and from calm panes.

    Args:
        prior: before anything is seen, shape (bins,); all above zero.
        base: what a baseline has counted at hours that are not known, shape (bins,).
        hourly: whether hours of the day are told apart.
        alternatives: how many alternatives there are; what was learned since the CUSUM of each was last zero
            can be taken back.
    """

    def __init__(self, prior: Floats, base: Floats, hourly: bool, alternatives: int) -> None:
        self._prior, self._base = prior, base
        self._cells: Floats = np.zeros((HOURS if hourly else 1, len(prior)))
        self._recent: list[dict[int, Floats]] = [{} for _ in range(alternatives)]
        # Both are made anew when the cells have changed.
        self._near: dict[int, tuple[Floats, bool]] = {}
        self._learned: float | None = None

    @property
    def learned(self) -> float:
        """How many values it has learned from, the prior's weight not counted."""
        if self._learned is None:
            self._learned = float(self._base.sum() + self._cells.sum())
        return self._learned

    def at(self, time: int) -> tuple[Floats, bool]:
        """The Dirichlet parameters at an event time, shape (bins,), and whether they need the tolerance."""
        hour = self._hour(time)
        if hour not in self._near:
            self._near[hour] = self._around(hour)
        return self._near[hour]

    def learn(self, time: int, counts: Floats, zero: NDArray[np.bool_]) -> None:
        """Absorb a calm pane.

        Args:
            time: event time of the pane, milliseconds.
            counts: shape (bins,).
            zero: the alternatives whose CUSUM is zero after this pane.
        """
        hour = self._hour(time)
        cell = self._cells[hour]
        enough = cell.sum() - cell.max() >= ENOUGH * (len(cell) - 1)
        for alternative, since in enumerate(self._recent):
            if zero[alternative]:
                since.clear()
            elif not enough:
                since[hour] = since[hour] + counts if hour in since else counts
        if not enough:
            cell += counts
            self._changed()

    def roll_back(self, alternative: int) -> None:
        """Take back what was learned since the CUSUM of an alternative was zero."""
        for hour, counts in self._recent[alternative].items():
            self._cells[hour] -= counts
        self._changed()
        for since in self._recent:
            since.clear()

    def dump(self) -> Learned:
        """What must be kept."""
        recent = [
            (alternative, hour, _bytes(counts))
            for alternative, since in enumerate(self._recent)
            for hour, counts in sorted(since.items())
        ]
        return Learned(_bytes(self._cells), recent)

    def load(self, state: Learned) -> None:
        """Go on from what was kept."""
        self._cells = _floats(state.cells).reshape(self._cells.shape)
        for alternative, hour, counts in state.recent:
            self._recent[alternative][hour] = _floats(counts)
        self._changed()

    def _changed(self) -> None:
        self._near.clear()
        self._learned = None

    def _hour(self, time: int) -> int:
        return time // _HOUR_MS % len(self._cells)

    def _around(self, hour: int) -> tuple[Floats, bool]:
        if len(self._cells) == 1:
            return self._prior + self._base + self._cells[0], False
        near = self._cells[(hour + _NEAR) % HOURS].sum(axis=0)
        if near.sum() >= LEARNED:
            return self._prior + near, False
        return self._prior + self._base + self._cells.sum(axis=0), True


def log_ratios(counts: Floats, alternatives: Floats, null: Floats) -> Floats:
    """Ln of Dirichlet-multinomial likelihood ratios.

    Args:
        counts: of the pane, shape (bins,).
        alternatives: Dirichlet parameters of each alternative, shape (k, bins).
        null: of no change, shape (bins,) or (k, bins), each row with the same total as its alternative.

    Returns:
        Shape (k,). Under no change the expectation of each ratio is one.

    >>> log_ratios(np.array([1.0, 0.0]), np.array([[1.0, 3.0]]), np.array([2.0, 2.0])).round(4)
    array([-0.6931])
    """
    seen = np.flatnonzero(counts)
    x = counts[seen]
    upper, lower = alternatives[:, seen], null[..., seen]
    terms = (gammaln(upper + x) - gammaln(upper)) - (gammaln(lower + x) - gammaln(lower))
    ratios: Floats = terms.sum(axis=1)
    return ratios


def dense(histogram: Mapping[int, int], bins: int) -> Floats:
    """A sparse histogram as an array of shape (bins,); what lies outside counts in the nearest bin."""
    counts = np.zeros(bins)
    for place, count in histogram.items():
        counts[min(max(place, 0), bins - 1)] += count
    return counts


def _bytes(counts: Floats) -> bytes:
    return np.rint(counts).astype("<u4").tobytes()


def _floats(packed: bytes) -> Floats:
    return np.frombuffer(packed, "<u4").astype(np.float64)
