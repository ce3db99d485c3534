"""The relay on a real Kafka: killed, joined by others, fenced, without its broker."""

import json
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from drift_aware.producers import relay
from drift_aware.producers.relay import Relay
from drift_aware.producers.relayed import MARK_HEADER, read_mark, read_note
from drift_aware.producers.work import Received
from drift_aware.schema.errors import RecordsLost, Unreachable
from drift_aware.schema.events import Event, Feedback, Interaction
from rig.brokers import Broker
from rig.configuration import make_settings
from rig.kafka import KafkaServer
from rig.processes import stands_still
from rig.records import Record, records
from rig.relaying import NAME, Numbers, events_of
from rig.services import wait_until
from rig_events import publish

ROOT = Path(__file__).parents[2]
SEED = 20261121
PARTITIONS = 4
_NOT_YET = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)


def name_of(event: Event) -> str:
    if isinstance(event, Feedback):
        return f"feedback {event.interaction_id}"
    assert isinstance(event, Interaction)
    return event.id


def outputs(bootstrap: str) -> list[Record]:
    return [*records(bootstrap, "drift.interactions.v1"), *records(bootstrap, "drift.feedback.v1")]


def there(bootstrap: str) -> Counter[str]:
    """How often each event is on the topics it belongs to."""
    found = [
        *(e for r in records(bootstrap, "drift.interactions.v1") for e in r.events("interaction")),
        *(e for r in records(bootstrap, "drift.feedback.v1") for e in r.events("feedback")),
    ]
    return Counter(map(name_of, found))


def expected(numbers: Sequence[int]) -> Counter[str]:
    return Counter(name_of(event) for number in numbers for event in events_of(number))


def put(bootstrap: str, topic: str, numbers: Sequence[int]) -> None:
    publish(bootstrap, topic, [(str(number), str(number).encode()) for number in numbers])


def committed(bootstrap: str, topic: str) -> int:
    """The sum of the committed offsets; 0 as long as a broker that has just begun does not know them yet."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"drift-aware-{NAME}"})
    try:
        asked = [TopicPartition(topic, each) for each in range(PARTITIONS)]
        return sum(max(0, each.offset) for each in consumer.committed(asked, timeout=10))
    except KafkaException as error:
        if error.args[0].code() in _NOT_YET:
            return 0
        raise
    finally:
        consumer.close()


def noted(bootstrap: str, topic: str) -> int:
    """The earliest of the times that are committed; 0 if there is none yet."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"drift-aware-{NAME}"})
    try:
        asked = [TopicPartition(topic, each) for each in range(PARTITIONS)]
        return min(read_note(each.metadata).since_ms for each in consumer.committed(asked, timeout=10))
    finally:
        consumer.close()


@pytest.fixture
def topic(kafka_broker: Broker) -> str:
    """An input topic of its own."""
    name = f"numbers.{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result()
    return name


class Running:
    """A relay in a thread, and how it ended."""

    def __init__(self, bootstrap: str, topic: str, work: Numbers, **options: Any) -> None:
        self.retries: list[str] = []
        self.ended: Exception | None = None
        self.stop = threading.Event()
        self.relay = Relay(
            make_settings(bootstrap), NAME, [topic], work, retried=self.retries.append, **options
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.relay.run(self.stop)
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.ended = error


@contextmanager
def running(bootstrap: str, topic: str, work: Numbers | None = None, **options: Any) -> Iterator[Running]:
    thing = Running(bootstrap, topic, work or Numbers(), **options)
    try:
        yield thing
    finally:
        thing.stop.set()
        thing.thread.join(60)
        assert not thing.thread.is_alive()


@contextmanager
def process(bootstrap: str, topic: str, **fate: object) -> Iterator[subprocess.Popen[bytes]]:
    """A relay in a process of its own; ``fate`` as in ``rig.relaying``."""
    given = {"bootstrap": bootstrap, "topic": topic, "die_at": 0, "part": 1.0, "sleeps": False} | fate
    started = subprocess.Popen([sys.executable, "-m", "rig.relaying", json.dumps(given)], cwd=ROOT / "tests")
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def test_each_record_gives_its_events_once_marked_with_where_it_came_from(
    kafka_broker: Broker, topic: str
) -> None:
    numbers = range(300)
    put(kafka_broker.bootstrap, topic, numbers)
    with running(kafka_broker.bootstrap, topic):
        wait_until(lambda: committed(kafka_broker.bootstrap, topic) == 300)
    assert there(kafka_broker.bootstrap) == expected(numbers)
    marks = [read_mark(NAME, record.headers[MARK_HEADER]) for record in outputs(kafka_broker.bootstrap)]
    assert None not in marks
    assert len(set(marks)) == len(marks)


def test_nothing_is_lost_or_doubled_by_processes_that_die_between_sending_and_committing(
    kafka_broker: Broker, topic: str
) -> None:
    chance = random.Random(SEED)
    numbers = range(1_000)
    put(kafka_broker.bootstrap, topic, numbers)
    for part in (1.0, 0.5, 0.1):
        with process(kafka_broker.bootstrap, topic, die_at=chance.randint(2, 8), part=part) as dying:
            assert dying.wait(60) < 0, "it came to its end alive"
    assert committed(kafka_broker.bootstrap, topic) < 1_000, "the kills came too late to test anything"
    work = Numbers()
    with running(kafka_broker.bootstrap, topic, work):
        wait_until(lambda: committed(kafka_broker.bootstrap, topic) == 1_000, 60)
    assert there(kafka_broker.bootstrap) == expected(numbers)


def test_nothing_is_lost_or_doubled_while_processes_come_and_are_killed(
    kafka_broker: Broker, topic: str
) -> None:
    bootstrap, chance, total = kafka_broker.bootstrap, random.Random(SEED), 0
    with running(bootstrap, topic, batch_records=5):
        for _ in range(3):
            put(bootstrap, topic, range(total, total + 500))
            goal, total = total + chance.randint(100, 400), total + 500
            with process(bootstrap, topic) as other:
                wait_until(lambda goal=goal: committed(bootstrap, topic) >= goal, 60)  # type: ignore[misc]
                assert other.poll() is None
        wait_until(lambda: committed(bootstrap, topic) == total, 60)
    assert there(bootstrap) == expected(range(total))


def test_a_process_that_stood_still_sends_nothing_of_what_others_have_taken_over(
    kafka_broker: Broker, topic: str
) -> None:
    bootstrap = kafka_broker.bootstrap
    put(bootstrap, topic, range(1_000))
    with process(bootstrap, topic, sleeps=True) as sleeper:
        wait_until(lambda: stands_still(sleeper.pid), 60)
        assert committed(bootstrap, topic) > 0
        with running(bootstrap, topic):
            wait_until(lambda: committed(bootstrap, topic) == 1_000, 60)
        sleeper.send_signal(signal.SIGCONT)
        # Alone now, it goes on.
        put(bootstrap, topic, range(1_000, 1_100))
        wait_until(lambda: committed(bootstrap, topic) == 1_100, 60)
    assert there(bootstrap) == expected(range(1_100))


def test_the_time_that_is_looked_through_from_stays_close_in_quiet_partitions_too(
    kafka_broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "NOTE_SECONDS", 0.1)
    with running(kafka_broker.bootstrap, topic):
        before = wait_until(lambda: noted(kafka_broker.bootstrap, topic))
        put(kafka_broker.bootstrap, topic, [1])
        wait_until(lambda: noted(kafka_broker.bootstrap, topic) > before)


def test_a_new_relay_may_begin_behind_the_newest_record(kafka_broker: Broker, topic: str) -> None:
    put(kafka_broker.bootstrap, topic, range(100))
    work = Numbers()
    with running(kafka_broker.bootstrap, topic, work, start="latest"):
        assert work.ready.wait(30)
        wait_until(lambda: committed(kafka_broker.bootstrap, topic) == 100)
        put(kafka_broker.bootstrap, topic, range(100, 200))
        wait_until(lambda: committed(kafka_broker.bootstrap, topic) == 200)
    assert there(kafka_broker.bootstrap) == expected(range(100, 200))


def test_the_state_is_there_again_after_a_restart(kafka_broker: Broker, topic: str) -> None:
    for round_number in (1, 2):
        work = Numbers()
        put(kafka_broker.bootstrap, topic, range(100))
        with running(kafka_broker.bootstrap, topic, work):
            wait_until(lambda goal=100 * round_number: committed(kafka_broker.bootstrap, topic) == goal)  # type: ignore[misc]
        assert sum(work.seen.values()) == 100 * round_number


class Faltering(Numbers):
    """Needs a service that is away for the first calls."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def outputs(self, records: Sequence[Received]) -> list[list[Event]]:
        self.calls -= 1
        if self.calls >= 0:
            raise Unreachable("the provider is away")
        return super().outputs(records)


def test_what_the_work_needs_and_does_not_answer_is_waited_out(kafka_broker: Broker, topic: str) -> None:
    put(kafka_broker.bootstrap, topic, range(100))
    with running(kafka_broker.bootstrap, topic, Faltering(2)) as thing:
        wait_until(lambda: committed(kafka_broker.bootstrap, topic) == 100, 60)
    assert thing.retries == ["Unreachable", "Unreachable"]
    assert there(kafka_broker.bootstrap) == expected(range(100))


def test_a_broker_that_comes_back_is_gone_on_with(
    kafka_server: KafkaServer, kafka_broker: Broker, topic: str
) -> None:
    bootstrap = kafka_broker.bootstrap
    put(bootstrap, topic, range(300))
    with running(bootstrap, topic, batch_records=5) as thing:
        wait_until(lambda: committed(bootstrap, topic) > 0)
        kafka_server.kill()
        kafka_server.start()
        put(bootstrap, topic, range(300, 600))
        wait_until(lambda: committed(bootstrap, topic) == 600, 90, lambda: str(thing.retries))
    assert there(bootstrap) == expected(range(600))


def test_outputs_that_are_there_are_not_made_again(kafka_broker: Broker, topic: str) -> None:
    put(kafka_broker.bootstrap, topic, range(40))
    with process(kafka_broker.bootstrap, topic, die_at=1) as dying:
        dying.wait(60)
    paid = len(outputs(kafka_broker.bootstrap))
    assert paid
    work = Numbers()
    with running(kafka_broker.bootstrap, topic, work):
        wait_until(lambda: committed(kafka_broker.bootstrap, topic) == 40, 60)
    assert len(work.asked) < 40
    assert there(kafka_broker.bootstrap) == expected(range(40))


def test_records_lost_to_retention_are_loud_and_skipped_when_told_so(
    kafka_broker: Broker, topic: str
) -> None:
    bootstrap = kafka_broker.bootstrap
    put(bootstrap, topic, range(100))
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"drift-aware-{NAME}"})
    consumer.commit(offsets=[TopicPartition(topic, 0, 1_000_000)], asynchronous=False)
    consumer.close()
    with running(bootstrap, topic) as thing:
        thing.thread.join(30)
    assert isinstance(thing.ended, RecordsLost)
    assert f"go on at offset 1000000 of {topic}/0" in str(thing.ended)
    assert "--skip-lost" in str(thing.ended)
    with running(bootstrap, topic, skip_lost=True):
        wait_until(lambda: committed(bootstrap, topic) == 100, 60)
    assert there(bootstrap) == expected(range(100))
