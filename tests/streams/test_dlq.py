"""Dead letters: each is known by its place, explained, and sent back once, whoever is killed meanwhile."""

import ast
import json
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeVar, get_args

import msgspec
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema.envelope import COLUMNS, ROWS, decode, encode_columns
from drift_aware.schema.topics import EMBEDDINGS, INTERACTIONS, SUMMARIES, dead_letters
from drift_aware.streams import dlq, redelivery
from drift_aware.streams.dlq import ADVICE, Letter, Place, Reason, each_once, letter_of, place_of, still_bad
from drift_aware.streams.intake import Intake
from drift_aware.streams.redelivery import (
    LEASE_SECONDS,
    SEND_SECONDS,
    Busy,
    Ends,
    Entry,
    Memory,
    Redelivered,
    Run,
    memory_of,
    redeliver,
    steps,
)
from drift_aware.streams.stage import Input
from drift_aware.streams.status import totals
from rig import configuration
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.records import Record, records
from rig.services import wait_until
from rig_events import NOON, embedding, interaction

StartCommand = Callable[..., Command]
T = TypeVar("T")
ROOT = Path(__file__).parents[2]
GRAVEYARD = dead_letters(INTERACTIONS).name
places = st.builds(
    Place,
    st.sampled_from(sorted(dlq.GRAVEYARDS.values())),
    st.integers(0, 99),
    st.integers(0, 2**62),
    st.integers(0, 999),
)


def letter(offset: int = 0, value: bytes = b"{}", form: str = ROWS, **fields: object) -> Letter:
    values: dict[str, object] = {"reason": "not_json", "message": "no", "buried_ms": NOON}
    place = Place(INTERACTIONS.name, offset % 4, offset, 0)
    return Letter(**({"place": place, "value": value, "content_type": form} | values | fields))  # type: ignore[arg-type]


def buried(place: Place, value: bytes | None = b"drift", at: int = NOON, offset: int = 0) -> Input:
    """A record as the worker's rim writes it."""
    headers = {
        "content-type": ROWS,
        "drift.errors.topic": place.topic,
        "drift.errors.partition": str(place.partition),
        "drift.errors.offset": str(place.offset),
        "drift.errors.index": str(place.index),
        "drift.errors.reason": "not_json",
        "drift.errors.message": "the record is not JSON",
    }
    pairs = tuple((name, text.encode()) for name, text in headers.items())
    return Input(f"{place.topic}.dlq", place.partition, offset, value, ROWS, at, b"k", pairs)


# What a letter says.


def reasons_in_the_code() -> set[str]:
    """The reasons that the worker's modules give: first of a BadEvent, third of a DeadLetter."""
    given_reasons = set()
    # Verbs that read a person's file have reasons of their own, which never reach a topic.
    modules = [each for each in ROOT.glob("s[ct]*/drift_aware/*/*.py") if not each.stem.endswith("_verb")]
    assert len(modules) > 30
    for call in (node for file in modules for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            position = {"BadEvent": 0, "DeadLetter": 2}.get(call.func.id)
            if position is not None and isinstance(call.args[position], ast.Constant):
                given_reasons.add(call.args[position].value)  # type: ignore[attr-defined]
    return given_reasons


def test_every_reason_the_code_can_give_has_its_advice_and_no_other_has() -> None:
    assert set(get_args(Reason)) == set(ADVICE) == reasons_in_the_code()


def test_a_reason_of_another_version_gets_an_answer_too() -> None:
    assert "another" not in letter(reason="cosmic_ray").advice
    assert "version" in letter(reason="cosmic_ray").advice
    assert letter(reason="future").advice == ADVICE["future"]


@given(places)
def test_an_id_names_the_place_it_came_from(place: Place) -> None:
    assert place_of(str(place)) == place


@given(st.text())
def test_any_text_is_an_id_or_none(text: str) -> None:
    place = place_of(text)
    assert place is None or place_of(str(place)) == place


@given(places, st.binary())
def test_a_letter_is_read_as_the_worker_wrote_it(place: Place, value: bytes) -> None:
    read = letter_of(buried(place, value))
    assert read == Letter(place, "not_json", "the record is not JSON", value, ROWS, b"k", NOON)


@given(st.lists(st.tuples(st.sampled_from(["topic", "offset", "reason", "index"]), st.binary())))
def test_what_a_stranger_writes_there_is_no_letter_and_stops_nothing(
    headers: list[tuple[str, bytes]],
) -> None:
    pairs = tuple((f"drift.errors.{name}", value) for name, value in headers)
    assert letter_of(Input(GRAVEYARD, 0, 0, b"x", ROWS, NOON, None, pairs)) is None


def test_a_letter_of_one_topic_on_the_graveyard_of_another_is_none() -> None:
    record = buried(Place(EMBEDDINGS.name, 0, 0, 0))
    assert letter_of(record) is not None
    assert letter_of(replace(record, topic=GRAVEYARD)) is None


@given(st.lists(places, unique=True), st.randoms(use_true_random=False))
def test_what_was_buried_twice_is_one_letter_with_its_first_date(where: list[Place], random: Random) -> None:
    first = [letter_of(buried(place, at=NOON + number)) for number, place in enumerate(where)]
    again = [letter_of(buried(place, at=NOON + 1_000)) for place in where]
    both = [each for each in first + again if each is not None]
    random.shuffle(both)
    assert each_once(both) == first


# Whether it is good now.

INTAKE = Intake(make_settings(embedding_dim=8), lambda _: None)
AHEAD = msgspec.json.encode({"id": "1", "ts": NOON + 3_600_000})


def test_a_letter_is_judged_by_the_code_and_the_clock_of_today() -> None:
    assert "3600 s ahead" in str(still_bad(letter(value=AHEAD), INTAKE, NOON))
    assert still_bad(letter(value=AHEAD), INTAKE, NOON + 3_600_000) is None


def test_a_vector_of_another_size_becomes_good_with_the_setting() -> None:
    place, value = Place(EMBEDDINGS.name, 0, 0, 0), encode_columns([embedding(1, dim=4)])
    bad = letter(value=value, form=COLUMNS, place=place)
    assert "embedding_dim" in str(still_bad(bad, INTAKE, NOON))
    assert still_bad(bad, Intake(make_settings(embedding_dim=4), lambda _: None), NOON) is None


def test_a_record_goes_as_soon_as_one_of_its_events_can_be_used() -> None:
    some = b'[{"id": 6}, {"id": "5", "ts": 1772366400000}]'
    assert still_bad(letter(value=some), INTAKE, NOON) is None
    assert still_bad(letter(value=b'[{"id": 6}]'), INTAKE, NOON) is not None
    assert still_bad(letter(value=b"[]"), INTAKE, NOON) == "there is no event in it"


def test_a_canary_is_good_although_nothing_is_made_of_it() -> None:
    place, value = Place(EMBEDDINGS.name, 0, 0, 0), encode_columns([embedding(1, dim=8, canary=True)])
    assert still_bad(letter(value=value, form=COLUMNS, place=place), INTAKE, NOON) is None


def test_a_record_without_a_value_stays_empty() -> None:
    assert still_bad(letter(value=b""), INTAKE, NOON) == "the record has no value"


def test_summaries_are_not_replayed() -> None:
    assert "by itself" in str(still_bad(letter(place=Place(SUMMARIES.name, 0, 0, 0)), INTAKE, NOON))


@given(
    st.binary(),
    st.sampled_from([ROWS, COLUMNS, "text/html"]),
    st.sampled_from([INTERACTIONS.name, EMBEDDINGS.name, SUMMARIES.name]),
)
def test_any_bytes_can_be_judged_and_shown(value: bytes, form: str, topic: str) -> None:
    any_letter = letter(value=value, form=form, place=Place(topic, 0, 0, 0))
    still_bad(any_letter, INTAKE, NOON)
    shown = dlq.readable(any_letter)
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert len(shown) < 10 * dlq.SHOWN_BYTES + 100


def test_bytes_are_shown_as_fields_as_text_or_as_hexadecimal() -> None:
    columns = dlq.readable(letter(value=encode_columns([embedding(1)]), form=COLUMNS))
    assert '"id": "e1"' in columns
    assert dlq.readable(letter(value="größer\x1b[2J".encode())) == "größer\\x1b[2J"
    assert dlq.readable(letter(value=b"\xff\x00")) == "ff 00"
    assert dlq.readable(letter(value=b"x" * 9_000)).endswith("[clipped; --raw writes all of it]")


# Sending back: on a broker in memory that fails where it is told to.


class Killed(Exception):
    """The process ends here."""


class MemoryPostbox:
    """Kafka in memory. A write counts down first; at zero the process is killed with part of it done."""

    def __init__(self) -> None:
        self.log: list[Input] = []
        self.sources: dict[tuple[str, int], list[str]] = {}
        self.now = 0.0
        self.steps_to_live = -1
        self.share = 0.0
        self.meanwhile: Callable[[], None] = lambda: None
        self.before_next_note: Callable[[], object] | None = None

    def clock(self) -> float:
        return self.now

    def memory(self) -> Memory:
        return memory_of(self.log)

    def note(self, entries: Mapping[str, Entry | None]) -> None:
        intruder, self.before_next_note = self.before_next_note, None
        if intruder is not None:
            intruder()
        for name, entry in self._survives(list(entries.items())):
            value = None if entry is None else msgspec.json.encode(entry)
            self.log.append(Input("replays", 0, len(self.log), value, "", key=name.encode()))

    def ends(self, letters: Sequence[Letter]) -> Ends:
        ends: Ends = {}
        for each in letters:
            place = each.place
            length = len(self.sources.get((place.topic, place.partition), []))
            ends.setdefault(place.topic, {})[place.partition] = length
        return ends

    def send(self, letters: Sequence[Letter]) -> dict[str, Redelivered]:
        sent = {}
        for each in self._survives(list(letters)):
            log = self.sources.setdefault((each.place.topic, each.place.partition), [])
            sent[str(each.place)] = Redelivered(0, each.place.partition, len(log))
            log.append(str(each.place))
        return sent

    def sent_since(self, ends: Ends) -> dict[str, Redelivered]:
        return {
            name: Redelivered(0, partition, offset)
            for topic, starts in ends.items()
            for partition, start in starts.items()
            for offset, name in enumerate(self.sources.get((topic, partition), []))
            if offset >= start
        }

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    def _survives(self, work: list[T]) -> Iterator[T]:
        self.steps_to_live -= 1
        if self.steps_to_live == 0:
            yield from work[: round(self.share * len(work))]
            raise Killed
        yield from work

    def sent(self) -> Counter[str]:
        return Counter(name for log in self.sources.values() for name in log)


def once(letters: Sequence[Letter]) -> Counter[str]:
    return Counter(str(each.place) for each in letters)


LETTERS = [letter(offset) for offset in range(7)]


@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 1)), max_size=5), st.integers(1, 4))
def test_every_letter_is_sent_once_however_often_the_runs_are_killed(
    deaths: list[tuple[int, float]], step: int
) -> None:
    postbox = MemoryPostbox()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redelivery, "STEP_LETTERS", step)
        for number, (steps_to_live, share) in enumerate(deaths):
            postbox.steps_to_live, postbox.share = steps_to_live, share
            with suppress(Killed):
                list(redeliver(postbox, LETTERS, f"run:{number}", postbox.clock))
        postbox.steps_to_live = -1
        list(redeliver(postbox, LETTERS, "run:last", postbox.clock))
    assert postbox.sent() == once(LETTERS)
    assert postbox.memory().redelivered.keys() == once(LETTERS).keys()
    assert postbox.memory().runs == {}
    assert list(redeliver(postbox, LETTERS, "run:again", postbox.clock)) == []


def test_each_letter_comes_out_with_the_place_it_has_now() -> None:
    postbox = MemoryPostbox()
    found = list(redeliver(postbox, LETTERS, "run:1", postbox.clock))
    assert [(each, at.partition) for each, at in found] == [(each, each.place.partition) for each in LETTERS]
    assert [at.offset for _, at in found] == [0, 0, 0, 0, 1, 1, 1]


def test_a_run_that_goes_on_is_left_alone() -> None:
    postbox = MemoryPostbox()
    postbox.note({"run:other": Run({})})
    postbox.meanwhile = lambda: postbox.note({"run:other": Run({})})
    with pytest.raises(Busy, match="another replay is running"):
        list(redeliver(postbox, LETTERS, "run:mine", postbox.clock))
    assert postbox.sent() == Counter()
    assert set(postbox.memory().runs) == {"run:other"}


def test_of_two_runs_that_begin_at_once_the_one_that_sees_the_other_withdraws() -> None:
    postbox = MemoryPostbox()
    other = redeliver(postbox, LETTERS, "run:other", postbox.clock)
    postbox.before_next_note = lambda: next(other)
    with pytest.raises(Busy, match="has begun"):
        list(redeliver(postbox, LETTERS, "run:mine", postbox.clock))
    list(other)
    assert postbox.sent() == once(LETTERS)


@pytest.mark.parametrize("still", [LEASE_SECONDS - SEND_SECONDS + 0.1, 3600.0])
def test_a_run_that_stood_still_sends_nothing_any_more(still: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redelivery, "STEP_LETTERS", 3)
    postbox = MemoryPostbox()
    run = redeliver(postbox, LETTERS, "run:slow", postbox.clock)
    first = [next(run) for _ in range(3)]
    postbox.now += still
    with pytest.raises(Busy, match="stood still"):
        next(run)
    assert postbox.sent() == once([each for each, _ in first])
    list(redeliver(postbox, LETTERS, "run:next", postbox.clock))
    assert postbox.sent() == once(LETTERS)


@given(st.lists(st.integers(0, 3_000_000), max_size=9))
def test_steps_keep_the_order_and_stay_within_their_bytes(sizes: list[int]) -> None:
    block = b"x" * 3_000_000
    letters = [letter(offset, block[:size]) for offset, size in enumerate(sizes)]
    portions = list(steps(letters))
    assert [each for step in portions for each in step] == letters
    for step in portions:
        assert len(step) == 1 or sum(len(each.value) for each in step) <= redelivery.STEP_BYTES


# On a broker, as processes.

SECONDS = 60.0
NOT_JSON = b"drift\x1b[31m"


def publish(broker: Broker, topic: str, value: bytes | None, partition: int, **headers: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    pairs: list[tuple[str, str | bytes | None]] = [
        (name.replace("_", "-"), text) for name, text in headers.items()
    ]
    producer.produce(topic, value, key=b"k", partition=partition, headers=pairs)
    assert producer.flush(30) == 0


def bury(broker: Broker, values: Sequence[bytes]) -> None:
    """Dead letters of interactions, as the worker would leave them, the first one twice."""
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number, value in [(0, values[0]), *enumerate(values)]:
        record = buried(Place(INTERACTIONS.name, number % 2, number, 0))
        headers = dict(record.headers)
        producer.produce(GRAVEYARD, value, key=b"k", partition=number % 2, headers=headers)  # type: ignore[arg-type]
    assert producer.flush(30) == 0


def said(
    start_command: StartCommand, *arguments: str, broker: Broker, code: int = 0, **values: object
) -> str:
    command = start_command(*arguments, bootstrap=broker.bootstrap, **values)
    assert command.wait() == code, command.shown()
    assert "Traceback" not in command.stderr
    return command.stdout if code == 0 else command.stderr


def listed(start_command: StartCommand, broker: Broker, *more: str) -> list[dict[str, object]]:
    lines = said(start_command, "dlq", "list", "--json", *more, broker=broker).splitlines()
    return [json.loads(line) for line in lines]


def replayed_ids(broker: Broker, topic: str = INTERACTIONS.name) -> Counter[str]:
    found: list[Record] = records(broker.bootstrap, topic)
    return Counter(
        each.headers[redelivery.LETTER_HEADER].decode()
        for each in found
        if redelivery.LETTER_HEADER in each.headers
    )


@pytest.mark.timeout(240)
def test_what_the_worker_buried_is_listed_shown_and_with_another_setting_counted(
    broker: Broker, start_command: StartCommand
) -> None:
    settings = make_settings(broker.bootstrap)
    packed = [embedding(number, dim=4) for number in range(3)]
    publish(broker, EMBEDDINGS.name, encode_columns(packed), 1, content_type=COLUMNS)
    publish(broker, INTERACTIONS.name, NOT_JSON, 2)
    worker = start_command("worker", bootstrap=broker.bootstrap, embedding_dim=8)
    wait_until(lambda: totals(settings)["all"]["dead_letters"] == 4, SECONDS, worker.shown)
    worker.stop()

    found = listed(start_command, broker)
    vectors = [f"{EMBEDDINGS.name}:1:0:{index}" for index in range(3)]
    broken = f"{INTERACTIONS.name}:2:0:0"
    assert {each["id"] for each in found} == {*vectors, broken}
    people = said(start_command, "dlq", "list", "--reason", "bad_vector", broker=broker)
    assert people.splitlines()[-1].split() == [EMBEDDINGS.name, "bad_vector", "3"]
    shown = said(start_command, "dlq", "show", broken, broker=broker)
    assert ADVICE["not_json"] in shown
    assert "drift\\x1b[31m" in shown
    assert "\x1b[31m" not in shown
    fields = json.loads(said(start_command, "dlq", "show", vectors[2], "--json", broker=broker))
    (event,) = decode("embedding", b64decode(fields["base64"]), fields["content_type"]).events
    assert event == msgspec.structs.replace(packed[2], dim=4)

    replay = ("dlq", "replay", "--json")
    assert "--yes" in said(start_command, *replay, broker=broker, code=2)
    tried = said(start_command, *replay, "--dry-run", broker=broker)
    assert Counter(json.loads(line)["outcome"] for line in tried.splitlines()) == {"good": 3, "still_bad": 1}
    assert replayed_ids(broker, EMBEDDINGS.name) == Counter()
    one = said(start_command, *replay, "--yes", "--id", vectors[1], broker=broker)
    assert [json.loads(line)["id"] for line in one.splitlines()] == [vectors[1]]
    done = said(start_command, "dlq", "replay", "--yes", broker=broker)
    assert done.splitlines()[-1] == "2 replayed, 1 still bad"
    assert said(start_command, *replay, "--yes", broker=broker).count("replayed") == 1  # the field of one
    assert replayed_ids(broker, EMBEDDINGS.name) == Counter(vectors)
    sent = [each for each in records(broker.bootstrap, EMBEDDINGS.name) if len(each.headers) == 2]
    assert {(each.partition, each.key, each.content_type) for each in sent} == {(1, b"k", COLUMNS)}

    worker = start_command("worker", bootstrap=broker.bootstrap)
    wait_until(lambda: totals(settings)["all"]["embeddings"] == 3, SECONDS, worker.shown)
    assert totals(settings)["all"]["dead_letters"] == 4
    assert [each["id"] for each in listed(start_command, broker)] == [broken]
    assert len(listed(start_command, broker, "--all")) == 4
    assert "Replayed" in said(start_command, "dlq", "show", vectors[0], broker=broker)


# The verb as it is, in steps of two letters, that ends after so many writes by a power cut.
KILLED = """
import os, signal, sys
from drift_aware.schema import cli
from drift_aware.streams import redelivery
from drift_aware.streams.postbox import KafkaPostbox

redelivery.STEP_LETTERS, left = 2, int(sys.argv.pop(1))

def ending(method):
    def call(postbox, work):
        global left
        left, done = left - 1, method(postbox, work)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call

KafkaPostbox.send, KafkaPostbox.note = ending(KafkaPostbox.send), ending(KafkaPostbox.note)
cli.main()
"""


@pytest.mark.timeout(240)
def test_a_replay_that_is_killed_between_sending_and_noting_is_completed_and_doubles_nothing(
    broker: Broker, start_command: StartCommand
) -> None:
    bury(broker, [msgspec.json.encode(interaction(number)) for number in range(5)])
    # The lease, its renewal, a step sent and noted, a renewal, and a step that is sent.
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "6", "dlq", "replay", "--yes"],
        env=configuration.environment(broker.bootstrap),
        check=False,
        timeout=SECONDS,
    )
    assert killed.returncode == -signal.SIGKILL
    assert replayed_ids(broker).total() == 4
    assert len(listed(start_command, broker)) == 3

    began = time.monotonic()
    assert "1 replayed, 0 still bad" in said(start_command, "dlq", "replay", "--yes", broker=broker)
    assert time.monotonic() - began > LEASE_SECONDS
    assert replayed_ids(broker) == {f"{INTERACTIONS.name}:{number % 2}:{number}:0": 1 for number in range(5)}
    assert listed(start_command, broker) == []


@pytest.mark.timeout(240)
def test_two_replays_at_once_double_nothing(broker: Broker, start_command: StartCommand) -> None:
    bury(broker, [msgspec.json.encode(interaction(number)) for number in range(5)])
    both = [start_command("dlq", "replay", "--yes", bootstrap=broker.bootstrap) for _ in range(2)]
    assert {command.wait() for command in both} <= {0, 1}
    said(start_command, "dlq", "replay", "--yes", broker=broker)
    assert set(replayed_ids(broker).values()) == {1}
    assert replayed_ids(broker).total() == 5


def test_a_broker_without_dead_letters_says_so(embedded_broker: Broker, start_command: StartCommand) -> None:
    assert said(start_command, "dlq", "list", broker=embedded_broker) == "no dead letters\n"
    assert listed(start_command, embedded_broker) == []
    nothing = said(start_command, "dlq", "replay", broker=embedded_broker)
    assert nothing == "0 of 0 dead letters are good now; nothing was sent\n"


def test_the_latest_are_shown_and_all_are_counted(
    embedded_broker: Broker, start_command: StartCommand
) -> None:
    bury(embedded_broker, [b"a", b"b", b"c"])
    publish(embedded_broker, GRAVEYARD, b"a stranger's", 0)
    lines = said(start_command, "dlq", "list", "--limit", "1", broker=embedded_broker).splitlines()
    assert len(lines) == 3
    assert lines[-1].split() == [INTERACTIONS.name, "not_json", "3"]
    assert listed(start_command, embedded_broker, "--since", "2030-01-01T00:00:00Z") == []
    assert len(listed(start_command, embedded_broker, "--since", "2020-01-01T00:00:00Z")) == 3
    raw = said(start_command, "dlq", "show", "--raw", f"{INTERACTIONS.name}:0:2:0", broker=embedded_broker)
    assert raw == "c"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("list --topic nobody", "drift.interactions.v1"),
        ("list --since yesterday", "2026-03-01T00:00:00Z"),
        ("show 17", "TOPIC:PARTITION:OFFSET:INDEX"),
        ("show drift.interactions.v1:0:0:0", "no dead letter"),
        ("replay --id drift.interactions.v1:0:0:0", "no dead letter"),
    ],
)
def test_a_wrong_question_is_answered_with_what_to_ask(
    arguments: str, hint: str, embedded_broker: Broker, start_command: StartCommand
) -> None:
    answer = said(start_command, "dlq", *arguments.split(), broker=embedded_broker, code=2)
    assert hint in answer
