"""ADWIN as a second opinion on every scalar."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river._river_rust.drift import AdaptiveWindowing

from drift_aware.schema.alerts import Reading
from drift_aware.streams.detectors.contract import Pane, Stateless, subject_of
from drift_aware.streams.measures import Metric, Rate
from drift_aware.streams.predictive import dense
from drift_aware.streams.summary import Summary

DELTA = 1e-4
# A pane is shown as so many values at most: ADWIN takes them one by one.
MOST_VALUES = 500
_GOLDEN = (math.sqrt(5) - 1) / 2


class Adwin(Stateless):
    """Adaptive windowing (Bifet and Gavaldà, SDM 2007, https://doi.org/10.1137/1.9781611972771.42), by river.

    It takes values one by one, but the order of events inside a pane is not kept. So the events of a pane are
    shown in an order that spreads small and large values evenly: of a rate hits and misses, of any other
    metric the place of its bin, from 0 to 1. Its alarms are marked as not paging: they count against no
    false-alarm budget.

    >>> from drift_aware.streams.measures import REFUSAL_RATE
    >>> def pane(index, refusals):
    ...     counts = Summary({"events": 100, "refusals_known": 100, "refusals": refusals})
    ...     return Pane(index, index + 1, counts, [(index, counts)], counts)
    >>> detector = Adwin(REFUSAL_RATE)
    >>> [index for index in range(40) if detector.update(pane(index, 3 if index < 20 else 12)).fired]
    [23]
    """

    name = "adwin"

    def __init__(self, metric: Metric, pages: bool = False) -> None:
        self._metric, self._core = metric, _fresh()
        # Severity stays at info: a flag has no size.
        steps = (math.inf, math.inf)
        self.subject = subject_of(metric, steps, pages, adaptive=True)

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        measure, baseline = self._metric.measure, pane.baseline
        fired = any(map(self._core.update, _values(self._metric, pane.summary)))
        events = measure.events(pane.window)
        compared = baseline is not None and measure.events(baseline) > 0
        reading = Reading(
            metric=self._metric.name,
            detector=self.name,
            state="firing" if fired else "ok" if events else "no_data",
            events=events,
            current=measure.value(pane.window) if events else None,
            baseline_value=measure.value(baseline) if compared and baseline is not None else None,
            score=float(fired),
            threshold=1.0,
            fired=fired,
        )
        if fired:
            # River starts afresh at the next value; at once is the same, and leaves no flag to keep.
            self._core = _fresh()
        return reading

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return self._metric.text(value)

    def dump(self) -> bytes:
        """The state of river's Rust core; its layout is why pyproject.toml pins river's minor version."""
        return bytes(self._core.__getstate__())

    def load(self, state: bytes) -> None:
        """See ``Detector``."""
        self._core.__setstate__(state)


def _fresh() -> Any:
    """River's Rust core, with river's defaults: the wrapper costs three times what it wraps."""
    return AdaptiveWindowing(delta=DELTA, clock=32, max_buckets=5, min_window_length=5, grace_period=10)


def _values(metric: Metric, summary: Summary) -> list[float]:
    """The events of a pane as numbers from 0 to 1, in an order that does not depend on when they came."""
    measure = metric.measure
    if metric.bins is not None:
        counts = dense(summary.histograms.get(metric.bins.histogram, {}), metric.bins.number)
        places = _places(metric.bins.number)
    elif isinstance(measure, Rate):
        hits = summary.counts.get(measure.hits, 0)
        counts, places = np.array([measure.events(summary) - hits, hits], np.float64), np.array([0.0, 1.0])
    else:
        return []
    events = int(counts.sum())
    shown = min(events, MOST_VALUES)
    ranks = _shares(shown) * events
    found: list[float] = places[np.searchsorted(np.cumsum(counts), ranks, "right")].tolist()
    return found


@lru_cache
def _places(bins: int) -> NDArray[np.float64]:
    return np.linspace(0.0, 1.0, bins)


@lru_cache(MOST_VALUES + 1)
def _shares(number: int) -> NDArray[np.float64]:
    """The middles of as many equal shares of 1, in the order of their golden section."""
    order = np.argsort(np.arange(number) * _GOLDEN % 1.0)
    return (order + 0.5) / number
