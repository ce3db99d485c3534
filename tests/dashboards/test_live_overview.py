"""Everything at a glance, on a database that persist has filled."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from psycopg.sql import SQL

from drift_aware.actions import ledger
from drift_aware.dashboards.live import segments
from drift_aware.schema import wire_examples
from drift_aware.schema.alerts import Reading, Readings
from drift_aware.schema.settings import Limits, Settings
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.streams import silence
from drift_aware.streams.budget import on_budget
from drift_aware.streams.detectors import detectors_for
from drift_aware.streams.detectors import on_budget as is_on_budget
from drift_aware.streams.summary import Summary
from rig.api import ACTS, Persisted, client, make_app
from rig_events import NOON, alert

MINUTE = 60_000


def pane(start: int = NOON, segment: str = "all", events: int = 50, **fields: Any) -> Readings:
    """What a closed pane says of a segment in which all is well."""
    reading = Reading(metric="refusal_rate", detector="shift", state="ok", events=500, current=0.03)
    values: dict[str, Any] = {"totals": {"interaction": events}, "readings": [reading]}
    return Readings(segment=segment, start=start, end=start + 10_000, **(values | fields))


def warming(start: int = NOON, segment: str = "all") -> Readings:
    shift = Reading(metric="refusal_rate", detector="shift", state="warming_up", events=7)
    grown = Reading(
        metric="interaction", detector="baseline", state="warming_up", events=7, message="warming up 7/3000"
    )
    second = Reading(metric="refusal_rate", detector="adwin", state="ok", events=7)
    return pane(start, segment, readings=[shift, grown, second])


def glance(api: TestClient) -> Any:
    answer = api.get("/live/overview")
    assert answer.status_code == 200, answer.text
    return answer.json()


def states(api: TestClient) -> dict[str, str]:
    return {segment["segment"]: segment["state"] for segment in glance(api)["segments"]}


def test_an_empty_database_is_an_empty_page(api: TestClient) -> None:
    found = glance(api)
    assert found["seen_until"] is None
    assert found["throughput"] == {"events_per_second": None, "lag_seconds": None}
    assert (found["segments"], found["firing"], found["waiting"], found["latest_actions"]) == ([], [], [], [])
    assert found["budget"]["raised"] == 0
    assert found["may"] == {"read": True, "act": False}


def test_it_says_what_the_token_may(api: TestClient) -> None:
    assert api.get("/live/overview", headers=ACTS).json()["may"] == {"read": True, "act": True}


def test_the_pace_is_that_of_the_last_minutes_of_event_time(api: TestClient, persisted: Persisted) -> None:
    persisted.readings([pane(NOON - 10 * MINUTE, events=10**6)])
    persisted.readings([pane(NOON - 20_000, events=20), pane(NOON - 10_000, events=60)])
    persisted.readings([pane(NOON - 10_000, "app=shop", events=10**6)])
    found = glance(api)
    assert found["seen_until"] == NOON
    assert found["throughput"]["events_per_second"] == 4.0
    assert found["throughput"]["lag_seconds"] == pytest.approx(time.time() - NOON / 1000, abs=60)


def test_a_segment_is_calm_warming_up_silent_or_drifting(api: TestClient, persisted: Persisted) -> None:
    persisted.readings([pane(), pane(segment="app=calm"), warming(segment="app=new")])
    persisted.readings([pane(NOON - 61 * MINUTE, "app=quiet"), pane(segment="app=drift")])
    persisted.day("interaction", 3, Summary({"events": 5}), "app=quiet")
    persisted.alerts([alert(1, segment="app=drift", paging=True)])
    assert states(api) == {
        "app=drift": "drifting",
        "all": "calm",
        "app=calm": "calm",
        "app=new": "warming_up",
        "app=quiet": "silent",
    }
    new = next(each for each in glance(api)["segments"] if each["segment"] == "app=new")
    assert (new["message"], new["events"], new["until"]) == ("warming up 7/3000", 7, NOON + 10_000)


def test_the_settings_say_when_a_segment_is_silent(database_url: str, persisted: Persisted) -> None:
    persisted.readings([pane(), pane(NOON - 10 * MINUTE, "app=slow")])
    persisted.day("interaction", 0, Summary({"events": 5}), "app=slow")
    with client(make_app(database_url, no_data_minutes=5)) as api:
        assert states(api)["app=slow"] == "silent"
    with client(make_app(database_url, no_data_minutes=11)) as api:
        assert states(api)["app=slow"] == "calm"


def test_an_alert_of_silence_is_no_drift(api: TestClient, persisted: Persisted) -> None:
    persisted.readings([pane(), pane(segment="app=gone")])
    persisted.alerts([silence.fallen_silent("app=gone", NOON, MINUTE)])
    [gone] = [each for each in glance(api)["segments"] if each["segment"] == "app=gone"]
    assert (gone["state"], gone["firing"], gone["severity"]) == ("silent", 0, None)


def test_what_wakes_nobody_makes_no_segment_drift(api: TestClient, persisted: Persisted) -> None:
    persisted.readings([pane(), pane(segment="app=shop,model=gpt")])
    persisted.alerts([alert(1, paging=False, detector="adwin"), alert(2, status="resolved")])
    found = glance(api)
    assert [(each["state"], each["firing"]) for each in found["segments"]] == [("calm", 0)] * 2
    assert [each["id"] for each in found["firing"]] == ["a1"]


def test_the_worst_comes_first_and_of_equals_the_latest(api: TestClient, persisted: Persisted) -> None:
    persisted.readings([pane(segment=name) for name in ("all", "b", "c", "d", "e")])
    persisted.alerts(
        [
            alert(1, segment="b", severity="warning", onset=NOON),
            alert(2, segment="c", severity="critical", onset=NOON - 9),
            alert(3, segment="d", severity="warning", onset=NOON + 5),
            alert(4, segment="d", severity="info", onset=NOON + 6),
        ]
    )
    found = glance(api)["segments"]
    assert [(each["segment"], each["severity"]) for each in found] == [
        ("c", "critical"),
        ("d", "warning"),
        ("b", "warning"),
        ("all", None),
        ("e", None),
    ]
    assert (found[1]["firing"], found[1]["since"]) == (2, NOON + 6)


def test_the_budget_counts_what_was_raised_on_it_in_a_week(api: TestClient, persisted: Persisted) -> None:
    persisted.readings([pane()])
    week = 7 * 24 * 60 * MINUTE
    persisted.alerts(
        [
            alert(1, detector="shift"),
            alert(2, detector="limit", status="resolved"),
            alert(3, detector="shift", paging=False),
            alert(4, detector="adwin"),
            alert(5, detector="shift", onset=NOON - week, ts=NOON),
        ]
    )
    budget = glance(api)["budget"]
    assert budget == {
        "promised_days": 30.0,
        "per_week": pytest.approx(7 / 30),
        "raised": 2,
        "text": "At most one false alarm in 30 days is promised; 2 alarms were raised in the last seven "
        "days.",
    }


@pytest.mark.parametrize("limits", [Limits(), Limits(confirm=False)])
def test_the_detectors_on_the_budget_are_those_that_take_a_share_of_it(limits: Limits) -> None:
    settings = Settings(limits=limits)
    families = ("interaction", "feedback", "evaluation")
    found = [each for family in families for each in detectors_for(family, settings)]
    assert {each.name for each in found if is_on_budget(each)} == on_budget(limits)
    assert segments.SILENCE == silence.DETECTOR


def test_what_waits_for_a_person_is_told_apart_from_what_does_not(
    database_url: str, connection: Connection
) -> None:
    with connection.transaction():
        ledger.enter(connection, wire_examples.ACTION, wire_examples.ALERT, expires_hours=72, auto=True)
    with client(make_app(database_url)) as api:
        found = glance(api)
        assert [each["id"] for each in found["waiting"]] == [wire_examples.ACTION.id]
        assert [each["id"] for each in found["latest_actions"]] == [wire_examples.ACTION.id]
        assert (found["dry_run"], found["require_approval"]) == (True, True)
    with client(make_app(database_url, actions={"require_approval": False})) as api:
        assert glance(api)["waiting"] == []


def test_it_reads_the_latest_pane_of_each_segment_and_no_more(
    api: TestClient, persisted: Persisted, connection: Connection
) -> None:
    persisted.make_partitions()
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    now = int(today.timestamp()) * 1000
    for number in range(40):
        persisted.readings(pane(now - 10_000 * ago, f"app={number}") for ago in range(30))
    connection.execute("ANALYZE pane_totals, drift_metrics, day_sums")
    found = segments.segments(connection, Settings(), now)
    assert len(found) == 40
    assert {each.until for each in found} == {now + 10_000}
    explain = SQL("EXPLAIN {}").format(QUERIES["live_segments"])
    rows = connection.execute(explain, segments.asked_segments(Settings(), now))
    plan = "\n".join(row[0] for row in rows)
    # Later days are there and empty; those before are not even looked at.
    for table in ("pane_totals", "drift_metrics"):
        assert f"Seq Scan on {table}_{today:%Y%m%d}" not in plan
        assert f"{table}_{today - timedelta(days=1):%Y%m%d}" not in plan
