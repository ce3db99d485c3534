"""What is in the record, row by row, for a file: a cursor on the server, so memory does not grow with it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote

from pgvector.psycopg import register_vector
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier

from drift_aware.schema.errors import BadEvent, SettingsError
from drift_aware.schema.events import Kind, milliseconds
from drift_aware.schema.segments import ALL, DIMENSIONS
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.rows import LOGS
from drift_aware.sql.store import Connection

What = Literal["interactions", "feedback", "embeddings", "training"]
KINDS: Mapping[What, Kind] = {
    "interactions": "interaction",
    "feedback": "feedback",
    "embeddings": "embedding",
}
# A row may hold 200,000 characters of text.
FETCHED_ROWS = 200
_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
_NAMES: Mapping[Kind, Mapping[str, SQL]] = {
    "interaction": {"interaction": SQL("id"), "user": SQL("labels ->> 'user'")},
    "embedding": {"interaction": SQL("interaction_id"), "user": SQL("NULL")},
    "feedback": {"interaction": SQL("interaction_id"), "user": SQL("NULL")},
}


@dataclass(frozen=True)
class Selection:
    """Which rows: those from ``since`` to before ``until``, of the values of some dimensions."""

    what: What
    since: datetime
    until: datetime = _END_OF_TIME
    dimensions: Mapping[str, str] = field(default_factory=dict)
    min_score: float = 4.0

    def parameters(self) -> dict[str, Any]:
        """What the statement asks for."""
        wanted = {name: self.dimensions.get(name) for name in DIMENSIONS}
        return wanted | {"since": self.since, "until": self.until, "min_score": self.min_score}

    def statement(self) -> Composed:
        """The rows, oldest first."""
        if self.what == "training":
            return QUERIES["export_training"].format(liked=liked())
        kind = KINDS[self.what]
        table = LOGS[kind]
        columns = SQL(", ").join(map(Identifier, table.event_columns))
        return QUERIES["export_rows"].format(
            columns=columns, table=Identifier(table.name), selected=_selected(kind)
        )


def liked() -> Composed:
    """The interactions that people liked, for the place after FROM; further conditions may follow."""
    return QUERIES["liked"].format(selected=_selected("interaction"))


def _selected(kind: Kind) -> Composed:
    traffic = QUERIES["traffic"] if "canary" in LOGS[kind].event_columns else SQL("true")
    return QUERIES["selected"].format(traffic=traffic, nobodys=QUERIES["nobodys"].format(**_NAMES[kind]))


def moment_of(text: str) -> datetime:
    """The time an option names; a date is its midnight, UTC.

    Raises:
        SettingsError: it is no time.
    """
    try:
        return moment(milliseconds(f"{text}T00:00:00Z" if len(text) == len("2026-11-01") else text))
    except BadEvent:
        raise SettingsError(f"{text} is no time; give one as in 2026-11-01 or 2026-11-01T12:00:00Z") from None


def dimensions_of(segment: str) -> dict[str, str]:
    """The values that the name of a segment spells out.

    Raises:
        SettingsError: it is no name of a segment.

    >>> dimensions_of("app=shop,model=a%2Cb"), dimensions_of("all")
    ({'app': 'shop', 'model': 'a,b'}, {})
    """
    pairs = [] if segment == ALL else [part.partition("=") for part in segment.split(",")]
    for name, equals, _ in pairs:
        if name not in DIMENSIONS or not equals:
            raise SettingsError(f"{segment} is no segment; write it as in app=shop,model=gpt-4o")
    return {name: unquote(value) for name, _, value in pairs}


@contextmanager
def selected(
    connection: Connection, selection: Selection
) -> Iterator[tuple[int, Iterator[list[dict[str, Any]]]]]:
    """How many rows the planner expects, and the rows, some at a time; all as of one moment."""
    register_vector(connection)
    statement, parameters = selection.statement(), selection.parameters()
    with connection.transaction():
        planned = connection.execute(QUERIES["estimate"].format(statement=statement), parameters).fetchone()
        assert planned is not None
        with connection.cursor("export", row_factory=dict_row) as cursor:
            cursor.execute(statement, parameters, binary=True)
            yield int(planned[0][0]["Plan"]["Plan Rows"]), _fetched(cursor)


def _fetched(cursor: Any) -> Iterator[list[dict[str, Any]]]:
    while rows := cursor.fetchmany(FETCHED_ROWS):
        yield rows
