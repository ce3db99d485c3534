"""The exactly-once consumer, in this process: fences, lost records, brokers that go away."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from drift_aware.schema.errors import RecordsLost
from drift_aware.schema.topics import ALERTS, Topic
from drift_aware.sql import positions, store
from drift_aware.sql.consumer import ExactlyOnceConsumer
from drift_aware.sql.errors import DatabaseRefused, Fenced
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from rig.brokers import Broker
from rig.configuration import make_settings
from rig.kafka import KafkaServer
from rig.services import wait_until
from rig_events import publish

NAME = "test"


class Notebook:
    """Work that writes each value into a table, and can be told to stumble."""

    def __init__(self) -> None:
        self.stumbles: list[Exception] = []
        self.commits = 0
        self.prepared = threading.Event()

    def prepare(self, connection: Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS note (value text)")
        self.prepared.set()

    def handle(self, connection: Connection, records: Sequence[Record]) -> None:
        for record in records:
            assert record.value is not None
            connection.execute("INSERT INTO note VALUES (%s)", [record.value.decode()])
        if self.stumbles:
            raise self.stumbles.pop()

    def committed(self) -> None:
        self.commits += 1


class Running:
    """A consumer in a thread, and how it ended."""

    def __init__(
        self,
        bootstrap: str,
        url: str,
        work: Notebook,
        *,
        topics: Sequence[Topic] = (ALERTS,),
        skip_lost: bool = False,
    ) -> None:
        self.retries: list[str] = []
        self.ended: Exception | None = None
        self.stop = threading.Event()
        self.consumer = ExactlyOnceConsumer(
            make_settings(bootstrap, url),
            NAME,
            topics,
            work,
            retried=self.retries.append,
            skip_lost=skip_lost,
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.consumer.run(self.stop)
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.ended = error


@contextmanager
def running(bootstrap: str, url: str, work: Notebook, **options: Any) -> Iterator[Running]:
    thing = Running(bootstrap, url, work, **options)
    try:
        yield thing
    finally:
        thing.stop.set()
        thing.thread.join(60)
        assert not thing.thread.is_alive()


def notes(url: str) -> list[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('note')").fetchone() == (None,):
            return []
        return sorted(value for (value,) in connection.execute("SELECT value FROM note"))


def put(bootstrap: str, first: int, end: int) -> list[str]:
    values = [f"{n:05}" for n in range(first, end)]
    publish(bootstrap, ALERTS.name, [(value, value.encode()) for value in values])
    return values


def test_a_first_start_begins_at_the_oldest_record(broker: Broker, database_url: str) -> None:
    values = put(broker.bootstrap, 0, 300)
    with running(broker.bootstrap, database_url, Notebook()):
        wait_until(lambda: notes(database_url) == values)
    with store.connect(database_url, "test") as connection:
        after = positions.next_offsets(connection, NAME)
    assert sum(after.values()) == 300
    assert len(after) == broker.partitions


@pytest.mark.parametrize(
    "stumble", [psycopg.OperationalError("gone"), psycopg.errors.ReadOnlySqlTransaction("failover")]
)
def test_what_fails_half_way_is_rolled_back_and_done_again(
    kafka_broker: Broker, database_url: str, stumble: Exception
) -> None:
    work = Notebook()
    work.stumbles = [stumble, stumble]
    values = put(kafka_broker.bootstrap, 0, 100)
    with running(kafka_broker.bootstrap, database_url, work) as thing:
        wait_until(lambda: notes(database_url) == values)
    assert len(thing.retries) == 2
    assert thing.ended is None


def test_an_error_of_the_work_itself_ends_the_consumer(embedded_broker: Broker, database_url: str) -> None:
    work = Notebook()
    work.stumbles = [psycopg.errors.UndefinedTable("a mistake")]
    put(embedded_broker.bootstrap, 0, 1)
    with running(embedded_broker.bootstrap, database_url, work) as thing:
        thing.thread.join(30)
    assert isinstance(thing.ended, DatabaseRefused)
    assert str(thing.ended) == "Postgres refuses what test asks: a mistake"
    assert notes(database_url) == []


def test_a_zombie_is_fenced_and_its_rows_are_not_written(database_url: str) -> None:
    partition = ("topic", 0)
    with store.connect(database_url, "owner") as owner, store.connect(database_url, "zombie") as zombie:
        zombie.execute("CREATE TABLE note (value text)")
        positions.begin(zombie, NAME, partition, 10)
        entered, outcome = threading.Event(), []

        def rise() -> None:
            try:
                with zombie.transaction():
                    entered.set()
                    positions.advance(zombie, NAME, {partition: (10, 20)})
                    zombie.execute("INSERT INTO note VALUES ('zombie')")
            except Fenced:
                outcome.append("fenced")

        thread = threading.Thread(target=rise)
        with owner.transaction():
            positions.advance(owner, NAME, {partition: (10, 15)})
            owner.execute("INSERT INTO note VALUES ('owner')")
            # The zombie now waits for this transaction, and then finds the position moved.
            thread.start()
            assert entered.wait(10)
        thread.join(10)
        assert outcome == ["fenced"]
        assert positions.next_offsets(owner, NAME) == {partition: 15}
    assert notes(database_url) == ["owner"]


def test_a_consumer_that_was_overtaken_leaves_the_batch_and_goes_on_behind_it(
    embedded_broker: Broker, database_url: str
) -> None:
    first = put(embedded_broker.bootstrap, 0, 50)
    with running(embedded_broker.bootstrap, database_url, Notebook()) as thing:
        wait_until(lambda: notes(database_url) == first)
        with psycopg.connect(database_url) as other:
            # As if another process had already stored the next record of every partition.
            other.execute("UPDATE kafka_offset SET next = next + 1")
        put(embedded_broker.bootstrap, 50, 100)
        wait_until(lambda: "Fenced" in thing.retries)
        wait_until(lambda: len(notes(database_url)) == 100 - embedded_broker.partitions, 60)
    assert len(set(notes(database_url))) == 100 - embedded_broker.partitions


def test_positions_of_two_consumers_do_not_meet(database_url: str) -> None:
    with store.connect(database_url, "test") as connection:
        positions.begin(connection, "one", ("t", 0), 5)
        assert positions.begin(connection, "one", ("t", 0), 9) == 5
        assert positions.next_offsets(connection, "two") == {}


def test_records_lost_to_retention_are_loud(broker: Broker, database_url: str) -> None:
    put(broker.bootstrap, 0, 100)
    with store.connect(database_url, "test") as connection:
        for part in range(broker.partitions):
            positions.begin(connection, NAME, (ALERTS.name, part), 1_000_000)
    with running(broker.bootstrap, database_url, Notebook()) as thing:
        thing.thread.join(30)
    assert isinstance(thing.ended, RecordsLost)
    assert "go on at offset 1000000 of drift.alerts.v1/" in str(thing.ended)
    assert "--skip-lost" in str(thing.ended)


def test_lost_records_are_skipped_when_told_so(broker: Broker, database_url: str) -> None:
    values = put(broker.bootstrap, 0, 100)
    with store.connect(database_url, "test") as connection:
        positions.begin(connection, NAME, (ALERTS.name, 0), 1_000_000)
    with running(broker.bootstrap, database_url, Notebook(), skip_lost=True):
        wait_until(lambda: notes(database_url) == values, 60)


def test_a_broker_that_comes_back_is_gone_on_with(
    kafka_server: KafkaServer, kafka_broker: Broker, database_url: str
) -> None:
    first = put(kafka_broker.bootstrap, 0, 100)
    with running(kafka_broker.bootstrap, database_url, Notebook()) as thing:
        wait_until(lambda: notes(database_url) == first)
        kafka_server.stop()
        kafka_server.start()
        more = put(kafka_broker.bootstrap, 100, 200)
        wait_until(lambda: notes(database_url) == first + more, 60, lambda: str(thing.retries))
    assert thing.ended is None


def test_a_broker_that_is_not_there_yet_is_waited_for_and_stopping_is_quick(database_url: str) -> None:
    work = Notebook()
    with running("127.0.0.1:1", database_url, work) as thing:
        assert work.prepared.wait(10)
        thing.stop.set()
        thing.thread.join(10)
        assert not thing.thread.is_alive()
    assert thing.ended is None


def test_a_missing_topic_is_waited_for(kafka_broker: Broker, database_url: str) -> None:
    late = Topic(f"late.{uuid.uuid4().hex}", "value")
    with running(kafka_broker.bootstrap, database_url, Notebook(), topics=[late]) as thing:
        wait_until(lambda: "KafkaTrouble" in thing.retries)
        admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
        admin.create_topics([NewTopic(late.name, 1, 1)])[late.name].result()
        publish(kafka_broker.bootstrap, late.name, [("k", b"found")])
        wait_until(lambda: notes(database_url) == ["found"], 60, lambda: str(thing.retries))
