"""Shift: has a metric left what it was? On the false-alarm budget, with nothing to tune.

One detector for everything that falls into bins. Rates are bet on to rise or fall; values to move up or down;
ratings and intents to change their shape.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from drift_aware.schema.alerts import Contribution, Reading, State
from drift_aware.streams import classic
from drift_aware.streams.detectors.bound import Bound
from drift_aware.streams.detectors.categorical import Categorical, Counts
from drift_aware.streams.detectors.channel import Channel
from drift_aware.streams.detectors.contract import Explanation, Pane, marked, subject_of
from drift_aware.streams.detectors.mix import Mix
from drift_aware.streams.detectors.monitor import Monitor, Verdict
from drift_aware.streams.detectors.tilts import OrderedTilts, RateTilts
from drift_aware.streams.evidence import Floats
from drift_aware.streams.measures import Metric, Rate
from drift_aware.streams.predictive import LEARNED, dense
from drift_aware.streams.summary import Example, Summary

# Jeffreys' half for each of a few bins; many bins share a weight of one.
_FEW_BINS = 5
_RATE_BINS = ("no", "yes")


class Shift:
    """The distribution of one metric against what was learned of it.

    Args:
        metric: what to watch; a rate, or one with bins.
        budget_ms: event time per false alarm.
        hourly: whether the hours of the day are told apart.
        psi_limit: the population stability index that counts as one threshold of severity.
        base: a baseline to begin with; else it learns from the first panes.
        bounds: the metric's limits, which have a say in how severe a shift is.

    >>> from drift_aware.streams.measures import REFUSAL_RATE
    >>> def pane(index, refusals):
    ...     counts = Summary({"events": 100, "refusals_known": 100, "refusals": refusals})
    ...     return Pane(index, index + 1, counts, [(0, counts)], None, granted_ms=float(index))
    >>> detector = Shift(REFUSAL_RATE, budget_ms=20_000, hourly=False)
    >>> [detector.update(pane(index, 3 if index < 50 else 8)).fired for index in range(60)].index(True)
    54
    """

    name = "shift"

    def __init__(
        self,
        metric: Metric,
        budget_ms: float,
        hourly: bool,
        psi_limit: float = 0.2,
        base: Summary | None = None,
        bounds: Sequence[Bound] = (),
    ) -> None:
        self._metric, self._psi_limit, self._bounds = metric, psi_limit, bounds
        self._counts = counts_of(metric)
        # Of classes there is no mean: how far they have moved is what is said of them.
        self._classes = metric.bins is not None and not metric.bins.ordered
        known = self._counts(base) if base is not None else None
        self._monitor = Monitor(_channels(metric, self._counts, hourly, known), budget_ms)
        self.subject = subject_of(metric, latched=True)

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        verdict = self._monitor.update(pane)
        measure, baseline = self._metric.measure, pane.baseline
        shown = pane.window if verdict.alarm is None else pane.since(verdict.alarm.onset)[1]
        current, before = self._values(shown, baseline)
        return Reading(
            metric=self._metric.name,
            detector=self.name,
            channel=verdict.channel,
            state=state_of(verdict, measure.events(pane.window)),
            events=measure.events(shown),
            current=current,
            baseline_value=before,
            score=verdict.ratio,
            threshold=1.0,
            evidence=verdict.days,
            fired=verdict.alarm is not None,
            onset=None if verdict.alarm is None else verdict.alarm.onset,
            strength=self._strength(pane, shown) if verdict.alarm is not None else None,
            message=None if verdict.ready else f"learning until {LEARNED} events are seen",
        )

    def explain(self, pane: Pane, recent: Summary) -> Explanation:
        """See ``Detector``."""
        names = _RATE_BINS if isinstance(self._metric.measure, Rate) else None
        now = self._counts(recent)
        then = self._counts(pane.baseline) if pane.baseline is not None else np.zeros_like(now)
        parts = parts_of(now, then, dict(enumerate(names or ())))
        return Explanation(parts, marked(recent, self.subject.mark))

    def text(self, value: float) -> str:
        """See ``Detector``."""
        if self._classes:
            return f"a stability index (PSI) of {value:.2f} from the baseline"
        return self._metric.text(value)

    def dump(self) -> bytes:
        """See ``Detector``."""
        return self._monitor.dump()

    def load(self, state: bytes) -> None:
        """See ``Detector``."""
        self._monitor.load(state)

    def _values(self, recent: Summary, baseline: Summary | None) -> tuple[float | None, float | None]:
        """The metric now and in the baseline; of classes their distance, and nothing."""
        measure = self._metric.measure
        known = baseline if baseline is not None and measure.events(baseline) else None
        if not measure.events(recent):
            return None, None if known is None or self._classes else measure.value(known)
        if self._classes:
            return (None if known is None else classic.psi(self._counts(recent), self._counts(known))), None
        return measure.value(recent), None if known is None else measure.value(known)

    def _strength(self, pane: Pane, recent: Summary) -> float:
        """The distance in limits of PSI, or the value in its own limits if that is worse."""
        now = self._counts(recent)
        then = self._counts(pane.baseline) if pane.baseline is not None else np.zeros_like(now)
        if not now.any() or not then.any():
            return 0.0
        value = self._metric.measure.value(recent)
        beyond = [bound.strength(pane, value) for bound in self._bounds]
        return max([classic.psi(now, then) / self._psi_limit, *(each for each in beyond if each is not None)])


def counts_of(metric: Metric) -> Counts:
    """How the counts of a metric's bins are read off a summary."""
    measure, bins = metric.measure, metric.bins
    if bins is not None:
        return lambda summary: dense(summary.histograms.get(bins.histogram, {}), bins.number)
    assert isinstance(measure, Rate)

    def both(summary: Summary) -> Floats:
        hits = summary.counts.get(measure.hits, 0)
        return np.array([measure.events(summary) - hits, hits], np.float64)

    return both


def state_of(verdict: Verdict, events: int) -> State:
    """How a reading calls the state of a monitor."""
    if verdict.alarm is not None:
        return "firing"
    if not verdict.ready:
        return "warming_up"
    return "ok" if events else "no_data"


def parts_of(now: Floats, then: Floats, names: Mapping[int, str], most: int = 8) -> list[Contribution]:
    """What each bin adds to the population stability index, as shares of it, largest first.

    Args:
        now: counts of the recent past, shape (bins,); ``then`` of the baseline.
        then: as above.
        names: of the bins that have one.
        most: so many are named; the rest is put together.
    """
    if not now.any() or not then.any():
        return []
    terms = classic.psi_terms(now, then)
    total = float(terms.sum())
    if total <= 0:
        return []
    order = [int(place) for place in np.argsort(-terms, kind="stable")]
    parts = [
        Contribution(names.get(place, f"bin {place}"), float(terms[place]) / total) for place in order[:most]
    ]
    rest = 1.0 - sum(part.share for part in parts)
    return [*parts, Contribution("rest", rest)] if len(order) > most else parts


def _channels(metric: Metric, counts: Counts, hourly: bool, base: Floats | None) -> list[Channel]:
    bins = metric.bins
    if bins is None:
        return [Categorical("rate", counts, _prior(2), RateTilts(), hourly, base)]
    prior = _prior(bins.number)
    if not bins.ordered:
        return [Mix("mix", counts, prior, base)]
    tilts = OrderedTilts(np.arange(bins.number, dtype=np.float64))
    ordered = Categorical("level", counts, prior, tilts, hourly, base)
    return [ordered, Mix("shape", counts, prior, base)] if metric.reshapes else [ordered]


def _prior(bins: int) -> Floats:
    return np.full(bins, 0.5 if bins <= _FEW_BINS else 1 / bins)


def by_rank(examples: list[Example], rank: Mapping[int, float]) -> list[Example]:
    """Examples with the clusters that matter most first, the most unusual first among those."""
    return sorted(
        examples, key=lambda each: (-rank.get(each.cluster, 0.0), -each.novelty, each.hash, each.id)
    )
