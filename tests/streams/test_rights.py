"""Every role works with the rights that docs/kafka.md names, and no more."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from drift_aware.producers import Publisher
from drift_aware.producers.simulate.lines import line
from drift_aware.schema import topics
from drift_aware.schema.envelope import encode_rows
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.segments import ALL
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ACTIONS, INTERACTIONS
from drift_aware.streams.reader import read_all
from drift_aware.streams.status import totals
from rig.commands import Command
from rig.configuration import make_settings
from rig.provider import KEY, Provider
from rig.rights import grant
from rig.secure_kafka import NOBODIES, PASSWORD, SecureKafka
from rig.services import wait_until
from rig_events import alert, interaction, publish_alerts

EVENTS = 40
# All but one interaction have an embedding; for that one nobody answers.
_MODEL = {"kind": "endpoint", "base_url": "http://127.0.0.1:1/v1", "model": "other", "dimensions": 2}
_EMBED = json.dumps({"embedding": _MODEL, "wait_seconds": 1})
_PRICES = json.dumps({"other": {"embedding_per_million": 0}})


def _as(principal: str, server: SecureKafka) -> dict[str, Any]:
    return {
        "bootstrap_servers": server.addresses["SASL_PLAINTEXT"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": principal,
        "sasl_password": PASSWORD,
    }


@pytest.mark.timeout(180)
def test_every_role_works_with_the_rights_that_are_documented(
    secure_kafka: SecureKafka, database_url: str, start_command: Callable[..., Command], tmp_path: Path
) -> None:
    def run(principal: str, *arguments: str, **settings: str) -> Command:
        variables = {f"kafka__{name}": value for name, value in _as(principal, secure_kafka).items()}
        return start_command(*arguments, database_url=database_url, **variables, **settings)

    secure_kafka.clear()
    assert set(grant(secure_kafka.bootstrap)) == set(NOBODIES)
    settings = make_settings(kafka=_as("topics", secure_kafka))
    wait_until(lambda: _complete(settings), 30, "the rights to be in force")
    topics.require(settings)

    roles = [
        run("worker", "worker"),
        run("baseline", "baseline", "watch"),
        run("persist", "persist"),
        run("act", "act"),
        run("embed", "embed", embed=_EMBED, prices=_PRICES),
    ]
    app = make_settings(kafka=_as("app", secure_kafka)).kafka
    with Publisher(str(app.bootstrap_servers), client=app.client()) as publisher:
        for number in range(EVENTS):
            publisher.interaction(id=f"i{number}", user_query="where is it?", model_response="here")
            publisher.embedding([1.0, number], interaction_id=f"i{number}", model="small")
        assert publisher.flush(20) == 0
        assert publisher.dropped == {}
    file = tmp_path / "events.jsonl"
    file.write_bytes(line(interaction(EVENTS + 1)))
    _done(run("app", "publish", str(file)))
    publish_alerts(secure_kafka.bootstrap, [alert(1, metric="refusal_rate", severity="critical")])

    def shown() -> str:
        return "\n".join(role.shown() for role in roles)

    reader = make_settings(kafka=_as("reader", secure_kafka))
    wait_until(lambda: totals(reader)[ALL]["interactions"] == EVENTS + 1, 60, shown)
    wait_until(lambda: read_all(make_settings(secure_kafka.bootstrap), ACTIONS.name), 30, shown)
    with psycopg.connect(database_url, autocommit=True) as connection:
        wait_until(lambda: _count(connection) == EVENTS + 1, 30, shown)
    alerts = run("reader", "alerts", "--json")
    assert alerts.wait() == 0
    assert json.loads(alerts.stdout)["id"] == "a1"
    assert run("reader", "baseline", "list").wait() == 0
    _bury(secure_kafka.bootstrap)
    assert "not_json" in _done(run("dlq", "dlq", "list", "--json"))
    assert "not_json" in _done(run("dlq", "dlq", "show", f"{INTERACTIONS.name}:0:0:0", "--json"))
    _done(run("dlq", "dlq", "replay", "--yes"))
    wait_until(lambda: totals(reader)[ALL]["interactions"] == EVENTS + 2, 60, shown)
    pinned = run("baseline", "baseline", "pin", "--from", _hour(-1), "--to", _hour(1))
    assert pinned.wait() == 0
    with Provider() as provider:
        asked = json.dumps({"base_url": provider.url, "api_key": KEY, "model": "small"})
        _done(run("canary", "canary", "--once", canary__embedding=asked))
    for role in roles:
        assert role.stop() == 0
        assert "authoriz" not in role.stderr.lower()


def _bury(bootstrap: str) -> None:
    """A dead letter that is good now."""
    producer = Producer({"bootstrap.servers": bootstrap})
    said = {"topic": INTERACTIONS.name, "partition": "0", "offset": "0", "index": "0", "reason": "not_json"}
    headers: dict[str, str | bytes | None] = {f"drift.errors.{name}": value for name, value in said.items()}
    letter = encode_rows([interaction(EVENTS)])
    producer.produce(topics.dead_letters(INTERACTIONS).name, letter, headers=headers)
    assert producer.flush(10) == 0


def _done(command: Command) -> str:
    assert command.wait() == 0, command.shown()
    return command.stdout


def _complete(settings: Settings) -> bool:
    """Create the topics; a right just granted is not yet known everywhere in the broker."""
    with suppress(Unreachable):
        topics.create(settings)
        return topics.TOPICS[-1].name in topics.existing(settings)
    return False


def _hour(offset: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=offset)).isoformat()


def _count(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM interaction_log").fetchone()
    assert row is not None
    return int(row[0])
