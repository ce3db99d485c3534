from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from drift_aware.sql import partitions, store
from drift_aware.sql.partitions import DAYS_AHEAD, DAYS_BACK, PARTITIONED, Days
from drift_aware.sql.store import Connection

TODAY = date(2026, 3, 1)
PER_TABLE = DAYS_BACK + DAYS_AHEAD + 1
# As embeddings_log_other takes the place of embeddings_log, there is one table by day for each.
TABLES = len(PARTITIONED)
INSERT = (
    "INSERT INTO evaluation_log (ts, eval_set, run_id, src_partition, src_offset, src_index)"
    " VALUES (%s, 's', 'r', 0, 0, 0)"
)
WHERE = "SELECT tableoid::regclass::text FROM evaluation_log"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def test_the_days_around_today_get_partitions_once(connection: Connection) -> None:
    assert partitions.make_ahead(connection, TODAY) == PER_TABLE * TABLES
    assert partitions.make_ahead(connection, TODAY) == 0
    assert partitions.make_ahead(connection, TODAY + timedelta(1)) == TABLES


def test_rows_go_to_the_partition_of_their_utc_day(connection: Connection) -> None:
    partitions.make_ahead(connection, TODAY)
    connection.execute("SET timezone TO 'Pacific/Auckland'")
    last = datetime(2026, 3, 1, 23, 59, 59, 999_999, UTC)
    for ts in (last, last + timedelta(microseconds=1)):
        connection.execute(INSERT, [ts])
    assert connection.execute(WHERE).fetchall() == [
        ("evaluation_log_20260301",),
        ("evaluation_log_20260302",),
    ]


@pytest.mark.parametrize("year", [1970, 2019, 2200, 9999])
def test_rows_of_other_days_go_to_the_default_partition(connection: Connection, year: int) -> None:
    partitions.make_ahead(connection, TODAY)
    ts = datetime(year, 6, 1, tzinfo=UTC)
    connection.execute(INSERT, [ts])
    assert connection.execute(WHERE).fetchall() == [("evaluation_log_default",)]
    assert ts not in Days.around(TODAY)


def test_a_day_that_gets_its_partition_later_takes_its_rows_along(connection: Connection) -> None:
    connection.execute(INSERT, [datetime(2026, 3, 1, 12, tzinfo=UTC)])
    connection.execute(INSERT, [datetime(2030, 3, 1, 12, tzinfo=UTC)])
    partitions.make_ahead(connection, TODAY)
    assert set(connection.execute(WHERE)) == {("evaluation_log_20260301",), ("evaluation_log_default",)}


def test_a_partition_has_the_indexes_of_its_table(connection: Connection) -> None:
    partitions.make_ahead(connection, TODAY)
    indexes = connection.execute(
        "SELECT count(*) FROM pg_index WHERE indrelid = 'interaction_log_20260301'::regclass"
    ).fetchone()
    assert indexes == (2,)


def test_a_table_in_use_is_left_for_the_next_time(connection: Connection, database_url: str) -> None:
    with store.connect(database_url, "test") as other, other.transaction():
        other.execute("LOCK TABLE evaluation_log_default IN ACCESS SHARE MODE")
        assert partitions.make_ahead(connection, TODAY) == 0
    assert partitions.make_ahead(connection, TODAY) == PER_TABLE * TABLES
