"""Limits: a rate beyond what it must not pass, a value too far below its baseline.

With ``confirm`` a limit counts as passed only when chance alone would hardly have brought the window there:
the one-sided confidence bound lies beyond it too. That is a bound for one look, not a promise over all looks.
"""

import math
from typing import Literal

from drift_aware.schema.alerts import Reading
from drift_aware.streams.detectors.contract import Pane, Subject
from drift_aware.streams.measures import Metric, Rate
from drift_aware.streams.summary import Summary

# One-sided normal quantile of 1 - 1/2000.
Z = 3.29
_NOUNS = {"interaction": "interactions", "feedback": "ratings", "evaluation": "graded answers"}


def wilson(hits: int, of: int, z: float = Z) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953).

    >>> low, high = wilson(5, 100, z=1.96)
    >>> round(low, 4), round(high, 4)
    (0.0215, 0.1118)
    """
    share, weight = hits / of, z * z / of
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return middle - half, middle + half


def subject(metric: Metric, severity_steps: tuple[float, float] = (1.5, 2.0)) -> Subject:
    """The subject of an alert about a metric."""
    return Subject(
        metric.name, metric.title, _NOUNS[metric.family], metric.kind, metric.suggests, severity_steps
    )


class _OnMetric:
    """The parts that detectors without state share."""

    name = "limit"

    def __init__(self, metric: Metric, min_samples: int, confirm: bool, about: Subject) -> None:
        self._metric, self._min_samples, self._confirm = metric, min_samples, confirm
        self.subject = about

    def rest(self, reading: Reading) -> float:
        del reading
        return 0.0

    def text(self, value: float) -> str:
        return self._metric.text(value)

    def dump(self) -> bytes:
        return b""

    def load(self, state: bytes) -> None:
        del state

    def _value(self, summary: Summary) -> float | None:
        return self._metric.measure.value(summary) if self._metric.measure.events(summary) else None

    def _silent(self, pane: Pane) -> Reading | None:
        """The reading while the window holds too little to say anything."""
        events = self._metric.measure.events(pane.window)
        if events >= self._min_samples:
            return None
        return Reading(
            metric=self._metric.name,
            detector=self.name,
            state="no_data",
            events=events,
            current=self._value(pane.window),
            baseline_value=self._value(pane.baseline),
            message=f"{events} of {self._min_samples} events needed",
        )

    def _reading(self, pane: Pane, score: float, threshold: float, fired: bool) -> Reading:
        return Reading(
            metric=self._metric.name,
            detector=self.name,
            state="firing" if fired else "ok",
            events=self._metric.measure.events(pane.window),
            current=self._value(pane.window),
            baseline_value=self._value(pane.baseline),
            score=score,
            threshold=threshold,
            fired=fired,
        )


class Limit(_OnMetric):
    """A rate that must not pass a limit, above or below.

    The score is the rate, or for a lower limit what is missing to one, so that more is always worse.

    >>> from drift_aware.streams.measures import REFUSAL_RATE
    >>> def window(refusals, of):
    ...     counts = Summary({"events": of, "refusals_known": of, "refusals": refusals})
    ...     return Pane(0, 1, counts, counts, 0, counts)
    >>> detector = Limit(REFUSAL_RATE, 0.05)
    >>> [detector.update(window(round(0.08 * n), n)).fired for n in (100, 300, 700)]
    [False, False, True]
    """

    def __init__(
        self,
        metric: Metric,
        limit: float,
        side: Literal["above", "below"] = "above",
        min_samples: int = 100,
        confirm: bool = True,
    ) -> None:
        super().__init__(metric, min_samples, confirm, subject(metric))
        assert isinstance(metric.measure, Rate)
        self._measure, self._limit, self._above = metric.measure, limit, side == "above"

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        silent = self._silent(pane)
        if silent is not None:
            return silent
        of = self._measure.events(pane.window)
        hits = pane.window.counts.get(self._measure.hits, 0)
        if not self._above:
            hits = of - hits
        threshold = self._limit if self._above else 1 - self._limit
        bound = wilson(hits, of)[0] if self._confirm else hits / of
        return self._reading(pane, hits / of, threshold, fired=bound > threshold)

    def rest(self, reading: Reading) -> float:
        """See ``Detector``."""
        if reading.baseline_value is None:
            return 0.0
        return reading.baseline_value if self._above else 1 - reading.baseline_value


class Drop(_OnMetric):
    """A value that fell too far below its baseline: the drop is at least ``limit``.

    Confirmed means that the drop is also larger than chance makes it: Z standard errors of the difference
    between window and baseline (Welch 1947, https://doi.org/10.1093/biomet/34.1-2.28).
    """

    name = "drop"

    def __init__(
        self,
        metric: Metric,
        limit: float,
        min_samples: int = 100,
        confirm: bool = True,
        severity_steps: tuple[float, float] = (1.5, 2.0),
    ) -> None:
        super().__init__(metric, min_samples, confirm, subject(metric, severity_steps))
        self._limit = limit

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        silent = self._silent(pane)
        if silent is not None:
            return silent
        measure = self._metric.measure
        if not measure.events(pane.baseline):
            return self._reading(pane, 0.0, self._limit, fired=False)
        drop = measure.value(pane.baseline) - measure.value(pane.window)
        chance = 0.0
        if self._confirm:
            chance = Z * math.sqrt(
                measure.variance(pane.window) / measure.events(pane.window)
                + measure.variance(pane.baseline) / measure.events(pane.baseline)
            )
        return self._reading(pane, drop, self._limit, fired=drop >= self._limit and drop > chance)
