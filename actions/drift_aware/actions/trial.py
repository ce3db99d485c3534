"""Has an action helped? A sequential test on what came after it: pure.

What was counted before the action is compared with what is counted since. Two bets run side by side: that
the metric is better than before by more than a margin, and that it is worse by more than one. Each is a
mixture of likelihood ratios against the margin itself, in which the uncertainty of what was before is
integrated out: a rate is a Beta predictive, as in the detectors; a mean is normal, with the variance that
means of panes show. While the margin is not passed, the expectation of a bet is at most one whenever one
looks, so the chance that it ever reaches E is at most 1 / E (Ville's inequality; Ramdas et al.,
"Game-theoretic statistics and safe anytime-valid inference", Statistical Science 2023,
https://doi.org/10.1214/23-STS894). Of means this holds as far as their panes are normal.

An effect takes time to come in, and what was counted until then must not weigh on a bet for ever: so each is
spread over several moments at which it begins.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, xlog1py, xlogy

Floats = NDArray[np.float64]
Verdict = Literal["helped", "no effect", "harmed", "undecided yet"]

# Of the expected change: what is nearer to `before` is no effect.
MARGIN = 0.25
# The bets, in expected changes.
BETTER = np.array([0.6, 1.0, 2.0])
WORSE = np.array([-0.6, -1.0, -2.0, -4.0])
# One false "helped" in a hundred; one false "harmed" in twenty, because to undo for nothing costs less than
# to leave a harm.
HELPED_AT, HARMED_AT = 100.0, 20.0
# At the deadline there is no later look. Less is asked of what looks better; and what looks worse, by so many
# expected changes at least, has harmed unless a harm as large as the expected help is so many standard errors
# away.
HELPED_AT_LAST = 3.0
WORSE_AT_LAST, ERRORS_AT_LAST = 0.1, 2.0
# When bets begin, after the action.
BEGINS_MINUTES = (0, 5, 15, 45, 135, 405, 1215)
# Fewer panes do not show how much they vary.
MIN_PANES = 12
# The interval holds at all times together with a probability of 95 %.
_MISS = 0.05
# The normal mixture is narrowest after about so many events.
_TUNED_EVENTS = 500
_EDGE = 1e-4
_MINUTE_MS = 60_000


class Count(NamedTuple):
    """What one pane had of a metric: ``total`` over ``events`` is its value, of a rate the share."""

    start: int
    events: int
    total: float


class Sum(NamedTuple):
    """What several panes had together."""

    events: int
    total: float

    @property
    def mean(self) -> float | None:
        """The value; None without events."""
        return self.total / self.events if self.events else None


def summed(counts: Sequence[Count]) -> Sum:
    """All together."""
    return Sum(sum(count.events for count in counts), sum(count.total for count in counts))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        change: what the metric is expected to move by, with its sign; not zero.
        rate: whether every event counts nought or one.
        since: when the action was over, event time in milliseconds.
    """

    change: float
    rate: bool
    since: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What has been found.

    Attributes:
        before: the metric before the action; ``after`` since ``begin``. None without events.
        low: of the interval of ``after``; so is ``high``.
        events: since ``begin``; ``events_before`` alike.
        begin: when the bet that is won began, milliseconds; without one, when the action was over.
        until: the pane in which the verdict fell, or the last; None without any.
        error: the standard error of the difference of ``after`` and ``before``.
        e_helped: how high the bet on better stands; ``e_harmed`` the other.
    """

    verdict: Verdict
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    events_before: int
    events: int
    begin: int
    until: int | None
    error: float
    e_helped: float
    e_harmed: float


def judge(question: Question, before: Sequence[Count], after: Sequence[Count]) -> Answer:
    """What the panes say so far, in their order: at the first that decides, it is decided.

    Args:
        question: what is asked.
        before: panes before the action, while the metric had drifted.
        after: panes since, oldest first.

    >>> calm = [Count(minute, 100, 3) for minute in range(60)]
    >>> drifted = [Count(minute, 100, 12) for minute in range(60)]
    >>> answer = judge(Question(change=-0.045, rate=True, since=0), drifted, calm)
    >>> answer.verdict, answer.until, answer.after
    ('helped', 1, 0.03)
    >>> judge(Question(change=-0.045, rate=True, since=0), drifted, drifted).verdict
    'undecided yet'
    """
    first, filled = summed(before), [count for count in after if count.events]
    if not first.events or not filled:
        until = after[-1].start if after else None
        return Answer(
            "undecided yet",
            first.mean,
            None,
            None,
            None,
            first.events,
            0,
            question.since,
            until,
            math.inf,
            1.0,
            1.0,
        )
    variance = 0.0 if question.rate else _variance([before, filled])
    helped, harmed = (_bets(question, first, filled, variance, shifts) for shifts in (BETTER, WORSE))
    at, verdict = _first(_mixed(helped), _mixed(harmed))
    begin = question.since
    if verdict != "undecided yet":
        # One that has not begun stands at nought, and the best of a bet that is won above it.
        begin += (
            BEGINS_MINUTES[int(np.argmax((helped if verdict == "helped" else harmed)[:, at]))] * _MINUTE_MS
        )
    seen = summed([count for count in filled[: at + 1] if count.start >= begin])
    low, high = _interval(question.rate, seen, variance)
    return Answer(
        verdict=verdict,
        before=first.mean,
        after=seen.mean,
        low=low,
        high=high,
        events_before=first.events,
        events=seen.events,
        begin=begin,
        until=filled[at].start,
        error=_error(question.rate, first, seen, variance),
        e_helped=_exp(_mixed(helped)[at]),
        e_harmed=_exp(_mixed(harmed)[at]),
    )


def at_last(question: Question, answer: Answer) -> Verdict:
    """The verdict at the deadline, where one has to be found.

    >>> drifted, worse = [Count(0, 100, 12)], [Count(minute, 10, 2) for minute in range(9)]
    >>> question = Question(change=-0.045, rate=True, since=0)
    >>> answer = judge(question, drifted, worse)
    >>> answer.verdict, at_last(question, answer)
    ('undecided yet', 'harmed')
    """
    if answer.verdict != "undecided yet":
        return answer.verdict
    if answer.before is not None and answer.after is not None:
        moved = (answer.after - answer.before) / question.change
        if moved < -WORSE_AT_LAST and moved + 1 < ERRORS_AT_LAST * answer.error / abs(question.change):
            return "harmed"
        if moved > MARGIN and answer.e_helped >= HELPED_AT_LAST:
            return "helped"
    return "no effect"


def _first(helped: Floats, harmed: Floats) -> tuple[int, Verdict]:
    """Where the first bet is won, and which; the last pane if none is."""
    worse, better = harmed >= math.log(HARMED_AT), helped >= math.log(HELPED_AT)
    won = np.flatnonzero(worse | better)
    if not len(won):
        return len(helped) - 1, "undecided yet"
    return int(won[0]), "harmed" if worse[won[0]] else "helped"


def _bets(question: Question, before: Sum, panes: Sequence[Count], variance: float, shifts: Floats) -> Floats:
    """Ln of the bet of each beginning after each pane, shape (beginnings, panes); nought before it begins."""
    starts = np.array([pane.start for pane in panes])
    events = np.array([0.0, *accumulate(pane.events for pane in panes)])
    totals = np.array([0.0, *accumulate(pane.total for pane in panes)])
    bets = np.zeros((len(BEGINS_MINUTES), len(panes)))
    for row, minutes in zip(bets, BEGINS_MINUTES, strict=True):
        at = int(np.searchsorted(starts, question.since + minutes * _MINUTE_MS))
        grown = events[at + 1 :] - events[at], totals[at + 1 :] - totals[at]
        row[at:] = _mixed(
            _rate_ratios(question.change, before, *grown, shifts)
            if question.rate
            else _mean_ratios(question.change, before, *grown, variance, shifts)
        )
    return bets


def _rate_ratios(change: float, before: Sum, events: Floats, hits: Floats, shifts: Floats) -> Floats:
    """Ln of the ratios of Beta-binomial likelihoods, shape (shifts, panes)."""
    total = before.events + 1.0
    share = (before.total + 0.5) / total
    moved = share + change * np.append(math.copysign(MARGIN, shifts[0]), shifts)
    yes = total * np.clip(moved, _EDGE, 1 - _EDGE)[:, None]
    logs = betaln(yes + hits, total - yes + events - hits) - betaln(yes, total - yes)
    ratios: Floats = logs[1:] - logs[0]
    return ratios


def _mean_ratios(
    change: float, before: Sum, events: Floats, totals: Floats, variance: float, shifts: Floats
) -> Floats:
    """Ln of the ratios of normal likelihoods, shape (shifts, panes); noughts without a variance."""
    if not 0 < variance < math.inf:
        return np.zeros((len(shifts), len(events)))
    moved = totals / events - before.total / before.events
    null = math.copysign(MARGIN, shifts[0]) * change
    spread = variance * (1 / events + 1 / before.events)
    ratios: Floats = (np.square(moved - null) - np.square(moved - (shifts * change)[:, None])) / (2 * spread)
    return ratios


def _mixed(logs: Floats) -> Floats:
    """Ln of the mean of exp over the first axis."""
    mixed: Floats = np.logaddexp.reduce(logs, axis=0) - math.log(len(logs))
    return mixed


def _variance(parts: Sequence[Sequence[Count]]) -> float:
    """Of one event's value, from how means of panes differ within a part; infinite from too few.

    What values of a pane have in common is in it, too. It is taken a little larger, as the quantiles of few
    panes would have it.
    """
    squares, free = 0.0, 0
    for counts in parts:
        filled = [count for count in counts if count.events]
        mean = summed(filled).mean
        if mean is not None:
            squares += sum(count.events * (count.total / count.events - mean) ** 2 for count in filled)
            free += len(filled) - 1
    return squares / (free - 2) if free + len(parts) >= MIN_PANES else math.inf


def _error(rate: bool, before: Sum, after: Sum, variance: float) -> float:
    squares = 0.0
    for part in (before, after):
        share = (part.total + 0.5) / (part.events + 1)
        squares += (share * (1 - share) if rate else variance) / part.events
    return math.sqrt(squares)


def _interval(rate: bool, seen: Sum, variance: float) -> tuple[float | None, float | None]:
    if not seen.events:
        return None, None
    return _rate_interval(seen) if rate else _mean_interval(seen, variance)


def _rate_interval(seen: Sum) -> tuple[float, float]:
    """Every share that the mixture over all shares has not refuted by now."""
    hits, misses = seen.total, seen.events - seen.total
    marginal = betaln(hits + 0.5, misses + 0.5) - betaln(0.5, 0.5) + math.log(_MISS)

    from scipy.optimize import brentq  # it takes half a second, which most verbs do not need

    def left(share: float) -> float:
        return float(marginal - xlogy(hits, share) - xlog1py(misses, -share))

    mean = hits / seen.events
    low = brentq(left, 1e-12, mean) if hits and left(1e-12) > 0 else 0.0
    high = brentq(left, mean, 1 - 1e-12) if misses and left(1 - 1e-12) > 0 else 1.0
    return low, high


def _mean_interval(seen: Sum, variance: float) -> tuple[float | None, float | None]:
    """The normal mixture's (Howard et al., Annals of Statistics 2021, https://doi.org/10.1214/20-AOS1991)."""
    if not math.isfinite(variance):
        return None, None
    mean, grown = seen.total / seen.events, 1 + seen.events / _TUNED_EVENTS
    half = math.sqrt(variance * grown * _TUNED_EVENTS * math.log(grown / _MISS**2)) / seen.events
    return mean - half, mean + half


def _exp(log: float) -> float:
    return math.exp(min(float(log), 600.0))
