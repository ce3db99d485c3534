"""What is removed and what stays, on a real Postgres."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Retention
from drift_aware.sql import dimensions, partitions, retention, store
from drift_aware.sql.partitions import PARTITIONED
from drift_aware.sql.retention import Removed
from drift_aware.sql.sink import Sink
from drift_aware.sql.store import Connection
from rig.commands import Command

TODAY = date(2026, 3, 31)
WEEK = Retention(**dict.fromkeys(PARTITIONED, 7))
INSERT = (
    "INSERT INTO evaluation_log (ts, eval_set, run_id, src_partition, src_offset, src_index)"
    " VALUES (%s, 's', 'r', 0, 0, 0)"
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def insert(connection: Connection, *days: date) -> None:
    for day in days:
        connection.execute(INSERT, [at(day)])


def days_left(connection: Connection) -> list[date]:
    return [ts.date() for (ts,) in connection.execute("SELECT ts FROM evaluation_log ORDER BY ts")]


def leaves(connection: Connection) -> set[str]:
    return {
        name
        for (name,) in connection.execute(
            "SELECT relid::text FROM unnest(%s::text[]) AS name, pg_partition_tree(name::regclass)"
            " WHERE isleaf",
            [list(PARTITIONED)],
        )
    }


def days_kept(connection: Connection) -> dict[str, int | None]:
    return dict(connection.execute("SELECT table_name, days FROM retention").fetchall())


def clean(connection: Connection, kept: Retention = WEEK, today: date = TODAY) -> list[Removed]:
    retention.keep(connection, kept)
    return list(retention.clean(connection, today))


def test_whole_days_go_when_their_last_event_is_too_old(connection: Connection) -> None:
    partitions.make_ahead(connection, TODAY - timedelta(5))
    before = leaves(connection)
    insert(connection, *(TODAY - timedelta(age) for age in (7, 8, 12)))
    removed = clean(connection)
    assert {each.outcome for each in removed} == {"dropped"}
    assert all(each.bytes for each in removed)
    assert days_left(connection) == [TODAY - timedelta(7)]
    gone = before - leaves(connection)
    assert gone == {each.relation for each in removed}
    assert {name[-8:] for name in gone} == {f"{TODAY - timedelta(age):%Y%m%d}" for age in range(8, 13)}
    assert clean(connection) == []


def test_rows_of_days_without_a_partition_go_by_their_age_too(connection: Connection) -> None:
    insert(connection, TODAY, TODAY - timedelta(7), TODAY - timedelta(8), date(1999, 1, 1), date(2200, 1, 1))
    assert clean(connection) == [Removed("evaluation_log_default", "deleted", 2, None)]
    assert days_left(connection) == [TODAY - timedelta(7), TODAY, date(2200, 1, 1)]


def test_every_dimension_has_the_age_of_the_embeddings(connection: Connection) -> None:
    dimensions.make(connection, 8)
    partitions.make_ahead(connection, TODAY - timedelta(30))
    removed = clean(connection, Retention(**dict.fromkeys(PARTITIONED, None) | {"embeddings_log": 7}))
    kinds = {each.relation[:-9] for each in removed}
    assert kinds == {"embeddings_log_8", "embeddings_log_other"}


def test_null_keeps(connection: Connection) -> None:
    partitions.make_ahead(connection, date(2000, 1, 1))
    insert(connection, date(1999, 1, 1))
    assert clean(connection, Retention(**dict.fromkeys(PARTITIONED, None))) == []
    assert days_left(connection) == [date(1999, 1, 1)]


def test_the_session_s_time_zone_changes_nothing(connection: Connection) -> None:
    connection.execute("SET timezone TO 'Pacific/Auckland'")
    partitions.make_ahead(connection, TODAY - timedelta(5))
    assert {each.relation[-8:] for each in clean(connection)} == {
        f"{TODAY - timedelta(age):%Y%m%d}" for age in range(8, 13)
    }


def test_to_foresee_is_not_to_remove(connection: Connection) -> None:
    partitions.make_ahead(connection, TODAY - timedelta(5))
    insert(connection, date(1999, 1, 1))
    before = leaves(connection), days_left(connection)
    foreseen = retention.foresee(connection, WEEK, TODAY)
    assert (leaves(connection), days_left(connection)) == before
    assert connection.execute(
        "SELECT days FROM retention WHERE table_name = 'evaluation_log'"
    ).fetchone() == (365,)
    removed = clean(connection)
    assert [(each.relation, each.outcome, each.rows) for each in foreseen] == [
        (each.relation, each.outcome, each.rows) for each in removed
    ]


def test_what_is_in_use_stays_for_the_next_time_and_the_rest_goes(
    connection: Connection, database_url: str
) -> None:
    partitions.make_ahead(connection, TODAY - timedelta(12))
    with store.connect(database_url, "test") as other, other.transaction():
        other.execute("SELECT FROM feedback_log")
        outcomes = {each.relation[:-9]: each.outcome for each in clean(connection)}
    assert outcomes.pop("feedback_log") == "in use"
    assert set(outcomes.values()) == {"dropped"}
    assert {each.outcome for each in clean(connection)} == {"dropped"}


def test_a_scheduler_of_the_database_does_the_same_by_the_days_in_the_database(
    connection: Connection,
) -> None:
    partitions.make_ahead(connection, datetime.now(UTC).date() - timedelta(40))
    insert(connection, date(1999, 1, 1))
    rows = connection.execute("SELECT relation, outcome FROM cleanup_old_data()").fetchall()
    assert ("evaluation_log_default", "deleted") in rows
    assert {name.rpartition("_")[0] for name, outcome in rows if outcome == "dropped"} == {
        "embeddings_log_other"
    }


def test_the_defaults_in_the_database_are_those_of_the_settings(connection: Connection) -> None:
    assert days_kept(connection) == Retention().model_dump(include=set(PARTITIONED))


def test_the_sink_cleans_once_an_hour_and_says_how_many_rows_have_no_partition(
    connection: Connection,
) -> None:
    registry, now = CollectorRegistry(), [at(TODAY)]
    sink = Sink(SinkMetrics(registry), WEEK, now=lambda: now[0])
    sink.prepare(connection)
    insert(connection, date(1999, 1, 1), date(2200, 1, 1))
    sink.prepare(connection)
    assert len(days_left(connection)) == 2
    now[0] += timedelta(hours=1)
    sink.prepare(connection)
    assert days_left(connection) == [date(2200, 1, 1)]
    assert registry.get_sample_value("drift_aware_sink_cleaned_partitions_total", {"outcome": "deleted"}) == 1
    without = "drift_aware_sink_rows_without_partition"
    assert registry.get_sample_value(without, {"table": "evaluation_log"}) == 1
    assert registry.get_sample_value(without, {"table": "feedback_log"}) == 0
    now[0] += timedelta(days=9)
    sink.prepare(connection)
    assert f"evaluation_log_{TODAY:%Y%m%d}" not in leaves(connection)


def test_many_rows_without_a_partition_are_counted_up_to_a_limit(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "COUNTED_ROWS", 2)
    insert(connection, *[date(2200, 1, 1)] * 5)
    assert partitions.without_day(connection)["evaluation_log"] == 2


def test_the_verb_shows_and_removes(database_url: str, start_command: Callable[..., Command]) -> None:
    def run(*options: str, days: str = "100") -> str:
        command = start_command(
            *("db", "retention", *options), database_url=database_url, retention__evaluation_log=days
        )
        assert command.wait(30) == 0, command.shown()
        return command.stdout

    with store.connect(database_url, "test") as connection:
        insert(connection, date(1999, 1, 1))
    assert run(days="36500") == "nothing is too old\n"
    assert run("--dry-run") == f"{'evaluation_log_default':40} would delete 1 rows\n"
    assert json.loads(run("--json")) == {
        "relation": "evaluation_log_default",
        "outcome": "deleted",
        "rows": 1,
        "bytes": None,
    }
    assert run() == "nothing is too old\n"
