"""The worker as a process: exact counts whatever happens to it, and a defined fate for all it reads."""

import contextlib
import json
import signal
import socket
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from confluent_kafka import Producer

from drift_aware.schema.envelope import COLUMNS, ROWS, encode_columns, encode_rows
from drift_aware.schema.events import Embedding, Event, Interaction
from drift_aware.schema.segments import ALL, segment
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import EMBEDDINGS, FEEDBACK, INTERACTIONS, dead_letters
from drift_aware.streams.embedded import EmbeddedBroker
from drift_aware.streams.reader import read_each
from drift_aware.streams.status import totals
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.kafka import free_ports
from rig.services import wait_until
from rig_events import embedding, feedback, interaction

StartCommand = Callable[..., Command]
PER_RECORD = 20
SECONDS = 90.0


def traffic(count: int, seed: int = 1) -> list[Event]:
    """Interactions of three segments with embeddings and feedback, ten milliseconds apart, ending now."""
    random, start = Random(seed), round(time.time() * 1000) - count * 10
    events: list[Event] = []
    for number in range(count):
        ts = start + number * 10
        model = random.choice(["large", "small", None])
        refusal = random.random() < 0.05
        events.append(interaction(number, ts=ts, model=model, refusal=refusal, toxicity=0.0, error=None))
        if number % 4 == 0:
            events.append(embedding(number, ts=ts))
        if number % 5 == 0:
            events.append(msgspec.structs.replace(feedback(number, app="shop"), ts=ts))
    return events


def records(events: list[Event]) -> Iterator[tuple[str, bytes, str]]:
    """Topic, value and content type of packed records, the kinds mixed as they would arrive."""
    packed: dict[type[Event], list[Event]] = defaultdict(list)
    for event in events:
        same = packed[type(event)]
        same.append(event)
        if len(same) == PER_RECORD:
            yield _record(same)
            same.clear()
    for rest in packed.values():
        if rest:
            yield _record(rest)


def _record(events: list[Event]) -> tuple[str, bytes, str]:
    if isinstance(events[0], Embedding):
        return EMBEDDINGS.name, encode_columns(events), COLUMNS
    topic = INTERACTIONS if isinstance(events[0], Interaction) else FEEDBACK
    return topic.name, encode_rows(events), ROWS


class Application:
    """Publishes records one after the other, as fast as it is asked to."""

    def __init__(self, broker: Broker, events: list[Event]) -> None:
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
        self._records = list(records(events))
        self._partitions = broker.partitions
        self._sent = 0

    def publish(self, share: float) -> None:
        """Go on until that share of everything is with the broker."""
        end = round(share * len(self._records))
        for number in range(self._sent, end):
            topic, value, form = self._records[number]
            self._producer.produce(
                topic, value, partition=number % self._partitions, headers={"content-type": form}
            )
        assert self._producer.flush(30) == 0
        self._sent = end


def expected(events: list[Event]) -> dict[str, dict[str, int]]:
    """The totals that ``status`` must show, counted the plain way."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        for name in {ALL, segment(event, ["app", "model"])}:
            assert name is not None
            kind = {"Interaction": "interactions", "Embedding": "embeddings", "Feedback": "feedback"}
            counts[name][kind[type(event).__name__]] += 1
            if isinstance(event, Interaction) and event.refusal:
                counts[name]["refusals"] += 1
    return {name: dict(counted) for name, counted in counts.items()}


def counted(settings: Settings, like: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """What ``status`` shows, of the names in ``like`` only."""
    found = totals(settings)
    return {name: {key: found.get(name, {}).get(key, 0) for key in wanted} for name, wanted in like.items()}


def some_counted(settings: Settings, at_least: int) -> Callable[[], bool]:
    return lambda: totals(settings)[ALL]["interactions"] >= at_least


@pytest.mark.timeout(240)
def test_every_event_counts_once_although_the_worker_is_killed_twice(
    broker: Broker, start_command: StartCommand
) -> None:
    events = traffic(12_000)
    wanted, settings = expected(events), make_settings(broker.bootstrap)
    application = Application(broker, events)
    worker = start_command("worker", bootstrap=broker.bootstrap)
    application.publish(0.3)
    wait_until(some_counted(settings, 1000), SECONDS, "the first counts")
    for share in (0.6, 0.9):
        application.publish(share - 0.15)
        worker.send(signal.SIGKILL)
        worker.wait()
        application.publish(share)
        worker = start_command("worker", bootstrap=broker.bootstrap)
        wait_until(some_counted(settings, round(12_000 * (share - 0.14))), SECONDS, worker.shown)
    application.publish(1.0)

    wait_until(lambda: counted(settings, wanted) == wanted, SECONDS, worker.shown)
    assert set(totals(settings)) == set(wanted)
    assert totals(settings)[ALL]["dead_letters"] == 0
    assert worker.stop() == 0
    assert counted(settings, wanted) == wanted


@pytest.mark.timeout(240)
def test_every_event_counts_once_while_a_second_worker_joins_and_leaves(
    kafka_broker: Broker, start_command: StartCommand
) -> None:
    events = traffic(12_000, seed=2)
    wanted, settings = expected(events), make_settings(kafka_broker.bootstrap)
    application = Application(kafka_broker, events)
    first = start_command("worker", bootstrap=kafka_broker.bootstrap)
    application.publish(0.3)
    wait_until(some_counted(settings, 1000), SECONDS, first.shown)
    second = start_command("worker", bootstrap=kafka_broker.bootstrap, prometheus_port=0)
    application.publish(0.6)
    wait_until(some_counted(settings, 7000), SECONDS, second.shown)
    second.send(signal.SIGKILL)
    second.wait()
    application.publish(1.0)

    wait_until(lambda: counted(settings, wanted) == wanted, SECONDS, first.shown)
    assert first.stop() == 0


BAD = {
    "not_json": b"drift",
    "wrong_type": b'{"id": 5, "ts": 1772366400000}',
    "bad_timestamp": b'{"id": "1", "ts": "yesterday"}',
    "future": msgspec.json.encode({"id": "1", "ts": 4_102_444_800_000}),
    "empty": None,
}
BAD_VECTORS = {
    "bad_vector": [
        b'{"id": "1", "ts": 1772366400000, "vector": "AAAAAA==", "dim": 3}',
        b'{"id": "1", "ts": 1772366400000, "vector": [0.0, 0.0]}',
        msgspec.json.encode(
            {"id": "1", "ts": 1772366400000, "vector": b"\x00\x7e\x00\x3c", "dtype": "float16"}
        ),
    ]
}
GOOD = [
    b'{"id": "1", "ts": "2026-03-01T12:00:00Z", "colour": "green"}',  # an unknown field
    b'{"id": "2", "ts": 1772366400}',  # as the smallest publisher writes it
    msgspec.json.encode({"id": "3", "ts": 1772366400000, "model_response": "x" * 900_000}),
]


@pytest.mark.timeout(180)
def test_what_cannot_be_used_is_dead_lettered_as_it_came_and_the_rest_is_counted(
    broker: Broker, start_command: StartCommand
) -> None:
    settings = make_settings(broker.bootstrap)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 2_000_000})
    for value in (*BAD.values(), *GOOD):
        producer.produce(INTERACTIONS.name, value, key=b"k", partition=1)
    for value in BAD_VECTORS["bad_vector"]:
        producer.produce(EMBEDDINGS.name, value, partition=2)
    mixed = b'[{"id": "4", "ts": 1772366400000}, {"id": 6}, {"id": "5", "ts": 1772366400000}]'
    producer.produce(INTERACTIONS.name, mixed, partition=0)
    assert producer.flush(30) == 0
    worker = start_command("worker", bootstrap=broker.bootstrap)

    def all_read() -> bool:
        found = totals(settings)[ALL]
        return found["interactions"] == 5 and found["dead_letters"] == 9

    wait_until(all_read, SECONDS, lambda: f"{totals(settings)} {worker.shown()}")
    buried = list(read_each(settings, dead_letters(INTERACTIONS).name))
    assert Counter(record.value for record in buried) == Counter(
        [*(value or b"" for value in BAD.values()), b'{"id": 6}']
    )
    vectors = [record.value for record in read_each(settings, dead_letters(EMBEDDINGS).name)]
    assert sorted(vectors, key=str) == sorted(BAD_VECTORS["bad_vector"], key=str)
    assert worker.exit_code is None


def test_the_worker_serves_what_it_counts_and_says_when_it_is_ready(
    embedded_broker: Broker, start_command: StartCommand
) -> None:
    (port,) = free_ports(1)
    worker = start_command("worker", bootstrap=embedded_broker.bootstrap, prometheus_port=port)
    Application(embedded_broker, traffic(400)).publish(1.0)

    def page() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    wait_until(lambda: "drift_aware_worker_ready 1.0" in page(), SECONDS, worker.shown)
    wait_until(
        lambda: f'drift_aware_records_total{{topic="{INTERACTIONS.name}"}} 20.0' in page(), SECONDS, page
    )
    for path in ("health", "ready"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            assert answer.status == 200
    lag = f'drift_aware_lag_records{{topic="{INTERACTIONS.name}"}} 0.0'
    wait_until(lambda: lag in page() and "drift_aware_segments 3.0" in page(), SECONDS, page)
    wait_until(lambda: 'drift_aware_state_rows{table="panes"}' in page(), SECONDS, page)


def test_a_worker_that_is_killed_leaves_nothing_behind(
    embedded_broker: Broker,
    start_command: StartCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    (port,) = free_ports(1)
    worker = start_command("worker", bootstrap=embedded_broker.bootstrap, prometheus_port=port)

    def ready() -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5))
        return False

    wait_until(ready, SECONDS, worker.shown)
    worker.send(signal.SIGKILL)
    worker.wait()
    assert list(folder.iterdir()) == []
    assert not list(Path.cwd().glob("drift-aware-*data*"))


def test_a_worker_without_an_address_says_what_to_set(start_command: StartCommand) -> None:
    worker = start_command("worker")
    assert worker.wait() == 2
    assert "KAFKA_BOOTSTRAP_SERVERS" in worker.stderr
    assert "Traceback" not in worker.stderr


def test_a_worker_that_reaches_no_broker_or_finds_no_topics_stops_with_one_line(
    start_command: StartCommand,
) -> None:
    (port,) = free_ports(1)
    alone = start_command("worker", bootstrap=f"127.0.0.1:{port}")
    with EmbeddedBroker({"something.else": 1}) as bare:
        unprepared = start_command("worker", bootstrap=bare.bootstrap)
        assert unprepared.wait() == 1
    assert alone.wait() == 1
    assert f"127.0.0.1:{port}" in alone.stderr.splitlines()[-1]
    assert unprepared.stderr.splitlines()[-1].endswith("run: drift-aware topics create")


def test_a_worker_stops_when_the_topics_have_another_number_of_partitions(
    embedded_broker: Broker, start_command: StartCommand
) -> None:
    worker = start_command("worker", bootstrap=embedded_broker.bootstrap, kafka__partitions=3)
    assert worker.wait() == 2
    assert "set kafka.partitions to it" in worker.stderr.splitlines()[-1]


def test_a_port_that_is_taken_stops_the_worker_with_one_line(
    embedded_broker: Broker, start_command: StartCommand
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        worker = start_command("worker", bootstrap=embedded_broker.bootstrap, prometheus_port=port)
        assert worker.wait() == 2
    assert worker.stderr.splitlines()[-1].endswith("set PROMETHEUS_PORT")
    assert "Traceback" not in worker.stderr


def test_status_of_an_empty_broker_is_zero(broker: Broker, start_command: StartCommand) -> None:
    status = start_command("status", "--json", bootstrap=broker.bootstrap)
    assert status.wait() == 0
    shown = json.loads(status.stdout)
    assert shown["segments"]["all"]["interactions"] == 0
    assert list(shown["segments"]) == ["all"]
