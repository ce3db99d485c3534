"""What is sent wrong, and what goes wrong: always a problem, never a trace, and never a harm."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from drift_aware.actions import ledger
from drift_aware.actions.policy import Decision
from drift_aware.dashboards.api import bodies, record
from drift_aware.sql.store import Connection
from rig.api import ACTS, Persisted, client, make_app
from rig_events import alert, interaction

INJECTIONS = ["'; DROP TABLE action_log; --", "' OR '1'='1", "%s %(x)s {} $1", "\\'; SELECT pg_sleep(9)--"]
NAMES = [
    ("/alerts", "segment"),
    ("/alerts", "metric"),
    ("/actions", "segment"),
    ("/events", "app"),
    ("/events", "model"),
    ("/events", "prompt_version"),
    ("/events", "tenant"),
    ("/drift/metrics", "segment"),
]
OTHERS = [
    ("/alerts", "status"),
    ("/alerts", "severity"),
    ("/alerts", "since"),
    ("/alerts", "limit"),
    ("/alerts", "cursor"),
    ("/actions", "status"),
    ("/actions", "limit"),
    ("/actions", "cursor"),
    ("/events", "kind"),
    ("/events", "since"),
    ("/events", "until"),
    ("/events", "include"),
    ("/events", "limit"),
    ("/events", "cursor"),
    ("/drift/metrics", "days"),
]


@pytest.fixture
def actor(database_url: str) -> Iterator[TestClient]:
    with client(make_app(database_url), ACTS) as found:
        yield found


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["detail"]
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_in_a_parameter_is_a_name_nobody_has(
    api: TestClient, actor: TestClient, persisted: Persisted, connection: Connection, text: str
) -> None:
    persisted.alerts([alert(1)])
    persisted.events("interaction", [interaction(1)])
    for path, name in NAMES:
        answer = api.get(path, params={name: text})
        assert answer.status_code == 200, answer.text
        assert answer.json().get("items", []) == []
    for path, name in OTHERS:
        is_problem(api.get(path, params={name: text}), 422)
    for path in ("/alerts/", "/actions/"):
        is_problem(api.get(path + text), 404)
    is_problem(actor.post("/drift/trigger-finetuning", json={"reason": text, "segment": text}), 404)
    key = {"Idempotency-Key": "".join(text.split())}
    made = actor.post("/drift/trigger-finetuning", json={"reason": text}, headers=key)
    assert made.status_code == 201
    assert made.json()["action"]["reason"].endswith(text)
    assert connection.execute("SELECT count(*) FROM action_log").fetchone() == (1,)
    assert actor.post("/drift/check", json={"segment": text}).json()["state"] == "not enough events"


@pytest.mark.parametrize(
    "query",
    [
        "/alerts?segment=a%00b",
        "/events?app=%00",
        "/alerts?segment=",
        "/alerts?segment=" + "x" * 501,
        "/alerts?limit=0",
        "/alerts?limit=201",
        "/events?limit=99999999999999999999",
        "/events?limit=1.5",
        "/events?since=yesterday",
        "/events?since=2026-03-01",
        "/events?since=2026-03-01T12:00:00",
        "/events?since=2026-03-01T12:00:00+01:00",
        "/events?until=10000-01-01T00:00:00Z",
        "/events?since=2026-02-30T00:00:00Z",
        "/events?since=1772366400",
        "/events?cursor=299999999999999-1-1-1",
        "/events?cursor=1-1-9999999999999999999-1",
        "/events?cursor=1-1-1",
        "/alerts?cursor=-a1",
        "/actions?cursor=299999999999999999-a1",
        "/alerts?severty=critical",
        "/drift/metrics?days=0",
        "/drift/metrics?days=91",
        "/alerts/a%00b",
    ],
)
def test_what_cannot_be_asked_is_told_with_where_it_is_wrong(api: TestClient, query: str) -> None:
    body = is_problem(api.get(query), 422)
    assert body["errors"][0]["where"].split(".")[0] in ("query", "path")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"window_days": "7"}',
        b'{"window_days": true}',
        b'{"window_days": 7.5}',
        b'{"window_days": 0}',
        b'{"window_days": 91}',
        b'{"window_days": 1e400}',
        b'{"window_days": ' + b"9" * 5000 + b"}",
        b'{"window_day": 7}',
        b'{"segment": null}',
        b'{"segment": "a\\u0000b"}',
        b'{"segment": "\\ud800"}',
        b"[" * 30_000,
        b'{"\\ud800": 1}',
        b'{"' + b"x" * 60_000 + b'": 1}',
        b"{" + b",".join(b'"%d": 1' % n for n in range(6000)) + b"}",
    ],
)
def test_a_body_that_cannot_be_read_is_told(api: TestClient, body: bytes) -> None:
    answer = api.post("/drift/check", content=body, headers={"Content-Type": "application/json"})
    is_problem(answer, 422)
    assert len(answer.content) < 5000


def test_a_body_that_does_not_say_it_is_json_is_not_read(actor: TestClient, connection: Connection) -> None:
    # What a form on some page could send, without being asked first.
    text = json.dumps({"reason": "because"})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = actor.post("/drift/trigger-finetuning", content=text, headers={"Content-Type": kind})
        is_problem(answer, 422)
    assert connection.execute("SELECT count(*) FROM action_log").fetchone() == (0,)


def test_a_body_that_is_too_large_is_not_read_whether_or_not_it_says_so(api: TestClient) -> None:
    large = b" " * (bodies.MAX_BYTES + 1)
    headers = {"Content-Type": "application/json"}
    is_problem(api.post("/drift/check", content=large, headers=headers), 413)
    is_problem(api.post("/drift/check", content=iter([large[:9], large[9:]]), headers=headers), 413)
    assert api.post("/drift/check", content=b"{}" + large[3:], headers=headers).status_code == 200


def test_an_unmigrated_database_says_what_to_run(empty_database_url: str) -> None:
    with client(make_app(empty_database_url), ACTS) as api:
        assert api.get("/health").status_code == 200
        assert "drift-aware db migrate" in is_problem(api.get("/ready"), 503)["detail"]
        for path in ("/alerts", "/actions", "/events", "/segments", "/drift/metrics", "/drift/summary"):
            assert "drift-aware db migrate" in is_problem(api.get(path), 503)["detail"]
        answer = api.post("/drift/trigger-finetuning", json={"reason": "x"})
        assert "drift-aware db migrate" in is_problem(answer, 503)["detail"]
        assert answer.headers["retry-after"] == "5"


def test_without_a_database_every_answer_says_so_and_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("drift_aware.dashboards.api.database.WAIT_SECONDS", 0.3)
    with client(make_app("postgresql://drift:hush@127.0.0.1:1/drift")) as api:
        for path in ("/health", "/ready", "/alerts", "/drift/summary"):
            answer = api.get(path)
            is_problem(answer, 503)
            assert "127.0.0.1" not in answer.text
            assert answer.headers["retry-after"] == "5"
        assert api.get("/metrics").status_code == 200
    assert "hush" not in "".join(capfd.readouterr())


def test_a_statement_that_takes_too_long_is_ended_and_holds_no_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(connection: Connection, question: Any) -> None:
        connection.execute("SELECT pg_sleep(60)")

    app = make_app(database_url, statement_timeout_seconds=0.2, database_connections=1)
    with client(app) as api:
        with monkeypatch.context() as sleepy:
            sleepy.setattr(record, "alerts", slow)
            for _ in range(3):
                assert "took too long" in is_problem(api.get("/alerts"), 503)["detail"]
        assert api.get("/alerts").status_code == 200


def test_a_request_that_reads_cannot_write(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(connection: Connection, question: Any) -> None:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE x ()")

    monkeypatch.setattr(record, "alerts", write)
    with client(make_app(database_url)) as api:
        assert api.get("/alerts").status_code == 200


def test_a_mistake_of_ours_is_a_problem_too_and_is_counted(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(connection: Connection, question: Any) -> None:
        raise ZeroDivisionError("postgresql://drift:hush@db/drift")

    monkeypatch.setattr(record, "alerts", wrong)
    body = is_problem(api.get("/alerts"), 500)
    assert "hush" not in json.dumps(body)
    assert body["instance"].startswith("urn:uuid:")
    assert 'requests_total{method="GET",route="/alerts",status="500"} 1.0' in api.get("/metrics").text


def test_requests_are_counted_by_route_and_not_by_what_is_asked(api: TestClient) -> None:
    for path in ("/alerts/a", "/alerts/b", "/none/1", "/none/2"):
        api.get(path)
    api.request("BREW", "/alerts")
    text = api.get("/metrics").text
    assert 'requests_total{method="GET",route="/alerts/{alert_id}",status="404"} 2.0' in text
    assert 'requests_total{method="GET",route="unmatched",status="404"} 2.0' in text
    assert 'method="other"' in text
    assert "BREW" not in text
    assert 'request_seconds_count{method="GET",route="/alerts/{alert_id}"} 2.0' in text


def test_what_actions_have_cost_is_told_where_requests_are_counted(
    api: TestClient, connection: Connection
) -> None:
    ledger.claim(connection, alert(1), Decision("tune", "proposed", "because"), dry_run=False)
    connection.execute("UPDATE action_log SET status = 'succeeded', cost_usd = 1.5")
    text = api.get("/metrics").text
    assert "retrain_events_total 1.0" in text
    assert "reindex_events_total 0.0" in text
    assert "api_cost_usd_total 1.5" in text


def test_an_action_asked_for_is_made_once_and_can_be_found(
    actor: TestClient, connection: Connection, persisted: Persisted
) -> None:
    wish, key = {"reason": "refusals rose"}, {"Idempotency-Key": "monday"}
    made = actor.post("/drift/trigger-finetuning", json=wish, headers=key)
    again = actor.post("/drift/trigger-finetuning", json=wish, headers=key)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert actor.get(made.headers["location"]).json() == made.json()
    [listed] = actor.get("/actions?status=proposed").json()["items"]
    assert listed == made.json()["action"]
    assert listed["reason"] == "asked for by actor: refusals rose"
    other = actor.post("/drift/trigger-finetuning", json={"reason": "another"}, headers=key)
    assert "another request" in is_problem(other, 409)["detail"]
    soon = is_problem(actor.post("/drift/trigger-finetuning", json=wish), 409)
    assert "actions.cooldown_hours" in soon["detail"]
    forced = actor.post("/drift/trigger-finetuning", json=wish | {"force": True})
    assert forced.status_code == 201
    persisted.alerts([alert(1)])
    assert (
        actor.post("/drift/trigger-finetuning", json=wish | {"segment": alert(1).segment}).status_code == 201
    )
