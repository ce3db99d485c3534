"""Creep: has a rate wandered off so slowly that what is learned went along with it?

The monitors on the false-alarm budget learn from calm panes, so a drift that is slow enough is learned. The
baseline that was fitted first stays as it was, and the rate of the last days is held against it.
"""

import math

from drift_aware.schema.alerts import Reading
from drift_aware.streams.detectors.contract import Pane, Stateless, subject_of
from drift_aware.streams.measures import Metric, Rate
from drift_aware.streams.summary import Summary

LIMIT = 1.5
# Standard errors of the logarithm of a ratio that chance is granted.
_SURE = 3.29


class Creep(Stateless):
    """The rate of the last days over that of the baseline, or the other way round if it has fallen.

    It fires beyond LIMIT if it is so beyond doubt for one look. Nobody counts the looks, so its alerts wake
    nobody unless the settings name ``creep``.

    Args:
        metric: a rate.
        paging: whether its alerts may wake somebody.

    >>> from drift_aware.streams.days import DAY_MS, Days
    >>> from drift_aware.streams.measures import REFUSAL_RATE
    >>> def refusals(number):
    ...     return Summary({"events": 1000, "refusals_known": 1000, "refusals": number})
    >>> days, detector = Days(current=7, before=7), Creep(REFUSAL_RATE)
    >>> def fired(day):
    ...     days.add(day * DAY_MS, refusals(30 + day))
    ...     return detector.update(Pane(day, day + 1, refusals(0), [], refusals(30), days=days)).fired
    >>> [fired(day) for day in range(60)].index(True)
    29
    """

    name = "creep"

    def __init__(self, metric: Metric, paging: bool = False) -> None:
        self._metric = metric
        self.subject = subject_of(metric, paging=paging, calm=0.9)

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        measure = self._metric.measure
        assert isinstance(measure, Rate)
        now = pane.days.windows()[0] if pane.days is not None else Summary()
        then = pane.baseline if pane.settled else None
        found = _ratio(measure, now, then) if then is not None else None
        score, error = found if found is not None else (None, 0.0)
        fired = score is not None and score > LIMIT and math.log(score) > _SURE * error
        return Reading(
            metric=self._metric.name,
            detector=self.name,
            state="firing" if fired else "ok" if score is not None else "no_data",
            events=measure.events(now),
            current=measure.value(now) if measure.events(now) else None,
            baseline_value=measure.value(then) if then is not None and measure.events(then) else None,
            score=score,
            threshold=LIMIT,
            fired=fired,
        )

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return self._metric.text(value)


def _ratio(measure: Rate, now: Summary, then: Summary) -> tuple[float, float] | None:
    """How many times the rate has become what it was, at least one, and the standard error of its log."""
    hits, hits_then = now.counts.get(measure.hits, 0), then.counts.get(measure.hits, 0)
    if not hits or not hits_then:
        return None
    rate, rate_then = measure.value(now), measure.value(then)
    error = math.sqrt((1 - rate) / hits + (1 - rate_then) / hits_then)
    return max(rate / rate_then, rate_then / rate), error
