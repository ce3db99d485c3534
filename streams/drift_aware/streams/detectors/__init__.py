"""The detectors, and which of them watch a family of events.

Others plug in by an entry point of the group ``drift_aware.detectors``: a callable that is given the family
and the settings and returns detectors, often none.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import get_args

from drift_aware.schema.settings import DETECTORS_GROUP, Settings
from drift_aware.streams.detectors.adwin import Adwin
from drift_aware.streams.detectors.bound import Bound
from drift_aware.streams.detectors.centroid import Centroid
from drift_aware.streams.detectors.contract import (
    Detector,
    Explanation,
    Pane,
    Stateless,
    Subject,
    subject_of,
)
from drift_aware.streams.detectors.creep import Creep
from drift_aware.streams.detectors.embedding import EmbeddingShift
from drift_aware.streams.detectors.graded import Graded, Score
from drift_aware.streams.detectors.limits import Confirmed, Plain
from drift_aware.streams.detectors.shift import Shift
from drift_aware.streams.detectors.windows import of_embeddings, of_intents
from drift_aware.streams.measures import (
    ACCURACY,
    ERROR_RATE,
    FEEDBACK,
    INTENT,
    METRICS,
    REFUSAL_RATE,
    TOXICITY_RATE,
    Rate,
)
from drift_aware.streams.reference import Reference
from drift_aware.streams.summary import Summary

__all__ = [
    "Adwin",
    "Bound",
    "Centroid",
    "Confirmed",
    "Detector",
    "EmbeddingShift",
    "Explanation",
    "Pane",
    "Plain",
    "Shift",
    "Stateless",
    "Subject",
    "detectors_for",
    "on_budget",
    "subject_of",
]

Plugin = Callable[[str, Settings], list[Detector]]
# 5, 10 and 15 points of accuracy are one, two and three thresholds.
_POINTS = (2.0, 3.0)


def detectors_for(
    family: str, settings: Settings, reference: Reference | None = None, base: Summary | None = None
) -> list[Detector]:
    """New detectors for a family of events.

    Args:
        family: of which events.
        settings: ``detectors`` names what to switch on, and with a leading minus what to switch off; naming
            ``adwin`` lets it page.
        reference: what embeddings are compared with; without one they have no detectors.
        base: the baseline to begin with, if it is not learned from the first panes.
    """
    found = [*_own(family, settings, reference, base), *_plugged_in(family, settings)]
    return [detector for detector in found if f"-{detector.name}" not in settings.detectors]


def on_budget(detector: Detector) -> bool:
    """Whether a detector takes its share of the false-alarm budget."""
    return isinstance(detector, Shift | Confirmed | EmbeddingShift)


def _own(
    family: str, settings: Settings, reference: Reference | None, base: Summary | None
) -> Iterator[Detector]:
    if not family.startswith("embedding/"):
        yield from _of_counts(family, settings, base)
        yield from _second_opinions(family, settings)
    elif reference is not None:
        limits = settings.limits
        sizes = (limits.embedding_cosine, limits.psi)
        yield EmbeddingShift(family, reference, settings.budget_ms, sizes)
        yield Centroid(family, limits.embedding_cosine, limits.min_samples)
        yield from of_embeddings(family, reference, limits, "classic" in settings.detectors)


def _of_counts(family: str, settings: Settings, base: Summary | None) -> Iterator[Detector]:
    budget, limits, bounds = settings.budget_ms, settings.limits, _bounds(family, settings)
    for metric in [*METRICS.values(), INTENT]:
        if metric.family == family:
            mine = [bound for bound in bounds if bound.metric == metric]
            yield Shift(metric, budget, settings.hour_of_day_cells, limits.psi, base, mine)
    for bound in bounds:
        yield Confirmed(bound, budget) if limits.confirm else Plain(bound, limits.min_samples)


def _second_opinions(family: str, settings: Settings) -> Iterator[Detector]:
    """They are on no budget, and wake nobody unless the settings name them."""
    limits, named = settings.limits, settings.detectors
    for metric in METRICS.values():
        if metric.family == family:
            yield Adwin(metric, pages="adwin" in named)
            if isinstance(metric.measure, Rate) and metric != ACCURACY:  # accuracy has a limit on its drop
                yield Creep(metric, paging="creep" in named)
    if family == "interaction":
        yield from of_intents(limits, paging="classic" in named)
    if family == "evaluation":
        for score in get_args(Score):
            yield Graded(score, limits.accuracy_drop_points, limits.min_samples)


def _bounds(family: str, settings: Settings) -> list[Bound]:
    limits = settings.limits
    bounds = {
        "interaction": [
            Bound(REFUSAL_RATE, "above", limits.refusal_rate),
            Bound(TOXICITY_RATE, "above", limits.toxicity_rate),
            Bound(ERROR_RATE, "above", limits.error_rate),
        ],
        "feedback": [Bound(FEEDBACK, "below", limits.feedback_drop, drop=True)],
        "evaluation": [
            Bound(ACCURACY, "below", limits.accuracy_drop_points, drop=True, steps=_POINTS),
            Bound(ACCURACY, "below", limits.accuracy_min),
        ],
    }
    return bounds.get(family, [])


@cache
def _plugins() -> dict[str, Plugin]:
    return {entry.name: entry.load() for entry in entry_points(group=DETECTORS_GROUP)}


def _plugged_in(family: str, settings: Settings) -> Iterator[Detector]:
    for name in settings.detectors:
        if name in _plugins():
            yield from _plugins()[name](family, settings)
