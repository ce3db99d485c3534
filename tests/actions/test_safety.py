"""Guardrails are tightened a little, for a time, and loosened again."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions import policies
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.policies import Wish
from drift_aware.actions.safety import SafetyExecutor, make, tightened
from drift_aware.schema.policies import Policy
from drift_aware.schema.tune_settings import Safety
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig.configuration import make_settings
from rig.jobs import carry, make_job
from rig_events import NOON, alert

TOXIC = alert(metric="toxicity_rate", segment="app=shop", current=0.04, baseline_value=0.036)
HOUR = 3_600_000
Share = st.floats(0, 1)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def executor(**settings: object) -> SafetyExecutor:
    return SafetyExecutor(Safety.model_validate(settings), now=lambda: NOON / 1000)


def held(connection: Connection, hours_later: float = 0) -> Policy:
    return policies.effective(connection, "shop", NOON + round(hours_later * HOUR), Policy(app="shop"))


@given(Share, st.floats(0, 1), st.none() | Share, st.floats(0.01, 1), Share)
def test_no_step_is_larger_than_allowed_and_none_loosens(
    threshold: float, current: float, was: float | None, max_step: float, floor: float
) -> None:
    safety = Safety(threshold=1, max_step=max_step, floor=floor)
    after = tightened(threshold, alert(current=current, baseline_value=was), safety)
    assert after <= threshold
    assert after >= min(threshold, max(floor, threshold - max_step)) - 1e-12


def test_the_threshold_falls_in_proportion_and_comes_back(database_url: str, connection: Connection) -> None:
    job = carry(executor(), make_job(database_url, "safety", about=TOXIC), crash_after="tighten")
    assert job.results["tighten"]["changed"] == {"moderation_threshold": pytest.approx(0.45)}
    assert held(connection, 71.9).moderation_threshold == pytest.approx(0.45)
    assert held(connection, 72).moderation_threshold is None
    assert policies.current(connection, "shop").version == 1


def test_what_was_stricter_for_good_is_so_again_afterwards(database_url: str, connection: Connection) -> None:
    by_hand = Wish("by hand", "shop", "careful")
    policies.change(connection, by_hand, lambda _: {"moderation_threshold": 0.3}, now_ms=NOON)
    carry(executor(), make_job(database_url, "safety", about=TOXIC))
    assert held(connection).moderation_threshold == pytest.approx(0.27)
    assert held(connection, 72).moderation_threshold == 0.3


def test_patterns_come_from_the_settings_only_and_beside_those_there_are(
    database_url: str, connection: Connection
) -> None:
    theirs = Wish("by hand", "shop", "careful")
    policies.change(
        connection,
        theirs,
        lambda _: {"blocked_patterns": ["a"], "system_prompt_addition": "Be kind."},
        now_ms=NOON,
    )
    wanted = {"blocked_patterns": ["a", "b+"], "system_prompt_addition": "Do not swear."}
    carry(executor(**wanted), make_job(database_url, "safety", about=TOXIC))
    assert held(connection).blocked_patterns == ["a", "b+"]
    assert held(connection).system_prompt_addition == "Be kind.\nDo not swear."
    assert (held(connection, 72).blocked_patterns, held(connection, 72).system_prompt_addition) == (
        ["a"],
        "Be kind.",
    )


def test_it_is_rolled_back_as_often_as_asked(database_url: str, connection: Connection) -> None:
    job = carry(executor(), make_job(database_url, "safety", about=TOXIC))
    said = [executor().undo(job) for _ in range(2)]
    assert said[0] == said[1] == "the guardrails of shop are as before: moderation_threshold"
    assert held(connection).moderation_threshold is None
    assert policies.current(connection, "shop").version == 2


def test_nothing_goes_below_the_floor(database_url: str) -> None:
    tight = executor(threshold=0.2, floor=0.2)
    with pytest.raises(ActionFailed, match="as tight as"):
        tight.do("tighten", make_job(database_url, "safety", about=TOXIC))


def test_what_is_left_over_of_many_applications_is_nobodys(database_url: str) -> None:
    other = make_job(database_url, "safety", about=alert(segment="other"))
    with pytest.raises(ActionFailed, match="many applications"):
        executor().plan(other)


def test_plan_and_effect_say_what_is_to_come(database_url: str) -> None:
    made = make(make_settings(actions={"safety": {"blocked_patterns": ["x"]}}))
    assert made.plan(make_job("nowhere", "safety", about=alert(segment="all"))) == (
        "lower the moderation threshold of all applications by at most 0.1, to no less than 0.2, and block 1 "
        "more patterns, for 72 h"
    )
    effect = made.expected(TOXIC)
    assert effect is not None
    assert (effect.direction, effect.by) == ("down", NOON + 72 * HOUR)
    assert effect.target == pytest.approx(0.038)
