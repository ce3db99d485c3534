"""The detectors, and which of them watch a family of events."""

from drift_aware.schema.settings import Settings
from drift_aware.streams.detectors.adwin import Adwin
from drift_aware.streams.detectors.centroid import Centroid
from drift_aware.streams.detectors.contract import Detector, Pane, Subject
from drift_aware.streams.detectors.limits import Drop, Limit
from drift_aware.streams.measures import (
    ACCURACY,
    ERROR_RATE,
    FEEDBACK,
    METRICS,
    REFUSAL_RATE,
    TOXICITY_RATE,
)

__all__ = ["NAMES", "Adwin", "Centroid", "Detector", "Drop", "Limit", "Pane", "Subject", "detectors_for"]

NAMES = ("limit", "drop", "centroid", "adwin")
# 5, 10 and 15 points of accuracy are one, two and three thresholds.
_POINTS = (2.0, 3.0)


def detectors_for(family: str, settings: Settings) -> list[Detector]:
    """New detectors for a family of events.

    ``settings.detectors`` names what to switch off with a leading minus; naming ``adwin`` lets it page.
    """
    limits = settings.limits
    samples, confirm = limits.min_samples, limits.confirm
    found: list[Detector] = []
    if family == "interaction":
        found += [
            Limit(REFUSAL_RATE, limits.refusal_rate, "above", samples, confirm),
            Limit(TOXICITY_RATE, limits.toxicity_rate, "above", samples, confirm),
            Limit(ERROR_RATE, limits.error_rate, "above", samples, confirm),
        ]
    elif family == "feedback":
        found.append(Drop(FEEDBACK, limits.feedback_drop, samples, confirm))
    elif family == "evaluation":
        found += [
            Drop(ACCURACY, limits.accuracy_drop_points, samples, confirm, _POINTS),
            Limit(ACCURACY, limits.accuracy_min, "below", samples, confirm),
        ]
    else:
        found.append(Centroid(family, limits.embedding_cosine, samples))
    pages = "adwin" in settings.detectors
    found += [Adwin(metric, pages) for metric in METRICS.values() if metric.family == family]
    return [detector for detector in found if f"-{detector.name}" not in settings.detectors]
