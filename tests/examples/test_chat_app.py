"""The example as a person would run it: a process, a real Kafka, and what Postgres has of it in the end."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import environment
from rig.kafka import free_ports
from rig.services import wait_until
from rig_events import alert, publish_alerts

FOLDER = Path(__file__).parents[2] / "examples" / "chat_app"
QUESTION = "Where is my parcel?"
ANSWER = f"You ask: {QUESTION} I shall find out."


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> str:
    """The address of a Kafka; that of none if the test says so."""
    if getattr(request, "param", "there") == "away":
        return "127.0.0.1:1"
    broker: Broker = request.getfixturevalue("kafka_broker")
    return broker.bootstrap


@pytest.fixture
def application(kafka: str, tmp_path: Path) -> Iterator[httpx2.Client]:
    """A client of the application, which runs; it ends well in time, whatever has become of Kafka."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(FOLDER), "--port", str(port), "app:app"]
    log = tmp_path / "uvicorn.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment(kafka), stdout=file, stderr=file)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: _answers(client), 30, log.read_text)
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM), log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def _answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/alerts").status_code == 200
    except httpx2.TransportError:
        return False


def test_what_is_asked_answered_and_thought_arrives_in_postgres(
    application: httpx2.Client, kafka: str, database_url: str, start_command: Callable[..., Command]
) -> None:
    session = {"X-Session-Id": "s-1842"}
    answered = application.post("/chat", json={"text": QUESTION}, headers=session)
    named = answered.json()["interaction_id"]
    assert answered.json()["answer"] == ANSWER
    assert answered.headers["X-Interaction-Id"] == named
    streamed = application.post("/stream", json={"text": QUESTION}, headers=session)
    assert streamed.text.split() == ANSWER.split()
    opinion = {"interaction_id": named, "thumbs": "down"}
    assert application.post("/feedback", json=opinion).status_code == 204

    process = start_command("persist", bootstrap=kafka, database_url=database_url)
    both = [(each, QUESTION, ANSWER, "s-1842") for each in (named, streamed.headers["X-Interaction-Id"])]
    wait_until(lambda: _rows(database_url, CHATS) == both, 60, process.shown)
    wait_until(lambda: _rows(database_url, THUMBS) == [(named, "down", QUESTION)], 60, process.shown)
    wait_until(lambda: len(_rows(database_url, VECTORS)) == 2, 60, process.shown)


def test_alerts_are_shown_in_their_latest_revision(application: httpx2.Client, kafka: str) -> None:
    publish_alerts(kafka, [alert(1), alert(2), alert(2, revision=2, status="resolved")])
    shown = wait_until(lambda: _alerts(application), 30)
    wait_until(lambda: [each["id"] for each in _alerts(application)] == [alert(1).id], 30)
    assert shown[0]["summary"] == alert(1).summary


@pytest.mark.parametrize("kafka", ["away"], indirect=True)
def test_it_answers_and_ends_without_kafka(application: httpx2.Client) -> None:
    assert application.post("/chat", json={"text": QUESTION}).json()["answer"] == ANSWER


CHATS = "SELECT id, user_query, rtrim(model_response), session_id FROM interaction_log ORDER BY ts, id"
THUMBS = "SELECT interaction_id, thumbs, user_query FROM interaction_feedback"
VECTORS = "SELECT id FROM embeddings_log"


def _rows(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def _alerts(application: httpx2.Client) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = application.get("/alerts").json()
    return shown
