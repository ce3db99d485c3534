"""The plain centroid distance: have the embeddings moved, on average?"""

import math

from drift_aware.schema.alerts import Reading
from drift_aware.streams import classic
from drift_aware.streams.detectors.contract import Pane, Stateless, Subject
from drift_aware.streams.summary import Summary, embedding_family

# Of a mean of unit vectors; below it, directions cancel out and the rest is rounding.
_SMALLEST_LENGTH = 1e-3


def embedding_subject(family: str, what: str, latched: bool) -> Subject:
    """The subject of an alert about a family of embeddings."""
    kind, model = embedding_family(family)
    return Subject(
        f"{kind}_embedding",
        f"the {what} of the {kind} embeddings of {model or 'an unnamed model'}",
        "embeddings",
        "embedding",
        ("reindex", "notify"),
        latched=latched,
    )


class Centroid(Stateless):
    """Cosine distance between the mean embedding of the window and that of the baseline.

    Two samples of the same traffic are never at distance zero: what chance makes of it (``cosine_noise``) is
    taken off the score.

    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> def summary(centre, n):
    ...     x = rng.normal(centre, 0.2, (n, len(centre)))
    ...     x /= np.linalg.norm(x, axis=1, keepdims=True)
    ...     return Summary({"events": n}, np.rint(x * 16384).astype(np.int64).sum(axis=0))
    >>> old, new = [1.0, 0, 0, 0], [1.0, 0.7, 0, 0]
    >>> baseline, detector = summary(old, 1000), Centroid("embedding/query/m/4", 0.1)
    >>> window = Summary()
    >>> for index in range(40):
    ...     window.add(summary(old if index < 10 else new, 20))
    ...     if detector.update(Pane(index, index + 1, window, [(0, window)], baseline)).fired:
    ...         break
    >>> index
    34
    """

    name = "centroid"

    def __init__(self, family: str, limit: float, min_samples: int = 100) -> None:
        self._limit, self._min_samples = limit, min_samples
        self.subject = embedding_subject(family, "centre", latched=False)

    def update(self, pane: Pane) -> Reading:
        """See ``Detector``."""
        enough = pane.window.events >= self._min_samples and pane.baseline is not None
        score = distance(pane.window, pane.baseline) if enough and pane.baseline is not None else None
        fired = score is not None and score > self._limit
        return Reading(
            metric=self.subject.metric,
            detector=self.name,
            state="firing" if fired else "ok" if enough else "no_data",
            events=pane.window.events,
            current=score,
            baseline_value=0.0,
            score=score,
            threshold=self._limit,
            fired=fired,
            message=None if enough else f"{pane.window.events} of {self._min_samples} events needed",
        )

    def text(self, value: float) -> str:
        """See ``Detector``."""
        return f"a cosine distance of {value:.3f} from the baseline"


def distance(window: Summary, baseline: Summary) -> float:
    """The cosine distance of the two means, less what chance makes of it."""
    now, then = window.mean_vector(), baseline.mean_vector()
    now_length, then_length = math.sqrt(now @ now), math.sqrt(then @ then)
    if min(now_length, then_length) < _SMALLEST_LENGTH:
        return 0.0
    distance = 1 - float(now @ then) / (now_length * then_length)
    return max(0.0, distance - classic.cosine_noise(then, window.events, baseline.events))
