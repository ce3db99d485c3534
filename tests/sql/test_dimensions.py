"""One table for each dimension of vectors, on a real Postgres."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from prometheus_client import CollectorRegistry

from drift_aware.schema.envelope import COLUMNS, encode_columns
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Retention
from drift_aware.schema.topics import EMBEDDINGS
from drift_aware.sql import dimensions, partitions, store
from drift_aware.sql.sink import Sink
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from rig_events import embedding

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def put(sink: Sink, connection: Connection, *dims: int) -> None:
    sink.prepare(connection)
    values = [encode_columns([embedding(n, dim=dim)]) for n, dim in enumerate(dims)]
    with connection.transaction():
        sink.handle(
            connection, [Record(EMBEDDINGS.name, 0, n, value, COLUMNS) for n, value in enumerate(values)]
        )
    sink.committed()


def sink(clock: Clock) -> Sink:
    return Sink(SinkMetrics(CollectorRegistry()), Retention(automatic=False), now=clock)


def places(connection: Connection) -> list[tuple[int, str]]:
    return connection.execute(
        "SELECT dim, tableoid::regclass::text FROM embeddings_log ORDER BY dim, 2"
    ).fetchall()


def test_a_new_dimension_gets_a_table_that_takes_its_rows_along(connection: Connection) -> None:
    persist = sink(Clock())
    put(persist, connection, 8, 3)
    assert places(connection) == [(3, "embeddings_log_other_20260301"), (8, "embeddings_log_other_20260301")]
    put(persist, connection, 8)
    assert places(connection) == [
        (3, "embeddings_log_3_20260301"),
        (8, "embeddings_log_8_20260301"),
        (8, "embeddings_log_8_20260301"),
    ]
    assert dimensions.existing(connection) == {3, 8}


def test_no_more_than_so_many_dimensions_get_tables(connection: Connection) -> None:
    many = range(1, dimensions.MAX_TABLES + 3)
    persist = sink(Clock())
    put(persist, connection, *many)
    persist.prepare(connection)
    assert dimensions.existing(connection) == set(many[:-2])
    assert [where for dim, where in places(connection) if dim in many[-2:]] == [
        "embeddings_log_other_20260301"
    ] * 2


def test_a_table_in_use_is_left_for_the_next_hour(connection: Connection, database_url: str) -> None:
    clock = Clock()
    persist = sink(clock)
    put(persist, connection, 8)
    with store.connect(database_url, "test") as other, other.transaction():
        other.execute("LOCK TABLE embeddings_log IN ROW EXCLUSIVE MODE")
        persist.prepare(connection)
        assert dimensions.existing(connection) == set()
    persist.prepare(connection)
    assert dimensions.existing(connection) == set()
    clock.now = NOW.replace(hour=13)
    persist.prepare(connection)
    assert places(connection) == [(8, "embeddings_log_8_20260301")]


def test_two_sinks_make_a_table_once(connection: Connection, database_url: str) -> None:
    with store.connect(database_url, "test") as other:
        assert dimensions.make(connection, 8)
        assert dimensions.make(other, 8)
    assert dimensions.existing(connection) == {8}


def test_a_dimension_has_its_days_and_takes_no_vector_of_another_length(connection: Connection) -> None:
    dimensions.make(connection, 8)
    made = partitions.make_ahead(connection, date(2026, 3, 1))
    assert made == (len(partitions.PARTITIONED) + 1) * (partitions.DAYS_BACK + partitions.DAYS_AHEAD + 1)
    assert "embeddings_log_8" in partitions.by_day(connection)
    checks = connection.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'embeddings_log_8_20260301'::regclass AND contype = 'c'"
    ).fetchall()
    assert checks == [("CHECK ((vector_dims(embedding) = 8))",)]


def test_neighbours_are_found_by_an_index_on_one_dimension(connection: Connection) -> None:
    persist = sink(Clock())
    put(persist, connection, *[8] * 50, 3)
    persist.prepare(connection)
    connection.execute(
        "CREATE INDEX ON embeddings_log_8 USING hnsw ((embedding::halfvec(8)) halfvec_cosine_ops)"
    )
    # Of so few rows anything is quick; what matters is that the index can be used.
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET enable_sort = off")
    plan = connection.execute(
        "EXPLAIN SELECT id FROM embeddings_log_8 WHERE ts >= '2026-03-01Z' AND ts < '2026-03-02Z'"
        " ORDER BY embedding::halfvec(8) <=> '[1,2,3,4,5,6,7,8]' LIMIT 5"
    ).fetchall()
    assert "Index Scan using embeddings_log_8_20260301_embedding_idx" in str(plan)


def test_one_name_answers_for_all_and_rows_can_be_deleted_through_it(connection: Connection) -> None:
    persist = sink(Clock())
    put(persist, connection, 8, 3)
    persist.prepare(connection)
    put(persist, connection, 8, 3)
    assert connection.execute("DELETE FROM embeddings_log WHERE interaction_id = 'i0'").rowcount == 2
    assert len(places(connection)) == 2
