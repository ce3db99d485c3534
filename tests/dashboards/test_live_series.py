"""A segment over time, and the story of an alert, on a database that persist has filled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from psycopg.sql import SQL

from drift_aware.actions import ledger
from drift_aware.dashboards.live import bands, series
from drift_aware.dashboards.live.series import Stretches
from drift_aware.schema import wire_examples
from drift_aware.schema.alerts import Reading, Readings
from drift_aware.schema.settings import Settings
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from rig.api import Persisted
from rig_events import NOON, alert, interaction

SEGMENT = "app=shop,model=gpt"
PANE = 10_000


def pane(start: int, *some: Reading, segment: str = SEGMENT, totals: int = 50) -> Readings:
    return Readings(
        segment=segment, start=start, end=start + PANE, totals={"interaction": totals}, readings=list(some)
    )


def shift(metric: str = "refusal_rate", **fields: Any) -> Reading:
    values: dict[str, Any] = {
        "state": "ok",
        "events": 500,
        "current": 0.03,
        "baseline_value": 0.02,
        "score": 0.1,
        "threshold": 1.0,
        "channel": "rate",
    }
    return Reading(metric=metric, detector="shift", **(values | fields))


def heartbeat(until: int) -> Readings:
    """A pane of the whole traffic, which says how late it is."""
    return pane(until - PANE, segment="all")


def asked(api: TestClient, **fields: Any) -> Any:
    values: dict[str, Any] = {"segment": SEGMENT, "hours": 1}
    answer = api.get("/live/series", params=values | fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def story(api: TestClient, identity: str) -> Any:
    answer = api.get(f"/live/alerts/{identity}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_segment_nobody_has_seen_has_no_metrics(api: TestClient) -> None:
    found = asked(api, segment="app=unknown")
    assert (found["metrics"], found["warming_up"], found["alerts"], found["actions"]) == ([], [], [], [])


def test_each_metric_stands_beside_its_baseline_and_what_is_usual(
    api: TestClient, persisted: Persisted
) -> None:
    adwin = Reading(metric="refusal_rate", detector="adwin", state="ok", events=500, score=0.0, threshold=1.0)
    latency = shift("latency_ms", current=800.0, baseline_value=700.0)
    persisted.readings([pane(NOON - PANE, shift(), adwin, latency), heartbeat(NOON)])
    found = asked(api, points=400)
    assert (found["end"], found["width"]) == (NOON, PANE)
    slow, refusals = found["metrics"]
    low, high = bands.usual(0.02, 500)
    assert refusals == {
        "metric": "refusal_rate",
        "unit": "share",
        "lower_is_better": True,
        "times": [NOON - PANE],
        "current": [pytest.approx(0.03)],
        "baseline": [0.02],
        "low": [low],
        "high": [high],
        "detectors": [
            {
                "detector": "adwin",
                "channel": None,
                "budgeted": False,
                "score": [0.0],
                "threshold": [1.0],
                "fired": [0],
            },
            {
                "detector": "shift",
                "channel": None,
                "budgeted": True,
                "score": [0.1],
                "threshold": [1.0],
                "fired": [0],
            },
        ],
    }
    assert (slow["unit"], slow["current"], slow["low"], slow["high"]) == ("ms", [800.0], [None], [None])


def test_a_stretch_has_the_mean_by_events_the_largest_score(api: TestClient, persisted: Persisted) -> None:
    persisted.readings(
        [
            pane(NOON - 60_000, shift(current=0.1, events=100, score=5.0, fired=True, channel="rate")),
            pane(NOON - 50_000, shift(current=0.2, events=300, baseline_value=0.04, score=2.0, channel="x")),
            heartbeat(NOON),
        ]
    )
    [metric] = asked(api, points=2)["metrics"]
    assert metric["current"] == [pytest.approx(0.175)]
    assert metric["baseline"] == [pytest.approx(0.03)]
    [detector] = metric["detectors"]
    assert (detector["score"], detector["fired"], detector["channel"]) == ([5.0], [1], None)


def test_a_young_segment_is_shown_from_its_first_pane_on(api: TestClient, persisted: Persisted) -> None:
    persisted.readings(pane(NOON - PANE * ago, shift()) for ago in range(1, 13))
    persisted.readings([heartbeat(NOON)])
    found = asked(api, hours=24, points=100)
    assert (found["start"], found["end"], found["width"]) == (NOON - 12 * PANE, NOON, PANE)
    assert len(found["metrics"][0]["times"]) == 12
    [metric] = asked(api, hours=24, points=4)["metrics"]
    assert metric["times"] == [NOON - 120_000, NOON - 90_000, NOON - 60_000, NOON - 30_000]


def test_second_opinions_have_a_series_for_each_channel_and_gaps_are_null(
    api: TestClient, persisted: Persisted
) -> None:
    def classic(channel: str) -> Reading:
        return Reading(
            metric="x", detector="own", channel=channel, state="ok", events=5, current=1.0, score=1.0
        )

    persisted.readings([pane(NOON - 60_000, classic("a"), classic("b")), pane(NOON - PANE, classic("b"))])
    persisted.readings([heartbeat(NOON)])
    [metric] = asked(api, points=400)["metrics"]
    assert metric["times"] == [NOON - 60_000, NOON - PANE]
    assert [(each["channel"], each["score"]) for each in metric["detectors"]] == [
        ("a", [1.0, None]),
        ("b", [1.0, 1.0]),
    ]


def test_what_warms_up_says_how_far_it_is_and_is_no_metric(api: TestClient, persisted: Persisted) -> None:
    def growing(seen: int) -> Reading:
        return Reading(
            metric="interaction",
            detector="baseline",
            state="warming_up",
            events=seen,
            message=f"warming up {seen}/3000",
        )

    persisted.readings([pane(NOON - 2 * PANE, growing(999)), pane(NOON - PANE, growing(1010))])
    persisted.readings([heartbeat(NOON)])
    found = asked(api)
    assert found["warming_up"] == [{"metric": "interaction", "message": "warming up 1010/3000"}]
    assert found["metrics"] == []


def test_alerts_and_actions_of_the_time_are_marks_on_it(
    api: TestClient, persisted: Persisted, connection: Connection
) -> None:
    persisted.readings([heartbeat(NOON)])
    persisted.alerts(
        [
            alert(1, onset=NOON - 5 * PANE, ts=NOON),
            alert(2, onset=NOON - 9 * PANE, ts=NOON - PANE, status="resolved"),
            alert(3, onset=NOON - 10**9, ts=NOON - 10**8, status="resolved"),
            alert(4, onset=NOON - 10**9, ts=NOON - 10**8),
            alert(5, segment="app=other"),
        ]
    )
    found = asked(api)
    assert [(each["id"], each["until"]) for each in found["alerts"]] == [
        ("a1", None),
        ("a2", NOON - PANE),
        ("a4", None),
    ]
    with connection.transaction():
        ledger.enter(connection, wire_examples.ACTION, wire_examples.ALERT, expires_hours=72)
    persisted.readings([heartbeat(NOON + 2 * PANE)])
    [action] = asked(api, segment=wire_examples.ACTION.segment)["actions"]
    assert (action["id"], action["status"]) == (wire_examples.ACTION.id, "proposed")


@given(
    st.integers(0, 2 * 10**12), st.integers(1, 10**9), st.integers(2, 1000), st.sampled_from([1000, 10_000])
)
def test_there_are_no_more_stretches_than_asked_for_and_they_stay_where_they_are(
    end: int, span: int, points: int, least: int
) -> None:
    cut = Stretches.before(end, span, points, least)
    assert (cut.end - cut.begin) / cut.width <= points
    assert cut.begin % cut.width == 0
    assert cut.width % least == 0
    assert Stretches.before(end + least, span, points, least).width == cut.width


@given(st.floats(0, 1), st.floats(1, 10**9))
def test_what_is_usual_holds_the_baseline_and_narrows_with_events(baseline: float, events: float) -> None:
    low, high = bands.usual(baseline, events)
    assert 0 <= low <= baseline + 1e-9
    assert baseline - 1e-9 <= high <= 1
    narrower = bands.usual(baseline, 2 * events)
    assert narrower[1] - narrower[0] <= high - low + 1e-12


def test_a_story_has_the_evidence_around_the_onset(api: TestClient, persisted: Persisted) -> None:
    found = alert(1, detector="shift", segment=SEGMENT, onset=NOON, ts=NOON + 60_000)
    other = Reading(metric="refusal_rate", detector="adwin", state="ok", events=5, score=77.0)
    persisted.alerts([found])
    for start in range(NOON - 2 * 3_600_000, NOON + 60_000, PANE):
        persisted.readings([pane(start, shift(score=9.0 if start >= NOON else 0.5), other)])
    seen = story(api, "a1")["evidence"]
    assert 100 < len(seen["times"]) <= 300
    assert seen["times"][0] >= NOON - 3_700_000
    assert max(seen["score"]) == 9.0
    assert set(seen["threshold"]) == {1.0}
    assert {len(values) for values in seen.values()} == {len(seen["times"])}


def test_a_story_shows_interactions_and_says_which_are_withheld(
    api: TestClient, persisted: Persisted
) -> None:
    persisted.events(
        "interaction",
        [
            interaction(1, user_query="q" * 600, refusal=True),
            interaction(2, user_query=None, model_response=None),
            interaction(3),
        ],
    )
    persisted.alerts([alert(1, examples=["i2", "i1", "gone"])])
    found = story(api, "a1")["examples"]
    assert [each["id"] for each in found] == ["i2", "i1"]
    assert [each["withheld"] for each in found] == [True, False]
    assert (found[0]["prompt"], found[0]["response"]) == (None, None)
    assert found[1]["prompt"] == "q" * 500
    assert (found[1]["refused"], found[1]["failed"], found[1]["ts"]) == (True, True, NOON + 1)


def test_a_story_has_what_the_alert_has_led_to(
    api: TestClient, persisted: Persisted, connection: Connection
) -> None:
    persisted.alerts([wire_examples.ALERT])
    with connection.transaction():
        ledger.enter(connection, wire_examples.ACTION, wire_examples.ALERT, expires_hours=72)
    found = story(api, wire_examples.ALERT.id)
    assert found["alert"]["summary"] == wire_examples.ALERT.summary
    assert [each["id"] for each in found["actions"]] == [wire_examples.ACTION.id]
    assert (found["examples"], found["evidence"]["times"]) == ([], [])


def test_there_is_no_story_of_an_alert_that_is_not_known(api: TestClient) -> None:
    answer = api.get("/live/alerts/nothing")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no alert nothing"


def test_a_segment_is_read_by_its_part_of_an_index(persisted: Persisted, connection: Connection) -> None:
    persisted.make_partitions()
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    now = int(today.timestamp()) * 1000
    for number in range(30):
        some = (pane(now - PANE * ago, shift(), segment=f"app={number}") for ago in range(30))
        persisted.readings(some)
    connection.execute("ANALYZE drift_metrics")
    begin = {"width": timedelta(seconds=10), "budgeted": ["shift"], "segment": "app=7"}
    times = {"since": today - timedelta(hours=1), "until": today}
    more = {"metric": "refusal_rate", "detector": "shift", "channel": None}
    for query in ("live_series", "live_evidence"):
        explain = SQL("EXPLAIN {}").format(QUERIES[query])
        plan = "\n".join(row[0] for row in connection.execute(explain, begin | times | more))
        assert f"drift_metrics_{today:%Y%m%d}_segment_pane_start" in plan, plan
        assert f"drift_metrics_{today - timedelta(days=1):%Y%m%d}" not in plan
    assert len(series.series(connection, Settings(), "app=7", 1, 300).metrics) == 0
