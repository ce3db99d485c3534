"""Which numbers are read off a summary, and what each is called."""

import math
from collections.abc import Mapping

import msgspec

from drift_aware.schema.alerts import ActionKind, AlertKind
from drift_aware.streams import bins
from drift_aware.streams.summary import MARKS, Summary


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


class Bins(msgspec.Struct, frozen=True):
    """Where a metric's values are counted: a histogram of a summary, with so many bins.

    Attributes:
        ordered: whether the bins stand for ascending values; else they are classes.
    """

    histogram: str
    number: int
    ordered: bool = True


class Metric(msgspec.Struct, frozen=True):
    """A named number of one family of events, and what to do when it drifts.

    Attributes:
        title: how a sentence names it.
        bins: of a mean, the histogram of its values; a rate has its two counts.
        reshapes: whether its distribution may change while its mean stays.
        mark: what an example has that shows it, as in ``summary.MARKS``.
    """

    name: str
    title: str
    family: str
    measure: Measure
    kind: AlertKind
    suggests: tuple[ActionKind, ...]
    unit: str = ""
    bins: Bins | None = None
    reshapes: bool = False
    mark: int = 0

    def text(self, value: float) -> str:
        """A value as a person reads it.

        >>> REFUSAL_RATE.text(0.1234), LATENCY.text(812.3), LATENCY.text(1221.7)
        ('12.3 %', '812 ms', '1,222 ms')
        """
        if isinstance(self.measure, Rate):
            return f"{100 * value:.1f} %"
        number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        return f"{number} {self.unit}".strip()


_NOUNS = {"interaction": "interactions", "feedback": "ratings", "evaluation": "graded answers"}


def noun(metric: Metric) -> str:
    """What the events of a metric are called."""
    return _NOUNS[metric.family]


REFUSAL_RATE = Metric(
    "refusal_rate",
    "the refusal rate",
    "interaction",
    Rate("refusals", "refusals_known"),
    "behavior",
    ("tune", "notify"),
    mark=MARKS["refusals"],
)
TOXICITY_RATE = Metric(
    "toxicity_rate",
    "the share of toxic answers",
    "interaction",
    Rate("toxic", "toxicity_known"),
    "behavior",
    ("safety", "notify"),
    mark=MARKS["toxic"],
)
ERROR_RATE = Metric(
    "error_rate",
    "the error rate",
    "interaction",
    Rate("errors", "events"),
    "operational",
    ("notify",),
    mark=MARKS["errors"],
)
_OCTAVES = bins.OCTAVE_BINS
TOXICITY = Metric(
    "toxicity",
    "the toxicity of answers",
    "interaction",
    Mean("toxicity_millionths", "toxicity_known", 1e6),
    "behavior",
    ("safety", "notify"),
    bins=Bins("toxicity", bins.TOXICITY_BINS),
    mark=MARKS["toxic"],
)
LATENCY = Metric(
    "latency_ms",
    "the latency",
    "interaction",
    Mean("latency_us", "latency_known", 1000),
    "operational",
    ("notify",),
    unit="ms",
    bins=Bins("latency", _OCTAVES),
)
COST = Metric(
    "cost_usd",
    "the cost of an interaction",
    "interaction",
    Mean("cost_nano_usd", "cost_known", 1e9),
    "operational",
    ("notify",),
    unit="USD",
    bins=Bins("cost", _OCTAVES),
)
RESPONSE_LENGTH = Metric(
    "response_length",
    "the length of an answer",
    "interaction",
    Mean("response_characters", "responses", 1),
    "behavior",
    ("notify",),
    unit="characters",
    bins=Bins("response_length", _OCTAVES),
)
INPUT_TOKENS = Metric(
    "input_tokens",
    "the number of tokens read",
    "interaction",
    Mean("input_tokens", "tokens_known", 1),
    "operational",
    ("notify",),
    unit="tokens",
    bins=Bins("input_tokens", _OCTAVES),
)
OUTPUT_TOKENS = Metric(
    "output_tokens",
    "the number of tokens written",
    "interaction",
    Mean("output_tokens", "tokens_known", 1),
    "operational",
    ("notify",),
    unit="tokens",
    bins=Bins("output_tokens", _OCTAVES),
)
FEEDBACK = Metric(
    "feedback_mean",
    "the mean rating",
    "feedback",
    Mean("rating_hundredths", "ratings", 100, "rating_squares"),
    "behavior",
    ("tune", "notify"),
    unit="stars",
    bins=Bins("rating", bins.RATING_BINS),
    reshapes=True,
    mark=MARKS["rating"],
)
TASK_SUCCESS = Metric(
    "task_success_rate",
    "the share of tasks done",
    "feedback",
    Rate("task_successes", "tasks"),
    "behavior",
    ("tune", "notify"),
    mark=MARKS["tasks"],
)
ACCURACY = Metric(
    "accuracy",
    "the accuracy",
    "evaluation",
    Rate("correct", "graded"),
    "accuracy",
    ("tune", "notify"),
)

# Intents are names, not numbers: what is shown of them is in how many interactions one was given.
INTENT = Metric(
    "intent",
    "the mix of intents",
    "interaction",
    Rate("intents", "events"),
    "behavior",
    ("reindex", "notify"),
    bins=Bins("intent", bins.INTENT_BINS, ordered=False),
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        REFUSAL_RATE,
        TOXICITY_RATE,
        TOXICITY,
        ERROR_RATE,
        LATENCY,
        COST,
        RESPONSE_LENGTH,
        INPUT_TOKENS,
        OUTPUT_TOKENS,
        FEEDBACK,
        TASK_SUCCESS,
        ACCURACY,
    )
}
