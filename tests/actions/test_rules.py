"""Rules: which alert leads to what, at which score, how often a day, and at what hour."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drift_aware.actions import answers, ledger, quiet
from drift_aware.actions.policy import Decision, Past, Rival, action_id, decide, impact
from drift_aware.actions.rules import score
from drift_aware.schema.action_settings import Actions, QuietHours
from drift_aware.schema.alerts import ActionKind, Alert, Window
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig.services import wait_until
from rig_events import NOON, alert

HOUR = 3_600_000


def ruled(*rules: dict[str, Any], **more: Any) -> Actions:
    return Actions.model_validate({"rules": list(rules)} | more)


def decided(one: Alert, actions: Actions, **past: Past) -> dict[ActionKind, Decision]:
    known: dict[Any, Past] = dict(past)
    return {decision.action: decision for decision in decide(one, actions, known)}


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({}, True),
        ({"kind": "behavior"}, True),
        ({"kind": "embedding"}, False),
        ({"metric": "refusal_*"}, True),
        ({"metric": "toxic*"}, False),
        ({"segment": "app=shop,*"}, True),
        ({"segment": "app=help,*"}, False),
    ],
)
def test_a_rule_is_for_the_alerts_it_names(when: dict[str, str], fits: bool) -> None:
    found = decided(alert(1), ruled({"when": when, "do": ["safety"]}))
    assert ("safety" in found) == fits
    assert "tune" not in found, "rules of one's own take the place of those built in"
    assert found["notify"].status == "proposed"


def test_the_first_rule_that_an_alert_is_serious_enough_for_decides() -> None:
    rules = ruled(
        {"when": {"min_severity": "critical"}, "do": ["tune"], "approve": "auto"},
        {"when": {"min_severity": "warning"}, "do": ["tune"], "approve": "ask", "expires_hours": 5},
    )
    assert decided(alert(1, severity="critical"), rules)["tune"].auto
    asked = decided(alert(1, severity="warning"), rules)["tune"]
    assert (asked.status, asked.auto, asked.expires_hours) == ("proposed", False, 5)
    slight = decided(alert(1, severity="info"), rules)["tune"]
    assert (slight.status, slight.reason) == ("withheld", "severity info is below critical")


def test_an_alert_below_the_combined_score_is_withheld() -> None:
    rules = ruled({"when": {"min_score": 0.6}, "do": ["tune"]})
    withheld = decided(alert(1, score=40.0, threshold=20.0), rules)["tune"]
    assert (withheld.status, withheld.reason) == ("withheld", "the combined score 0.50 is below 0.6")
    assert decided(alert(1, score=60.0, threshold=20.0), rules)["tune"].status == "proposed"


def test_the_least_score_of_all_holds_where_a_rule_names_none() -> None:
    rules = ruled({"when": {"min_severity": "info"}, "do": ["tune"]})
    assert decided(alert(1, severity="info", score=24.0), rules)["tune"].status == "withheld"
    assert decided(alert(1, severity="info", score=40.0), rules)["tune"].status == "proposed"


def test_messages_follow_their_own_rules_once_there_are_any() -> None:
    rules = ruled({"when": {"min_severity": "critical"}, "do": ["notify"], "cooldown_hours": 1})
    assert decided(alert(1), rules)["notify"].reason == "severity warning is below critical"
    loud = alert(1, severity="critical")
    assert decided(loud, rules)["notify"].auto
    assert decided(loud, rules, notify=Past(last=NOON - HOUR // 2))["notify"].status == "withheld"


@given(
    st.sampled_from(["info", "warning", "critical"]),
    st.floats(allow_nan=True),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_combined_score_is_a_share_and_a_graver_alert_never_has_less(
    severity: Any, one: float, threshold: float
) -> None:
    found = score(alert(1, severity=severity, score=one, threshold=threshold))
    assert 0 <= found <= 1
    assert score(alert(1, severity="critical", score=one, threshold=threshold)) >= found


def test_a_full_day_goes_to_what_matters_most() -> None:
    rules = ruled(max_per_day=2)
    weak = Rival("weak", (1, 100, 0.5))
    grave = decided(alert(1, severity="critical"), rules, tune=Past(today=2, weakest=weak))["tune"]
    assert (grave.status, grave.displaces) == ("proposed", "weak")
    equal = Rival("equal", impact(alert(1)))
    full = decided(alert(1), rules, tune=Past(today=2, weakest=equal))["tune"]
    assert (full.status, full.displaces) == ("withheld", None)
    assert full.reason == (
        "the day has 2 places for tune, all taken by what matters as much; the setting is actions.max_per_day"
    )
    begun = decided(alert(1, severity="critical"), rules, tune=Past(today=2))["tune"]
    assert begun.status == "withheld"
    none = decided(alert(1), ruled(max_per_day=0), tune=Past())["tune"]
    assert none.status == "withheld"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def answer(connection: Connection, actions: Actions, *alerts: Alert) -> None:
    for one in alerts:
        for decision in decide(one, actions, ledger.past(connection, one)):
            ledger.claim(connection, one, decision, dry_run=True)


def tunes(connection: Connection) -> dict[str, str]:
    return {a.alert_id: a.status for a in ledger.actions(connection) if a.action == "tune"}


def traffic(number: int, events: int, **fields: Any) -> Alert:
    return alert(number, segment=f"app=a{number}", window=Window(NOON - 60_000, NOON, events), **fields)


def test_of_several_alerts_of_a_day_those_with_most_impact_keep_its_places(connection: Connection) -> None:
    answer(connection, ruled(max_per_day=2), traffic(1, 50), traffic(2, 10), traffic(3, 20))
    assert tunes(connection) == {"a1": "proposed", "a2": "withheld", "a3": "proposed"}
    displaced = ledger.find(connection, action_id("a2", "tune")).action
    assert (displaced.reason, displaced.revision) == ("its place goes to app=a3", 2)
    answer(connection, ruled(max_per_day=2), traffic(4, 1, severity="critical"))
    assert tunes(connection) == {"a1": "proposed", "a2": "withheld", "a3": "withheld", "a4": "proposed"}


def test_two_that_decide_at_once_do_not_both_give_away_the_last_place(
    connection: Connection, database_url: str
) -> None:
    rules = ruled(max_per_day=1)

    def second() -> None:
        with store.connect(database_url, "test") as other, other.transaction():
            ledger.decide_alone(other)
            answer(other, rules, traffic(2, 10))

    thread = threading.Thread(target=second)
    with connection.transaction():
        ledger.decide_alone(connection)
        answer(connection, rules, traffic(1, 10))
        thread.start()
        with store.connect(database_url, "test") as watcher:
            waiting = (
                "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
                "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
            )
            wait_until(lambda: watcher.execute(waiting).fetchone() == (1,))
    thread.join()
    assert tunes(connection) == {"a1": "proposed", "a2": "withheld"}


def test_what_is_approved_keeps_its_place(connection: Connection) -> None:
    answer(connection, ruled(max_per_day=1), traffic(1, 10))
    answers.approve(connection, action_id("a1", "tune"), "Ann")
    answer(connection, ruled(max_per_day=1), traffic(2, 1000, severity="critical"))
    assert tunes(connection) == {"a1": "approved", "a2": "withheld"}


def test_what_is_rejected_gives_its_place_back_and_the_next_day_has_new_ones(connection: Connection) -> None:
    rules = ruled(max_per_day=1)
    answer(connection, rules, traffic(1, 10))
    answers.reject(connection, action_id("a1", "tune"), "Bob")
    answer(connection, rules, traffic(2, 10), traffic(3, 5, ts=NOON + 13 * HOUR))
    assert tunes(connection) == {"a1": "rejected", "a2": "proposed", "a3": "proposed"}


def test_a_second_revision_of_an_alert_displaces_nobody(connection: Connection) -> None:
    answer(connection, ruled(), traffic(1, 1000, severity="critical"), traffic(2, 10))
    answer(connection, ruled(max_per_day=1), traffic(1, 1000, severity="critical", revision=2))
    assert tunes(connection) == {"a1": "proposed", "a2": "proposed"}


def test_what_has_expired_starts_no_cooldown_and_what_was_rejected_does(connection: Connection) -> None:
    for number, ending in enumerate(["expire", "reject"]):
        one = traffic(number, 10)
        answer(connection, ruled(), one)
        if ending == "expire":
            connection.execute("UPDATE action_log SET expires_at = now()")
            answers.expire(connection)
        else:
            answers.reject(connection, action_id(one.id, "tune"), "Bob")
        answer(connection, ruled(), alert(10 + number, segment=one.segment, ts=NOON + HOUR))
    assert tunes(connection) == {"a0": "expired", "a10": "proposed", "a1": "rejected", "a11": "withheld"}


NIGHT = QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"})
LUNCH = QuietHours.model_validate({"from": "12:00", "to": "13:00"})


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        (None, "2026-03-01T23:00:00+00:00", False),
        (NIGHT, "2026-03-01T20:59:59+00:00", False),
        (NIGHT, "2026-03-01T21:00:00+00:00", True),
        (NIGHT, "2026-07-01T20:00:00+00:00", True),  # summer time
        (NIGHT, "2026-03-01T05:59:59+00:00", True),
        (NIGHT, "2026-03-01T06:00:00+00:00", False),
        (LUNCH, "2026-03-01T12:30:00+00:00", True),
        (LUNCH, "2026-03-01T13:00:00+00:00", False),
    ],
)
def test_quiet_hours_are_those_of_their_place(hours: QuietHours | None, at: str, expected: bool) -> None:
    assert quiet.is_quiet(hours, datetime.fromisoformat(at)) == expected


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda when: 1 < when.year < 9999))
def test_a_day_without_changes_of_the_clock_has_nine_quiet_hours(when: datetime) -> None:
    hours = QuietHours.model_validate({"from": "22:00", "to": "07:00"})
    quiet_hours = sum(quiet.is_quiet(hours, when + timedelta(hours=hour)) for hour in range(24))
    assert quiet_hours == 9


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"quiet_hours": {"from": "22:00", "to": "07:00", "timezone": "Nowhere"}}, "no such time zone"),
        ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, "must differ"),
        ({"quiet_hours": {"from": "22:00Z", "to": "07:00"}}, "as `timezone`"),
        ({"rules": [{"do": []}]}, "at least 1"),
        ({"rules": [{"do": ["tune"], "when": {"metrik": "x"}}]}, "Extra inputs"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused(section: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Actions.model_validate(section)
