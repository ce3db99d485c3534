"""Spans of the real SDK to rows in Postgres, by HTTP and by a Collector's topic."""

import re
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from opentelemetry.exporter.otlp.proto.http import Compression

from rig.brokers import Broker
from rig.commands import Command
from rig.services import wait_until
from rig.telemetry import as_json, chat, evaluation, request, sender, tracing, write, written

Start = Callable[..., Command]
SPANS = 10_000
PER_RECORD = 100
EMBEDDED = {
    "openinference.span.kind": "EMBEDDING",
    "embedding.model_name": "small",
    "embedding.embeddings.0.embedding.vector": (0.5, 0.25, 1.0),
}


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def count(url: str) -> int:
    return int(rows(url, "SELECT count(*) FROM interaction_log")[0][0])


def listener(start_command: Start, broker: Broker, *arguments: str, **settings: Any) -> tuple[Command, str]:
    """The process, and its address."""
    process = start_command(
        "ingest", "otlp", "--listen", "127.0.0.1:0", *arguments, bootstrap=broker.bootstrap, **settings
    )
    found = wait_until(
        lambda: re.search(r"\"port\": (\d+), \"event\": \"listening for OTLP\"", process.stderr),
        60,
        process.shown,
    )
    assert found
    return process, f"http://127.0.0.1:{found[1]}"


def post(url: str, body: bytes) -> None:
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.status == 200


@pytest.fixture
def collector_topics(kafka_broker: Broker) -> Broker:
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
    for made in admin.create_topics([NewTopic(name, 4, 1) for name in ("otlp_spans", "otlp_logs")]).values():
        made.result()
    return kafka_broker


def collect(bootstrap: str, values: Sequence[bytes]) -> None:
    """Write as the Collector does: no key, no headers."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in values:
        producer.produce("otlp_spans", value)
    assert producer.flush(60) == 0


def assert_complete(database_url: str, spans: int) -> None:
    found = rows(database_url, "SELECT id, user_query, model_response FROM interaction_log")
    assert sorted(found) == sorted((f"r{n}", f"question {n}", f"answer {n}") for n in range(spans))


def test_every_span_of_a_real_sdk_becomes_a_row(
    kafka_broker: Broker, database_url: str, start_command: Start
) -> None:
    process, url = listener(start_command, kafka_broker)
    persist = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)
    with tracing(sender(url)) as tracer:
        for number in range(SPANS // 2):
            write(tracer, chat(number))
    with tracing(sender(url, Compression.NoCompression)) as tracer:
        for number in range(SPANS // 2, SPANS):
            write(tracer, chat(number))
    wait_until(lambda: count(database_url) >= SPANS, 60, persist.shown)
    assert process.stop() == 0
    assert persist.stop() == 0
    assert_complete(database_url, SPANS)
    segments = rows(database_url, "SELECT DISTINCT app, model, prompt_version FROM interaction_log")
    assert segments == [("shop", "gpt-small", "7")]


def test_every_kind_of_event_gets_to_its_table(
    kafka_broker: Broker, database_url: str, start_command: Start
) -> None:
    process, url = listener(start_command, kafka_broker)
    persist = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)
    with tracing(sender(url)) as tracer:
        write(tracer, chat(1))
        write(tracer, EMBEDDED)
    post(f"{url}/v1/logs", evaluation("relevance", score_value=0.8))
    post(f"{url}/v1/logs", evaluation("user_feedback", score_value=4.0, explanation="nice"))
    tables = {
        "SELECT id FROM interaction_log": [("r1",)],
        "SELECT dim, model FROM embeddings_log": [(3, "small")],
        "SELECT eval_set, score FROM evaluation_log": [("relevance", 0.8)],
        "SELECT interaction_id, score, comment FROM feedback_log": [("r1", 4.0, "nice")],
    }
    for statement, expected in tables.items():
        wait_until(lambda query=statement: rows(database_url, query), 60, persist.shown)  # type: ignore[misc]
        assert rows(database_url, statement) == expected
    assert process.stop() == 0


def test_every_span_on_a_collectors_topic_becomes_one_row_although_the_process_is_killed(
    collector_topics: Broker, database_url: str, start_command: Start
) -> None:
    broker = collector_topics
    made = written(*(chat(number) for number in range(SPANS)))
    requests = [request(made[first : first + PER_RECORD]) for first in range(0, SPANS, PER_RECORD)]
    values = [
        as_json(each) if number % 2 else each.SerializeToString() for number, each in enumerate(requests)
    ]
    persist = start_command("persist", bootstrap=broker.bootstrap, database_url=database_url)
    collect(broker.bootstrap, [*values[:50], b"no telemetry"])
    first = start_command("ingest", "otlp", bootstrap=broker.bootstrap)
    wait_until(lambda: count(database_url) > 0, 60, first.shown)
    first.kill()
    assert count(database_url) < SPANS // 2, "the kill came too late to test anything"
    collect(broker.bootstrap, values[50:])
    second = start_command("ingest", "otlp", bootstrap=broker.bootstrap)
    wait_until(lambda: count(database_url) >= SPANS, 60, second.shown)
    assert second.stop() == 0
    assert persist.stop() == 0
    assert_complete(database_url, SPANS)
    assert "not_otlp" in first.stderr + second.stderr
