"""Two windows of events against each other: pure, from sums to measures, scores and a severity.

A distance between two samples of the same traffic is never zero, so a score counts what is beyond chance
(``classic.psi_noise`` and its neighbours, reckoned in units: of a conversation the first event). A fall of
accuracy or of ratings is as often a gain by chance; it counts as it is, once chance seldom makes the like.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from drift_aware.schema.alerts import AlertKind, Severity
from drift_aware.schema.settings import Limits
from drift_aware.streams import classic
from drift_aware.streams.measures import ACCURACY, FEEDBACK, INTENT, METRICS, Metric, Rate
from drift_aware.streams.predictive import dense
from drift_aware.streams.reference import DISTANCE_BINS
from drift_aware.streams.summary import AGAIN, SCORED, Summary, embedding_family, kind_of, merge

Floats = NDArray[np.float64]
# Family to sums.
Sums = Mapping[str, Summary]
State = Literal["compared", "not enough events"]

# A fall counts from so many standard errors on: chance makes one in a hundred.
_STANDARD_ERRORS = 2.33
# So much of both windows must have been scored by one reference; its bins mean nothing to another.
_SCORED_SHARE = 0.95


class Measure(Struct, kw_only=True, omit_defaults=False):
    """One metric of one family in two windows; with too few events in one of them there are no numbers.

    Attributes:
        kind: to which score it belongs.
        events: on how many events it is measured; baseline_events: in the window before.
        current: rate or mean in the metric's own unit; baseline: before. None for distributions of names and
            for embeddings.
        kl: divergence of current from baseline over the metric's bins, nats; of a rate over its two counts.
        psi: population stability index; ks: Kolmogorov-Smirnov statistic, of ordered bins only. Of embeddings
            these three are over bins of the distance to a baseline's centre, and None where that baseline had
            not been fitted yet.
        cosine: one less the cosine of the angle between the mean embeddings.
        kl_chance: what of ``kl`` chance makes at most, at 99 of 100 looks; psi_chance alike.
        cosine_chance: what chance makes of ``cosine`` on average. Where all may be chance, because there is
            no unit or no direction, these three are None.
        score: how far beyond chance, in limits: 1 is at the limit of the settings.
    """

    family: str
    metric: str
    kind: AlertKind
    state: State
    events: int
    baseline_events: int
    current: float | None = None
    baseline: float | None = None
    kl: float | None = None
    psi: float | None = None
    ks: float | None = None
    cosine: float | None = None
    kl_chance: float | None = None
    psi_chance: float | None = None
    cosine_chance: float | None = None
    score: float | None = None


class Comparison(Struct, kw_only=True, omit_defaults=False):
    """What all measures come to.

    Attributes:
        state: ``compared`` if at least one measure was.
        embedding_score: of the worst measure of its kind, 0 to 1: 1 is at the limit or beyond. None if none
            was measured; so are behavior_score, operational_score (errors, latency, cost, tokens) and
            accuracy_score.
        combined: mean of the largest KL divergence and the largest stability index beyond chance and of the
            fall of accuracy, each in limits (``classic.combined_score``).
        overall_score: ``combined``, at most 1.
        accuracy: share of graded answers that are right; baseline_accuracy: before.
        severity: by the worst measure in limits, or by points of accuracy lost where that is worse
            (``classic.severity``); the mean may hide one of many.
    """

    state: State
    measures: list[Measure]
    embedding_score: float | None
    behavior_score: float | None
    operational_score: float | None
    accuracy_score: float | None
    combined: float | None
    overall_score: float | None
    accuracy: float | None
    baseline_accuracy: float | None
    severity: Severity | Literal["none"]


def compare(now: Sums, then: Sums, limits: Limits) -> Comparison:
    """Compare two windows.

    Args:
        now: the current window.
        then: the one before.
        limits: what counts as one, and how many events it takes.
    """
    measures = list(_measures(now, then, limits))
    compared = [each for each in measures if each.state == "compared"]
    accuracy = next((each for each in compared if each.kind == "accuracy"), None)
    lost = _lost(now, then) if accuracy is not None else None
    drifts = [each for each in compared if each.kind != "accuracy"]
    combined = classic.combined_score(
        _largest(beyond(each.kl, each.kl_chance) for each in drifts),
        limits.kl,
        _largest(beyond(each.psi, each.psi_chance) for each in drifts),
        limits.psi,
        lost,
        limits.accuracy_min,
    )
    worst = _largest(each.score for each in compared)
    return Comparison(
        state="compared" if compared else "not enough events",
        measures=measures,
        embedding_score=_score(compared, "embedding"),
        behavior_score=_score(compared, "behavior"),
        operational_score=_score(compared, "operational"),
        accuracy_score=_score(compared, "accuracy"),
        combined=combined,
        overall_score=None if combined is None else min(1.0, combined),
        accuracy=accuracy.current if accuracy is not None else None,
        baseline_accuracy=accuracy.baseline if accuracy is not None else None,
        severity=classic.severity(worst, None if lost is None else 100 * lost) or "none",
    )


def values(sums: Sums) -> dict[str, float]:
    """Every rate and mean that sums hold, by the metric's name."""
    return {
        name: metric.measure.value(sums[metric.family])
        for name, metric in METRICS.items()
        if metric.family in sums and metric.measure.events(sums[metric.family])
    }


def _measures(now: Sums, then: Sums, limits: Limits) -> Iterator[Measure]:
    for family in sorted({*now, *then}):
        current, before = now.get(family, Summary()), then.get(family, Summary())
        if kind_of(family) == "embedding":
            yield _of_embeddings(family, current, before, limits)
            continue
        for metric in (*METRICS.values(), INTENT):
            events = metric.measure.events(current), metric.measure.events(before)
            if metric.family == family and any(events):
                yield _of_metric(metric, current, before, events, limits)


def _of_metric(
    metric: Metric, now: Summary, then: Summary, events: tuple[int, int], limits: Limits
) -> Measure:
    measure = Measure(
        family=metric.family,
        metric=metric.name,
        kind=metric.kind,
        state="compared" if min(events) >= limits.min_samples else "not enough events",
        events=events[0],
        baseline_events=events[1],
    )
    if measure.state != "compared":
        return measure
    ordered = metric.bins is None or metric.bins.ordered
    if ordered:
        measure.current, measure.baseline = metric.measure.value(now), metric.measure.value(then)
    _add_distances(
        measure, (_counts(metric, now), _counts(metric, then)), (_units(now), _units(then)), ordered
    )
    measure.score = _of_distances(measure, limits)
    if metric is FEEDBACK:
        measure.score = max(measure.score, _fall(metric, now, then) / limits.feedback_drop)
    if metric is ACCURACY:
        left = 1 - limits.accuracy_min
        measure.score = _fall(metric, now, then) / left if left > 0 else 0.0
    return measure


def _of_embeddings(family: str, now: Summary, then: Summary, limits: Limits) -> Measure:
    kind, _ = embedding_family(family)
    measure = Measure(
        family=family,
        metric=f"{kind}_embedding",
        kind="embedding",
        state="compared" if min(now.events, then.events) >= limits.min_samples else "not enough events",
        events=now.events,
        baseline_events=then.events,
    )
    if measure.state != "compared":
        return measure
    current, before = now.mean_vector(), then.mean_vector()
    n, m = now.events * _units(now), then.events * _units(then)
    measure.cosine = classic.cosine_distance(current, before)
    measure.cosine_chance = _finite(classic.cosine_noise(before, n, m))
    if _scorers(now) & _scorers(then):
        _add_distances(measure, (_distances(now), _distances(then)), (_units(now), _units(then)), True)
    moved = beyond(measure.cosine, measure.cosine_chance) or 0.0
    measure.score = max(moved / limits.embedding_cosine, _of_distances(measure, limits))
    return measure


def _add_distances(
    measure: Measure, counts: tuple[Floats, Floats], units: tuple[float, float], ordered: bool
) -> None:
    """Fill in the divergences of two histograms, each of shape (bins,); ``units`` are shares of events."""
    now, then = counts
    used = classic.bins_used(now, then)
    n, m = float(now.sum()) * units[0], float(then.sum()) * units[1]
    measure.kl, measure.kl_chance = classic.kl(now, then), _finite(classic.kl_noise(used, n, m))
    measure.psi, measure.psi_chance = classic.psi(now, then), _finite(classic.psi_noise(used, n, m))
    measure.ks = classic.ks(now, then) if ordered else None


def _of_distances(measure: Measure, limits: Limits) -> float:
    """The larger of both divergences beyond chance, in limits."""
    kl, psi = beyond(measure.kl, measure.kl_chance), beyond(measure.psi, measure.psi_chance)
    return max((kl or 0.0) / limits.kl, (psi or 0.0) / limits.psi)


def _counts(metric: Metric, summary: Summary) -> Floats:
    if isinstance(metric.measure, Rate) and metric.bins is None:
        hits, events = summary.counts.get(metric.measure.hits, 0), metric.measure.events(summary)
        return np.array([events - hits, hits], np.float64)
    assert metric.bins is not None
    return dense(summary.histograms.get(metric.bins.histogram, {}), metric.bins.number)


def _distances(summary: Summary) -> Floats:
    return dense(summary.histograms.get("distance", {}), DISTANCE_BINS)


def _scorers(summary: Summary) -> set[str]:
    """The references that have scored nearly all vectors; one at most."""
    enough = _SCORED_SHARE * summary.events
    return {name for name, count in summary.counts.items() if name.startswith(SCORED) and count >= enough}


def _units(summary: Summary) -> float:
    """The share of events that count as units."""
    return 1 - summary.counts.get(AGAIN, 0) / summary.events


def _lost(now: Sums, then: Sums) -> float:
    return _fall(ACCURACY, now[ACCURACY.family], then[ACCURACY.family])


def _fall(metric: Metric, now: Summary, then: Summary) -> float:
    """By how much a metric has fallen; 0.0 if chance may have made it."""
    measure = metric.measure
    fall = measure.value(then) - measure.value(now)
    n, m = measure.events(now) * _units(now), measure.events(then) * _units(then)
    if not n or not m:
        return 0.0
    error = math.sqrt(measure.variance(merge([now, then])) * (1 / n + 1 / m))
    return fall if fall > _STANDARD_ERRORS * error else 0.0


def beyond(value: float | None, chance: float | None) -> float | None:
    """What of a value chance does not explain; nothing if all may be chance, None if there is no value."""
    if value is None:
        return None
    return 0.0 if chance is None else max(0.0, value - chance)


def _finite(chance: float) -> float | None:
    return chance if math.isfinite(chance) else None


def _largest(found: Iterator[float | None]) -> float | None:
    return max((each for each in found if each is not None), default=None)


def _score(measures: list[Measure], kind: AlertKind) -> float | None:
    worst = _largest(each.score for each in measures if each.kind == kind)
    return None if worst is None else min(1.0, worst)
