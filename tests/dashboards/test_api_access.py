"""Who may ask for what: every route has a rule, and every rule holds."""

import hashlib
import json
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from drift_aware.dashboards.api.access import Access, require_safe
from drift_aware.schema.api import Token
from drift_aware.schema.errors import SettingsError
from rig.api import ACTOR, ACTS, READER, READS, TOKENS, client, make_app
from rig.commands import Command

# Every route and the scope it asks for; a new one has to be entered here.
RULES = {
    ("GET", "/health"): None,
    ("GET", "/ready"): None,
    ("GET", "/metrics"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/segments"): "read",
    ("GET", "/drift/metrics"): "read",
    ("GET", "/drift/summary"): "read",
    ("POST", "/drift/check"): "read",
    ("GET", "/alerts"): "read",
    ("GET", "/alerts/{alert_id}"): "read",
    ("GET", "/events"): "read",
    ("GET", "/actions"): "read",
    ("GET", "/actions/{action_id}"): "read",
    ("GET", "/"): None,
    ("GET", "/page/{name}"): None,
    ("GET", "/live/overview"): "read",
    ("GET", "/live/series"): "read",
    ("GET", "/live/alerts/{alert_id}"): "read",
    ("GET", "/live/map"): "read",
    ("GET", "/live/events"): "read",
    ("POST", "/drift/trigger-finetuning"): "act",
    ("POST", "/actions/{action_id}/approve"): "act",
    ("POST", "/actions/{action_id}/reject"): "act",
    ("POST", "/actions/{action_id}/settle"): "act",
    ("POST", "/actions/{action_id}/rollback"): "act",
}
BODIES = {
    "/drift/check": {"window_days": 7},
    "/drift/trigger-finetuning": {"reason": "because", "force": True},
    "/actions/{action_id}/settle": {"step": "upload", "done": True},
}
ONLY_ACTS = {"name": "robot", "token": "a-token-that-only-acts", "scopes": ["act"]}


@pytest.fixture
def app(database_url: str) -> FastAPI:
    return make_app(database_url, tokens=[*TOKENS, ONLY_ACTS])


@pytest.fixture
def nobody(app: FastAPI) -> Iterator[TestClient]:
    with client(app, {}) as found:
        yield found


@pytest.fixture
def opened(database_url: str) -> Iterator[TestClient]:
    """A client of an API without tokens."""
    with client(make_app(database_url, tokens=[]), {}) as found:
        yield found


def ask(api: TestClient, method: str, path: str, headers: dict[str, str] | None = None) -> int:
    answer = api.request(
        method,
        path.format(alert_id="a", action_id="a", name="main.js"),
        json=BODIES.get(path),
        headers=headers,
    )
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    return answer.status_code


def test_every_route_has_a_rule(app: FastAPI) -> None:
    routes = {
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == set(RULES)


@pytest.mark.parametrize(("method", "path"), RULES)
def test_a_route_lets_in_whom_it_may(method: str, path: str, nobody: TestClient) -> None:
    scope = RULES[method, path]
    refused = {
        None: set(),
        "read": {"nobody", "wrong", "basic", "robot"},
        "act": {"nobody", "wrong", "basic", "reader"},
    }
    sent = {
        "nobody": {},
        "wrong": {"Authorization": "Bearer a-token-nobody-knows"},
        "basic": {"Authorization": f"Basic {ACTOR}"},
        "robot": {"Authorization": f"Bearer {ONLY_ACTS['token']}"},
        "reader": READS,
        "actor": ACTS,
    }
    for who, headers in sent.items():
        status = ask(nobody, method, path, headers)
        wanted = {401} if who in ("nobody", "wrong", "basic") else {403}
        assert (status in wanted) if who in refused[scope] else (status in (200, 201, 404)), who


def test_a_refusal_says_how_to_be_let_in(nobody: TestClient) -> None:
    assert nobody.get("/alerts").headers["www-authenticate"] == "Bearer"
    wrong = nobody.get("/alerts", headers={"Authorization": "Bearer x"})
    assert wrong.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    answer = nobody.post("/drift/trigger-finetuning", headers=READS, json={"reason": "x"})
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="act"'


@pytest.mark.parametrize(("method", "path"), RULES)
def test_without_tokens_reading_is_open_and_nothing_else(method: str, path: str, opened: TestClient) -> None:
    for headers in ({}, READS, ACTS):
        status = ask(opened, method, path, headers)
        assert status == 401 if RULES[method, path] == "act" else status in (200, 404)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0"])
def test_without_tokens_a_page_whose_name_resolves_to_here_reads_nothing(
    opened: TestClient, host: str
) -> None:
    assert ask(opened, "GET", "/alerts", {"Host": f"{host}:8080"}) == 403


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "127.0.0.2"])
def test_without_tokens_this_machine_may_read_by_any_of_its_names(opened: TestClient, host: str) -> None:
    assert ask(opened, "GET", "/alerts", {"Host": host}) == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "example.org", ""])
def test_without_tokens_it_does_not_listen_where_others_can_come(host: str) -> None:
    with pytest.raises(SettingsError, match=r"set api\.tokens"):
        require_safe(Access([]), host)
    require_safe(Access([Token(name="a", sha256="0" * 64)]), host)


def test_a_token_may_be_known_by_its_hash_alone(database_url: str) -> None:
    digest = hashlib.sha256(READER.encode()).hexdigest()
    with client(make_app(database_url, tokens=[{"name": "x", "sha256": digest}])) as api:
        assert api.get("/alerts").status_code == 200
        assert api.get("/alerts", headers={"Authorization": f"Bearer {digest}"}).status_code == 401


def test_the_token_verb_makes_what_the_settings_take(
    start_command: Callable[..., Command], database_url: str
) -> None:
    made = start_command("token", "ops", "--act", "--json")
    assert made.wait() == 0, made.shown()
    told = json.loads(made.stdout)
    secret = told.pop("token")
    assert told["scopes"] == ["read", "act"]
    with client(make_app(database_url, tokens=[told]), {"Authorization": f"Bearer {secret}"}) as api:
        assert api.get("/alerts").status_code == 200
    shown = start_command("token", "viewer")
    assert shown.wait() == 0
    assert "scopes: [read]" in shown.stdout
    bad = start_command("token", "two words")
    assert bad.wait() == 2
    assert len(bad.stderr.splitlines()) == 1


def test_a_token_without_a_value_is_an_error_of_serve_alone(database_url: str) -> None:
    with pytest.raises(SettingsError, match=r"the token ops .* has no value"):
        make_app(database_url, tokens=[{"name": "ops", "token": None}])


def test_who_writes_too_often_waits_and_others_do_not(database_url: str) -> None:
    now = [1000.0]
    app = make_app(database_url, rate_limit_per_minute=2, clock=lambda: now[0])
    with client(app) as api:
        statuses = [ask(api, "POST", "/drift/check") for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert api.post("/drift/check", json={}).headers["retry-after"] == "30"
        assert ask(api, "POST", "/drift/check", ACTS) == 200
        assert ask(api, "GET", "/alerts") == 200
        now[0] += 30
        assert [ask(api, "POST", "/drift/check") for _ in range(2)] == [200, 429]


def test_pages_of_other_sites_get_nothing_unless_they_are_named(database_url: str) -> None:
    asks = {"Origin": "https://board.example", "Access-Control-Request-Method": "POST"}
    with client(make_app(database_url)) as api:
        assert "access-control-allow-origin" not in api.get("/alerts", headers=asks).headers
        assert api.options("/drift/check", headers=asks).status_code == 405
    with client(make_app(database_url, cors_origins=["https://board.example"])) as api:
        answer = api.options("/drift/check", headers=asks)
        assert answer.headers["access-control-allow-origin"] == "https://board.example"
        other = api.get("/alerts", headers={"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers


def test_every_answer_carries_the_headers_that_browsers_heed(nobody: TestClient) -> None:
    for path in ("/health", "/alerts", "/none", "/openapi.json"):
        headers = nobody.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
