"""Whether an action has helped, as the test on its counts sees it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions.effects import expected_change, expected_effect
from drift_aware.actions.following import MIN_BEFORE, Period
from drift_aware.actions.prices import price
from drift_aware.actions.trial import (
    HARMED_AT,
    HELPED_AT,
    MARGIN,
    Count,
    Question,
    at_last,
    judge,
)
from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import Effect, Window
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.prices import Price
from drift_aware.streams.evidence import Floats
from rig_events import NOON, alert

MINUTE_MS = 60_000
REFUSAL = Question(change=-0.045, rate=True, since=0)
RATING = Question(change=0.3, rate=False, since=0)


def counts(rng: np.random.Generator, panes: int, mean: float, *, rate: bool, events: int = 50) -> list[Count]:
    totals: Floats = (
        rng.binomial(events, mean, panes).astype(np.float64)
        if rate
        else rng.normal(mean * events, math.sqrt(events), panes)
    )
    return [Count(place * MINUTE_MS, events, float(total)) for place, total in enumerate(totals)]


@pytest.mark.parametrize(
    ("question", "before", "after", "verdict"),
    [
        (REFUSAL, 0.12, 0.05, "helped"),
        (REFUSAL, 0.12, 0.18, "harmed"),
        (REFUSAL, 0.12, 0.12, "undecided yet"),
        (RATING, 3.6, 4.0, "helped"),
        (RATING, 3.6, 3.2, "harmed"),
        (RATING, 3.6, 3.6, "undecided yet"),
    ],
)
def test_what_moves_is_told_from_what_stays(
    question: Question, before: float, after: float, verdict: str
) -> None:
    rng = np.random.default_rng(1)
    answer = judge(
        question,
        counts(rng, 60, before, rate=question.rate),
        counts(rng, 120, after, rate=question.rate),
    )
    assert answer.verdict == verdict
    assert answer.low is not None
    assert answer.high is not None
    assert answer.low < after < answer.high


@pytest.mark.parametrize("question", [REFUSAL, RATING])
def test_what_is_at_the_margin_is_seldom_called_more(question: Question) -> None:
    before, runs = (0.12, 600) if question.rate else (3.6, 600)
    for sign, most in ((1, 1 / HELPED_AT), (-1, 1 / HARMED_AT)):
        after = before + sign * MARGIN * question.change
        called = 0
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            first = counts(rng, 40, before, rate=question.rate)
            answer = judge(question, first, counts(rng, 100, after, rate=question.rate))
            called += answer.verdict == ("helped" if sign > 0 else "harmed")
        # Three standard errors above what is promised.
        assert called / runs <= most + 3 * math.sqrt(most / runs)


def test_an_effect_that_comes_in_late_is_seen_all_the_same() -> None:
    rng = np.random.default_rng(3)
    late = counts(rng, 120, 0.12, rate=True) + [
        Count((120 + each.start // MINUTE_MS) * MINUTE_MS, each.events, each.total)
        for each in counts(rng, 400, 0.04, rate=True)
    ]
    answer = judge(REFUSAL, counts(rng, 60, 0.12, rate=True), late)
    assert answer.verdict == "helped"
    assert answer.after is not None
    assert answer.after < 0.1


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), max_size=40), st.integers(0, 39))
def test_a_verdict_stands_whatever_comes_after_it(panes: list[tuple[int, float]], cut: int) -> None:
    after = [Count(place * MINUTE_MS, n, float(round(n * share))) for place, (n, share) in enumerate(panes)]
    before = [Count(0, 400, 48)]
    early, late = judge(REFUSAL, before, after[:cut]), judge(REFUSAL, before, after)
    if early.verdict != "undecided yet":
        assert (late.verdict, late.until, late.events) == (early.verdict, early.until, early.events)


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.booleans())
def test_numbers_of_any_size_give_an_answer(events: int, hits: int, rate: bool) -> None:
    hits = min(hits, events)
    answer = judge(Question(-0.045, rate, 0), [Count(0, 50, 0.0)], [Count(0, events, float(hits))])
    assert not math.isnan(answer.e_helped)
    if rate:
        assert answer.low is not None
        assert answer.high is not None
        assert 0 <= answer.low <= hits / events <= answer.high <= 1


def test_without_events_on_either_side_nothing_is_said() -> None:
    some = [Count(0, 100, 12)]
    for before, after in (([], some), (some, []), (some, [Count(0, 0, 0)])):
        answer = judge(REFUSAL, before, after)
        assert (answer.verdict, at_last(REFUSAL, answer)) == ("undecided yet", "no effect")


def test_what_came_up_to_the_alert_counts_only_if_little_came_after_it() -> None:
    period = Period(onset=0, alert=10, since=20, until=30)
    early, late = Count(5, 100, 20), Count(12, MIN_BEFORE, 30)
    assert period.before([Count(-1, 9, 9), early, late, Count(20, 9, 9)]) == [late]
    assert period.before([early, Count(12, MIN_BEFORE - 1, 30)])[0] == early


def test_an_effect_is_the_way_back_and_what_was_measured_later_corrects_it() -> None:
    told = alert(1, current=0.12, baseline_value=0.04)
    effect = expected_effect(told, Actions(expected_recovery=0.75))
    assert effect is not None
    assert effect.direction == "down"
    assert effect.target == pytest.approx(0.06)
    assert expected_change(effect, 0.04, 0.08) == pytest.approx(-0.03)
    # The drift was over before anything was done: still there is something to lose.
    assert expected_change(effect, 0.04, 0.02) == pytest.approx(-0.015)
    up = expected_effect(alert(1, current=0.78, baseline_value=0.92), Actions())
    assert up is not None
    assert up.direction == "up"
    assert up.target == pytest.approx(0.85)


@pytest.mark.parametrize(
    "fields", [{"baseline_value": None}, {"baseline_value": 0.12}, {"current": math.inf}]
)
def test_where_there_is_nothing_to_go_back_to_nothing_is_expected(fields: dict[str, float | None]) -> None:
    assert expected_effect(alert(1, **fields), Actions()) is None


def test_the_time_that_is_allowed_follows_the_traffic_within_bounds() -> None:
    settings = Actions(verify_hours=1, verify_days=2)

    def hours(window_minutes: int) -> float:
        begin = NOON - window_minutes * MINUTE_MS
        told = alert(1, onset=begin, ts=NOON, window=Window(begin, NOON, 100))
        effect: Effect | None = expected_effect(told, settings)
        assert effect is not None
        return (effect.by - NOON) / 3_600_000

    assert [hours(minutes) for minutes in (1, 10, 600)] == [1, 5, 48]


def test_a_price_that_is_not_known_is_no_price_of_nothing() -> None:
    table = {"m": Price(training_per_million=8.0)}
    assert price(table, "m", training=500_000) == 4.0
    with pytest.raises(SettingsError, match="the price of x is not known"):
        price(table, "x", training=1)
    with pytest.raises(SettingsError, match="set embedding_per_million"):
        price(table, "m", embedding=1)
