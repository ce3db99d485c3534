"""Pages and entries of what the database holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Composed, Identifier

from drift_aware.actions import ledger
from drift_aware.dashboards.api.answers import (
    ActionPage,
    AlertPage,
    AlertWithActions,
    EmbeddingEvent,
    EvaluationEvent,
    Event,
    EventPage,
    FeedbackEvent,
    InteractionEvent,
    Segment,
    Segments,
)
from drift_aware.dashboards.api.errors import NotFound
from drift_aware.dashboards.api.places import EntryPlace, EventPlace
from drift_aware.dashboards.api.questions import ActionQuestion, AlertQuestion, EventQuestion
from drift_aware.schema.alerts import Action, Alert
from drift_aware.schema.events import Kind
from drift_aware.schema.segments import ALL
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.rows import LOGS
from drift_aware.sql.store import Connection

_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)
_EVENTS: Mapping[Kind, type[Event]] = {
    "interaction": InteractionEvent,
    "embedding": EmbeddingEvent,
    "feedback": FeedbackEvent,
    "evaluation": EvaluationEvent,
}
Rows = Sequence[dict[str, Any]]
T = TypeVar("T")


def alerts(connection: Connection, question: AlertQuestion) -> AlertPage:
    """Alerts, latest onset first."""
    rows = _page(
        connection, QUERIES["page_alerts"], question.model_dump(), _entry(question.cursor, _MILLISECOND)
    )
    here, following = _cut(rows, question.limit)
    found = [msgspec.convert(row["alert"], Alert) for row in here]
    return AlertPage(found, f"{here[-1]['place']}-{here[-1]['id']}" if following else None)


def alert(connection: Connection, alert_id: str) -> AlertWithActions:
    """One alert and what it has led to.

    Raises:
        NotFound: there is none of that id.
    """
    row = connection.execute(QUERIES["find_alert"], {"id": alert_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    return AlertWithActions(msgspec.convert(row[0], Alert), ledger.of_alert(connection, alert_id))


def actions(connection: Connection, question: ActionQuestion) -> ActionPage:
    """Actions, latest entry first."""
    rows = _page(
        connection, QUERIES["page_actions"], question.model_dump(), _entry(question.cursor, _MICROSECOND)
    )
    here, following = _cut(rows, question.limit)
    cursor = f"{here[-1]['place']}-{here[-1]['id']}" if following else None
    return ActionPage([msgspec.convert(row, Action) for row in here], cursor)


def events(connection: Connection, question: EventQuestion) -> EventPage:
    """Events of one kind, latest first."""
    rows = _page(connection, _event_query(question), question.model_dump(), _event_place(question))
    here, following = _cut(rows, question.limit)
    cursor = None
    if following:
        last = here[-1]
        cursor = EventPlace(
            last["ts_ms"], last["src_partition"], last["src_offset"], last["src_index"]
        ).cursor()
    return EventPage([_event(question.kind, row) for row in here], cursor)


def known(connection: Connection, segment: str) -> bool:
    """Whether anything was ever counted in a segment; of the whole, always."""
    if segment == ALL:
        return True
    return connection.execute(QUERIES["segment_known"], {"segment": segment}).fetchone() == (True,)


def segments(connection: Connection) -> Segments:
    """Every segment, by name."""
    return Segments(rows_as(connection, "list_segments", {}, Segment))


def rows_as(connection: Connection, query: str, asked: Mapping[str, Any], kind: type[T]) -> list[T]:
    """What a named query answers, its columns as the fields of a type."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [msgspec.convert(row, kind) for row in cursor.execute(QUERIES[query], asked)]


def _entry(cursor: str | None, unit: timedelta) -> dict[str, datetime | str | None]:
    if cursor is None:
        return {"place": None, "place_id": None}
    place = EntryPlace.read(cursor, unit)
    return {"place": place.time, "place_id": place.id}


def _page(
    connection: Connection, query: SQL | Composed, asked: Mapping[str, Any], place: Mapping[str, Any]
) -> Rows:
    """The rows, and one more if there is a next page."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, {**asked, **place, "limit": asked["limit"] + 1}).fetchall()


def _cut(rows: Rows, limit: int) -> tuple[Rows, bool]:
    return rows[:limit], len(rows) > limit


def _event_place(question: EventQuestion) -> dict[str, datetime | int | None]:
    if question.cursor is None:
        return {"place": None, "partition": None, "offset": None, "index": None}
    at = EventPlace.read(question.cursor)
    return {"place": at.time, "partition": at.partition, "offset": at.offset, "index": at.index}


def _event_query(question: EventQuestion) -> Composed:
    table = LOGS[question.kind]
    columns: list[Composable] = [
        Identifier(name) for name in table.event_columns if name not in ("ts", "embedding")
    ]
    if question.kind == "embedding" and question.include == "vectors":
        columns.append(QUERIES["vector_column"])
    return QUERIES["page_events"].format(table=Identifier(table.name), columns=SQL(", ").join(columns))


def _event(kind: Kind, row: dict[str, Any]) -> Event:
    values = row | {"ts": row["ts_ms"]}
    if kind == "interaction":
        values["error"] = values.pop("error_text") or values["error"]
    return msgspec.convert(values, _EVENTS[kind])
