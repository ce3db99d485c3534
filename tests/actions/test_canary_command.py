"""``drift-aware canary`` as the process it is: from the endpoint to a row in Postgres, and to an action."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from drift_aware.schema.envelope import encode_rows
from drift_aware.schema.segments import ALL
from drift_aware.streams.status import totals
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.provider import KEY, Provider
from rig.services import wait_until
from rig_events import interaction, publish

Start = Callable[..., Command]
TEXTS = ["one", "two", "three"]
SECONDS = 90.0


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        provider.answers["small"] = lambda prompt: f"An answer to {prompt}"
        yield provider


def asked(provider: Provider, **more: Any) -> dict[str, str]:
    endpoint = {"base_url": provider.url, "model": "small"}
    sections = {"chat": json.dumps(endpoint), "embedding": json.dumps(endpoint | {"texts": TEXTS})}
    return {f"canary__{name}": str(value) for name, value in (sections | more).items()}


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def once(start: Start, *arguments: str, **values: Any) -> list[dict[str, Any]]:
    command = start("canary", *arguments, "--json", openai_api_key=KEY, **values)
    assert command.wait(SECONDS) == 0, command.shown()
    return [json.loads(line) for line in command.stdout.splitlines()]


@pytest.mark.timeout(400)
def test_from_the_endpoint_to_an_alert_in_the_record_and_the_action_it_leads_to(
    kafka_broker: Broker, database_url: str, start_command: Start, provider: Provider
) -> None:
    places = {"bootstrap": kafka_broker.bootstrap, "database_url": database_url}
    choices = asked(provider, learn_probes=3) | {"bootstrap": kafka_broker.bootstrap}
    start_command("worker", pane_seconds=1, allowed_lateness_seconds=0, **places)
    start_command("persist", **places)
    start_command("act", **places)
    publish(kafka_broker.bootstrap, "drift.interactions.v1", [("s", _row(number)) for number in range(20)])
    for _ in range(3):
        _, *last = once(start_command, "--once", **choices)
    assert {(each["canary"], each["steady"], each["firing"]) for each in last} == {
        ("answers", 12, False),
        ("embedding", 3, False),
    }
    provider.reported = "other"
    provider.answers["small"] = lambda prompt: f"Une réponse : {prompt}"
    provider.vectors = lambda text: [-1.0, float(len(text))]
    for _ in range(2):
        _, *last = once(start_command, "--once", **choices)
    assert {each["firing"] for each in last} == {True}

    alerts = "SELECT metric, status, summary FROM drift_events ORDER BY metric"
    found = wait_until(lambda: _two(rows(database_url, alerts)), SECONDS)
    assert [(metric, status) for metric, status, _ in found] == [
        ("canary_answers", "firing"),
        ("canary_embedding", "firing"),
    ]
    assert found[1][2].startswith("3 of 3 fixed strings have moved since ")
    assert found[1][2].endswith("; the API now reports model other, not small.")
    actions = "SELECT action FROM action_log WHERE metric = 'canary_embedding' ORDER BY action"
    wait_until(lambda: rows(database_url, actions) == [("notify",), ("reindex",)], SECONDS)
    for table, number in (("evaluation_log", 60), ("embeddings_log", 15)):
        statement = f"SELECT count(*), bool_and(canary) FROM {table}"
        wait_until(lambda: rows(database_url, statement) == [(number, True)], SECONDS)  # noqa: B023

    # The worker has seen them, and counts them nowhere else.
    settings = make_settings(kafka_broker.bootstrap)
    wait_until(lambda: totals(settings)[ALL].get("canaries") == 75, SECONDS, lambda: str(totals(settings)))
    counted = totals(settings)[ALL]
    assert (counted["interactions"], counted["embeddings"], counted["evaluations"]) == (20, 0, 0)
    assert counted["dead_letters"] == 0

    accepted = once(start_command, "accept", **choices)
    assert {(each["learned"], each["firing"]) for each in accepted} == {(0, False)}
    wait_until(lambda: {status for _, status, _ in rows(database_url, alerts)} == {"resolved"}, SECONDS)


def _row(number: int) -> bytes:
    return encode_rows([interaction(number)])


def _two(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return found if len(found) == 2 else []


def test_a_dry_run_sends_nothing_and_says_what_it_would_and_what_that_costs(
    start_command: Start, provider: Provider
) -> None:
    prices = json.dumps(
        {"small": {"input_per_million": 1, "output_per_million": 1, "embedding_per_million": 1}}
    )
    *questions, last = once(start_command, "--dry-run", prices=prices, **asked(provider))
    assert [each["canary"] for each in questions] == ["answers"] * 12 + ["embedding"] * 3
    assert last["every_minutes"] == 60
    # Twelve answers of at most 64 tokens, 24 times; the prompts come on top.
    assert 12 * 64 * 24 / 1e6 < last["most_usd_per_day"] < 0.05
    assert provider.requests == []


def test_a_price_that_is_not_known_is_said(start_command: Start, provider: Provider) -> None:
    command = start_command("canary", "--dry-run", **asked(provider))
    assert command.wait() == 0
    assert command.stdout.splitlines()[-1].startswith("cost a day: unknown, prices says nothing of small")


def test_nobody_to_ask_is_a_setting_that_is_missing(start_command: Start) -> None:
    command = start_command("canary", "--dry-run")
    assert command.wait() == 2
    assert command.stderr.endswith("there is nobody to ask; set canary.chat or canary.embedding\n")


def test_a_file_of_prompts_that_cannot_be_used_is_named_with_the_line(
    start_command: Start, provider: Provider, tmp_path: Path
) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"name": "a", "prompt": "b"}\n{"name": "a"}\n')
    chat = json.dumps({"base_url": provider.url, "model": "small", "file": str(file)})
    command = start_command("canary", "--dry-run", canary__chat=chat)
    assert command.wait() == 2
    assert f"{file}, line 2: Object missing required field `prompt`" in command.stderr


def test_nothing_to_accept_is_said(embedded_broker: Broker, start_command: Start) -> None:
    command = start_command("canary", "accept", bootstrap=embedded_broker.bootstrap)
    assert command.wait() == 1
    assert command.stderr.endswith("there are no answers yet; run drift-aware canary\n")


def test_an_endpoint_that_refuses_ends_a_single_round_with_exit_code_1_and_shows_no_key(
    embedded_broker: Broker, start_command: Start, provider: Provider
) -> None:
    command = start_command(
        *("canary", "--once"),
        bootstrap=embedded_broker.bootstrap,
        openai_api_key="sk-not-this-one",
        **asked(provider),
    )
    assert command.wait(SECONDS) == 1
    assert "check the API key" in command.stderr
    assert "sk-not-this-one" not in command.shown()


def test_it_goes_round_until_it_is_told_to_stop(
    embedded_broker: Broker, start_command: Start, provider: Provider
) -> None:
    command = start_command(
        "canary", bootstrap=embedded_broker.bootstrap, openai_api_key=KEY, **asked(provider)
    )
    wait_until(lambda: '"round": 1' in command.stderr, SECONDS, command.shown)
    assert command.stop() == 0
