"""A process may die between any two rows of a write, with all it has sent since lost; nothing may show it."""

from collections.abc import Iterable
from functools import cache
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drift_aware.schema.alerts import Alert, Baseline
from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.events import Event, Interaction, Kind
from drift_aware.schema.topics import ALERTS, EMBEDDINGS, INTERACTIONS, SOURCES, SUMMARIES
from drift_aware.streams.collector import Collector
from drift_aware.streams.detect import Detect
from drift_aware.streams.labels import label
from drift_aware.streams.panes import IDLE
from drift_aware.streams.stage import Input, Output, Row, Stage
from drift_aware.streams.status import Totals, add_up
from drift_aware.streams.summarise import Summarise
from drift_aware.streams.summary import Packed
from drift_aware.streams.wire import Fitted, Snapshot, Watermark, decode, encode
from rig.configuration import make_settings
from rig_events import NOON, embedding, interaction

PER_SECOND = 10
SETTINGS = make_settings(
    "nowhere:1",
    kafka={"partitions": 1},
    segments=["tenant"],
    max_segments=3,
    pane_seconds=1,
    allowed_lateness_seconds=1,
    window_seconds=6,
    baseline={"events": 10 * PER_SECOND},
    limits={"min_samples": 20, "confirm": False, "refusal_rate": 0.15},
)


def traffic() -> list[Event]:
    """Seventy seconds in which the refusals of some tenants come, go and come again."""
    random, rng = Random(2), np.random.default_rng(2)
    events: list[Event] = []
    for number in range(70 * PER_SECOND):
        second = number // PER_SECOND
        refusal = random.random() < (0.4 if 20 <= second < 28 or 48 <= second < 56 else 0.0)
        session = f"s{number // 20}" if number % 10 == 0 else None
        values: dict[str, Any] = {
            "ts": NOON + number * 100,
            "tenant": random.choice("abcdef"),
            "session_id": session,
        }
        events.append(interaction(number, refusal=refusal, toxicity=0.0, error=None, **values))
        centre = [-1.0, 0.0, 0.0] if 24 <= second < 34 else [1.0, 0.0, 0.0]
        vector = [float(x) for x in rng.normal(centre, 0.2)]
        events.append(embedding(number, vector=vector, dtype="float32", **values))
    return events


def source_records(per_record: int = 20) -> list[Input]:
    """The traffic on one partition of each topic, a second of both after the other."""
    topics = {True: INTERACTIONS.name, False: EMBEDDINGS.name}
    offsets, records = dict.fromkeys(topics, 0), []
    events = traffic()
    for start in range(0, len(events), 2 * per_record):
        for is_interaction, topic in topics.items():
            some = [
                each
                for each in events[start : start + 2 * per_record]
                if isinstance(each, Interaction) is is_interaction
            ]
            records.append(Input(topic, 0, offsets[is_interaction], encode_rows(some), ROWS))
            offsets[is_interaction] += 1
    return records


class Table:
    """One partition of a table, and where its stage stands in the records, which are all of its input."""

    def __init__(self, stage: Stage, records: list[Input]) -> None:
        self._stage, self._records = stage, records
        self._changelog: list[Row] = []
        self._next, self._notes = 0, dict[str, bytes]()
        self.sent: list[Output] = []
        self._stage.restore(0, [], {})

    def work(self, records: int) -> None:
        """Take so many records, write, and send."""
        rows, outputs = self._fold(records)
        self._changelog += rows
        self._note()
        self.sent += outputs

    def die(self, records: int, kept: float) -> None:
        """The same, but nothing is sent, and only that share of the rows is written; then start again."""
        rows, _ = self._fold(records)
        written = round(kept * (len(rows) + 1))
        self._changelog += rows[:written]
        if written > len(rows):
            self._note()
        self._stage.forget()
        self._stage.restore(0, self.rows().items(), self._notes)

    def finish(self, at_once: int) -> None:
        while self._next < len(self._records):
            self.work(at_once)
        self.work(0)

    def rows(self) -> dict[bytes, bytes]:
        table: dict[bytes, bytes] = {}
        for key, value in self._changelog:
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
        return table

    def _fold(self, records: int) -> tuple[list[Row], list[Output]]:
        self._taken = self._records[self._next : self._next + records]
        for record in self._taken:
            assert self._stage.fold(record) == []
        changes = self._stage.changes(0)
        return changes.rows, changes.outputs

    def _note(self) -> None:
        self._next += len(self._taken)
        topics = {record.topic for record in self._records}
        self._notes = {topic: self._stage.note(topic, 0) for topic in topics}


def alerts(outputs: Iterable[Output]) -> dict[str, Alert]:
    """Every alert at its highest revision."""
    found: dict[str, Alert] = {}
    for output in outputs:
        if output.topic == ALERTS.name:
            alert = msgspec.json.decode(output.value, type=Alert)
            if alert.id not in found or found[alert.id].revision <= alert.revision:
                found[alert.id] = alert
    return found


def snapshots(outputs: Iterable[Output]) -> dict[tuple[Kind, str, int], Snapshot]:
    """What stage two has in the end, if no pane is ever closed."""
    found: dict[tuple[Kind, str, int], Snapshot] = {}
    for output in outputs:
        message = decode(output.value)
        assert isinstance(message, Snapshot)
        found[message.kind, message.segment, message.pane] = message
    return found


@cache
def summarised() -> list[Input]:
    """What stage one sends of the traffic, and the baselines, long after they could be fitted."""
    stage, collector = Summarise(SETTINGS, label), Collector(SETTINGS, label, [])
    stage.restore(0, [], {})
    values, baselines = list[bytes](), list[Baseline]()
    fitted_at = {35: "interaction", 50: "embedding/query/small/3"}
    for number, record in enumerate(source_records()):
        collector.take(record)
        stage.fold(record)
        baselines += collector.settle(set(), 0)
        values += [
            encode(Fitted(baseline)) for baseline in baselines if baseline.family == fitted_at.get(number)
        ]
        if number % 2:
            values += [output.value for output in stage.changes(0).outputs]
            values += [output.value for output in stage.watermarks(0, _nothing_comes)]
    values += [encode(Watermark(0, dict.fromkeys(SOURCES, IDLE)))]
    return [Input(SUMMARIES.name, 0, offset, value, "") for offset, value in enumerate(values)]


def _nothing_comes(kind: Kind) -> bool:
    return kind in ("feedback", "evaluation")


@cache
def clean_alerts() -> dict[str, Alert]:
    table = Table(Detect(SETTINGS), summarised())
    table.finish(1)
    return alerts(table.sent)


def test_the_drift_comes_twice_and_goes_twice() -> None:
    of_all = [
        (each.metric, each.status)
        for each in clean_alerts().values()
        if each.segment == "all" and each.detector in ("limit", "centroid")
    ]
    assert sorted(of_all) == [
        ("query_embedding", "resolved"),
        ("refusal_rate", "resolved"),
        ("refusal_rate", "resolved"),
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 700),
    st.integers(1, 700),
    st.integers(0, 100),
    st.sampled_from([1, 10, 1000]),
)
@example(0, 700, 100, 1)
def test_wherever_stage_two_dies_its_alerts_are_those_of_a_clean_pass(
    before: int, lost: int, percent: int, at_once: int
) -> None:
    table = Table(Detect(SETTINGS), summarised())
    table.work(before)
    table.die(lost, percent / 100)
    table.finish(at_once)
    assert alerts(table.sent) == clean_alerts()


@cache
def clean_counts() -> tuple[Totals, dict[tuple[Kind, str, int], Snapshot]]:
    table = Table(Summarise(SETTINGS, label), source_records())
    table.finish(1)
    return add_up(dict(table.rows())), snapshots(table.sent)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 70), st.integers(1, 70), st.integers(0, 100), st.sampled_from([1, 10, 100]))
@example(0, 1, 80, 1)
def test_wherever_stage_one_dies_its_counts_are_those_of_a_clean_pass(
    before: int, lost: int, percent: int, at_once: int
) -> None:
    table = Table(Summarise(SETTINGS, label), source_records())
    table.work(before)
    table.die(lost, percent / 100)
    table.finish(at_once)
    assert (add_up(dict(table.rows())), snapshots(table.sent)) == clean_counts()


@pytest.mark.parametrize("percent", range(0, 101, 4))
def test_a_baseline_that_comes_at_the_moment_of_a_crash_misses_nothing_that_has_waited_for_it(
    percent: int,
) -> None:
    fitted = [isinstance(decode(record.value or b""), Fitted) for record in summarised()]
    first = fitted.index(True)
    table = Table(Detect(SETTINGS), summarised())
    table.work(first)
    table.die(fitted[first:].index(False), percent / 100)
    table.finish(10)
    assert alerts(table.sent) == clean_alerts()


def snapshot(events: int) -> bytes:
    packed = {"interaction": Packed({"events": events})}
    return encode(Snapshot("interaction", 0, "tenant=rare", NOON, events, packed))


@pytest.mark.parametrize("dies", [False, True])
def test_a_pane_that_was_not_closed_before_a_crash_is_not_closed_by_the_same_watermark_after_it(
    dies: bool,
) -> None:
    def watermark(seconds: int) -> bytes:
        return encode(Watermark(0, {"interaction": NOON + seconds * 1000}))

    values = [watermark(60), snapshot(1), watermark(60), snapshot(2), watermark(61)]
    records = [Input(SUMMARIES.name, 0, offset, value, "") for offset, value in enumerate(values)]
    table = Table(Detect(SETTINGS), records)
    table.work(2)
    if dies:
        table.die(0, 1.0)
    table.finish(1)
    (readings,) = [msgspec.json.decode(output.value) for output in table.sent]
    assert readings["totals"] == {"interaction": 2}
