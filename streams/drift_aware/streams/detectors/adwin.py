"""ADWIN as a second opinion on every scalar."""

import math

from river.drift import ADWIN

from drift_aware.schema.alerts import Reading
from drift_aware.streams.detectors.contract import Pane, Stateless, subject_of
from drift_aware.streams.measures import Metric, Rate

DELTA = 1e-4
# A pane is shown as so many values at most: ADWIN takes them one by one.
MOST_VALUES = 500


class Adwin(Stateless):
    """Adaptive windowing (Bifet and Gavaldà, SDM 2007, https://doi.org/10.1137/1.9781611972771.42), by river.

    The order of events inside a pane is not kept, so a rate enters as hits and misses spread evenly over the
    pane, and any other number as the pane's mean over the baseline's: the bound is one for values of about
    one, blind to thousandths of a dollar and jumpy on thousands of milliseconds. So it is slow on means, one
    value a pane. Its alarms are marked as not paging: they count against no false-alarm budget.

    >>> from drift_aware.streams.measures import REFUSAL_RATE
    >>> from drift_aware.streams.summary import Summary
    >>> def pane(index, refusals):
    ...     counts = Summary({"events": 100, "refusals_known": 100, "refusals": refusals})
    ...     return Pane(index, index + 1, counts, [(index, counts)], counts)
    >>> detector = Adwin(REFUSAL_RATE)
    >>> [index for index in range(40) if detector.update(pane(index, 3 if index < 20 else 12)).fired]
    [23]
    """

    name = "adwin"

    def __init__(self, metric: Metric, pages: bool = False) -> None:
        self._metric, self._adwin = metric, _fresh()
        # Severity stays at info: a flag has no size.
        steps = (math.inf, math.inf)
        self.subject = subject_of(metric, steps, pages, adaptive=True)

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        unit = _unit(self._metric, pane)
        for value in _values(self._metric, pane):
            self._adwin.update(value / unit)
            if self._adwin.drift_detected:
                break
        fired = bool(self._adwin.drift_detected)
        reading = Reading(
            metric=self._metric.name,
            detector=self.name,
            state="firing" if fired else "ok",
            events=round(self._adwin.width),
            current=self._adwin.estimation * unit,
            baseline_value=_baseline(self._metric, pane),
            score=float(fired),
            threshold=1.0,
            fired=fired,
        )
        if fired:
            # River starts afresh at the next value; at once is the same, and leaves no flag to keep.
            self._adwin = _fresh()
        return reading

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return self._metric.text(value)

    def dump(self) -> bytes:
        """The state of river's Rust core; its layout is why pyproject.toml pins river's minor version."""
        return bytes(self._adwin._helper.__getstate__())

    def load(self, state: bytes) -> None:
        """See ``Detector``."""
        self._adwin._helper.__setstate__(state)


def _fresh() -> ADWIN:
    return ADWIN(delta=DELTA)


def _baseline(metric: Metric, pane: Pane) -> float | None:
    if pane.baseline is None or not metric.measure.events(pane.baseline):
        return None
    return metric.measure.value(pane.baseline)


def _unit(metric: Metric, pane: Pane) -> float:
    """What values are divided by."""
    if isinstance(metric.measure, Rate):
        return 1.0
    return abs(_baseline(metric, pane) or 1.0)


def _values(metric: Metric, pane: Pane) -> list[float]:
    measure = metric.measure
    events = measure.events(pane.summary)
    if not events:
        return []
    value = measure.value(pane.summary)
    if not isinstance(measure, Rate):
        return [value] if pane.settled else []  # before, what values are divided by would move
    shown = min(events, MOST_VALUES)
    hits = round(value * shown)
    return [float((index + 1) * hits // shown - index * hits // shown) for index in range(shown)]
