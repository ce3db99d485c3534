"""Does a receipt say the truth? Actions that help, do nothing or harm, over simulated traffic.

    python benchmarks/receipts.py [--actions 200] [--seed 1]

What is asked, expected and judged is the product's own; only the traffic is simulated, minute by minute: a
metric drifts, an alert is raised when a likelihood ratio has seen enough, somebody approves at once or hours
later, the work takes a while and its effect comes in over half an hour. The table goes to docs/receipts.md.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from document import placed
from drift_aware.actions.effects import expected_change, expected_effect
from drift_aware.actions.following import Period
from drift_aware.actions.trial import Answer, Count, Question, Verdict, at_last, judge, summed
from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import Alert, Window
from drift_aware.streams.evidence import Floats

_DOCUMENT = Path(__file__).parents[1] / "docs" / "receipts.md"
_MINUTE_MS = 60_000
_BEGIN = 1_790_000_000_000 // _MINUTE_MS * _MINUTE_MS
Truth = Literal["helpful", "neutral", "harmful"]
TRUTHS: tuple[Truth, ...] = ("helpful", "neutral", "harmful")
# Evidence at which an alert is raised, in nats, and of a drift that is as large as it is.
_ALERT_AT = 9.0
_RAMP_MINUTES = 30


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and its usual drifts.

    Attributes:
        calm: its value before; ``drifted`` the range it goes to.
        spread: of one event's value; None if each counts nought or one.
        share: of the interactions that have a value.
    """

    calm: float
    drifted: tuple[float, float]
    spread: float | None = None
    share: float = 1.0

    def sums(self, rng: np.random.Generator, events: Floats, means: Floats) -> Floats:
        """What so many events of these means add up to, shape (minutes,)."""
        if self.spread is None:
            return rng.binomial(events.astype(np.int64), np.clip(means, 0, 1)).astype(np.float64)
        # Skewed, as times and costs are.
        shape = (means / self.spread) ** 2
        return np.where(events > 0, rng.gamma(np.maximum(events * shape, 1e-9)) * means / shape, 0.0)


METRICS: Mapping[str, Metric] = {
    "refusal_rate": Metric(0.03, (0.05, 0.15)),
    "toxicity_rate": Metric(0.005, (0.015, 0.05)),
    "accuracy": Metric(0.92, (0.75, 0.86), share=0.2),
    "feedback_mean": Metric(4.2, (3.5, 3.95), spread=1.0, share=0.1),
    "latency_ms": Metric(800.0, (1000.0, 1600.0), spread=500.0),
    "query_embedding": Metric(0.30, (0.34, 0.50), spread=0.08),
}


@dataclass(frozen=True)
class Case:
    """One action: what it is to help against, and how its receipt came out."""

    truth: Truth
    metric: str
    answer: Answer
    verdict: Verdict
    hours: float
    deadline_hours: float


class Traffic:
    """Minutes of one segment: a mean that moves, a daily rhythm in number and value."""

    def __init__(self, rng: np.random.Generator, metric: Metric) -> None:
        self._rng, self._metric = rng, metric
        # Conversations a minute; a value of each is a unit, as the detectors count them.
        self._pace = metric.share * 10 ** rng.uniform(0.5, 2.8)
        self._hour = rng.uniform(0, 24)
        self._swing = rng.uniform(0, 0.1)

    def minutes(self, first: int, levels: Floats) -> list[Count]:
        """The counts of some minutes, of which the mean value is given, shape (minutes,)."""
        phase = np.sin(2 * np.pi * ((first + np.arange(len(levels))) / 1440 + self._hour / 24))
        events = self._rng.poisson(self._pace * (1 + 0.5 * phase)).astype(np.float64)
        means = levels + self._swing * (levels[0] - self._metric.calm) * phase
        sums = self._metric.sums(self._rng, events, means)
        return [
            Count(_BEGIN + (first + minute) * _MINUTE_MS, int(number), float(total))
            for minute, (number, total) in enumerate(zip(events, sums, strict=True))
        ]


def play(truth: Truth, name: str, seed: int) -> Case:
    """One action from the drift to its receipt."""
    rng = np.random.default_rng(seed)
    metric, settings = METRICS[name], Actions()
    drifted = rng.uniform(*metric.drifted)
    traffic = Traffic(rng, metric)
    alert = _alert(name, drifted, traffic)
    begun = (alert.ts - _BEGIN) // _MINUTE_MS
    automatic = rng.random() < 0.25
    waited = 0 if automatic else min(rng.lognormal(np.log(60), 1.2), 1440)
    over = begun + 1 + int(waited + rng.uniform(2, 60))
    effect = expected_effect(alert, settings)
    assert effect is not None
    allowed = (effect.by - alert.ts) // _MINUTE_MS
    before = traffic.minutes(0, np.full(over, drifted))
    ramp = np.minimum(np.arange(1, allowed + 1) / _RAMP_MINUTES, 1)
    after = traffic.minutes(over, drifted + ramp * _moved(rng, truth, metric, drifted))
    since = _BEGIN + over * _MINUTE_MS
    known = Period(alert.onset, alert.ts, since, since).before(before)
    level = summed(known).mean
    assert level is not None
    question = Question(expected_change(effect, metric.calm, level), metric.spread is None, since)
    answer = judge(question, known, after)
    taken = allowed if answer.verdict == "undecided yet" else ((answer.until or since) - since) / _MINUTE_MS
    return Case(truth, name, answer, at_last(question, answer), taken / 60, allowed / 60)


def _moved(rng: np.random.Generator, truth: Truth, metric: Metric, drifted: float) -> float:
    """By how much the action moves the metric."""
    gap = metric.calm - drifted
    match truth:
        case "helpful":
            return float(gap * rng.uniform(0.5, 1.1))
        case "neutral":
            return float(gap * rng.uniform(-0.05, 0.05))
        case "harmful":
            return float(-gap * rng.uniform(0.5, 1.5))


def _alert(name: str, drifted: float, traffic: Traffic) -> Alert:
    """Raised as soon as the events since the onset are so much likelier under a drift: they look worse then
    than they are.
    """
    metric = METRICS[name]
    counts = traffic.minutes(0, np.full(60 * 24 * 3, drifted))
    events = np.cumsum([count.events for count in counts])
    means = np.cumsum([count.total for count in counts]) / np.maximum(events, 1)
    variance = metric.calm * (1 - metric.calm) if metric.spread is None else metric.spread**2
    evidence = events * np.square(means - metric.calm) / (2 * variance)
    at = int(np.argmax(evidence >= _ALERT_AT)) if np.any(evidence >= _ALERT_AT) else len(counts) - 1
    end = _BEGIN + (at + 1) * _MINUTE_MS
    return Alert(
        id="a", revision=1, status="firing", severity="critical", kind="behavior", metric=name,
        detector="shift", segment="all", onset=_BEGIN, ts=end, current=float(means[at]),
        baseline_value=metric.calm, score=1.0, threshold=1.0,
        window=Window(_BEGIN, end, int(events[at])), summary="",
    )  # fmt: skip


def cases(actions: int, seed: int) -> Iterator[Case]:
    """So many actions of each truth, evenly over the metrics."""
    names = list(METRICS)
    for place, truth in enumerate(TRUTHS):
        for number in range(actions):
            yield play(truth, names[number % len(names)], seed * 1_000_003 + 10_000 * place + number)


def table(found: list[Case]) -> str:
    """The verdicts by truth, and how long they took."""
    lines = [
        "| the action | actions | helped | no effect | harmed | hours, median | 9 of 10 within |",
        "|---|---|---|---|---|---|---|",
    ]
    for truth in TRUTHS:
        mine = [case for case in found if case.truth == truth]
        verdicts = Counter(case.verdict for case in mine)
        said = " | ".join(
            f"{100 * verdicts[name] / len(mine):.1f} %" for name in ("helped", "no effect", "harmed")
        )
        median, most = np.quantile([case.hours for case in mine], [0.5, 0.9])
        lines.append(f"| {truth} | {len(mine)} | {said} | {median:.1f} | {most:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and put it into the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--actions", type=int, default=200, help="of each of the three kinds")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = list(cases(arguments.actions, arguments.seed))
    text = table(found)
    print(text)
    for case in found:
        if case.verdict != {"helpful": "helped", "neutral": "no effect", "harmful": "harmed"}[case.truth]:
            answer = case.answer
            print(
                f"{case.truth} {case.metric}: {case.verdict}, {answer.before} -> {answer.after}, "
                f"{answer.events_before}/{answer.events} events, "
                f"e {answer.e_helped:.3g}/{answer.e_harmed:.3g}, "
                f"{case.hours:.1f} of {case.deadline_hours:.1f} h"
            )
    if arguments.actions >= 200 and _DOCUMENT.exists():
        _DOCUMENT.write_text(placed(_DOCUMENT.read_text(), {"receipts": text}))


if __name__ == "__main__":
    main()
