"""Answers and what people thought of them, in a record."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.events import KINDS, Event
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.topics import SOURCES
from drift_aware.sql import store
from drift_aware.sql.sink import Sink
from drift_aware.sql.work import Record
from rig_events import NOON, feedback, interaction


def liked(count: int, first: int = 0, **fields: Any) -> list[Event]:
    """Answers before noon that people rated 5, each a millisecond older than the one before."""
    events: list[Event] = []
    for number in range(first, first + count):
        texts = {"user_query": f"question {number}", "model_response": f"answer {number}"}
        rest = {"ts": NOON - 1 - number, "error": None, "session_id": None} | texts
        events += [interaction(number, **(rest | fields)), feedback(number, ts=NOON, score=5)]
    return events


def stored(url: str, *events: Event) -> None:
    """Put events into the log tables."""
    by_kind: dict[str, list[Event]] = {}
    for event in events:
        by_kind.setdefault(KINDS[type(event)], []).append(event)
    with store.connect(url, "test") as connection, connection.transaction():
        sink = Sink(SinkMetrics(CollectorRegistry()), now=lambda: datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
        sink.prepare(connection)
        for kind, each in by_kind.items():
            sink.handle(connection, [_record(kind, each)])


def _record(kind: Any, events: Sequence[Event]) -> Record:
    return Record(SOURCES[kind].name, 0, 0, encode_rows(events), ROWS)
