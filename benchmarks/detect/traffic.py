"""Simulated traffic of a deployment: segments that arrive over time, each with the same rates to watch.

Nothing in it ever changes but what is asked for, so every page about it is a false one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DAY_MS = 86_400_000
# From rare flags to a share of a third.
RATES = (0.003, 0.005, 0.01, 0.02, 0.03, 0.1, 0.2, 0.3)
TURNS = 5.0
WITHIN = 0.3

Counted = Literal["every event", "first turns", "every turn"]


class Traffic(msgspec.Struct, frozen=True):
    """What a deployment looks like.

    Attributes:
        first: segments at the beginning; ``last`` at the end, the others arrive evenly.
        last: as above.
        days: how long it is watched.
        events_per_day: of all segments together; Zipf's law says how many each has.
        pane_ms: length of a pane.
        spread: the segments' own rates lie within a factor of e to this power; at zero all are alike.
        swing: by what share of itself a rate swings over the day.
        counted: ``every event`` stands alone, or they come in conversations, of which the ``first turns``
            count or ``every turn``. A conversation has ``TURNS`` on average (geometric), all in one pane,
            and a rate of its own (beta, correlation ``WITHIN``).
    """

    first: int = 60
    last: int = 160
    days: int = 120
    events_per_day: float = 50_000.0
    pane_ms: int = 3_600_000
    spread: float = 0.0
    swing: float = 0.0
    counted: Counted = "every event"


@dataclass(frozen=True)
class Tally:
    """One pane of all segments.

    Attributes:
        start: event time in milliseconds; ``end`` too.
        events: values seen, shape (segments,).
        hits: how many of them were hits of each rate, shape (segments, rates).
    """

    start: int
    end: int
    events: Ints
    hits: Ints


def tallies(traffic: Traffic, seed: int) -> Iterator[Tally]:
    """The panes of a deployment in their order."""
    rng = np.random.default_rng(seed)
    segments, rates = traffic.last, np.array(RATES)
    busy = rng.permutation(zipf(segments)) * traffic.events_per_day * traffic.pane_ms / DAY_MS
    own = rates * np.exp(rng.uniform(-traffic.spread, traffic.spread, (segments, len(rates))))
    phases = rng.uniform(0, 2 * np.pi, len(rates))
    arrival = arrivals(traffic)
    for start in range(0, traffic.days * DAY_MS, traffic.pane_ms):
        now = own * (1 + traffic.swing * np.sin(2 * np.pi * start / DAY_MS + phases))
        expected = np.where(arrival <= start, busy, 0.0)
        events, hits = draw(rng, expected, now, traffic.counted)
        yield Tally(start, start + traffic.pane_ms, events, hits)


def zipf(segments: int) -> Floats:
    """Shares of the traffic, the busiest first; they add up to one."""
    weights = 1 / np.arange(1, segments + 1)
    shares: Floats = weights / weights.sum()
    return shares


def arrivals(traffic: Traffic) -> Floats:
    """When each segment has its first event, milliseconds, shape (segments,)."""
    late = traffic.last - traffic.first
    gaps = np.arange(1, late + 1) * traffic.days * DAY_MS / (late + 1)
    return np.concatenate([np.zeros(traffic.first), gaps])


def draw(rng: np.random.Generator, expected: Floats, rates: Floats, counted: Counted) -> tuple[Ints, Ints]:
    """One pane.

    Args:
        rng: where chance comes from.
        expected: events of each segment, shape (segments,).
        rates: shape (segments, rates).
        counted: see ``Traffic``.

    Returns:
        Values, shape (segments,), and hits, shape (segments, rates).
    """
    if counted == "every event":
        events = rng.poisson(expected)
        return events, rng.binomial(events[:, None], rates)
    opened = rng.poisson(expected / TURNS)
    segment = np.repeat(np.arange(len(expected)), opened)
    every = rng.geometric(1 / TURNS, len(segment))
    turns = every if counted == "every turn" else np.ones_like(every)
    mean = rates[segment]
    leaning = rng.beta(mean * (1 - WITHIN) / WITHIN, (1 - mean) * (1 - WITHIN) / WITHIN)
    hits = np.zeros(rates.shape, np.int64)
    np.add.at(hits, segment, rng.binomial(turns[:, None], leaning))
    return np.bincount(segment, turns, len(expected)).astype(np.int64), hits
