"""Equal average run lengths: how detectors are compared.

A detector that may raise false alarms more often finds changes sooner, so delays mean nothing without the
average run length (ARL) beside them: the mean number of events between false alarms while nothing changes.
Every contender gives one score for each pane of a stream, and an alarm is the first pane whose score reaches
the threshold. Of a series of scores only its record highs matter, whatever the threshold; so they are what is
kept, and thresholds are tuned, and ARLs and delays read off, afterwards.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# What a contender is shown before the stream begins.
Shown = TypeVar("Shown", contravariant=True)
T = TypeVar("T")

_DIGITS = 6
_DRAWS = 1_000
_LEVEL = 0.95


@dataclass(frozen=True)
class Stream:
    """Events in their order.

    Attributes:
        events: places in a pool, or bins, shape (n,).
        opens: which events open a conversation, shape (n,); None if there are no conversations.
        change: how many events come before the change; None if there is none.
    """

    events: Ints
    opens: Bools | None = None
    change: int | None = None


class Runner(Protocol):
    """A detector that knows its baseline."""

    def scores(self, stream: Stream) -> Floats:
        """One score for each whole pane, from a fresh start, higher is worse; it may end at its own alarm."""


class Contender(Protocol[Shown]):
    """A detector before it has seen anything.

    Attributes:
        name: in the table.
        threshold: its own; None if it has none.
        tuned: whether it is run with a threshold tuned to the ARL, too.
    """

    name: str
    threshold: float | None
    tuned: bool

    def prepare(self, shown: Shown) -> Runner:
        """Fit it to a baseline."""


class Run(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of the scores of one stream.

    Attributes:
        events: length of the stream.
        change: how many of them come before the change; None if there is none.
        at: events seen at the record highs of the score.
        highs: the record highs, ascending.
    """

    events: int
    change: int | None
    at: list[int]
    highs: list[float]

    def alarm(self, threshold: float) -> int | None:
        """After how many events the score first reaches a threshold; None if it never does.

        >>> Run(100, None, [5, 20, 60], [0.1, 0.4, 0.9]).alarm(0.4)
        20
        """
        place = int(np.searchsorted(self.highs, threshold, "left"))
        return self.at[place] if place < len(self.at) else None


def run_of(scores: Floats, stream: Stream, pane: int) -> Run:
    """The record highs of a series of scores, one for each pane of so many events.

    >>> run_of(np.array([-np.inf, 1.0, 0.5, 2.0]), Stream(np.zeros(22, np.int64)), pane=5)
    Run(events=22, change=None, at=[10, 20], highs=[1.0, 2.0])
    """
    rounded = np.array([float(f"{score:.{_DIGITS}g}") for score in scores])
    before = np.concatenate([[-np.inf], np.maximum.accumulate(rounded)[:-1]]) if len(rounded) else rounded
    places = np.flatnonzero(rounded > before)
    at = ((places + 1) * pane).tolist()
    return Run(len(stream.events), stream.change, at, rounded[places].tolist())


def exposure(runs: Sequence[Run], threshold: float) -> tuple[int, int]:
    """Calm events watched until the first alarm of each run or its end, and how many alarms there were."""
    alarms = [run.alarm(threshold) for run in runs]
    watched = sum(run.events if at is None else at for run, at in zip(runs, alarms, strict=True))
    return watched, sum(at is not None for at in alarms)


def arl(runs: Sequence[Run], threshold: float) -> float:
    """Average run length by maximum likelihood, for exponential run lengths cut off at the end of the stream.

    Infinite if there was no alarm.
    """
    watched, alarms = exposure(runs, threshold)
    return watched / alarms if alarms else math.inf


def tuned(runs: Sequence[Run], wanted: float) -> float:
    """The lowest threshold, of those that were reached, at which the ARL is as wanted; bisection.

    One that was never reached, infinity, if none of them will do.
    """
    reached = np.unique(np.concatenate([run.highs for run in runs] + [np.array([np.inf])]))
    low, high = 0, len(reached) - 1
    while low < high:  # the ARL never falls as the threshold rises
        middle = (low + high) // 2
        if arl(runs, float(reached[middle])) >= wanted:
            high = middle
        else:
            low = middle + 1
    return float(reached[low])


def delays(runs: Sequence[Run], threshold: float) -> list[float]:
    """Events from the change to the alarm, infinite for a miss; runs with an alarm before it are dropped."""
    found = []
    for run in runs:
        assert run.change is not None
        at = run.alarm(threshold)
        if at is None or at > run.change:
            found.append(math.inf if at is None else float(at - run.change))
    return found


def median(values: Sequence[float]) -> float:
    """The upper median, which may be infinite; NaN of nothing."""
    return sorted(values)[len(values) // 2] if values else math.nan


def interval(
    groups: Sequence[Sequence[T]], statistic: Callable[[list[T]], float], seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval (95 %) of a statistic of runs, drawn by whole replicates.

    The runs of a replicate share its baseline, so they are not independent; replicates are.

    Args:
        groups: the runs of each replicate.
        statistic: of the runs of all of them.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        statistic([run for place in rng.integers(0, len(groups), len(groups)) for run in groups[place]])
        for _ in range(_DRAWS)
    ]
    ordered = sorted(value for value in drawn if not math.isnan(value))
    if not ordered:
        return math.nan, math.nan
    cut = (1 - _LEVEL) / 2
    return ordered[int(cut * len(ordered))], ordered[min(int((1 - cut) * len(ordered)), len(ordered) - 1)]
