"""Alerts, actions and events as pages: complete, in order, and stable while more is written."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from psycopg.sql import SQL

from drift_aware.actions.runner import Runner
from drift_aware.dashboards.api import record
from drift_aware.dashboards.api.places import EVENT_CURSOR, EventPlace
from drift_aware.dashboards.api.questions import EventQuestion
from drift_aware.schema.alerts import Alert
from drift_aware.schema.envelope import ROWS
from drift_aware.schema.settings import Actions
from drift_aware.schema.topics import ALERTS
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from rig.api import Persisted
from rig_events import NOON, alert, embedding, evaluation, feedback, interaction


def whole(api: TestClient, path: str, between: Callable[[], None] = lambda: None, **asked: Any) -> list[Any]:
    """All items of all pages; ``between`` is called after each page."""
    items, cursor = [], None
    while True:
        answer = api.get(path, params=asked | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if (cursor := page["next"]) is None:
            return items
        between()


def decide(connection: Connection, *alerts: Alert) -> None:
    """What ``act`` does with alerts."""
    records = [Record(ALERTS.name, 0, 0, msgspec.json.encode(one), ROWS) for one in alerts]
    with connection.transaction():
        Runner(Actions(), None).handle(connection, records)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["/alerts", "/actions", "/events", "/events?kind=embedding", "/events?kind=feedback"]
)
def test_an_empty_database_has_empty_pages(api: TestClient, path: str) -> None:
    assert api.get(path).json() == {"items": [], "next": None}


def test_alerts_come_whole_and_latest_onset_first(api: TestClient, persisted: Persisted) -> None:
    persisted.alerts([alert(1, onset=NOON), alert(2, onset=NOON + 5), alert(3, onset=NOON + 3)])
    items = api.get("/alerts").json()["items"]
    assert [item["id"] for item in items] == ["a2", "a3", "a1"]
    assert msgspec.convert(items[2], Alert) == alert(1, onset=NOON)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"status": "resolved"}, {"a2"}),
        ({"severity": "critical"}, {"a3"}),
        ({"segment": "app=other"}, {"a4"}),
        ({"metric": "toxicity_rate"}, {"a5"}),
        ({"since": "2026-03-01T12:00:01Z"}, {"a6"}),
        ({"since": "2026-03-01T13:00:01+01:00"}, {"a6"}),
        ({"status": "firing", "severity": "critical", "metric": "refusal_rate"}, {"a3"}),
        ({"status": "retracted"}, set()),
    ],
)
def test_alerts_can_be_asked_for_by_what_they_are(
    api: TestClient, persisted: Persisted, asked: dict[str, str], found: set[str]
) -> None:
    persisted.alerts(
        [
            alert(1),
            alert(2, status="resolved"),
            alert(3, severity="critical"),
            alert(4, segment="app=other"),
            alert(5, metric="toxicity_rate"),
            alert(6, ts=NOON + 1000),
        ]
    )
    assert {item["id"] for item in api.get("/alerts", params=asked).json()["items"]} == found


def test_pages_of_alerts_hold_each_once_although_they_change_and_more_come(
    api: TestClient, persisted: Persisted
) -> None:
    # Two of each onset, so that the id has to decide.
    persisted.alerts([alert(n, onset=NOON + n // 2) for n in range(20)])
    numbers = iter(range(20, 100))

    def more() -> None:
        persisted.alerts([alert(n, onset=NOON + 1000 + n) for n in (next(numbers), next(numbers))])
        persisted.alerts([alert(n, onset=NOON + n // 2, revision=2, ts=NOON + 99) for n in range(20)])

    ids = [item["id"] for item in whole(api, "/alerts", more, limit=3)]
    assert sorted(ids) == sorted(f"a{n}" for n in range(20))


def test_an_alert_comes_with_what_it_has_led_to(
    api: TestClient, persisted: Persisted, connection: Connection
) -> None:
    persisted.alerts([alert(1), alert(2)])
    decide(connection, alert(1), alert(2, segment="app=other"))
    found = api.get("/alerts/a1").json()
    assert msgspec.convert(found["alert"], Alert) == alert(1)
    assert sorted(action["action"] for action in found["actions"]) == ["notify", "tune"]
    assert {action["alert_id"] for action in found["actions"]} == {"a1"}


def test_what_is_not_there_is_not_found(api: TestClient) -> None:
    for path in ("/alerts/none", "/actions/none", "/none", "/alerts/a/b", "/page/none"):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["status"]) == (404, 404), path


def test_an_action_comes_with_its_alert(api: TestClient, connection: Connection) -> None:
    decide(connection, alert(1))
    listed = api.get("/actions").json()["items"]
    for action in listed:
        found = api.get(f"/actions/{action['id']}").json()
        assert found["action"] == action
        assert msgspec.convert(found["alert"], Alert) == alert(1)
    assert len(listed) == 2


def test_pages_of_actions_hold_each_once_although_more_come(
    api: TestClient, persisted: Persisted, connection: Connection
) -> None:
    decide(connection, *(alert(n, segment=f"app=a{n}") for n in range(6)))
    numbers = iter(range(6, 100))

    def more() -> None:
        number = next(numbers)
        decide(connection, alert(number, segment=f"app=a{number}"))

    items = whole(api, "/actions", more, limit=2)
    assert len({item["id"] for item in items}) == len(items) == 12
    assert {item["segment"] for item in whole(api, "/actions", segment="app=a1")} == {"app=a1"}
    assert whole(api, "/actions", status="rejected") == []


def test_an_event_comes_as_it_was_published(api: TestClient, persisted: Persisted) -> None:
    first = interaction(1, error=False)
    persisted.events("interaction", [first, interaction(2)])
    failed, calm = api.get("/events").json()["items"]
    assert calm == {"type": "interaction"} | json.loads(msgspec.json.encode(first))
    assert failed["error"] == "timeout"
    persisted.events("feedback", [feedback(1)])
    assert api.get("/events?kind=feedback").json()["items"] == [
        {"type": "feedback"} | json.loads(msgspec.json.encode(feedback(1)))
    ]
    persisted.events("evaluation", [evaluation(1)])
    assert api.get("/events?kind=evaluation").json()["items"] == [
        {"type": "evaluation"} | json.loads(msgspec.json.encode(evaluation(1)))
    ]


def test_vectors_come_only_if_asked_for(api: TestClient, persisted: Persisted) -> None:
    persisted.events("embedding", [embedding(1, dim=2, vector=[0.5, -2.0], dtype="float32")])
    [without] = api.get("/events?kind=embedding").json()["items"]
    assert (without["dim"], without["interaction_id"]) == (2, "i1")
    assert "vector" not in without
    [item] = api.get("/events?kind=embedding&include=vectors").json()["items"]
    assert item == without | {"vector": [0.5, -2.0]}


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"app": "shop"}, [1, 2, 3]),
        ({"app": "blog"}, [4]),
        ({"model": "gpt", "tenant": "other"}, [3]),
        ({"prompt_version": "8"}, [2]),
        ({"since": "2026-03-01T12:00:00.003Z"}, [3, 4]),
        ({"until": "2026-03-01T12:00:00.003Z"}, [1, 2]),
        ({"since": "2026-03-01T12:00:00.002Z", "until": "2026-03-01T12:00:00.003Z"}, [2]),
        ({"since": "2027-01-01T00:00:00Z"}, []),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-12:00"}, [1, 2, 3, 4]),
    ],
)
def test_events_can_be_asked_for_by_segment_and_time(
    api: TestClient, persisted: Persisted, asked: dict[str, str], numbers: list[int]
) -> None:
    persisted.events(
        "interaction",
        [
            interaction(1),
            interaction(2, prompt_version="8"),
            interaction(3, tenant="other"),
            interaction(4, app="blog"),
        ],
    )
    items = api.get("/events", params=asked).json()["items"]
    assert sorted(item["id"] for item in items) == [f"i{n}" for n in numbers]


def test_pages_of_events_hold_each_once_although_more_come_at_every_time(
    api: TestClient, persisted: Persisted
) -> None:
    # Many of the same millisecond, from several records and partitions.
    for partition in (0, 1, 2):
        persisted.events("interaction", [interaction(n, ts=NOON + n % 3) for n in range(10)], partition)
    late = [interaction(n, ts=NOON + n) for n in range(100, 105)]

    def more() -> None:
        persisted.events("interaction", late, 3)

    items = whole(api, "/events", more, limit=4, until="2026-03-01T12:00:00.100Z")
    assert len(items) == 30
    assert sorted(item["id"] for item in items) == sorted(f"i{n}" for n in range(10) for _ in range(3))
    assert [item["ts"] for item in items] == sorted((item["ts"] for item in items), reverse=True)


def test_what_the_api_gives_of_events_is_what_replay_reads(
    api: TestClient, persisted: Persisted, tmp_path: Any, start_command: Callable[..., Any]
) -> None:
    persisted.events("interaction", [interaction(n, ts=NOON + 1000 * n) for n in range(50)])
    items = whole(api, "/events", limit=20)
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps(item) for item in reversed(items)))
    replayed = start_command("replay", str(file), "--json")
    assert replayed.wait() == 0, replayed.shown()
    assert "cannot be used" not in replayed.stderr


def test_pages_of_events_are_read_by_an_index_whatever_the_number_of_days(
    persisted: Persisted, connection: Connection, api: TestClient
) -> None:
    persisted.make_partitions()
    now = int(datetime.now(UTC).timestamp() * 1000)
    day = 86_400_000
    for ago in range(4):
        some = [interaction(n, ts=now - ago * day - n) for n in range(50)]
        for _ in range(40):
            persisted.events("interaction", some)
    connection.execute("ANALYZE interaction_log")
    for cursor in (None, f"{now - 2 * day}-0-100-5"):
        question = EventQuestion(cursor=cursor, app="shop")
        parameters = question.model_dump() | record._event_place(question)
        explain = SQL("EXPLAIN {}").format(record._event_query(question))
        plan = "\n".join(row[0] for row in connection.execute(explain, parameters))
        assert "Incremental Sort" in plan
        assert "Index Scan Backward" in plan
        assert "Seq Scan" not in plan


@given(st.from_regex(EVENT_CURSOR, fullmatch=True, alphabet="0123456789-"))
def test_every_cursor_of_the_right_form_is_a_place(text: str) -> None:
    place = EventPlace.read(text)
    assert EventPlace.read(place.cursor()) == place
    assert place.time.year < 9999
    assert place.partition < 2**31
    assert place.index < 2**31
    assert place.offset < 2**63
