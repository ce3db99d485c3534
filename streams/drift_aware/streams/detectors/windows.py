"""The classic measures over windows of days: the last days against the days before them.

While there are no days before, the baseline stands in. They are the numbers people know from elsewhere, and
rules may use them; how seldom they alarm by chance nobody promises, so their alerts wake nobody unless the
settings name ``classic``. What chance makes of a distance is taken off it before it is compared with a limit.
"""

from collections.abc import Callable, Iterator

from drift_aware.schema.alerts import Reading
from drift_aware.schema.settings import Limits
from drift_aware.streams import classic
from drift_aware.streams.detectors.centroid import distance
from drift_aware.streams.detectors.contract import Pane, Stateless, Subject
from drift_aware.streams.evidence import Floats
from drift_aware.streams.measures import INTENT, Bins
from drift_aware.streams.predictive import dense
from drift_aware.streams.reference import DISTANCE_BINS, Reference
from drift_aware.streams.summary import SILHOUETTE, Summary, embedding_family, scored_by
from drift_aware.streams.vectors import GRID

# Of two windows the value, and what chance makes of it; None if it cannot be told.
Compare = Callable[[Summary, Summary], tuple[float, float] | None]
# So much of a window must have been scored by the reference at hand.
_SCORED_SHARE = 0.95


class OverDays(Stateless):
    """One measure of one family.

    Args:
        subject: what it watches.
        compare: the measure.
        limit: above which value, less chance, it fires; None never.
        min_samples: so many events a window must have.
        complete: fills in what a baseline's sums do not hold.

    >>> from drift_aware.schema.settings import Limits
    >>> from drift_aware.streams.days import DAY_MS, Days
    >>> days, (detector,) = Days(current=1, before=1), of_intents(Limits())
    >>> def fired(day, place):
    ...     counts = Summary({"events": 200, "intents": 200}, histograms={"intent": {1: 100, place: 100}})
    ...     days.add(day * DAY_MS, counts)
    ...     return detector.update(Pane(day, day + 1, counts, [(day, counts)], None, days=days)).fired
    >>> [fired(day, 2 if day < 5 else 3) for day in range(1, 9)].index(True) + 1
    5
    """

    name = "classic"

    def __init__(
        self,
        subject: Subject,
        compare: Compare,
        limit: float | None,
        min_samples: int,
        complete: Callable[[Summary], Summary] = lambda baseline: baseline,
    ) -> None:
        self.subject, self._compare = subject, compare
        self._limit, self._min_samples, self._complete = limit, min_samples, complete

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        now, then = self._windows(pane)
        enough = then is not None and min(now.events, then.events) >= self._min_samples
        found = self._compare(now, then) if enough and then is not None else None
        value, noise = found if found is not None else (None, 0.0)
        score = max(0.0, value - noise) if value is not None else None
        fired = score is not None and self._limit is not None and score > self._limit
        return Reading(
            metric=self.subject.metric,
            detector=self.name,
            state="firing" if fired else "ok" if found is not None else "no_data",
            events=now.events,
            current=value,
            score=score,
            threshold=self._limit,
            fired=fired,
            message=None if enough else f"{now.events} of {self._min_samples} events needed",
        )

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return f"{value:.3f}"

    def _windows(self, pane: Pane) -> tuple[Summary, Summary | None]:
        if pane.days is None:
            return pane.window, None
        now, before = pane.days.windows()
        if before.events >= self._min_samples:
            return now, before
        if pane.baseline is None or not pane.settled:
            return now, None
        return now, self._complete(pane.baseline)


def of_intents(limits: Limits, paging: bool = False) -> Iterator[OverDays]:
    """The population stability index of the intents."""
    assert INTENT.bins is not None
    subject = Subject(
        "intent_psi",
        "the stability index of the intents",
        "interactions",
        INTENT.kind,
        INTENT.suggests,
        paging=paging,
    )
    yield OverDays(subject, _psi(_counts(INTENT.bins)), limits.psi, limits.min_samples)


def of_embeddings(
    family: str, reference: Reference, limits: Limits, paging: bool = False
) -> Iterator[OverDays]:
    """All measures of a family of embeddings."""
    kind, model = embedding_family(family)
    counts, clusters = _scored(reference, "distance", DISTANCE_BINS), _scored(reference, "cluster")
    measures: dict[str, tuple[str, Compare, float | None]] = {
        "cosine": ("cosine distance", _cosine, limits.embedding_cosine),
        "euclidean": ("Euclidean distance", _euclidean, None),
        "variance_ratio": ("ratio of variances", _variance_ratio, None),
        "psi": ("stability index of the distances", _psi(counts), limits.psi),
        "kl": ("KL divergence of the distances", _kl(counts), limits.kl),
        "ks": ("Kolmogorov-Smirnov distance", _ks(counts), None),
        "cluster_shift": ("shift by clusters", _cluster_shift(clusters, reference), None),
        "silhouette": ("silhouette", _silhouette(reference), None),
    }
    for name, (title, compare, limit) in measures.items():
        subject = Subject(
            f"{kind}_embedding_{name}",
            f"the {title} of the {kind} embeddings of {model or 'an unnamed model'}",
            "embeddings",
            "embedding",
            ("reindex", "notify"),
            paging=paging,
        )
        yield OverDays(subject, compare, limit, limits.min_samples, lambda base: completed(base, reference))


def completed(baseline: Summary, reference: Reference) -> Summary:
    """The sums of a baseline with what its reference counted."""
    counted = {"distance": reference.distance_counts, "cluster": reference.cluster_counts}
    return Summary(
        baseline.counts | {scored_by(reference): baseline.events},
        baseline.vector,
        {
            name: {place: int(count) for place, count in enumerate(each) if count}
            for name, each in counted.items()
        },
    )


def _counts(bins: Bins) -> Callable[[Summary], Floats | None]:
    return lambda summary: dense(summary.histograms.get(bins.histogram, {}), bins.number)


def _scored(
    reference: Reference, histogram: str, bins: int | None = None
) -> Callable[[Summary], Floats | None]:
    """Reads a histogram of scores, if nearly all of them are of this reference."""
    by_this, number = scored_by(reference), bins or reference.clusters

    def counts(summary: Summary) -> Floats | None:
        if summary.counts.get(by_this, 0) < _SCORED_SHARE * summary.events:
            return None
        return dense(summary.histograms.get(histogram, {}), number)

    return counts


def _of_counts(
    counts: Callable[[Summary], Floats | None],
    measure: Callable[[Floats, Floats], float],
    noise: Callable[[int, float, float], float],
) -> Compare:
    def compare(now: Summary, then: Summary) -> tuple[float, float] | None:
        current, before = counts(now), counts(then)
        if current is None or before is None or not current.any() or not before.any():
            return None
        used = classic.bins_used(current, before)
        return measure(current, before), noise(used, float(current.sum()), float(before.sum()))

    return compare


def _nothing(bins: int, n: float, m: float) -> float:
    del bins, n, m
    return 0.0


def _psi(counts: Callable[[Summary], Floats | None]) -> Compare:
    return _of_counts(counts, classic.psi, classic.psi_noise)


def _kl(counts: Callable[[Summary], Floats | None]) -> Compare:
    return _of_counts(counts, classic.kl, classic.kl_noise)


def _ks(counts: Callable[[Summary], Floats | None]) -> Compare:
    return _of_counts(counts, classic.ks, _nothing)


def _cluster_shift(counts: Callable[[Summary], Floats | None], reference: Reference) -> Compare:
    return _of_counts(
        counts, lambda now, then: classic.cluster_shift(now, then, reference.centroids), _nothing
    )


def _cosine(now: Summary, then: Summary) -> tuple[float, float] | None:
    if now.vector is None or then.vector is None:
        return None
    return distance(now, then), 0.0  # less chance already


def _euclidean(now: Summary, then: Summary) -> tuple[float, float] | None:
    if now.vector is None or then.vector is None:
        return None
    return classic.euclidean_distance(now.mean_vector(), then.mean_vector()), 0.0


def _variance_ratio(now: Summary, then: Summary) -> tuple[float, float] | None:
    if now.vector is None or then.vector is None:
        return None
    return classic.variance_ratio(now.mean_vector(), then.mean_vector()), 0.0


def _silhouette(reference: Reference) -> Compare:
    by_this = scored_by(reference)

    def compare(now: Summary, then: Summary) -> tuple[float, float] | None:
        del then
        scored = now.counts.get(by_this, 0)
        if scored < _SCORED_SHARE * now.events:
            return None
        return now.counts.get(SILHOUETTE, 0) / GRID / scored, 0.0

    return compare
