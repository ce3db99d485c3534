"""``drift-aware simulate``: when events leave, where they go, and what is said of them."""

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from threading import Event as Flag
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from drift_aware.producers.simulate.lines import line
from drift_aware.producers.simulate.pace import as_they_are_taken, in_their_time, limited
from drift_aware.producers.simulate.recovery import helped
from drift_aware.producers.simulate.scenarios import SCENARIOS
from drift_aware.producers.simulate.traffic import events
from drift_aware.schema.envelope import decode
from drift_aware.schema.events import KINDS, Event, Interaction, milliseconds
from drift_aware.schema.topics import ACTIONS, SOURCES
from drift_aware.streams.reader import read_each
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import environment, make_settings
from rig.kafka import free_ports
from rig.services import wait_until
from rig_events import NOON

StartCommand = Callable[..., Command]
WHEN = ("--begin", "2026-03-01T12:00:00Z")


@pytest.fixture(scope="module", autouse=True)
def without_a_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Started first and looked at last, because it asks for its broker for ten seconds."""
    variables = environment(f"127.0.0.1:{free_ports(1)[0]}")
    with Command(("simulate",), variables, tmp_path_factory.mktemp("without_a_broker")) as command:
        yield command


def told() -> Iterator[Event]:
    return events(SCENARIOS["baseline"], seed=7, rate=50, start_ms=NOON, change_at=0)


def delivered(broker: Broker) -> tuple[Counter[str], list[float]]:
    """How many events of each kind lie on the broker, and how old each was when it came there."""
    counts: Counter[str] = Counter()
    ages: list[float] = []
    for kind, topic in SOURCES.items():
        for record in read_each(make_settings(broker.bootstrap), topic.name):
            found = decode(kind, record.value, record.content_type)
            assert found.dead == []
            counts[kind] += len(found.events)
            ages += [(record.appended_ms or 0) - milliseconds(event.ts) for event in found.events]
    return counts, ages


@pytest.mark.parametrize("interactions", [0, 1, 50])
def test_a_limit_is_of_interactions_and_keeps_what_comes_with_the_last(interactions: int) -> None:
    found = list(limited(told(), interactions))
    assert sum(isinstance(event, Interaction) for event in found) == interactions
    assert found == list(islice(told(), len(found)))
    assert isinstance(next(islice(told(), len(found), None)), Interaction)


def test_without_a_limit_it_goes_on() -> None:
    assert len(list(islice(limited(told(), None), 5000))) == 5000


def test_events_leave_when_their_time_has_come() -> None:
    clock = count(NOON, 3)
    seen: list[int] = []

    def now_ms() -> float:
        seen.append(next(clock))
        return seen[-1]

    for event in islice(in_their_time(told(), Flag(), now_ms), 20):
        assert milliseconds(event.ts) <= seen[-1]
        assert seen[-1] - milliseconds(event.ts) < 30


def test_whoever_waits_for_the_next_event_stops_at_once_when_told() -> None:
    stop = Flag()

    def now_ms() -> float:
        stop.set()
        return NOON - 3_600_000

    assert list(in_their_time(told(), stop, now_ms)) == []


def test_being_told_to_stop_ends_it_even_when_the_next_event_is_due() -> None:
    stop = Flag()
    paced = in_their_time(told(), stop, lambda: NOON + 1e9)
    assert len(list(islice(paced, 400))) == 400
    stop.set()
    assert list(paced) == []


def test_a_full_queue_is_waited_for() -> None:
    waiting = [5_000, 5_000, 0]
    taken = as_they_are_taken(islice(told(), 50), Flag(), lambda: waiting.pop(0), 1_000)
    assert len(list(taken)) == 50
    assert waiting == []


def test_the_queue_never_holds_more_than_it_may() -> None:
    queue = most = 0

    def queued() -> int:
        nonlocal queue
        queue = max(0, queue - 30)  # somebody takes a few whenever it is looked at
        return queue

    for _ in as_they_are_taken(islice(told(), 2000), Flag(), queued, 500):
        queue += 1
        most = max(most, queue)
    assert most <= 500


def test_a_queue_that_stays_full_can_be_stopped() -> None:
    stop = Flag()

    def queued() -> int:
        stop.set()
        return 10_000

    assert list(as_they_are_taken(told(), stop, queued, 1_000)) == []


def test_a_file_is_the_story_line_by_line_and_each_line_reads_as_its_event(
    tmp_path: Path, start_command: StartCommand
) -> None:
    file = tmp_path / "story.jsonl"
    command = start_command("simulate", "--events", "300", "--out", str(file), *WHEN, "--json")
    assert command.wait() == 0, command.shown()
    story = events(SCENARIOS["drift"], seed=7, rate=20, start_ms=NOON, change_at=4000)
    counts: Counter[str] = Counter()
    lines = file.read_bytes().splitlines(keepends=True)
    for written, event in zip(lines, limited(story, 300), strict=True):
        assert written == line(event)
        kind = json.loads(written)["type"]
        assert (KINDS[type(event)], decode(kind, written).events) == (kind, [event])
        counts[kind] += 1
    assert json.loads(command.stdout) == {"published": counts, "dropped": {}}
    assert counts["interaction"] == 300


def test_a_story_on_stdout_leaves_the_summary_to_stderr(start_command: StartCommand) -> None:
    command = start_command("simulate", "--seconds", "2", "--rate", "10", "--out", "-", *WHEN)
    assert command.wait() == 0, command.shown()
    types = Counter(json.loads(text)["type"] for text in command.stdout.splitlines())
    assert types["interaction"] == types["embedding"] == 20
    assert "published" in command.stderr
    assert "20 x interaction" in command.stderr


def test_as_fast_as_possible_everything_arrives_with_times_in_the_past(
    broker: Broker, start_command: StartCommand
) -> None:
    command = start_command(
        "simulate", "--fast", "--events", "3000", "--rate", "100", "--json", bootstrap=broker.bootstrap
    )
    assert command.wait() == 0, command.shown()
    counts, ages = delivered(broker)
    assert json.loads(command.stdout) == {"published": counts, "dropped": {}}
    assert counts["interaction"] == counts["embedding"] == 3000
    assert 0 <= min(ages) < 30_000 < max(ages) < 90_000


def test_ctrl_c_ends_it_with_what_was_published(embedded_broker: Broker, start_command: StartCommand) -> None:
    command = start_command("simulate", "--rate", "200", "--json", bootstrap=embedded_broker.bootstrap)
    wait_until(lambda: delivered(embedded_broker)[0]["interaction"], 30, command.shown)
    command.send(signal.SIGINT)
    assert command.wait() == 0, command.shown()
    counts, ages = delivered(embedded_broker)
    assert json.loads(command.stdout) == {"published": counts, "dropped": {}}
    assert 0 <= min(ages) <= max(ages) < 5_000


def test_ctrl_c_ends_a_file_after_a_whole_event(tmp_path: Path, start_command: StartCommand) -> None:
    file = tmp_path / "story.jsonl"
    command = start_command("simulate", "--events", "10000000", "--out", str(file), "--json")
    wait_until(lambda: file.exists() and file.stat().st_size, 30, command.shown)
    command.send(signal.SIGINT)
    assert command.wait() == 0, command.shown()
    counts = Counter(json.loads(text)["type"] for text in file.read_bytes().splitlines())
    assert json.loads(command.stdout)["published"] == counts


def test_only_an_action_that_was_taken_lets_the_application_recover(embedded_broker: Broker) -> None:
    producer = Producer({"bootstrap.servers": embedded_broker.bootstrap})

    def send(value: bytes) -> None:
        producer.produce(ACTIONS.name, value, partition=0)
        assert producer.flush(10) == 0

    def action(kind: str, status: str) -> bytes:
        values: dict[str, Any] = {"id": "x", "revision": 1, "action": kind, "status": status}
        values |= {"alert_id": "a", "segment": "all", "metric": "refusal_rate", "severity": "critical"}
        return msgspec.json.encode(values | {"ts": 1, "dry_run": False, "reason": ""})

    def answered(value: bytes) -> bool:
        send(value)
        return recovered.wait(0.2)

    with helped(make_settings(embedded_broker.bootstrap)) as recovered:
        for value in (action("tune", "proposed"), action("notify", "approved"), b"not an action", b"\xff"):
            assert not answered(value)
            assert not answered(value)
        wait_until(lambda: answered(action("tune", "approved")), 20, "the action to be seen")


MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("--scenario", "earthquake"), "refusal-creep"),
    (("--fast",), "--events"),
    (("--out", "-"), "--seconds"),
    (("--begin", "yesterday", "--out", "-", "--events", "1"), "--begin"),
    (WHEN, "--fast"),
    (("--out", "/no/such/folder/story.jsonl", "--events", "1"), "--out"),
    ((), "KAFKA_BOOTSTRAP_SERVERS"),
]


def test_a_mistake_is_one_line_that_says_what_to_do(start_command: StartCommand) -> None:
    commands = [start_command("simulate", *arguments) for arguments, _ in MISTAKES]
    for command, (_, word) in zip(commands, MISTAKES, strict=True):
        assert command.wait() == 2, command.shown()
        (said,) = command.stderr.splitlines()
        assert word in said
        assert command.stdout == ""


def test_a_broker_that_does_not_answer_is_one_line(without_a_broker: Command) -> None:
    assert without_a_broker.wait() == 1, without_a_broker.shown()
    (said,) = without_a_broker.stderr.splitlines()
    assert "KAFKA_BOOTSTRAP_SERVERS" in said
