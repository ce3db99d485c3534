"""Our own detectors as contenders: their threshold is the budget, and nothing about them is tuned."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from detect.clinc import Sample
from detect.protocol import Floats, Ints, Runner, Stream
from detect.scalars import Shown
from drift_aware.streams.detectors import Pane, Shift
from drift_aware.streams.detectors.embedding import channels
from drift_aware.streams.detectors.monitor import Monitor
from drift_aware.streams.measures import Metric, Rate
from drift_aware.streams.reference import Reference, fit
from drift_aware.streams.summary import Summary, scored_by

Counted = Literal["every event", "conversations"]


class Embeddings:
    """The monitor of embeddings: novelty, level and mix.

    The score is ln(evidence / budget); an alarm is a score of zero. Event time is counted in events.

    Args:
        name: in the table.
        budget: events per false alarm.
        pane: events of a pane.
        counted: every event, or of each conversation only the one that opens it; the clock counts all.
    """

    threshold: float | None = 0.0
    tuned = False

    def __init__(self, name: str, budget: float, pane: int, counted: Counted = "every event") -> None:
        self.name, self._budget, self._pane, self._counted = name, budget, pane, counted

    def prepare(self, shown: Sample) -> "EmbeddingRunner":
        """See ``Contender``."""
        opens = shown.opens if self._counted == "conversations" else np.ones_like(shown.opens)
        reference = fit(shown.pool.rows[shown.places], opens)
        return EmbeddingRunner(shown, reference, self._budget, self._pane, self._counted)


class EmbeddingRunner:
    """See ``Embeddings``."""

    def __init__(
        self, shown: Sample, reference: Reference, budget: float, pane: int, counted: Counted
    ) -> None:
        self._rows, self._reference, self._budget = shown.pool.rows, reference, budget
        self._pane, self._counted = pane, counted
        found = reference.score(self._rows)
        self._novelty, self._cluster = found.novelty, found.cluster

    def scores(self, stream: Stream) -> Floats:
        """See ``Runner``; ends at the first alarm, where the monitor begins to look for the recovery."""
        monitor, found = Monitor(channels(self._reference), self._budget), []
        for pane in self.panes(stream):
            verdict = monitor.update(pane)
            found.append(_log(verdict.ratio))
            if verdict.alarm is not None:
                break
        return np.array(found)

    def alarms(self, stream: Stream) -> list[int]:
        """After how many events each alarm was raised, by a monitor that recovers and goes on."""
        monitor, raised, before = Monitor(channels(self._reference), self._budget), [], False
        for pane in self.panes(stream):
            now = monitor.update(pane).alarm is not None
            if now and not before:
                raised.append(pane.end)
            before = now
        return raised

    def panes(self, stream: Stream) -> Iterator[Pane]:
        """The stream as the detectors see it."""
        each = self._pane
        for start in range(0, len(stream.events) - each + 1, each):
            events = stream.events[start : start + each]
            if stream.opens is not None and self._counted == "conversations":
                events = events[stream.opens[start : start + each]]
            counts, end = self._summary(events), start + each
            yield Pane(start, end, counts, [(start, counts)], None, granted_ms=float(end))

    def _summary(self, events: Ints) -> Summary:
        if not len(events):
            return Summary({"events": 0})
        return Summary(
            {"events": len(events), scored_by(self._reference): len(events)},
            self._rows[events].sum(axis=0, dtype=np.int64),
            {"novelty": _counted(self._novelty[events]), "cluster": _counted(self._cluster[events])},
        )


class Scalars:
    """The shift of a rate or of ratings; see ``Embeddings``."""

    threshold: float | None = 0.0
    tuned = False

    def __init__(self, name: str, budget: float, pane: int) -> None:
        self.name, self._budget, self._pane = name, budget, pane

    def prepare(self, shown: Shown) -> Runner:
        """See ``Contender``."""
        return ScalarRunner(shown, self._budget, self._pane)


class ScalarRunner:
    """See ``Scalars``."""

    def __init__(self, shown: Shown, budget: float, pane: int) -> None:
        self._metric, self._budget, self._pane = shown.scalar.metric, budget, pane
        self._base = scalar_summary(self._metric, shown.bins)

    def scores(self, stream: Stream) -> Floats:
        """See ``Runner``; ends at the first alarm."""
        shift, each, found = Shift(self._metric, self._budget, hourly=False, base=self._base), self._pane, []
        for start in range(0, len(stream.events) - each + 1, each):
            counts, end = scalar_summary(self._metric, stream.events[start : start + each]), start + each
            pane = Pane(start, end, counts, [(start, counts)], self._base, granted_ms=float(end))
            reading = shift.update(pane)
            found.append(_log(reading.score or 0.0))
            if reading.fired:
                break
        return np.array(found)


def scalar_summary(metric: Metric, bins: Ints) -> Summary:
    """What the product counts of events whose value falls into these bins."""
    measure, events = metric.measure, len(bins)
    if isinstance(measure, Rate):
        return Summary({"events": events, measure.of: events, measure.hits: int(bins.sum())})
    assert metric.bins is not None
    stars = bins + 1
    total, squares = int(100 * stars.sum()), int(10_000 * np.square(stars).sum())
    return Summary(
        {"events": events, measure.of: events, measure.total: total, measure.squares or "": squares},
        histograms={metric.bins.histogram: _counted(bins)},
    )


def _counted(places: Ints) -> dict[int, int]:
    counts: dict[int, int] = {}
    for place in places.tolist():
        counts[place] = counts.get(place, 0) + 1
    return counts


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf
