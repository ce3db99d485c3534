"""The simulated chat application."""

import json
import math
import signal
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from threading import Event as Flag

import msgspec
import pytest

from drift_aware.producers.simulate.embedder import TextHashEmbedder
from drift_aware.producers.simulate.lines import line
from drift_aware.producers.simulate.pace import as_they_are_taken, in_their_time, limited
from drift_aware.producers.simulate.recovery import helped
from drift_aware.producers.simulate.scenarios import SCENARIOS
from drift_aware.producers.simulate.traffic import events
from drift_aware.schema.alerts import Action
from drift_aware.schema.envelope import decode
from drift_aware.schema.events import KINDS, Embedding, Evaluation, Event, Feedback, Interaction, correctness
from drift_aware.schema.topics import ACTIONS, SOURCES
from drift_aware.streams.labels.refusal import is_refusal
from drift_aware.streams.reader import read_each
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.services import wait_until
from rig_events import NOON

StartCommand = Callable[..., Command]
HALF = 3000


def told(scenario: str, seed: int = 7, recover_at: int | None = None) -> Iterator[Event]:
    return events(
        SCENARIOS[scenario], seed=seed, rate=50, start_ms=NOON, change_at=HALF, recover_at=recover_at
    )


def halves(scenario: str) -> tuple[list[Event], list[Event]]:
    """Its events before and after the change."""
    found = list(limited(told(scenario), 2 * HALF))
    change = NOON + HALF * 1000 // 50
    return (
        [event for event in found if isinstance(event.ts, int) and event.ts < change],
        [event for event in found if isinstance(event.ts, int) and event.ts >= change],
    )


def share(events: list[Event], kind: type[Event], holds: Callable[[Event], bool]) -> float:
    members = [event for event in events if isinstance(event, kind)]
    return sum(map(holds, members)) / len(members)


def refuses(event: Event) -> bool:
    assert isinstance(event, Interaction)
    return is_refusal(event.model_response or "")


def right(event: Event) -> bool:
    assert isinstance(event, Evaluation)
    return bool(correctness(event))


def test_the_same_seed_tells_the_same_story_to_the_byte() -> None:
    first, again, other = (
        b"".join(line(event) for event in islice(told("drift", seed), 500)) for seed in (7, 7, 8)
    )
    assert first == again != other


def test_in_the_drift_scenario_answers_get_worse_and_the_labels_can_be_read_off_the_texts() -> None:
    before, after = halves("drift")
    assert share(before, Interaction, refuses) == pytest.approx(0.03, abs=0.012)
    assert share(after, Interaction, refuses) == pytest.approx(0.12, abs=0.022)
    assert share(before, Evaluation, right) == pytest.approx(0.92, abs=0.06)
    assert share(after, Evaluation, right) == pytest.approx(0.78, abs=0.08)


@pytest.mark.parametrize(
    ("scenario", "kind", "holds", "low", "high"),
    [
        ("toxicity", Interaction, lambda event: (event.toxicity or 0) >= 0.5, 0.003, 0.04),
        ("feedback-drop", Feedback, lambda event: bool(event.task_success), 0.6, 0.85),
    ],
    ids=["toxicity", "feedback"],
)
def test_other_scenarios_move_what_their_name_says(
    scenario: str, kind: type[Event], holds: Callable[[Event], bool], low: float, high: float
) -> None:
    shares = sorted(share(half, kind, holds) for half in halves(scenario))
    assert shares == [
        pytest.approx(low, abs=0.07 * max(low, 0.2)),
        pytest.approx(high, abs=0.07 * max(high, 0.2)),
    ]


def test_nothing_changes_in_the_baseline_scenario() -> None:
    before, after = halves("baseline")
    assert abs(share(before, Interaction, refuses) - share(after, Interaction, refuses)) < 0.015


def test_refusals_creep_up_little_by_little() -> None:
    found = [event for event in limited(told("refusal-creep"), 2 * HALF) if isinstance(event, Interaction)]
    thirds = [share(list(found[start : start + 1000]), Interaction, refuses) for start in (1500, 3500, 5000)]
    assert thirds[0] < thirds[1] < thirds[2]


def test_all_is_well_again_after_the_recovery() -> None:
    found = [
        event
        for event in limited(told("recovery", recover_at=4500), 2 * HALF)
        if isinstance(event, Interaction)
    ]
    shares = [
        share(list(found[begin:end]), Interaction, refuses)
        for begin, end in ((0, 3000), (3000, 4500), (4500, 6000))
    ]
    assert shares[1] > 2 * max(shares[0], shares[2])


def test_the_embedder_says_what_it_is_and_puts_topics_apart() -> None:
    embedder = TextHashEmbedder(64)
    one, near, far = (
        struct.unpack("<64e", embedder.embed(text))
        for text in ("how do I tune a guitar", "tune my guitar strings", "why does my SQL query time out")
    )
    assert embedder.name == "text-hash-64"
    assert math.hypot(*one) == pytest.approx(1, abs=0.01)
    assert sum(a * b for a, b in zip(one, near, strict=True)) > 0.3 + sum(
        a * b for a, b in zip(one, far, strict=True)
    )


def test_events_wait_for_their_time_and_stop_when_told() -> None:
    now, stop = float(NOON), Flag()
    paced = in_their_time(told("baseline"), stop, now_ms=lambda: now)
    assert next(paced).ts == NOON
    now = NOON + 10_000.0
    due = list(islice(paced, 400))
    assert len(due) == 400
    stop.set()
    assert list(paced) == []


def test_a_full_queue_is_waited_for() -> None:
    waiting = [5_000, 5_000, 0]
    taken = as_they_are_taken(islice(told("baseline"), 50), Flag(), lambda: waiting.pop(0), 1_000)
    assert len(list(taken)) == 50
    assert waiting == []


def test_a_file_holds_one_event_a_line_that_reads_as_an_event(
    tmp_path: Path, start_command: StartCommand
) -> None:
    file = tmp_path / "story.jsonl"
    command = start_command(
        "simulate", "--events", "300", "--out", str(file), "--begin", "2026-03-01T12:00:00Z", "--json"
    )
    assert command.wait() == 0
    published = json.loads(command.stdout)["published"]
    counts = dict.fromkeys(published, 0)
    for text in file.read_bytes().splitlines():
        kind = json.loads(text)["type"]
        decoded = decode(kind, text)
        assert decoded.dead == []
        assert KINDS[type(decoded.events[0])] == kind
        counts[kind] += 1
    assert counts == published
    assert counts["interaction"] == 300


def test_as_fast_as_possible_everything_arrives_with_times_in_the_past(
    broker: Broker, start_command: StartCommand
) -> None:
    command = start_command(
        "simulate", "--fast", "--events", "3000", "--rate", "100", "--json", bootstrap=broker.bootstrap
    )
    assert command.wait() == 0, command.shown()
    said = json.loads(command.stdout)
    assert said["dropped"] == {}
    found: dict[str, int] = {}
    newest = 0
    for kind, topic in SOURCES.items():
        for record in read_each(make_settings(broker.bootstrap), topic.name):
            for event in decode(kind, record.value, record.content_type).events:
                found[kind] = found.get(kind, 0) + 1
                assert isinstance(event.ts, int)
                newest = max(newest, event.ts - (record.appended_ms or 0))
    assert found == said["published"]
    assert newest <= 0


def test_ctrl_c_ends_it_with_what_was_published(embedded_broker: Broker, start_command: StartCommand) -> None:
    command = start_command("simulate", "--rate", "200", "--json", bootstrap=embedded_broker.bootstrap)
    settings = make_settings(embedded_broker.bootstrap)
    wait_until(lambda: list(read_each(settings, SOURCES["interaction"].name)), 30, command.shown)
    command.send(signal.SIGINT)
    assert command.wait() == 0, command.shown()
    assert json.loads(command.stdout)["published"]["interaction"] > 0


def test_an_approved_action_lets_the_application_recover(embedded_broker: Broker) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": embedded_broker.bootstrap})
    settings = make_settings(embedded_broker.bootstrap)

    def send(kind: str, status: str) -> None:
        values = {
            "id": "x", "revision": 1, "action": kind, "status": status, "alert_id": "a", "segment": "all",
            "metric": "refusal_rate", "severity": "critical", "ts": 1, "dry_run": False, "reason": "",
        }  # fmt: skip
        producer.produce(ACTIONS.name, msgspec.json.encode(msgspec.convert(values, Action)))
        assert producer.flush(10) == 0

    with helped(settings) as recovered:
        send("tune", "proposed")
        send("notify", "approved")
        assert not recovered.wait(0.5)

        def approved() -> bool:
            send("tune", "approved")
            return recovered.wait(0.5)

        wait_until(approved, 20, "the action to be seen")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("--scenario", "earthquake"), 2, "refusal-creep"),
        (("--fast",), 2, "--events"),
        (("--begin", "yesterday", "--out", "-", "--events", "1"), 1, "RFC 3339"),
        ((), 2, "KAFKA_BOOTSTRAP_SERVERS"),
    ],
    ids=["unknown scenario", "no end", "no time", "no broker"],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    start_command: StartCommand, arguments: tuple[str, ...], code: int, word: str
) -> None:
    command = start_command("simulate", *arguments)
    assert command.wait() == code
    assert word in command.stderr.splitlines()[-1]
    assert "Traceback" not in command.stderr


def test_an_embedding_belongs_to_its_interaction() -> None:
    found = list(limited(told("baseline"), 50))
    ids = [event.id for event in found if isinstance(event, Interaction)]
    assert [event.interaction_id for event in found if isinstance(event, Embedding)] == ids
