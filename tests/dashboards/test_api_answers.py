"""Persons decide about actions over HTTP: in their token's name, once, and only where it fits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from drift_aware.actions import ledger
from drift_aware.actions.carrying import Carrier
from drift_aware.actions.foreground import carrier
from drift_aware.actions.policy import Decision, action_id
from drift_aware.schema.alerts import ActionStatus
from drift_aware.sql.store import Connection
from rig.api import ACTS, TOKENS, client, make_app
from rig.configuration import make_settings
from rig_events import alert

ID = action_id("a1", "tune")


@pytest.fixture
def proposed(connection: Connection) -> None:
    ledger.claim(connection, alert(1), Decision("tune", "proposed", "because"), dry_run=False)


@pytest.fixture
def actor(database_url: str) -> Iterator[TestClient]:
    with client(make_app(database_url), ACTS) as found:
        yield found


def ask(api: TestClient, verb: str, body: Any = None, action: str = ID) -> tuple[int, dict[str, Any]]:
    answer = api.post(f"/actions/{action}/{verb}", json=body)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()


def stands(connection: Connection) -> tuple[ActionStatus, int]:
    action = ledger.find(connection, ID).action
    return action.status, action.revision


@pytest.mark.usefixtures("proposed")
def test_who_approves_is_the_token_and_who_comes_second_is_told(actor: TestClient) -> None:
    status, entry = ask(actor, "approve", {"note": "before Monday"})
    assert (status, entry["action"]["status"], entry["approved_by"]) == (200, "approved", "actor")
    assert entry["action"]["reason"] == "approved by actor: before Monday"
    status, refused = ask(actor, "approve")
    assert (status, refused["status"]) == (409, 409)
    assert "was already approved by actor at " in refused["detail"]
    assert ask(actor, "reject")[0] == 200
    assert "was rejected: rejected by actor" in ask(actor, "approve")[1]["detail"]


@pytest.mark.usefixtures("proposed")
def test_a_body_may_be_left_out_but_not_say_who_decides(actor: TestClient, connection: Connection) -> None:
    assert ask(actor, "approve", {"by": "Ann"})[0] == 422
    assert ask(actor, "reject", {"note": "a\u0000b"})[0] == 422
    assert stands(connection) == ("proposed", 1)
    status, entry = ask(actor, "reject")
    assert (status, entry["action"]["reason"]) == (200, "rejected by actor")


@pytest.mark.usefixtures("proposed")
def test_what_nobody_has_answered_in_time_cannot_be_approved(
    actor: TestClient, connection: Connection
) -> None:
    connection.execute("UPDATE action_log SET expires_at = now() - interval '1 minute'")
    status, refused = ask(actor, "approve")
    assert status == 409
    assert "has expired" in refused["detail"]


@pytest.mark.parametrize("verb", ["approve", "reject", "rollback"])
def test_of_an_action_that_is_not_there_nothing_can_be_decided(actor: TestClient, verb: str) -> None:
    assert ask(actor, verb, action="nowhere")[0] == 404
    assert ask(actor, "settle", {"step": "upload", "done": True}, "nowhere")[0] == 404


def lose(connection: Connection) -> None:
    """Its first step may have been done, and nobody can tell."""
    connection.execute("UPDATE action_log SET status = 'unknown', dry_run = false")
    connection.execute(
        "INSERT INTO action_step (action_id, step, status, key, worker) "
        "VALUES (%s, 'upload', 'unknown', 'k', 'w')",
        [ID],
    )


@pytest.mark.usefixtures("proposed")
def test_a_step_of_unknown_outcome_is_settled_once(actor: TestClient, connection: Connection) -> None:
    found = {"step": "upload", "done": True, "result": {"file": "f7", "size": 7, "rate": 0.5, "new": None}}
    assert "no step of unknown outcome" in ask(actor, "settle", found)[1]["detail"]
    lose(connection)
    status, refused = ask(actor, "settle", found | {"step": "train"})
    assert (status, refused["detail"]) == (409, "not train: of unknown outcome is upload")
    status, entry = ask(actor, "settle", found | {"note": "seen"})
    assert (status, entry["action"]["status"]) == (200, "running")
    assert entry["action"]["reason"] == "actor says that upload was done: seen"
    [step] = entry["steps"]
    assert (step["settled_by"], step["status"], step["result"]) == ("actor", "done", found["result"])
    assert ask(actor, "settle", found)[0] == 409


@pytest.mark.usefixtures("proposed")
@pytest.mark.parametrize(
    "result",
    [b'{"a": NaN}', b'{"a": 1e300}', b'{"a": 99999999999999999999}', b'{"a": "\\u0000"}', b'{"a": {}}'],
)
def test_a_result_that_could_not_be_told_again_is_refused(
    actor: TestClient, connection: Connection, result: bytes
) -> None:
    lose(connection)
    body = b'{"step": "upload", "done": true, "result": ' + result + b"}"
    headers = {"Content-Type": "application/json"}
    assert actor.post(f"/actions/{ID}/settle", content=body, headers=headers).status_code == 422
    assert stands(connection) == ("unknown", 1)


def program(folder: Path, *, back: str = "true") -> dict[str, Any]:
    """Settings of a program that notes what it did, and takes it back."""
    done = folder / "done"
    return {
        "dry_run": False,
        "command": {
            "kind": "tune",
            "run": ["sh", "-c", f"echo once >> {done}"],
            "undo": ["sh", "-c", f"rm {done} && {back}"],
        },
    }


def carried(connection: Connection, database_url: str, actions: dict[str, Any]) -> None:
    settings = make_settings(database_url=database_url, actions=actions)
    worker: Carrier = carrier(settings, connection, ID)
    worker.claimant.take(connection, ID)
    assert worker.carry(ID).status == "succeeded"


@pytest.mark.usefixtures("proposed")
def test_what_was_done_is_taken_back_before_the_answer(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    actions = program(tmp_path)
    with client(make_app(database_url, actions=actions), ACTS) as actor:
        assert ask(actor, "rollback")[0] == 409
        assert ask(actor, "approve")[0] == 200
        carried(connection, database_url, actions)
        assert (tmp_path / "done").read_text() == "once\n"
        status, entry = ask(actor, "rollback", {"note": "harmed"})
        assert (status, entry["action"]["status"]) == (200, "rolled_back")
        assert entry["action"]["reason"].startswith("rolled back by actor (harmed): ")
        assert entry["undone_at"] is not None
        assert not (tmp_path / "done").exists()
        assert "has been rolled back" in ask(actor, "rollback")[1]["detail"]


@pytest.mark.usefixtures("proposed")
def test_what_cannot_be_taken_back_stands_as_before(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    actions = program(tmp_path, back="false")
    with client(make_app(database_url, actions=actions), ACTS) as actor:
        ask(actor, "approve")
        carried(connection, database_url, actions)
        before = stands(connection)
        assert ask(actor, "rollback")[0] == 409
        assert stands(connection) == before == ("succeeded", before[1])


@pytest.mark.usefixtures("proposed")
def test_nothing_is_taken_back_in_a_dry_run_or_without_what_carries_it_out(database_url: str) -> None:
    with client(make_app(database_url), ACTS) as actor:
        assert "actions.dry_run is on" in ask(actor, "rollback")[1]["detail"]
    with client(make_app(database_url, actions={"dry_run": False}), ACTS) as actor:
        status, refused = ask(actor, "rollback")
        assert status == 409
        assert refused["detail"]


def test_a_token_without_a_database_is_told_so() -> None:
    with client(make_app("postgresql://drift:hush@127.0.0.1:1/drift", tokens=TOKENS), ACTS) as actor:
        status, refused = ask(actor, "rollback")
    assert status == 503
    assert "hush" not in refused["detail"]
