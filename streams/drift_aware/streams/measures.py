"""Which numbers are read off a summary, and what each is called."""

import math
from collections.abc import Mapping

import msgspec

from drift_aware.schema.alerts import ActionKind, AlertKind
from drift_aware.streams.summary import Summary


class Rate(msgspec.Struct, frozen=True):
    """A share of events: ``hits`` of ``of``, both names of counts."""

    hits: str
    of: str

    def events(self, summary: Summary) -> int:
        """On how many events it is measured."""
        return summary.counts.get(self.of, 0)

    def value(self, summary: Summary) -> float:
        """The share; there must be events."""
        return summary.counts.get(self.hits, 0) / self.events(summary)

    def variance(self, summary: Summary) -> float:
        """Of one event's value."""
        share = self.value(summary)
        return share * (1 - share)


class Mean(msgspec.Struct, frozen=True):
    """A mean: the count ``total`` over the count ``of``, in ``unit`` parts of one; see ``Rate``."""

    total: str
    of: str
    unit: float
    squares: str | None = None

    def events(self, summary: Summary) -> int:
        """On how many events it is measured."""
        return summary.counts.get(self.of, 0)

    def value(self, summary: Summary) -> float:
        """The mean; there must be events."""
        return summary.counts.get(self.total, 0) / self.unit / self.events(summary)

    def variance(self, summary: Summary) -> float:
        """Of one event's value; infinite if the squares are not kept."""
        if self.squares is None:
            return math.inf
        mean_square = summary.counts.get(self.squares, 0) / self.unit**2 / self.events(summary)
        return max(0.0, mean_square - self.value(summary) ** 2)


Measure = Rate | Mean


class Metric(msgspec.Struct, frozen=True):
    """A named number of one family of events, and what to do when it drifts.

    Attributes:
        title: how a sentence names it.
    """

    name: str
    title: str
    family: str
    measure: Measure
    kind: AlertKind
    suggests: tuple[ActionKind, ...]
    unit: str = ""

    def text(self, value: float) -> str:
        """A value as a person reads it.

        >>> REFUSAL_RATE.text(0.1234), LATENCY.text(812.3)
        ('12.3 %', '812 ms')
        """
        if isinstance(self.measure, Rate):
            return f"{100 * value:.1f} %"
        return f"{value:.3g} {self.unit}".strip()


REFUSAL_RATE = Metric(
    "refusal_rate",
    "the refusal rate",
    "interaction",
    Rate("refusals", "refusals_known"),
    "behavior",
    ("tune", "notify"),
)
TOXICITY_RATE = Metric(
    "toxicity_rate",
    "the share of toxic answers",
    "interaction",
    Rate("toxic", "toxicity_known"),
    "behavior",
    ("safety", "notify"),
)
ERROR_RATE = Metric(
    "error_rate",
    "the error rate",
    "interaction",
    Rate("errors", "events"),
    "operational",
    ("notify",),
)
LATENCY = Metric(
    "latency_ms",
    "the latency",
    "interaction",
    Mean("latency_us", "latency_known", 1000),
    "operational",
    ("notify",),
    unit="ms",
)
COST = Metric(
    "cost_usd",
    "the cost of an interaction",
    "interaction",
    Mean("cost_nano_usd", "cost_known", 1e9),
    "operational",
    ("notify",),
    unit="USD",
)
OUTPUT_TOKENS = Metric(
    "output_tokens",
    "the length of an answer",
    "interaction",
    Mean("output_tokens", "tokens_known", 1),
    "operational",
    ("notify",),
    unit="tokens",
)
FEEDBACK = Metric(
    "feedback_mean",
    "the mean rating",
    "feedback",
    Mean("rating_hundredths", "ratings", 100, "rating_squares"),
    "behavior",
    ("tune", "notify"),
    unit="stars",
)
TASK_SUCCESS = Metric(
    "task_success_rate",
    "the share of tasks done",
    "feedback",
    Rate("task_successes", "tasks"),
    "behavior",
    ("tune", "notify"),
)
ACCURACY = Metric(
    "accuracy",
    "the accuracy",
    "evaluation",
    Rate("correct", "graded"),
    "accuracy",
    ("tune", "notify"),
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        REFUSAL_RATE,
        TOXICITY_RATE,
        ERROR_RATE,
        LATENCY,
        COST,
        OUTPUT_TOKENS,
        FEEDBACK,
        TASK_SUCCESS,
        ACCURACY,
    )
}
