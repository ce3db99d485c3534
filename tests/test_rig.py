"""The rig itself: each test has its own broker and database, and nothing is left running."""

import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from drift_aware.schema import topics
from drift_aware.sql.embedded import EmbeddedPostgres
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import environment, make_settings
from rig.kafka import KafkaServer, KafkaUnavailable, jars
from rig.postgres import fresh_database
from rig.processes import alive
from rig.services import missing, wait_until


def _consumed(bootstrap: str, group: str) -> bytes | None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    try:
        consumer.subscribe([topics.ALERTS.name])
        message = wait_until(lambda: consumer.poll(0.2), 20, "a record")
        assert message is not None
        consumer.commit(message=message, asynchronous=False)
        return message.value()
    finally:
        consumer.close()


# Twice: the second run finds the broker as the first one found it.
@pytest.mark.parametrize("value", [b"first", b"second"])
def test_a_record_makes_the_round_trip_on_a_broker_nobody_has_used(broker: Broker, value: bytes) -> None:
    there = topics.existing(make_settings(broker.bootstrap))
    assert {name: n for name, n in there.items() if not name.startswith("__")} == {
        topic.name: broker.partitions for topic in topics.TOPICS
    }
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(topics.ALERTS.name, value)
    assert producer.flush(20) == 0
    assert _consumed(broker.bootstrap, "rig") == value


def test_kafka_comes_back_at_the_same_address_with_its_records(
    kafka_server: KafkaServer, kafka_broker: Broker
) -> None:
    producer = Producer(
        {"bootstrap.servers": kafka_broker.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200}
    )
    for end in (kafka_server.stop, kafka_server.kill):
        producer.produce(topics.ALERTS.name, b"before", partition=0)
        assert producer.flush(20) == 0
        end()
        kafka_server.start()
    consumer = Consumer({"bootstrap.servers": kafka_broker.bootstrap, "group.id": "g"})
    try:
        # Right after a start a partition has no leader for a moment.
        wait_until(lambda: edges(consumer) == (0, 2), 30.0, lambda: str(edges(consumer)))
    finally:
        consumer.close()


def edges(consumer: Consumer) -> tuple[int, int] | None:
    """The first and the next offset, None while nobody answers."""
    try:
        return consumer.get_watermark_offsets(TopicPartition(topics.ALERTS.name, 0), timeout=20)
    except KafkaException:
        return None


def test_a_fresh_database_is_dropped_even_while_somebody_is_connected(
    postgres_server: EmbeddedPostgres,
) -> None:
    with fresh_database(postgres_server.url) as url:
        connection = psycopg.connect(url)
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    connection.close()


def test_a_migrated_database_has_the_tables_and_no_rows(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM interaction_log").fetchone() == (0,)


def test_nothing_of_the_desk_reaches_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://desk")
    monkeypatch.setenv("DRIFT_AWARE_PANE_SECONDS", "77")
    child = environment("localhost:1", limits__min_samples=5)
    assert "DATABASE_URL" not in child
    assert "DRIFT_AWARE_PANE_SECONDS" not in child
    assert child["DRIFT_AWARE_LIMITS__MIN_SAMPLES"] == "5"


def test_a_command_runs_a_verb_and_keeps_what_it_says(
    start_command: Callable[..., Command], embedded_broker: Broker
) -> None:
    command = start_command("topics", "list", "--json", bootstrap=embedded_broker.bootstrap)
    assert command.wait() == 0, command.shown()
    assert len(command.stdout.splitlines()) == len(topics.TOPICS)
    assert '"partitions":4' in command.stdout


def test_a_killed_command_is_reaped(start_command: Callable[..., Command]) -> None:
    command = start_command("topics", "create", bootstrap="127.0.0.1:1")
    assert alive(command.pid)
    command.kill()
    assert command.exit_code == -signal.SIGKILL
    assert not alive(command.pid)


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_service_skips_at_a_desk_and_fails_in_ci(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no Java"):
        missing("no Java")


def test_without_java_the_reason_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match="openjdk-17-jre-headless"):
        jars()


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: three"):
        wait_until(lambda: False, 0.05, lambda: "three")
