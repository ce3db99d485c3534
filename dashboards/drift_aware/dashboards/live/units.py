"""In what a metric is measured, and which way is good: pure."""

from typing import Literal

from drift_aware.streams.measures import METRICS, Rate

Unit = Literal["share", "distance", "ms", "usd", "score", "stars", "characters", "tokens", "count", ""]

_WORDS: dict[str, Unit] = {
    "ms": "ms",
    "USD": "usd",
    "stars": "stars",
    "characters": "characters",
    "tokens": "tokens",
}
# Precision, recall and F1 of evaluations are no metrics of counts.
_GRADED = ("precision", "recall", "f1")
_HIGHER_IS_BETTER = {"accuracy", "feedback_mean", "task_success_rate", *_GRADED}
_LOWER_IS_BETTER = {"refusal_rate", "toxicity_rate", "toxicity", "error_rate", "latency_ms", "cost_usd"}


def unit_of(metric: str) -> Unit:
    """The unit of a metric's values; empty if it has none that a name stands for.

    >>> unit_of("refusal_rate"), unit_of("latency_ms"), unit_of("query_embedding"), unit_of("toxicity")
    ('share', 'ms', 'distance', 'score')
    """
    if (known := METRICS.get(metric)) is not None:
        return "share" if isinstance(known.measure, Rate) else _WORDS.get(known.unit, "score")
    if metric.endswith(("_embedding", "_embedding_cosine", "_embedding_euclidean")):
        return "distance"
    if metric == "events":
        return "count"
    return "score" if metric in _GRADED else ""


def lower_is_better(metric: str) -> bool | None:
    """Whether less of a metric is good; None where neither is.

    >>> lower_is_better("error_rate"), lower_is_better("accuracy"), lower_is_better("response_length")
    (True, False, None)
    """
    if metric in _LOWER_IS_BETTER or unit_of(metric) == "distance":
        return True
    return False if metric in _HIGHER_IS_BETTER else None
