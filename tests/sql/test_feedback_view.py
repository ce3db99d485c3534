"""Feedback beside its interaction, whichever came first."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.events import Event
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Retention
from drift_aware.schema.topics import FEEDBACK, INTERACTIONS
from drift_aware.sql import partitions, store
from drift_aware.sql.sink import Sink
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from rig_events import NOON, feedback, interaction

DAY_MS = 86_400_000
TODAY = date(2026, 3, 1)


class Desk:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.sink = Sink(SinkMetrics(CollectorRegistry()), Retention(automatic=False), now=lambda: now)
        self.sink.prepare(connection)

    def put(self, topic: str, *events: Event) -> None:
        with self.connection.transaction():
            self.sink.handle(self.connection, [Record(topic, 0, 0, encode_rows(list(events)), ROWS)])
        self.sink.committed()

    def joined(self) -> list[tuple[str, float, str | None]]:
        return self.connection.execute(
            "SELECT interaction_id, score, user_query FROM interaction_feedback ORDER BY 1, 2"
        ).fetchall()


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    with store.connect(database_url, "test") as connection:
        yield Desk(connection)


def test_feedback_is_joined_whenever_it_comes(desk: Desk) -> None:
    desk.put(FEEDBACK.name, feedback(1, ts=NOON - DAY_MS, score=1.0))
    assert desk.joined() == [("i1", 1.0, None)]
    desk.put(INTERACTIONS.name, interaction(1, user_query="why?"), interaction(2))
    assert desk.joined() == [("i1", 1.0, "why?")]
    desk.put(FEEDBACK.name, feedback(1, ts=NOON + 3 * DAY_MS, score=5.0), feedback(9, score=2.0))
    assert desk.joined() == [("i1", 1.0, "why?"), ("i1", 5.0, "why?"), ("i9", 2.0, None)]


def test_feedback_without_a_segment_is_that_of_its_interaction(desk: Desk) -> None:
    desk.put(INTERACTIONS.name, interaction(1, app="shop", tenant="acme"))
    desk.put(FEEDBACK.name, feedback(1, app=None), feedback(2, app="desk"))
    rows = desk.connection.execute("SELECT app, tenant FROM interaction_feedback ORDER BY interaction_id")
    assert rows.fetchall() == [("shop", "acme"), ("desk", None)]


def test_one_interaction_is_found_without_reading_a_whole_day(desk: Desk) -> None:
    for back in range(0, 60, 12):
        partitions.make_ahead(desk.connection, TODAY - timedelta(back))
    for table, column in (("interaction_log", "id"), ("feedback_log", "interaction_id")):
        desk.connection.execute(
            f"INSERT INTO {table} (ts, {column}, src_partition, src_offset, src_index)"
            " SELECT timestamptz '2026-03-01Z' - n * interval '30 seconds', 'i' || n, 0, n, 0"
            " FROM generate_series(1, 100000) AS n"
        )
        desk.connection.execute(f"ANALYZE {table}")
    plan = str(
        desk.connection.execute(
            "EXPLAIN SELECT * FROM interaction_feedback WHERE interaction_id = 'i777'"
        ).fetchall()
    )
    full = [
        f"{table}_202602{day:02}" for table in ("interaction_log", "feedback_log") for day in range(1, 28)
    ]
    assert all(f"on {name}" in plan for name in full)
    assert not any(f"Seq Scan on {name}" in plan for name in full)
