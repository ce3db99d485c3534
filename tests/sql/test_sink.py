"""The sink on a real Postgres, fed by hand: what becomes of every kind of record."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from drift_aware.schema.alerts import Reading
from drift_aware.schema.envelope import COLUMNS, ROWS, encode_columns, encode_rows
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Retention
from drift_aware.schema.topics import SOURCES
from drift_aware.sql import batch, partitions, store
from drift_aware.sql.embedded import EmbeddedPostgres
from drift_aware.sql.partitions import Days
from drift_aware.sql.rows import LOGS
from drift_aware.sql.sink import Sink
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from rig.postgres import fresh_database
from rig_events import NOON, alert, baseline, day_sums, embedding, evaluation, feedback, interaction, readings

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
KEEP = Retention(automatic=False)


class Desk:
    """A sink with its database and its metrics, and a counter for offsets."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.registry = CollectorRegistry()
        self.sink = Sink(SinkMetrics(self.registry), KEEP, now=lambda: NOW)
        self.sink.prepare(connection)
        self.offset = 0

    def put(self, topic: str, *values: bytes | None, form: str = ROWS) -> None:
        records = []
        for value in values:
            records.append(Record(topic, 1, self.offset, value, form))
            self.offset += 1
        with self.connection.transaction():
            self.sink.handle(self.connection, records)
        self.sink.committed()

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(SQL("SELECT * FROM {}").format(Identifier(table))).fetchall()

    def counted(self, metric: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"drift_aware_sink_{metric}_total", labels)


@pytest.fixture(scope="module")
def connection(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Connection]:
    with (
        fresh_database(postgres_server.url, migrated_template) as url,
        store.connect(url, "test") as connection,
    ):
        partitions.make_ahead(connection, NOW.date())
        yield connection


@pytest.fixture
def desk(connection: Connection) -> Iterator[Desk]:
    with connection.transaction(force_rollback=True):
        yield Desk(connection)


INTERACTIONS, EMBEDDINGS = "drift.interactions.v1", "drift.embeddings.v1"
ALERTS, READINGS, HISTORY = "drift.alerts.v1", "drift.readings.v1", "drift.history.v1"
BASELINES = "drift.baselines.v1"


@pytest.mark.parametrize(
    ("kind", "event"),
    [("interaction", interaction(7)), ("feedback", feedback(7)), ("evaluation", evaluation(7))],
)
@pytest.mark.parametrize("form", [ROWS, COLUMNS])
def test_every_field_of_an_event_is_kept(desk: Desk, kind: Any, event: Any, form: str) -> None:
    encode = encode_columns if form == COLUMNS else encode_rows
    desk.put(SOURCES[kind].name, encode([event]), form=form)
    [row] = desk.rows(LOGS[kind].name)
    expected = msgspec.structs.asdict(event) | {"ts": datetime.fromtimestamp(event.ts / 1000, UTC)}
    if kind == "interaction":
        expected |= {"error": True, "error_text": "timeout"}
    assert row == expected | {"src_partition": 1, "src_offset": 0, "src_index": 0}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("dim", [1, 384, 1536, 16_000])
def test_vectors_of_any_size_are_kept_as_float16(desk: Desk, dim: int, dtype: Any) -> None:
    vector = np.random.default_rng(0).normal(size=dim).astype(np.dtype(dtype).newbyteorder("<"))
    event = embedding(1, vector=vector.tobytes(), dtype=dtype)
    desk.put(EMBEDDINGS, encode_columns([event]), form=COLUMNS)
    [row] = desk.rows("embeddings_log")
    assert row["embedding"].to_numpy().tolist() == vector.astype(np.float16).tolist()
    assert (row["dim"], row["dtype"], row["model"], row["kind"]) == (dim, dtype, "small", "query")


def test_canaries_are_marked_and_nothing_else_is(desk: Desk) -> None:
    for kind, some in (
        ("embedding", [embedding(1), embedding(2, canary=True)]),
        ("evaluation", [evaluation(1), evaluation(2, canary=True)]),
    ):
        for form, encode in ((ROWS, encode_rows), (COLUMNS, encode_columns)):
            desk.put(SOURCES[kind].name, encode(some), form=form)  # type: ignore[index]
        marks = [row["canary"] for row in desk.rows(LOGS[kind].name)]  # type: ignore[index]
        assert marks == [False, True, False, True]


def test_a_sink_that_knows_no_canaries_can_go_on_after_the_migration(desk: Desk) -> None:
    desk.connection.execute(
        "INSERT INTO evaluation_log (ts, eval_set, run_id, src_partition, src_offset, src_index)"
        " VALUES (now(), 'golden', 'r1', 0, 0, 0)"
    )
    assert [row["canary"] for row in desk.rows("evaluation_log")] == [False]


def test_an_event_with_the_least_it_may_have_is_kept(desk: Desk) -> None:
    desk.put(INTERACTIONS, b'{"id": "x", "ts": 1772366400}')
    [row] = desk.rows("interaction_log")
    assert row["id"] == "x"
    assert {row[name] for name in ("app", "error", "error_text", "labels", "turn")} == {None}


@pytest.mark.parametrize(
    ("error", "failed", "words"),
    [(True, True, None), (False, False, None), ("", False, ""), ("x", True, "x")],
)
def test_an_error_is_a_fact_and_its_words(desk: Desk, error: Any, failed: bool, words: str | None) -> None:
    desk.put(INTERACTIONS, encode_rows([interaction(1, error=error)]))
    [row] = desk.rows("interaction_log")
    assert (row["error"], row["error_text"]) == (failed, words)


def test_nul_characters_are_removed_everywhere_and_counted(desk: Desk) -> None:
    dirty = interaction(1, id="a\x00b", user_query="\x00", labels={"k\x00": "v\x00"}, error="e\x00")
    desk.put(INTERACTIONS, encode_rows([dirty]))
    [row] = desk.rows("interaction_log")
    assert (row["id"], row["user_query"], row["labels"], row["error_text"]) == ("ab", "", {"k": "v"}, "e")
    assert desk.counted("amended", change="nul_removed") == 5


def test_a_text_of_two_megabytes_is_clipped_and_counted(desk: Desk) -> None:
    long = "".join(chr(0x4E00 + n % 5000) for n in range(2_000_000))
    desk.put(INTERACTIONS, encode_rows([interaction(1, user_query=long, id=long, model=long)]))
    [row] = desk.rows("interaction_log")
    assert row["user_query"] == long[:100_000]
    assert row["id"] == row["model"] == long[:500]
    assert desk.counted("amended", change="clipped") == 3


def test_a_number_beyond_bigint_cannot_be_stored_and_is_counted(desk: Desk) -> None:
    desk.put(ALERTS, msgspec.json.encode(alert(1, revision=2**63)), msgspec.json.encode(alert(2)))
    assert [row["id"] for row in desk.rows("drift_events")] == ["a2"]
    assert desk.counted("skipped", topic=ALERTS, reason="refused") == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 70_000])
def test_a_vector_that_is_not_finite_is_skipped_and_counted_and_its_neighbours_stay(
    desk: Desk, bad: float
) -> None:
    spoiled = embedding(2, vector=np.array([1, bad], "<f4").tobytes(), dtype="float32")
    good = [embedding(n, vector=np.ones(2, "<f4").tobytes(), dtype="float32") for n in (1, 3)]
    desk.put(EMBEDDINGS, encode_columns([good[0], spoiled, good[1]]), form=COLUMNS)
    assert [(row["id"], row["src_index"]) for row in desk.rows("embeddings_log")] == [("e1", 0), ("e3", 2)]
    assert desk.counted("skipped", topic=EMBEDDINGS, reason="not_finite") == 1


@pytest.mark.parametrize("ts", [1, 1_000_000_000, 4_000_000_000, 253_402_300_799_999, "0001-01-01T00:00:00Z"])
def test_any_time_is_stored_or_counted(desk: Desk, ts: Any) -> None:
    desk.put(INTERACTIONS, msgspec.json.encode({"id": "x", "ts": ts}), encode_rows([interaction(1)]))
    stored = len(desk.rows("interaction_log"))
    assert stored == 2 - (desk.counted("skipped", topic=INTERACTIONS, reason="bad_timestamp") or 0)
    assert (desk.counted("default_partition_rows", table="interaction_log") or 0) == stored - 1


def test_what_cannot_be_read_is_skipped_and_counted_and_the_rest_stays(desk: Desk) -> None:
    mixed = b'[{"id": "good", "ts": 1772366400}, {"id": 3}]'
    desk.put(INTERACTIONS, None, b"", b"no json", b'"\xff"', mixed)
    assert [row["id"] for row in desk.rows("interaction_log")] == ["good"]
    skipped = [
        sample.value
        for metric in desk.registry.collect()
        for sample in metric.samples
        if sample.name == "drift_aware_sink_skipped_total"
    ]
    assert sum(skipped) == 5


def test_an_alert_is_one_row_at_its_highest_revision(desk: Desk) -> None:
    desk.put(ALERTS, msgspec.json.encode(alert(1, revision=2, severity="critical")))
    [first] = desk.rows("drift_events")
    desk.put(
        ALERTS,
        msgspec.json.encode(alert(1, revision=1, severity="info")),
        msgspec.json.encode(alert(1, revision=2, severity="info")),
    )
    assert desk.rows("drift_events") == [first]
    desk.put(ALERTS, msgspec.json.encode(alert(1, revision=3, status="resolved")))
    [last] = desk.rows("drift_events")
    assert (last["revision"], last["status"], last["severity"]) == (3, "resolved", "warning")
    assert last["created_at"] == first["created_at"]


def test_an_alert_is_kept_whole(desk: Desk) -> None:
    sent = alert(1, evidence=99.5, suggested_actions=["tune"], examples=["a\x00", "b"])
    desk.put(ALERTS, msgspec.json.encode(sent))
    [row] = desk.rows("drift_events")
    sent.examples = ["a", "b"]
    assert msgspec.convert(row["alert"], type(sent)) == sent
    assert row["window_end"] == row["ts"] == datetime.fromtimestamp(NOON / 1000, UTC)
    assert (row["window_events"], row["suggested_actions"], row["evidence"]) == (1234, ["tune"], 99.5)


def test_several_revisions_in_one_batch_end_at_the_highest(desk: Desk) -> None:
    desk.put(ALERTS, *(msgspec.json.encode(alert(1, revision=r)) for r in (1, 3, 2)))
    assert [row["revision"] for row in desk.rows("drift_events")] == [3]


@pytest.mark.parametrize(
    "value", [None, b"{}", b"\xff", b"[]", msgspec.json.encode(alert(1, ts=10**30)), b'{"id": "\x00"}']
)
def test_an_alert_that_cannot_be_read_is_skipped(desk: Desk, value: bytes | None) -> None:
    desk.put(ALERTS, value, msgspec.json.encode(alert(2)))
    assert [row["id"] for row in desk.rows("drift_events")] == ["a2"]


def test_a_row_that_postgres_refuses_is_found_skipped_and_counted(desk: Desk) -> None:
    rng = np.random.default_rng(0)
    unindexable = "".join(chr(c) for c in rng.integers(0x4E00, 0x9000, 50_000))
    good = [msgspec.json.encode(alert(n)) for n in range(20)]
    desk.put(ALERTS, *good[:7], msgspec.json.encode(alert(1, id=unindexable)), *good[7:])
    assert len(desk.rows("drift_events")) == 20
    assert desk.counted("skipped", topic=ALERTS, reason="refused") == 1
    assert desk.counted("rows", table="drift_events") == 20


def test_a_pane_of_readings_becomes_one_row_each_and_the_last_word_wins(desk: Desk) -> None:
    pane = readings()
    pane.readings.append(
        Reading(metric="refusal_rate", detector="evidence", state="ok", events=1, channel="c")
    )
    desk.put(READINGS, msgspec.json.encode(pane), msgspec.json.encode(readings(NOON + 10_000)))
    pane.totals["interactions"] = 60
    pane.readings[0] = Reading(
        metric="refusal_rate", detector="evidence", state="firing", events=60, current=0.5, fired=True
    )
    desk.put(READINGS, msgspec.json.encode(pane))
    rows = sorted(desk.rows("drift_metrics"), key=lambda row: (row["pane_start"], row["channel"] or ""))
    assert [(row["channel"], row["state"], row["fired"]) for row in rows] == [
        (None, "firing", True),
        ("c", "ok", False),
        (None, "ok", False),
    ]
    assert [row["totals"] for row in desk.rows("pane_totals")] == [{"interactions": 50}, {"interactions": 60}]


def test_of_a_day_the_sums_at_the_latest_event_time_are_kept(desk: Desk) -> None:
    early, late = (
        day_sums(until=NOON, events=7, sums=b"7"),
        day_sums(until=NOON + 60_000, events=9, sums=b"9"),
    )
    other = [day_sums(segment="app=shop"), day_sums(family="feedback"), day_sums(day=NOON - 86_400_000)]
    desk.put(HISTORY, *(msgspec.json.encode(each) for each in (early, late, early, *other)))
    desk.put(HISTORY, msgspec.json.encode(early), msgspec.json.encode(late))
    rows = desk.rows("day_sums")
    assert len(rows) == 4
    [row] = [row for row in rows if row["sums"] == b"9"]
    assert row == {
        "segment": "all",
        "family": "interaction",
        "day": NOW.date(),
        "until": datetime.fromtimestamp((NOON + 60_000) / 1000, UTC),
        "events": 9,
        "sums": b"9",
    }


def test_a_day_that_is_none_is_skipped_and_counted(desk: Desk) -> None:
    desk.put(HISTORY, msgspec.json.encode(day_sums(day=10**17)), msgspec.json.encode(day_sums()))
    assert len(desk.rows("day_sums")) == 1
    assert desk.counted("skipped", topic=HISTORY, reason="bad_timestamp") == 1


def test_of_a_baseline_the_one_published_last_is_kept_without_words(desk: Desk) -> None:
    first, second = baseline(summary=b"words"), baseline(id="b2", created=NOON - 9, reference=b"clusters")
    desk.put(BASELINES, *(msgspec.json.encode(each) for each in (first, baseline(family="feedback"))))
    desk.put(BASELINES, msgspec.json.encode(first), msgspec.json.encode(second))
    rows = {row["family"]: row for row in desk.rows("baseline")}
    assert set(rows) == {"interaction", "feedback"}
    assert rows["interaction"] == {
        "segment": "all",
        "family": "interaction",
        "id": "b2",
        "policy": "first",
        "since": datetime.fromtimestamp(NOON / 1000 - 3600, UTC),
        "until": datetime.fromtimestamp(NOON / 1000 - 60, UTC),
        "events": 0,
        "reference": b"clusters",
        "created_at": datetime.fromtimestamp(NOON / 1000 - 0.009, UTC),
    }


def test_nothing_is_counted_before_it_is_committed(desk: Desk) -> None:
    with desk.connection.transaction(force_rollback=True):
        desk.sink.handle(desk.connection, [Record(INTERACTIONS, 0, 0, encode_rows([interaction(1)]), ROWS)])
    assert desk.rows("interaction_log") == []
    assert desk.counted("rows", table="interaction_log") is None


def test_partitions_are_made_again_when_the_day_has_changed(desk: Desk) -> None:
    days = iter([NOW, NOW.replace(day=2), NOW.replace(day=2)])
    sink = Sink(SinkMetrics(CollectorRegistry()), KEEP, now=lambda: next(days))
    sink.prepare(desk.connection)
    sink.prepare(desk.connection)
    names = [name for (name,) in desk.connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")]
    assert "interaction_log_20260306" in names


ANYTHING = st.binary(max_size=200) | st.builds(
    lambda value, at, byte: value[:at] + bytes([byte]) + value[at + 1 :],
    st.sampled_from(
        [
            encode_rows([interaction(1)]),
            encode_columns([embedding(1), embedding(2)]),
            msgspec.json.encode(alert(1)),
            msgspec.json.encode(readings()),
            msgspec.json.encode(day_sums()),
            msgspec.json.encode(baseline()),
        ]
    ),
    st.integers(0, 300),
    st.integers(0, 255),
)


@given(
    st.sampled_from([*(topic.name for topic in SOURCES.values()), ALERTS, READINGS, HISTORY, BASELINES]),
    ANYTHING,
    st.sampled_from([ROWS, COLUMNS, "text/plain"]),
)
def test_no_record_stops_the_reading(topic: str, value: bytes, form: str) -> None:
    batch.sort([Record(topic, 0, 0, value, form)], Days.around(NOW.date()))
