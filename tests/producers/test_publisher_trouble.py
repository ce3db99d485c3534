"""Whatever goes wrong, the application goes on and the events lost are counted."""

import ctypes
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from drift_aware.producers import Publisher
from drift_aware.producers.clients import Compression
from drift_aware.producers.drafts import Completion
from drift_aware.producers.sender import Sender
from drift_aware.producers.tally import Tally
from drift_aware.schema import topics
from drift_aware.schema.envelope import MAX_BYTES
from drift_aware.schema.events import Interaction
from drift_aware.streams.mock_cluster import MockCluster
from rig.brokers import Broker
from rig.kafka import KafkaServer, free_ports
from rig.records import records
from rig.services import wait_until

# Far above what a call costs, far below what waiting for a broker would.
PROMPT_SECONDS = 0.05


@contextmanager
def prompt(calls: int) -> Iterator[None]:
    start = time.perf_counter()
    yield
    assert time.perf_counter() - start < PROMPT_SECONDS + calls * 1e-4


def arrived(broker: Broker) -> list[str]:
    """The ids of the interactions on the broker, sorted."""
    found = [
        event
        for record in records(broker.bootstrap, topics.INTERACTIONS.name)
        for event in record.events("interaction")
    ]
    return sorted(event.id for event in found if isinstance(event, Interaction))


def nobody() -> str:
    return f"127.0.0.1:{free_ports(1)[0]}"


def test_without_a_broker_calls_return_at_once_and_what_is_lost_is_counted() -> None:
    addresses = [nobody(), "no-such-host.invalid:9092", "", "::::", "a b c"]
    publishers = [Publisher(address) for address in addresses]
    with prompt(calls=5 * 1000):
        for _ in range(1000):
            for publisher in publishers:
                publisher.interaction(user_query="hi")
    for publisher in publishers:
        publisher.flush(0.1)
    for publisher in publishers:
        publisher.close(0.1)
        assert publisher.queued == 0
        assert sum(publisher.dropped.values()) == 1000


def test_a_full_queue_drops_and_counts_what_does_not_fit() -> None:
    publisher = Publisher(nobody(), max_queued_events=100)
    with prompt(calls=1000):
        for _ in range(1000):
            publisher.interaction(user_query="hi")
    assert publisher.queued == 100
    publisher.close(0)
    assert publisher.dropped == {"queue_full": 900, "unsent": 100}


@pytest.mark.parametrize("client", [{"no.such.setting": "1"}, {"linger.ms": "soon"}, {3: 4}])
def test_impossible_settings_cost_the_events_and_raise_nothing(client: Mapping[Any, Any]) -> None:
    with Publisher("localhost:1", client=client, linger_ms=5) as publisher:
        publisher.interaction()
        assert publisher.flush(5) == 0
        assert publisher.dropped == {"bad_client": 1}


def test_a_broker_that_stays_away_costs_each_event_its_time_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Publisher(nobody(), client={"message.timeout.ms": 300}, linger_ms=5) as publisher:
        for _ in range(100):
            publisher.interaction(user_query="hi")
        wait_until(lambda: publisher.dropped == {"timeout": 100}, 20, lambda: str(publisher.stats))
        assert publisher.queued == 0
    assert "dropped 100 events (timeout 100)" in caplog.text


def test_events_published_while_the_broker_is_away_arrive_when_it_is_back(
    kafka_server: KafkaServer, kafka_broker: Broker
) -> None:
    client = {"reconnect.backoff.max.ms": 200}
    with Publisher(kafka_broker.bootstrap, client=client) as publisher:
        publisher.interaction(id="before")
        assert publisher.flush(20) == 0
        kafka_server.kill()
        with prompt(calls=500):
            for number in range(500):
                publisher.interaction(id=str(number))
        assert publisher.flush(0.1) == 500
        with Publisher(kafka_broker.bootstrap, client=client) as made_meanwhile:
            made_meanwhile.interaction(id="meanwhile")
            assert made_meanwhile.flush(0.1) == 1
            kafka_server.start()
            assert (publisher.flush(25), made_meanwhile.flush(25)) == (0, 0)
            assert (publisher.dropped, made_meanwhile.dropped) == ({}, {})
    assert arrived(kafka_broker) == sorted(["before", "meanwhile", *map(str, range(500))])


@pytest.fixture
def refusing_broker() -> Iterator[Callable[[str, int], str]]:
    """A broker that answers every question about a topic with an error: ``refusing_broker(topic, code)``."""
    cluster = MockCluster({topic.name: 4 for topic in topics.SOURCES.values()})

    def refuse(topic: str, code: int) -> str:
        cluster._call("rd_kafka_mock_topic_set_error", None, cluster._cluster, topic.encode(), code)
        return cluster.bootstrap

    yield refuse
    cluster.close()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "unknown_topic"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "forbidden"),
    ],
)
def test_a_topic_that_is_missing_or_forbidden_costs_its_own_events_only(
    refusing_broker: Callable[[str, int], str], code: int, reason: str
) -> None:
    bootstrap = refusing_broker(topics.FEEDBACK.name, code)
    client = {"topic.metadata.propagation.max.ms": 200}
    with Publisher(bootstrap, client=client, linger_ms=5) as publisher:
        for number in range(200):
            publisher.feedback(str(number), thumbs="up")
            publisher.interaction(id=str(number))
        wait_until(lambda: publisher.queued == 0, 20, lambda: str(publisher.stats))
        assert publisher.stats.delivered == 200
        assert publisher.dropped == {reason: 200}


class Refuser:
    """A librdkafka producer that accepts nothing any more."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.purged = False

    def produce(self, *_: object, **__: object) -> None:
        raise self.error

    def list_topics(self, *_: object, **__: object) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def poll(self, _: float) -> int:
        return 0

    def purge(self) -> None:
        self.purged = True


def sender(connect: Callable[[Compression], Any], log: logging.Logger) -> tuple[Sender, Tally]:
    tally = Tally(log)
    return Sender(connect, Completion({}, 100), tally, "test", 0.0), tally


def test_after_a_fatal_error_the_next_event_gets_a_new_producer() -> None:
    made: list[Refuser] = []

    def connect(_: Compression) -> Refuser:
        made.append(Refuser(KafkaException(KafkaError(KafkaError._FATAL, "fenced", fatal=True))))
        return made[-1]

    it, tally = sender(connect, logging.getLogger("test"))
    for _ in range(2):
        it.queue.append(("interaction", {"id": "1", "ts": 1_772_366_400_000}))
        it._turn()
    assert len(made) == 2
    assert made[0].purged
    assert tally.dropped == {"rejected": 2}
    assert it.queued() == 0


def test_a_publisher_told_not_to_linger_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    monkeypatch.setattr(Sender, "_turn", lambda sender: turns.append(1))
    with Publisher(nobody(), linger_ms=0) as publisher:
        publisher.interaction()
        assert publisher.flush(0.2) == 1
        publisher.close(0)
    assert 10 < len(turns) < 300


def test_a_full_librdkafka_drops_and_counts() -> None:
    it, tally = sender(lambda _: Refuser(BufferError("queue full")), logging.getLogger("test"))
    it.queue.extend([("interaction", {"id": "1", "ts": 1_772_366_400_000})] * 3)
    it._turn()
    assert tally.dropped == {"queue_full": 3}
    assert it.queued() == 0


def test_a_mistake_in_the_thread_costs_the_events_of_the_turn_and_not_the_thread() -> None:
    it, tally = sender(lambda _: Refuser(BufferError()), logging.getLogger("test"))
    it._send = lambda record: 1 / 0  # type: ignore[method-assign,assignment]
    it.queue.extend([("interaction", {"id": "1", "ts": 1_772_366_400_000})] * 3)
    it._turn()
    assert tally.dropped == {"internal": 3}
    assert it.queued() == 0


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


FORK = """
import os, sys, time
from drift_aware.producers import Publisher
publisher = Publisher(sys.argv[1], linger_ms=5)
publisher.interaction(id="parent-before")
publisher.embedding([1.0], id="parent-vector")
if sys.argv[2] == "flushed":
    assert publisher.flush(20) == 0
child = os.fork()
if child == 0:
    publisher.interaction(id="child")
    assert publisher.stats.dropped == {}
    if sys.argv[3] == "_exit":
        left = publisher.flush(20)
        os._exit(left)
    sys.exit(0)  # with the endings of the interpreter, which must send what is left and not hang
started = time.monotonic()
_, status = os.waitpid(child, 0)
assert status == 0, status
publisher.interaction(id="parent-after")
publisher.close(20)
assert publisher.dropped == {}, publisher.dropped
"""


@pytest.mark.parametrize("before", ["flushed", "waiting"])
@pytest.mark.parametrize("ending", ["_exit", "exit"])
def test_after_a_fork_parent_and_child_publish_each_for_itself(
    embedded_broker: Broker, before: str, ending: str
) -> None:
    ran = run(FORK, embedded_broker.bootstrap, before, ending)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert arrived(embedded_broker) == ["child", "parent-after", "parent-before"]


END = """
import sys
from drift_aware.producers import Publisher
def publish():
    publisher = Publisher(sys.argv[1])
    for number in range(500):
        publisher.interaction(id=str(number))
    return publisher.interaction
class Late:
    interaction = publish()  # and nothing else holds the publisher
    def __del__(self):
        self.interaction(id="too late")
sys.late = Late()  # goes when everything goes
publish()
"""


def test_the_end_of_the_interpreter_sends_what_is_left(embedded_broker: Broker) -> None:
    ran = run(END, embedded_broker.bootstrap)
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr
    assert arrived(embedded_broker) == sorted([*map(str, range(500))] * 2)


def test_the_end_of_the_interpreter_does_not_wait_long_for_a_broker_that_is_away() -> None:
    start = time.monotonic()
    ran = run(END, nobody())
    assert time.monotonic() - start < 10
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("unsent 500") == 2


def test_the_terminal_stays_clean() -> None:
    script = """
import logging, sys
logging.getLogger("drift_aware").addHandler(logging.NullHandler())
from drift_aware.producers import Publisher
publisher = Publisher(sys.argv[1], client={"message.timeout.ms": 300})
publisher.interaction()
publisher.flush(5)
"""
    ran = run(script, nobody())
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_passwords_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "app",
        "sasl.password": "hunter2-secret",
        "message.timeout.ms": 300,
    }
    with Publisher(nobody(), client=client) as publisher:
        publisher.interaction()
        wait_until(lambda: publisher.dropped == {"timeout": 1}, 10)
    assert "hunter2" not in caplog.text


def test_a_handler_that_raises_or_publishes_does_no_harm() -> None:
    log = logging.getLogger("drift_aware.producers")

    class Loop(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            publisher.interaction(bad_field=record.getMessage())  # type: ignore[call-arg]
            raise RuntimeError

    handler = Loop()
    log.addHandler(handler)
    try:
        publisher = Publisher(nobody(), linger_ms=5)
        publisher.interaction(bad_field=1)  # type: ignore[call-arg]
        wait_until(lambda: publisher.dropped.get("bad_event", 0) >= 2, 10)
        publisher.close(1)
    finally:
        log.removeHandler(handler)
    assert publisher.queued == 0


def refuse_first_records(cluster: MockCluster) -> None:
    """As just after a topic was created; and answers come late, so that more is sent meanwhile."""
    errors = (ctypes.c_int * 1)(KafkaError.NOT_LEADER_FOR_PARTITION)
    produce, once, broker, rtt_ms = ctypes.c_int16(0), ctypes.c_size_t(1), ctypes.c_int32(1), 100
    push = "rd_kafka_mock_push_request_errors_array"
    cluster._call(push, None, cluster._cluster, produce, once, errors)
    cluster._call("rd_kafka_mock_broker_set_rtt", ctypes.c_int, cluster._cluster, broker, rtt_ms)


def test_an_event_whose_partition_has_no_leader_yet_is_not_passed_over_by_the_next() -> None:
    cluster = MockCluster({topics.INTERACTIONS.name: 1})
    try:
        refuse_first_records(cluster)
        # Records of their own requests, all of which would be on their way before the first is refused.
        client = {"batch.num.messages": 1}
        with Publisher(cluster.bootstrap, client=client, linger_ms=5) as publisher:
            for number in range(4):
                publisher.interaction(id=str(number), model_response="x" * MAX_BYTES)
            assert publisher.flush(30) == 0
            delivered = publisher.stats.delivered
        assert arrived(Broker("embedded", cluster.bootstrap)) == ["0", "1", "2", "3"]
        assert delivered == 4
    finally:
        cluster.close()
