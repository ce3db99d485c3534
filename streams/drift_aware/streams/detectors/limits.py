"""Limits: a rate beyond what it must not pass, a value too far below its baseline.

Confirmed, a limit is a monitor on the false-alarm budget: it speaks when the evidence says that the metric is
beyond the limit, not when a sample happens to be. Unconfirmed, it is the plain comparison of the window.
"""

import numpy as np

from drift_aware.schema.alerts import Reading, State
from drift_aware.streams.detectors.bound import Bound
from drift_aware.streams.detectors.contract import Explanation, Pane, Stateless, marked, subject_of
from drift_aware.streams.detectors.known_mean import KnownMean
from drift_aware.streams.detectors.monitor import Monitor
from drift_aware.streams.detectors.shift import counts_of
from drift_aware.streams.evidence import Floats
from drift_aware.streams.measures import Rate
from drift_aware.streams.summary import Summary

# A rate of 3 % is calm under a limit of 5 %.
_CALM = 0.9


class _OnBound:
    """What both kinds of limit have in common."""

    def __init__(self, bound: Bound, latched: bool) -> None:
        self._bound, self._metric = bound, bound.metric
        self.name = "drop" if bound.drop else "limit"
        self.subject = subject_of(self._metric, latched=latched, calm=_CALM)

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return self._metric.text(value)

    def _value(self, summary: Summary | None) -> float | None:
        measure = self._metric.measure
        return measure.value(summary) if summary is not None and measure.events(summary) else None


class Confirmed(_OnBound):
    """A limit that is passed beyond doubt, as far as the budget allows doubt.

    Args:
        bound: the line.
        budget_ms: event time per false alarm.

    >>> from drift_aware.streams.measures import REFUSAL_RATE
    >>> def pane(index, refusals):
    ...     counts = Summary({"events": 100, "refusals_known": 100, "refusals": refusals})
    ...     return Pane(index, index + 1, counts, [(0, counts)], None, granted_ms=float(index))
    >>> detector = Confirmed(Bound(REFUSAL_RATE, "above", 0.05), budget_ms=20_000)
    >>> [detector.update(pane(index, 4 if index < 50 else 9)).fired for index in range(80)].index(True)
    57
    """

    def __init__(self, bound: Bound, budget_ms: float) -> None:
        super().__init__(bound, latched=True)
        channel = KnownMean(self.name, counts_of(bound.metric), _values(bound), self._worst)
        self._monitor = Monitor([channel], budget_ms)

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        verdict = self._monitor.update(pane)
        alarm = verdict.alarm
        shown = pane.window if alarm is None else pane.since(alarm.onset)[1]
        value = self._value(shown)
        known = self._bound.line(pane) is not None
        quiet: State = "ok" if known and value is not None else "no_data" if known else "warming_up"
        return Reading(
            metric=self._metric.name,
            detector=self.name,
            state="firing" if alarm is not None else quiet,
            events=self._metric.measure.events(shown),
            current=value,
            baseline_value=self._value(pane.baseline),
            score=verdict.ratio,
            threshold=1.0,
            evidence=verdict.days,
            fired=alarm is not None,
            onset=None if alarm is None else alarm.onset,
            strength=None if value is None else self._bound.strength(pane, value),
        )

    def explain(self, pane: Pane, recent: Summary) -> Explanation:
        """See ``Detector``."""
        del pane
        return Explanation(examples=marked(recent, self.subject.mark))

    def dump(self) -> bytes:
        """See ``Detector``."""
        return self._monitor.dump()

    def load(self, state: bytes) -> None:
        """See ``Detector``."""
        self._monitor.load(state)

    def _worst(self, pane: Pane) -> float | None:
        """The line on the scale of badness, kept off its ends, where no bet is possible."""
        line = self._bound.line(pane)
        return None if line is None else min(max(self._bound.badness(line), 1e-6), 1 - 1e-6)


class Plain(Stateless, _OnBound):
    """The comparison of the window with a limit, from ``min_samples`` events on.

    >>> from drift_aware.streams.measures import REFUSAL_RATE
    >>> def window(refusals, of):
    ...     counts = Summary({"events": of, "refusals_known": of, "refusals": refusals})
    ...     return Pane(0, 1, counts, [(0, counts)], None)
    >>> detector = Plain(Bound(REFUSAL_RATE, "above", 0.05), min_samples=100)
    >>> [detector.update(window(*counts)).fired for counts in ((9, 90), (5, 100), (6, 100))]
    [False, False, True]
    """

    def __init__(self, bound: Bound, min_samples: int) -> None:
        super().__init__(bound, latched=False)
        self._min_samples = min_samples

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        events = self._metric.measure.events(pane.window)
        value = self._value(pane.window)
        score = self._bound.beyond(pane, value) if value is not None else None
        enough = events >= self._min_samples
        fired = enough and score is not None and score > 1.0
        return Reading(
            metric=self._metric.name,
            detector=self.name,
            state="firing" if fired else "ok" if enough and score is not None else "no_data",
            events=events,
            current=value,
            baseline_value=self._value(pane.baseline),
            score=score if enough else None,
            threshold=1.0,
            fired=fired,
            strength=self._bound.strength(pane, value) if value is not None else None,
            message=None if enough else f"{events} of {self._min_samples} events needed",
        )


def _values(bound: Bound) -> Floats:
    """The badness of each bin of the metric, shape (bins,)."""
    metric = bound.metric
    if isinstance(metric.measure, Rate):
        return np.array([bound.badness(0.0), bound.badness(1.0)])
    assert metric.bins is not None
    return np.array([bound.badness(place + 1.0) for place in range(metric.bins.number)])
