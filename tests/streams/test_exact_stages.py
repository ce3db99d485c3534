"""Whatever happens to the two stages, counts, alerts and the sums of days are those of one clean pass."""

import math
import struct
from collections import Counter
from collections.abc import Sequence
from functools import cache
from random import Random
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from drift_aware.schema.alerts import Alert, DaySums
from drift_aware.schema.envelope import COLUMNS, ROWS, encode_columns, encode_rows
from drift_aware.schema.events import Embedding, Event, Interaction, is_canary
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ALERTS, EMBEDDINGS, HISTORY, INTERACTIONS, SOURCES, SUMMARIES
from drift_aware.streams.collector import Collector
from drift_aware.streams.detect import Detect
from drift_aware.streams.labels import label
from drift_aware.streams.status import Totals, add_up
from drift_aware.streams.summarise import Summarise
from drift_aware.streams.summary import Packed, Summary, unpack
from drift_aware.streams.wire import Fitted, Snapshot, decode, encode, partition_of
from rig.configuration import make_settings
from rig.rim import Rim, Topics
from rig_events import NOON, embedding, interaction

SECONDS = 60
MIDNIGHT = 40
# The minute goes from one day into the next.
BEGIN = NOON + 43_200_000 - MIDNIGHT * 1000
CHANGE_AT = 30
PER_SECOND = 12
SOURCE_PARTITIONS = 3


def traffic(seed: int = 5) -> list[Event]:
    """A minute in which refusals go from none to a third and embeddings turn around."""
    random = Random(seed)
    events: list[Event] = []
    for number in range(SECONDS * PER_SECOND):
        after = number >= CHANGE_AT * PER_SECOND
        ts = BEGIN + number * 1000 // PER_SECOND
        refusal = after and random.random() < 0.35
        model = random.choice(["large", "small"])
        session = f"s{number // 40}" if number % 10 == 0 else None
        answered = {"refusal": refusal, "toxicity": 0.0, "error": None, "session_id": session}
        events.append(interaction(number, ts=ts, model=model, **answered))
        x = -1.0 if after else 1.0
        vector = [x, random.gauss(0, 0.3), random.gauss(0, 0.3)]
        events.append(embedding(number, ts=ts, vector=vector, dim=3, dtype="float32", session_id=session))
        if number % 60 == 30:
            # From a time that has not come: it must not make anything late either.
            events.append(canary(number, ts=BEGIN + 3_600_000))
    return events


def canary(number: int, ts: int) -> Embedding:
    return embedding(number, ts=ts, vector=[0.0, 1.0, 0.0], dim=3, dtype="float32", canary=True)


def config(partitions: int) -> Settings:
    return make_settings(
        "nowhere:1",
        kafka={"partitions": partitions},
        pane_seconds=1,
        allowed_lateness_seconds=1,
        window_seconds=6,
        baseline={"events": 15 * PER_SECOND},
        limits={"min_samples": 20},
    )


class Chain:
    """Sources on a broker, both stages, and what comes out."""

    def __init__(
        self,
        partitions: int,
        per_record: int = 5,
        seed: int = 5,
        slice_seconds: float = math.inf,
        events: Sequence[Event] | None = None,
        most_panes: int | None = None,
    ) -> None:
        self._settings = config(partitions)
        self.partitions = partitions
        self.topics = Topics()
        self._publish(traffic(seed) if events is None else events, per_record)
        self._summarise = Summarise(self._settings, label, most_panes=most_panes)
        sources = [(topic.name, each) for topic in (INTERACTIONS, EMBEDDINGS) for each in range(partitions)]
        self.first = Rim(self._summarise, self.topics, sources)
        self.second = Rim(
            Detect(self._settings, clock=lambda: 0.0, slice_seconds=slice_seconds),
            self.topics,
            [(SUMMARIES.name, each) for each in range(partitions)],
        )

    def without_canaries(self) -> Totals:
        return {
            segment: {name: count for name, count in counts.items() if name != "canaries"}
            for segment, counts in self.totals().items()
        }

    def _publish(self, events: Sequence[Event], per_record: int) -> None:
        """In packed records, spread over the partitions; those of one session on one of them."""
        packed: dict[tuple[type[Event], int], list[Event]] = {}
        for number, event in enumerate(events):
            session = getattr(event, "session_id", None)
            key = number if session is None else crc32(session.encode())
            same = packed.setdefault((type(event), key % self.partitions), [])
            same.append(event)
            if len(same) == per_record:
                self._append(key % self.partitions, same)
                same.clear()
        for (_, partition), rest in packed.items():
            if rest:
                self._append(partition, rest)

    def _append(self, partition: int, events: list[Event]) -> None:
        if isinstance(events[0], Embedding):
            columns = [
                msgspec.structs.replace(event, vector=as_bytes(event))
                for event in events
                if isinstance(event, Embedding)
            ]
            self.topics.append(EMBEDDINGS.name, partition, encode_columns(columns), COLUMNS)
        else:
            self.topics.append(INTERACTIONS.name, partition, encode_rows(events), ROWS)

    def baselines(self) -> None:
        """Fit all there are and send them to the second stage."""
        collector = Collector(self._settings, label, [])
        for topic in (INTERACTIONS, EMBEDDINGS):
            for partition in range(self.partitions):
                for record in self.topics.records[topic.name, partition]:
                    collector.take(record)
        for baseline in collector.settle(set(), 0):
            to = partition_of(baseline.segment, self.partitions)
            self.topics.append(SUMMARIES.name, to, encode(Fitted(baseline)))

    def watermarks(self, over: bool = False) -> bool:
        """Send how far every source has come, and say if anything was sent; ``over``: nothing will follow."""
        told = False
        for partition in range(self.partitions):
            silent = {
                kind for kind in SOURCES if over or not self.topics.records[SOURCES[kind].name, partition]
            }
            outputs = self._summarise.watermarks(partition, silent.__contains__)
            self.first.send(outputs)
            told = told or bool(outputs)
        return told

    def finish(self) -> None:
        self.first.fold_all()
        self.first.write()
        while self.watermarks(over=True):
            pass
        self.second.fold_all()
        self.second.write()

    def totals(self) -> Totals:
        rows: dict[bytes, bytes | None] = dict(self.first.rows())
        return add_up(rows)

    def summaries(self) -> dict[tuple[str, int, str], Packed]:
        """What every pane of every segment holds, all sources together."""
        latest: dict[tuple[str, int, str, int], Snapshot] = {}
        for output in self.first.sent:
            message = decode(output.value)
            if isinstance(message, Snapshot):
                latest[message.segment, message.pane, message.kind, message.partition] = message
        found: dict[tuple[str, int, str], Summary] = {}
        for message in latest.values():
            for family, packed in message.families.items():
                pane = found.setdefault((message.segment, message.pane, family), Summary())
                pane.add(unpack(packed))
                pane.trim()
        return {key: pane.pack() for key, pane in found.items()}

    def alerts(self) -> dict[str, Alert]:
        """Every alert at its highest revision."""
        found: dict[str, Alert] = {}
        for output in self.second.sent:
            if output.topic == ALERTS.name:
                alert = msgspec.json.decode(output.value, type=Alert)
                if alert.id not in found or found[alert.id].revision <= alert.revision:
                    found[alert.id] = alert
        return found

    def history(self) -> dict[tuple[str, str, int], DaySums]:
        """The sums of every day, as far as they were told."""
        found: dict[tuple[str, str, int], DaySums] = {}
        for output in self.second.sent:
            if output.topic == HISTORY.name:
                sums = msgspec.json.decode(output.value, type=DaySums)
                key = sums.segment, sums.family, sums.day
                if key not in found or found[key].until <= sums.until:
                    found[key] = sums
        return found


def as_bytes(event: Embedding) -> bytes:
    assert isinstance(event.vector, list)
    return struct.pack(f"<{len(event.vector)}f", *event.vector)


@cache
def clean(partitions: int = SOURCE_PARTITIONS, per_record: int = 5, seed: int = 5) -> Chain:
    chain = Chain(partitions, per_record, seed)
    chain.baselines()
    chain.finish()
    return chain


CLEAN = clean()


class Life(RuleBasedStateMachine):
    """What may happen to the two stages; in the end everything is as in one clean pass."""

    @initialize(
        partitions=st.sampled_from([1, 3, 4]),
        per_record=st.integers(1, 40),
        most_panes=st.sampled_from([1, 7, None]),
    )
    def begin(self, partitions: int, per_record: int, most_panes: int | None) -> None:
        # Each pane of a segment is a slice of its own: a write or a crash may come after any of them.
        self.chain = Chain(partitions, per_record, slice_seconds=0, most_panes=most_panes)

    @rule(which=st.integers(0, 7), records=st.integers(1, 30))
    def count_of_one_source_so_that_they_drift_apart(self, which: int, records: int) -> None:
        self.chain.first.fold(which, records)

    @rule(records=st.integers(1, 8))
    def everything_moves_on_and_the_second_stage_has_not_written_yet(self, records: int) -> None:
        for which in range(len(self.chain.first.sources)):
            self.chain.first.fold(which, records)
        self.chain.first.write()
        self.chain.watermarks()
        self.chain.second.fold_all()

    @rule(tell=st.booleans())
    def write(self, tell: bool) -> None:
        self.chain.first.write()
        if tell:
            self.chain.watermarks()

    @rule(kept=st.floats(0, 1))
    def the_first_stage_dies_in_a_write(self, kept: float) -> None:
        self.chain.first.write(lose=True)
        self.chain.first.crash(kept)

    @rule(which=st.integers(0, 7), records=st.integers(1, 200))
    def detect(self, which: int, records: int) -> None:
        self.chain.second.fold(which, records)

    @rule()
    def write_what_was_detected(self) -> None:
        self.chain.second.write()

    @rule(kept=st.floats(0, 1))
    def the_second_stage_dies_in_a_write(self, kept: float) -> None:
        self.chain.second.write(lose=True)
        self.chain.second.crash(kept)

    @rule(pick=st.randoms())
    def something_that_was_sent_arrives_once_more(self, pick: Random) -> None:
        sent = [each for each in self.chain.first.sent if each.partition is not None]
        if sent:
            again = pick.choice(sent)
            assert again.partition is not None
            self.chain.topics.append(again.topic, again.partition, again.value)

    @rule()
    def baselines_come(self) -> None:
        self.chain.baselines()

    def teardown(self) -> None:
        if hasattr(self, "chain"):
            self.chain.baselines()
            self.chain.finish()
            assert self.chain.totals() == CLEAN.totals()
            assert self.chain.alerts() == CLEAN.alerts()
            assert self.chain.history() == CLEAN.history()


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
# Minutes of work, and twice as many beside other tests.
test_whatever_happens_counts_alerts_and_days_are_those_of_one_clean_pass = pytest.mark.timeout(1200)(
    Life.TestCase
)


def test_canaries_are_counted_apart_and_change_nothing_else() -> None:
    marked = [event for event in traffic() if is_canary(event)]
    assert CLEAN.totals()["all"]["canaries"] == len(marked) > 0
    bare = Chain(SOURCE_PARTITIONS, events=[event for event in traffic() if not is_canary(event)])
    bare.baselines()
    bare.finish()
    assert bare.totals() == CLEAN.without_canaries()
    assert bare.summaries() == CLEAN.summaries()
    assert bare.alerts() == CLEAN.alerts()
    assert bare.history() == CLEAN.history()


def test_a_clean_pass_finds_what_happened() -> None:
    events = traffic()
    all_traffic = CLEAN.totals()["all"]
    assert all_traffic["interactions"] == sum(isinstance(event, Interaction) for event in events)
    assert all_traffic["refusals"] == sum(
        isinstance(event, Interaction) and bool(event.refusal) for event in events
    )
    assert Counter(alert.metric for alert in CLEAN.alerts().values() if alert.paging) == {
        "refusal_rate": 2,
        "query_embedding": 2,
    }
    onsets = [alert.onset // 1000 - BEGIN // 1000 for alert in CLEAN.alerts().values() if alert.paging]
    assert all(abs(onset - CHANGE_AT) <= 2 for onset in onsets)
    assert CLEAN.first.dead == []


def test_a_clean_pass_tells_what_each_day_had() -> None:
    events = [event for event in traffic() if isinstance(event, Interaction)]
    first = events[: MIDNIGHT * PER_SECOND]
    told = [sums for (name, _, _), sums in sorted(CLEAN.history().items()) if name == "all"]
    assert {sums.family for sums in told} == {"interaction", "embedding/query/small/3"}
    before, after = [sums for sums in told if sums.family == "interaction"]
    assert (before.events, after.events) == (len(first), len(events) - len(first))
    counts = msgspec.msgpack.decode(before.sums, type=Packed).counts
    assert counts["refusals"] == sum(bool(event.refusal) for event in first)
    sessions = {event.session_id for event in first if event.session_id is not None}
    assert counts["again"] == sum(event.session_id is not None for event in first) - len(sessions)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([1, 4, 16]), st.integers(1, 60), st.integers(5, 7))
def test_one_four_and_sixteen_partitions_give_the_same_sums_and_alerts(
    partitions: int, per_record: int, seed: int
) -> None:
    chain, other = clean(partitions, per_record, seed), clean(seed=seed)
    assert chain.totals() == other.totals()
    assert chain.summaries() == other.summaries()
    assert chain.alerts() == other.alerts()
    assert chain.history() == other.history()
    assert other.alerts()
