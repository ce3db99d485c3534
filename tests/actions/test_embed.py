"""``drift-aware embed`` as the process it is: each interaction has one embedding, whatever dies or fails."""

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from drift_aware.actions.embedding.models import checked
from drift_aware.producers import Publisher
from drift_aware.schema.envelope import encode_rows
from drift_aware.schema.events import Embedding, Event
from drift_aware.schema.topics import EMBEDDINGS, INTERACTIONS
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import PARTITIONS
from rig.embeddings import Asked, Endpoint, broken, cut_off, dropped, says, vector_of
from rig.kafka import free_ports
from rig.records import records
from rig.services import wait_until
from rig_events import embedding, interaction, publish

Start = Callable[..., Command]
DIMENSIONS = 32
USD_PER_TOKEN = 20e-6
# Of ten tokens, by the estimate and by what the provider counts.
TEXT = "where is my parcel {:09}"


@pytest.fixture
def dimensions(request: pytest.FixtureRequest) -> int:
    """Of the provider's vectors; a test may ask for others."""
    return int(getattr(request, "param", DIMENSIONS))


@pytest.fixture
def provider(dimensions: int) -> Iterator[Endpoint]:
    with Endpoint(dimensions) as server:
        yield server


@pytest.fixture
def embed(start_command: Start, provider: Endpoint, kafka_broker: Broker, dimensions: int) -> Start:
    """Starts the verb, with further settings of its section."""
    model = {
        "kind": "endpoint",
        "base_url": provider.url,
        "model": "small",
        "dimensions": dimensions,
        "batch_texts": 20,
    }

    def start(*arguments: str, model: dict[str, Any] = model, **values: Any) -> Command:
        section = json.dumps({"wait_seconds": 0, "embedding": model} | values)
        prices = json.dumps({"small": {"embedding_per_million": USD_PER_TOKEN * 1e6}})
        bootstrap = kafka_broker.bootstrap
        return start_command("embed", *arguments, bootstrap=bootstrap, prices=prices, embed=section)

    return start


def asked(count: int) -> list[Event]:
    return [interaction(n, user_query=TEXT.format(n), session_id=f"s{n // 3}") for n in range(count)]


def sent(broker: Broker, events: Sequence[Event]) -> None:
    """As the Publisher sends them: on the partition of their session, packed."""
    with Publisher(broker.bootstrap, max_queued_events=len(events) + 1) as publisher:
        for event in events:
            publisher.publish(event)
        assert publisher.flush(30) == 0


def made(broker: Broker) -> list[Embedding]:
    found = [
        event
        for record in records(broker.bootstrap, EMBEDDINGS.name)
        for event in record.events("embedding")
        if isinstance(event, Embedding)
    ]
    return [event for event in found if event.model == "small"]


def owners(broker: Broker) -> Counter[str]:
    return Counter(str(event.interaction_id) for event in made(broker))


def exactly(count: int) -> Counter[str]:
    return Counter(f"i{n}" for n in range(count))


def spent(broker: Broker) -> float:
    """What is committed with the offsets, of all partitions."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "drift-aware-embed"})
    try:
        asked = [TopicPartition(INTERACTIONS.name, part) for part in range(PARTITIONS)]
        notes = [json.loads(each.metadata) for each in consumer.committed(asked, timeout=20) if each.metadata]
    finally:
        consumer.close()
    today = datetime.now(UTC).date().isoformat()
    return float(sum(note["state"]["usd"] for note in notes if note["state"]["day"] == today))


def metric(port: int, name: str) -> float:
    """The sum of a metric's series; nothing as long as nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    except OSError:
        return 0.0
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE))


def busy_for_a_moment(asked: Asked) -> None:
    asked.answer(429, {"error": {"message": "slow down"}}, Retry_After="0.2")


@pytest.mark.timeout(240)
def test_of_a_provider_that_fails_now_and_then_each_text_has_one_embedding_and_the_cost_is_right(
    kafka_broker: Broker, database_url: str, provider: Endpoint, embed: Start, start_command: Start
) -> None:
    events = asked(5000)
    sent(kafka_broker, events)
    lost: list[int] = []

    def noted(fault: Callable[[Asked], None]) -> Callable[[Asked], None]:
        def fail(asked: Asked) -> None:
            lost.append(len(provider.bodies[-1]["input"]))
            fault(asked)

        return fail

    provider.fail_sometimes(0.1, 7, broken, busy_for_a_moment, noted(cut_off), noted(dropped))
    (port,) = free_ports(1)
    run = embed("--prometheus-port", str(port))
    wait_until(lambda: metric(port, "drift_aware_embed_embeddings_total") == 5000, 200, run.shown)
    cost = metric(port, "drift_aware_embed_cost_usd_total")
    assert run.stop() == 0
    assert owners(kafka_broker) == exactly(5000)
    assert set(provider.embedded.values()) == {1}
    assert len(provider.bodies) > 260, "too few failures to test anything"
    # An answer that is lost may have to be paid, and is booked by its estimate.
    assert cost == pytest.approx((5000 + sum(lost)) * 10 * USD_PER_TOKEN)
    for event in made(kafka_broker)[:100]:
        number = int(str(event.interaction_id).removeprefix("i"))
        expected = checked([vector_of(TEXT.format(number), DIMENSIONS)], DIMENSIONS, "it")
        assert np.array_equal(np.frombuffer(event.vector, "<f2"), expected[0])  # type: ignore[arg-type]
    persist = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)
    for table in ("interaction_log", "embeddings_log"):
        wait_until(lambda: row(database_url, f"SELECT count(*) FROM {table}") == (5000,), 60, persist.shown)  # noqa: B023
    same = "SELECT count(*), count(DISTINCT interaction_id) FROM embeddings_log AS e"
    same += " JOIN interaction_log AS i ON i.id = e.interaction_id AND i.ts = e.ts"
    assert row(database_url, same) == (5000, 5000)


def row(url: str, statement: str) -> tuple[Any, ...] | None:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchone()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("dimensions", "count"),
    # The embeddings of one record of interactions fill one record, or three.
    [(DIMENSIONS, 3000), (1536, 1000)],
    indirect=["dimensions"],
)
def test_each_text_has_one_embedding_although_the_process_is_killed(
    kafka_broker: Broker, provider: Endpoint, embed: Start, count: int
) -> None:
    sent(kafka_broker, asked(count))
    provider.fail_sometimes(0.1, 11, broken, busy_for_a_moment, cut_off, dropped)
    seen = 0
    for _ in range(3):
        run = embed()
        wait_until(lambda: provider.embedded.total() > seen + 100, 60, run.shown)  # noqa: B023
        run.kill()
        seen = provider.embedded.total()
    assert len(owners(kafka_broker)) < count, "the kills came too late to test anything"
    run = embed("--once")
    assert run.wait(120) == 0, run.shown()
    assert owners(kafka_broker) == exactly(count)


@pytest.mark.timeout(180)
def test_two_processes_share_the_work(kafka_broker: Broker, embed: Start) -> None:
    first = embed()
    sent(kafka_broker, asked(1000))
    wait_until(lambda: owners(kafka_broker), 60, first.shown)
    second = embed()
    wait_until(lambda: "partitions assigned" in second.stderr, 60, second.shown)
    sent(kafka_broker, asked(2000)[1000:])
    wait_until(lambda: len(owners(kafka_broker)) == 2000, 60, second.shown)
    assert first.stop() == second.stop() == 0
    assert owners(kafka_broker) == exactly(2000)


def test_what_the_application_has_embedded_itself_is_left_alone(kafka_broker: Broker, embed: Start) -> None:
    events = asked(300)

    def own(numbers: range) -> list[Event]:
        return [
            embedding(n, session_id=f"s{n // 3}", model="theirs", interaction_id=f"i{n}") for n in numbers
        ]

    sent(kafka_broker, own(range(0, 300, 3)))
    sent(kafka_broker, events)
    run = embed("--once", wait_seconds=10)
    sent(kafka_broker, own(range(1, 300, 3)))
    assert run.wait(60) == 0, run.shown()
    assert owners(kafka_broker) == Counter(f"i{n}" for n in range(2, 300, 3))
    again = embed("--once", wait_seconds=10)
    assert again.wait(60) == 0
    assert owners(kafka_broker) == Counter(f"i{n}" for n in range(2, 300, 3))


def test_records_of_any_form_are_read_and_what_has_no_text_is_counted(
    kafka_broker: Broker, embed: Start
) -> None:
    one = encode_rows([interaction(1, user_query=TEXT.format(1))])
    values = [("a", one), ("b", b"no json"), ("c", b'{"id": "i2", "ts": 1772366400000}')]
    publish(kafka_broker.bootstrap, INTERACTIONS.name, values)
    (port,) = free_ports(1)
    run = embed("--prometheus-port", str(port))
    wait_until(lambda: metric(port, "drift_aware_embed_skipped_total") == 2, 60, run.shown)
    wait_until(lambda: owners(kafka_broker) == Counter(["i1"]), 60, run.shown)
    assert run.stop() == 0


def test_a_provider_that_comes_back_is_gone_on_with(
    kafka_broker: Broker, provider: Endpoint, embed: Start
) -> None:
    sent(kafka_broker, asked(50))
    provider.always(broken)
    model = {"kind": "endpoint", "base_url": provider.url, "model": "small", "dimensions": DIMENSIONS}
    run = embed(model=model | {"attempts": 2})
    wait_until(lambda: "ProviderAway" in run.stderr, 60, run.shown)
    assert run.exit_code is None
    assert owners(kafka_broker) == Counter()
    provider.fail_with()
    wait_until(lambda: len(owners(kafka_broker)) == 50, 60, run.shown)
    assert run.stop() == 0
    assert owners(kafka_broker) == exactly(50)


def test_a_text_the_provider_refuses_costs_no_other_its_embedding(
    kafka_broker: Broker, provider: Endpoint, embed: Start
) -> None:
    sent(kafka_broker, [*asked(50), interaction(50, user_query="far too long")])
    too_long = says(400, {"error": {"message": "maximum context length"}})
    provider.refuse("far too long", too_long)
    run = embed("--once")
    assert run.wait(60) == 0, run.shown()
    assert run.stdout == "published 50 x query; left out 1 x refused\n"
    assert owners(kafka_broker) == exactly(50)
    assert "maximum context length" in run.stderr


@pytest.mark.parametrize(
    ("fault", "model", "why"),
    [
        (says(401, {}), {}, "the key is not accepted"),
        (says(400, {"error": {"message": "no such model"}}), {}, "no such model"),
        (None, {"dimensions": 64}, "gave a vector of 32 numbers, and `dimensions` in the settings is 64"),
    ],
)
def test_wrong_settings_end_it_with_a_line_that_says_which(
    kafka_broker: Broker, provider: Endpoint, embed: Start, fault: Any, model: dict[str, Any], why: str
) -> None:
    sent(kafka_broker, asked(5))
    if fault is not None:
        provider.always(fault)
    settings = {"kind": "endpoint", "base_url": provider.url, "model": "small", "dimensions": DIMENSIONS}
    run = embed(model=settings | model)
    assert run.wait(60) == 1
    assert why in run.stderr
    assert owners(kafka_broker) == Counter()


def test_a_spent_budget_outlives_the_process(kafka_broker: Broker, embed: Start) -> None:
    sent(kafka_broker, asked(200))
    day = datetime.now(UTC).date()
    limited = partial(embed, "--once", budget_usd_per_day=100 * 10 * USD_PER_TOKEN)
    first = limited()
    assert first.wait(60) == 0, first.shown()
    had = len(owners(kafka_broker))
    sent(kafka_broker, asked(400)[200:])
    second = limited()
    assert second.wait(60) == 0
    if datetime.now(UTC).date() != day:
        pytest.skip("the day of the budget has ended meanwhile")
    assert first.stderr.count("budget spent") == 1
    assert 0 < had <= len(owners(kafka_broker)) <= 100
    assert spent(kafka_broker) <= 100 * 10 * USD_PER_TOKEN


def test_a_model_on_this_machine_embeds_too(
    kafka_broker: Broker, embed: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sentence_transformers.py").write_text(
        "import numpy\n\n\nclass SentenceTransformer:\n"
        "    def __init__(self, name):\n        assert name == 'small'\n\n"
        "    def encode(self, texts, **_):\n"
        "        return numpy.array([[len(text), 1] for text in texts], dtype='float32')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sent(kafka_broker, asked(120))
    run = embed(
        "--once", model={"kind": "local", "model": "small", "dimensions": 2}, kinds=["query", "response"]
    )
    assert run.wait(60) == 0, run.shown()
    assert run.stdout == "published 120 x query, 120 x response; left out nothing\n"
    assert owners(kafka_broker) == exactly(120) + exactly(120)
    assert {(event.kind, event.dim) for event in made(kafka_broker)} == {("query", 2), ("response", 2)}


def test_without_a_section_it_says_what_is_missing(start_command: Start) -> None:
    run = start_command("embed")
    assert run.wait(60) == 2
    assert "no section `embed`" in run.stderr
