"""Events, readings and alerts as rows: pure, from the types of the schema to the columns of the tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import msgspec
from psycopg.types.json import Jsonb

from drift_aware.schema.alerts import Alert, Baseline, DaySums, Readings
from drift_aware.schema.events import Embedding, Event, Interaction, Kind
from drift_aware.sql import cells
from drift_aware.sql.cells import Tally

# What a column holds; names and texts are both text, but only names are short enough to be indexed.
Holds = Literal["time", "name", "text", "int4", "int8", "float8", "bool", "jsonb", "halfvec"]
Row = tuple[Any, ...]

_POSTGRES_TYPES: Mapping[Holds, str] = {"time": "timestamptz", "name": "text"}


@dataclass(frozen=True)
class LogTable:
    """A table that events are appended to; its columns after the event's say where the event came from."""

    name: str
    event_columns: Mapping[str, Holds]

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in the order of a row."""
        return [*self.event_columns, *SOURCE_COLUMNS]

    @property
    def types(self) -> list[str]:
        """Their types as Postgres names them."""
        holds = [*self.event_columns.values(), *SOURCE_COLUMNS.values()]
        return [_POSTGRES_TYPES.get(each, each) for each in holds]


# Partition and offset of the record, and which of its good events, counted from 0.
SOURCE_COLUMNS: Mapping[str, Holds] = {"src_partition": "int4", "src_offset": "int8", "src_index": "int4"}

_SEGMENT: Mapping[str, Holds] = {"app": "name", "model": "name", "prompt_version": "name", "tenant": "name"}

LOGS: Mapping[Kind, LogTable] = {
    "interaction": LogTable(
        "interaction_log",
        {
            "ts": "time",
            "id": "name",
            **_SEGMENT,
            "session_id": "name",
            "turn": "int8",
            "user_query": "text",
            "model_response": "text",
            "intent": "name",
            "refusal": "bool",
            "toxicity": "float8",
            "error": "bool",
            "error_text": "text",
            "finish_reason": "name",
            "latency_ms": "float8",
            "input_tokens": "int8",
            "output_tokens": "int8",
            "cost_usd": "float8",
            "labels": "jsonb",
        },
    ),
    "embedding": LogTable(
        "embeddings_log",
        {
            "ts": "time",
            "id": "name",
            "interaction_id": "name",
            "kind": "name",
            **_SEGMENT,
            "session_id": "name",
            "dim": "int4",
            "dtype": "name",
            "embedding": "halfvec",
            "canary": "bool",
        },
    ),
    "feedback": LogTable(
        "feedback_log",
        {
            "ts": "time",
            "interaction_id": "name",
            "score": "float8",
            "thumbs": "name",
            "task_success": "bool",
            "comment": "text",
            **_SEGMENT,
            "session_id": "name",
        },
    ),
    "evaluation": LogTable(
        "evaluation_log",
        {
            "ts": "time",
            "eval_set": "name",
            "run_id": "name",
            "expected": "text",
            "predicted": "text",
            "correct": "bool",
            "score": "float8",
            **_SEGMENT,
            "canary": "bool",
        },
    ),
}


def _failed(event: Interaction) -> bool | None:
    return None if event.error is None else bool(event.error)


def _error_text(event: Interaction, tally: Tally) -> str | None:
    return cells.text(event.error, tally) if isinstance(event.error, str) else None


def _embedding(event: Embedding) -> Any:
    assert isinstance(event.vector, bytes)
    return cells.half_vector(event.vector, event.dtype)


# Column to the field it is made from, where that has another name.
_FIELDS: Mapping[str, str] = {"error_text": "error", "embedding": "vector"}
# Columns that are more than a field brought into shape.
_DERIVED: Mapping[str, Callable[[Any, Tally], Any]] = {
    "error": lambda event, _: _failed(event),
    "error_text": _error_text,
    "embedding": lambda event, _: _embedding(event),
}
_CELLS: Mapping[Holds, Callable[[Any, Tally], Any]] = {
    "time": lambda value, _: cells.moment(value),
    "name": cells.name,
    "text": cells.text,
    "jsonb": cells.document,
}


@dataclass(frozen=True)
class _Plan:
    """How an event becomes a row: all fields at once, then those that do not go in as they are."""

    fields: Callable[[Any], tuple[Any, ...]]
    cells: Sequence[tuple[int, Callable[[Any, Tally], Any]]]
    derived: Sequence[tuple[int, Callable[[Any, Tally], Any]]]


def _plan(table: LogTable) -> _Plan:
    columns = list(enumerate(table.event_columns.items()))
    return _Plan(
        attrgetter(*(_FIELDS.get(column, column) for column in table.event_columns)),
        [(n, _CELLS[holds]) for n, (column, holds) in columns if holds in _CELLS and column not in _DERIVED],
        [(n, _DERIVED[column]) for n, (column, _) in columns if column in _DERIVED],
    )


_PLANS: Mapping[Kind, _Plan] = {kind: _plan(table) for kind, table in LOGS.items()}


def event_row(kind: Kind, event: Event, source: tuple[int, int, int], tally: Tally) -> Row:
    """The row of an event whose ``ts`` is in milliseconds.

    Args:
        kind: of the event.
        event: as ``schema.envelope.decode`` gives it.
        source: partition, offset and index, as in SOURCE_COLUMNS.
        tally: counts what had to be changed.

    Raises:
        BadEvent: it cannot be stored.
    """
    plan = _PLANS[kind]
    row = [*plan.fields(event), *source]
    for place, cell in plan.cells:
        if (value := row[place]) is not None:
            row[place] = cell(value, tally)
    for place, derive in plan.derived:
        row[place] = derive(event, tally)
    return tuple(row)


def alert_row(alert: Alert, tally: Tally) -> dict[str, Any]:
    """The parameters of ``upsert_drift_event``.

    Raises:
        BadEvent: a time in it is none.
    """
    # Cleaned as a whole, so that the columns and the document agree.
    whole: dict[str, Any] = cells.document(msgspec.to_builtins(alert), tally)
    return whole | {
        "revision": cells.integer(alert.revision, tally),
        "onset": cells.moment(alert.onset),
        "ts": cells.moment(alert.ts),
        "window_start": cells.moment(alert.window.start),
        "window_end": cells.moment(alert.window.end),
        "window_events": cells.integer(alert.window.events, tally),
        "alert": Jsonb(whole),
    }


def reading_rows(pane: Readings, tally: Tally) -> Iterator[dict[str, Any]]:
    """The parameters of ``upsert_drift_metric``, one set for each reading.

    Raises:
        BadEvent: the pane's times are none.
    """
    shared = {
        "segment": cells.text(pane.segment, tally),
        "pane_start": cells.moment(pane.start),
        "pane_end": cells.moment(pane.end),
    }
    for reading in pane.readings:
        values = cells.document(msgspec.structs.asdict(reading), tally)
        yield values | shared | {"events": cells.integer(reading.events, tally)}


def totals_row(pane: Readings, tally: Tally) -> dict[str, Any]:
    """The parameters of ``upsert_pane_totals``.

    Raises:
        BadEvent: the pane's times are none.
    """
    return {
        "segment": cells.text(pane.segment, tally),
        "pane_start": cells.moment(pane.start),
        "pane_end": cells.moment(pane.end),
        "totals": Jsonb(cells.document(pane.totals, tally)),
        "tallies": Jsonb(cells.document(msgspec.to_builtins(pane.tallies), tally)),
    }


def day_row(sums: DaySums, tally: Tally) -> dict[str, Any]:
    """The parameters of ``upsert_day_sums``.

    Raises:
        BadEvent: a time in it is none.
    """
    return {
        "segment": cells.text(sums.segment, tally),
        "family": cells.text(sums.family, tally),
        "day": cells.moment(sums.day).date(),
        "until": cells.moment(sums.until),
        "events": cells.integer(sums.events, tally),
        "sums": sums.sums,
    }


def baseline_row(baseline: Baseline, tally: Tally) -> dict[str, Any]:
    """The parameters of ``upsert_baseline``; its sums, which hold words of questions, are left out.

    Raises:
        BadEvent: a time in it is none.
    """
    return {
        "segment": cells.text(baseline.segment, tally),
        "family": cells.text(baseline.family, tally),
        "id": cells.text(baseline.id, tally),
        "policy": baseline.policy,
        "since": cells.moment(baseline.since),
        "until": cells.moment(baseline.until),
        "events": cells.integer(baseline.events, tally),
        "reference": baseline.reference,
        "created_at": cells.moment(baseline.created),
    }
