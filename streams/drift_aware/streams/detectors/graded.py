"""Precision, recall and F1 of graded answers, from the counts of what was expected and what was said."""

from typing import Literal

from drift_aware.schema.alerts import Reading
from drift_aware.streams.bins import INTENT_BINS
from drift_aware.streams.detectors.contract import Pane, Stateless, Subject
from drift_aware.streams.evidence import Floats
from drift_aware.streams.measures import ACCURACY, noun
from drift_aware.streams.predictive import dense
from drift_aware.streams.summary import Summary

Score = Literal["precision", "recall", "f1"]
_TITLES: dict[Score, str] = {"precision": "the precision", "recall": "the recall", "f1": "the F1 score"}


class Graded(Stateless):
    """A score of the window, the mean over the classes that occur (macro average), against the baseline's.

    It fires when it has fallen by more than the limit. Unlike a rate it is no mean over events, so nobody
    knows what chance makes of it, and its alerts wake nobody.

    Args:
        score: which.
        drop: how far it may fall.
        min_samples: so many graded answers there must be.

    >>> counts = Summary({"events": 300}, histograms={
    ...     "expected": {1: 200, 2: 100}, "predicted": {1: 100, 2: 200}, "matched": {1: 100, 2: 100}
    ... })
    >>> [round(value(score, counts), 3) for score in ("precision", "recall", "f1")]
    [0.75, 0.75, 0.667]
    """

    name = "graded"

    def __init__(self, score: Score, drop: float, min_samples: int) -> None:
        self._score, self._drop, self._min_samples = score, drop, min_samples
        self.subject = Subject(
            score, _TITLES[score], noun(ACCURACY), ACCURACY.kind, ACCURACY.suggests, paging=False
        )

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        now = value(self._score, pane.window)
        then = value(self._score, pane.baseline) if pane.baseline is not None and pane.settled else None
        events = sum(pane.window.histograms.get("expected", {}).values())
        enough = now is not None and events >= self._min_samples
        fallen = max(0.0, then - now) if enough and now is not None and then is not None else None
        fired = fallen is not None and fallen > self._drop
        return Reading(
            metric=self._score,
            detector=self.name,
            state="firing" if fired else "ok" if enough else "no_data",
            events=events,
            current=now,
            baseline_value=then,
            score=fallen,
            threshold=self._drop,
            fired=fired,
            message=None if enough else f"{events} of {self._min_samples} answers with both labels needed",
        )

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return f"{value:.3f}"


def value(score: Score, summary: Summary) -> float | None:
    """The macro average of a score; None if no class occurs.

    A class that is never said has a precision of 0, one that is never expected a recall of 0.
    """
    expected, predicted, matched = (
        dense(summary.histograms.get(name, {}), INTENT_BINS) for name in ("expected", "predicted", "matched")
    )
    occurs = expected + predicted > 0
    if not occurs.any():
        return None
    each: dict[Score, Floats] = {
        "precision": matched[occurs] / predicted[occurs].clip(1),
        "recall": matched[occurs] / expected[occurs].clip(1),
        "f1": 2 * matched[occurs] / (expected + predicted)[occurs],
    }
    return float(each[score].mean())
