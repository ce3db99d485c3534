"""The comparison of days over HTTP; its numbers are tested where they are made."""

from fastapi.testclient import TestClient

from drift_aware.streams.summary import Summary
from rig.api import Persisted, client, make_app
from rig_events import alert


def graded(events: int, correct: int) -> Summary:
    return Summary({"events": events, "graded": events, "correct": correct})


def test_an_empty_database_has_nothing_to_compare_and_says_so(api: TestClient) -> None:
    checked = api.post("/drift/check", json={}).json()
    assert (checked["segment"], checked["window_days"]) == ("all", 7)
    assert (checked["state"], checked["severity"]) == ("not enough events", "none")
    assert checked["overall_score"] is None
    assert "events in both windows" in checked["message"]
    days = api.get("/drift/metrics").json()["days"]
    assert len(days) == 30
    assert {day["state"] for day in days} == {"not enough events"}
    assert api.get("/drift/summary").json()["segments"] == []
    assert api.get("/segments").json() == {"items": []}


def test_a_week_is_compared_with_the_one_before(api: TestClient, persisted: Persisted) -> None:
    for ago in range(14):
        persisted.day("evaluation", ago, graded(200, 140 if ago < 7 else 180))
    checked = api.post("/drift/check", json={"window_days": 7}).json()
    assert checked["state"] == "compared"
    assert (checked["accuracy"], checked["baseline_accuracy"]) == (0.7, 0.9)
    assert checked["severity"] == "critical"
    assert checked["current"]["events"] == checked["baseline"]["events"] == 1400
    other = api.post("/drift/check", json={"segment": "app=other"}).json()
    assert other["state"] == "not enough events"


def test_the_limits_are_those_of_the_settings(database_url: str, persisted: Persisted) -> None:
    for ago in range(2):
        persisted.day("evaluation", ago, graded(50, 40))
    for samples, state in ((51, "not enough events"), (50, "compared")):
        with client(make_app(database_url, limits={"min_samples": samples})) as api:
            assert api.post("/drift/check", json={"window_days": 1}).json()["state"] == state
            assert api.get("/drift/metrics?days=1").json()["days"][0]["state"] == state


def test_days_come_oldest_first(api: TestClient, persisted: Persisted) -> None:
    for ago in range(3):
        persisted.day("evaluation", ago, graded(10 * (ago + 1), 5), "app=shop")
    found = api.get("/drift/metrics?days=3&segment=app=shop").json()
    assert found["segment"] == "app=shop"
    assert [day["events"] for day in found["days"]] == [{"evaluation": n} for n in (30, 20, 10)]


def test_segments_are_those_with_days_and_those_with_alerts(api: TestClient, persisted: Persisted) -> None:
    persisted.day("evaluation", 1, graded(10, 5))
    persisted.day("evaluation", 0, graded(7, 5))
    persisted.day("feedback", 0, graded(3, 0))
    persisted.alerts([alert(1), alert(2, status="resolved"), alert(3, segment="all")])
    only_alerts, whole = sorted(api.get("/segments").json()["items"], key=lambda item: len(item["events"]))
    assert only_alerts == {
        "segment": alert(1).segment,
        "events": {},
        "first_day": None,
        "last_day": None,
        "open_alerts": 1,
    }
    assert whole["segment"] == "all"
    assert whole["events"] == {"evaluation": 17, "feedback": 3}
    assert whole["open_alerts"] == 1
    assert whole["first_day"] < whole["last_day"]
    summary = api.get("/drift/summary").json()["segments"]
    assert [segment["segment"] for segment in summary] == ["all", alert(1).segment]
