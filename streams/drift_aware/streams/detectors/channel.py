"""A channel: one way in which a metric may change, as a family of bets against what has been learned."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drift_aware.streams.detectors.contract import Pane
from drift_aware.streams.evidence import Floats


class Channel(Protocol):
    """Gives the evidence of a pane for each of its alternatives. See ``Monitor`` for how it is used."""

    @property
    def name(self) -> str:
        """What an alert calls it."""

    @property
    def alternatives(self) -> int:
        """How many bets it makes."""

    @property
    def ready(self) -> bool:
        """Whether it has learned enough to bet."""

    def increments(self, pane: Pane) -> Floats | None:
        """Log likelihood ratio of each alternative against no change, shape (k,); None if nothing is there.

        Each must have expectation at most one, as a ratio, given the panes before.
        """

    def learn(self, pane: Pane, zero: NDArray[np.bool_]) -> None:
        """Absorb a calm pane; ``zero`` says which alternatives' CUSUMs are zero after it."""

    def roll_back(self, alternative: int) -> None:
        """An alarm was raised: forget what was learned since its CUSUM was zero."""

    def recovery(self, pane: Pane, alternative: int) -> float:
        """Log likelihood ratio of no change against the weakest change in the direction of an alternative."""

    def dump(self) -> bytes:
        """What must be kept."""

    def load(self, state: bytes) -> None:
        """Go on from it."""
