"""The embedding monitor: novelty, level and mix of one kind of embeddings, as one e-detector."""

from collections.abc import Callable

import numpy as np

from drift_aware.schema.alerts import Reading
from drift_aware.streams import classic
from drift_aware.streams.detectors.categorical import Categorical
from drift_aware.streams.detectors.centroid import embedding_subject
from drift_aware.streams.detectors.channel import Channel
from drift_aware.streams.detectors.contract import Explanation, Pane
from drift_aware.streams.detectors.level import Level
from drift_aware.streams.detectors.mix import Mix
from drift_aware.streams.detectors.monitor import Monitor
from drift_aware.streams.detectors.shift import by_rank, parts_of, state_of
from drift_aware.streams.detectors.tilts import TailTilts
from drift_aware.streams.evidence import Floats
from drift_aware.streams.predictive import dense
from drift_aware.streams.reference import Reference
from drift_aware.streams.summary import Summary, scored_by

# The reference's own counts stand for so much less than later ones: they come from vectors that also shaped
# the bins. With more, the promise breaks on queries that were not used to choose it.
NOVELTY_TRUST = 1 / 5
MIX_TRUST = 1 / 3
# An interaction shows a drift if it is as unusual as one in ten, or in a cluster that has grown most.
_UNUSUAL = 0.1
_CLUSTERS_SHOWN = 3


class EmbeddingShift:
    """Whether embeddings have left their reference: unusual ones, a moved mean, or another mix of topics.

    Args:
        family: which embeddings.
        reference: fitted on the baseline.
        budget_ms: event time per false alarm.
        limits: the cosine distance, and the population stability index of the clusters, that count as one
            threshold of severity.

    >>> from drift_aware.streams.reference import fit
    >>> from drift_aware.streams.counting import add_vectors
    >>> from drift_aware.streams.vectors import rows_on_grid
    >>> rng = np.random.default_rng(1)
    >>> def rows(number, turned):
    ...     return rows_on_grid(rng.normal([1.0, 0.8 * turned, 0, 0], 0.4, (number, 4)))[0]
    >>> reference = fit(rows(1000, 0), np.ones(1000, np.bool_))
    >>> def pane(index, turned):
    ...     counts = Summary({"events": 20})
    ...     add_vectors(counts, rows(20, turned), reference)
    ...     return Pane(index, index + 1, counts, [(index, counts)], None, granted_ms=20.0 * index)
    >>> detector = EmbeddingShift("embedding/query/m/4", reference, budget_ms=20_000)
    >>> [detector.update(pane(index, index >= 50)).fired for index in range(60)].index(True)
    51
    """

    name = "shift"

    def __init__(
        self,
        family: str,
        reference: Reference,
        budget_ms: float,
        limits: tuple[float, float] = (0.1, 0.1),
    ) -> None:
        self._reference = reference
        self._cosine_limit, self._psi_limit = limits
        self._monitor = Monitor(channels(reference), budget_ms)
        self.subject = embedding_subject(family, "drift", latched=True)

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        verdict = self._monitor.update(pane)
        alarm = verdict.alarm
        shown = pane.window if alarm is None else pane.since(alarm.onset)[1]
        distance = None
        if shown.events and shown.vector is not None:
            distance = classic.cosine_distance(shown.mean_vector(), self._reference.mean)
        return Reading(
            metric=self.subject.metric,
            detector=self.name,
            channel=verdict.channel,
            state=state_of(verdict, shown.events),
            events=shown.events,
            current=distance,
            baseline_value=0.0,
            score=verdict.ratio,
            threshold=1.0,
            evidence=verdict.days,
            fired=alarm is not None,
            onset=None if alarm is None else alarm.onset,
            strength=None if alarm is None else self._strength(shown, distance or 0.0),
        )

    def explain(self, pane: Pane, recent: Summary) -> Explanation:
        """See ``Detector``; the parts are the baseline's clusters."""
        del pane  # the reference is the baseline
        now = dense(recent.histograms.get("cluster", {}), self._reference.clusters)
        then = self._reference.cluster_counts
        named = {place: f"cluster {place}" for place in range(self._reference.clusters)}
        parts = parts_of(now, then, named)
        rank: dict[int, float] = {}
        if now.any() and then.any():
            grown = now / now.sum() > then / then.sum()
            terms = classic.psi_terms(now, then)
            rank = {place: float(terms[place]) for place in np.flatnonzero(grown).tolist()}
        most = sorted(rank, key=rank.__getitem__)[-_CLUSTERS_SHOWN:]
        unusual = self._reference.unusual(_UNUSUAL)
        telling = [each for each in recent.examples if each.novelty >= unusual or each.cluster in most]
        return Explanation(parts, by_rank(telling or list(recent.examples), rank))

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return f"a cosine distance of {value:.3f} from the baseline"

    def dump(self) -> bytes:
        """See ``Detector``."""
        return self._monitor.dump()

    def load(self, state: bytes) -> None:
        """See ``Detector``."""
        self._monitor.load(state)

    def _strength(self, recent: Summary, distance: float) -> float:
        """The larger of mean and mix in thresholds, less what chance makes of so few events."""
        events = max(recent.events, 1)
        reference = self._reference
        scatter = max(0.0, 1 - float(reference.mean @ reference.mean))
        length = max(float(reference.mean @ reference.mean), 1e-6)
        moved = distance - scatter / length / 2 * (1 / events + 1 / max(reference.units, 1))
        now = _grouped(reference.groups, dense(recent.histograms.get("cluster", {}), reference.clusters))
        then = _grouped(reference.groups, reference.cluster_counts)
        mixed = classic.psi(now, then)
        mixed -= (classic.bins_used(now, then) - 1) * (1 / events + 1 / max(reference.units, 1))
        return max(0.0, moved / self._cosine_limit, mixed / self._psi_limit)


def channels(reference: Reference) -> list[Channel]:
    """Fresh channels that compare with a reference."""
    bins = len(reference.novelty_counts)
    even, seen = _even(reference.novelty_counts), NOVELTY_TRUST * reference.novelty_counts
    groups = MIX_TRUST * _grouped(reference.groups, reference.cluster_counts)
    half = np.full_like(groups, MIX_TRUST / 2)
    return [
        Categorical(
            "novelty", _scored(reference, "novelty", bins), even, TailTilts(), hourly=False, base=seen
        ),
        Level(reference),
        Mix("mix", _mix(reference), half, base=groups),
    ]


def _even(counts: Floats) -> Floats:
    """A prior total of one, spread as the bins were cut."""
    prior: Floats = (counts + 1) / (counts + 1).sum()
    return prior


def _scored(reference: Reference, histogram: str, bins: int) -> Callable[[Summary], Floats]:
    """Reads scores, but none of a pane that was partly counted before the reference was there."""
    by_this = scored_by(reference)

    def counts(summary: Summary) -> Floats:
        scored = summary.counts.get(by_this, 0) == summary.events
        return dense(summary.histograms.get(histogram, {}) if scored else {}, bins)

    return counts


def _mix(reference: Reference) -> Callable[[Summary], Floats]:
    by_cluster = _scored(reference, "cluster", reference.clusters)
    return lambda summary: _grouped(reference.groups, by_cluster(summary))


def _grouped(groups: np.ndarray[tuple[int], np.dtype[np.int64]], counts: Floats) -> Floats:
    sums: Floats = np.bincount(groups, counts, minlength=int(groups.max()) + 1).astype(np.float64)
    return sums
