"""Rows of files, and what events they are: the same ones however they were written down."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers.backfill.files import Csv, JsonLines, Parquet
from drift_aware.producers.backfill.mapping import Shape, identity
from drift_aware.producers.backfill.rows import Row, Source, Unreadable
from drift_aware.producers.drafts import Completion
from drift_aware.producers.simulate.lines import line
from drift_aware.schema.errors import BadEvent, SettingsError
from drift_aware.schema.events import Event, Feedback, Interaction, Kind
from rig.events import records
from rig_events import NOON

COMPLETION = Completion({}, 20_000)


def event_of(shape: Shape, values: dict[str, Any], number: int = 1) -> Event:
    draft = shape.draft(Row(number, values))
    assert draft is not None
    return COMPLETION.complete(draft)[0]


def interaction_of(shape: Shape, **values: Any) -> Interaction:
    found = event_of(shape, {"id": "i1", "ts": NOON} | values)
    assert isinstance(found, Interaction)
    return found


def events_of(shape: Shape, source: Source) -> list[Event]:
    rows = list(source.rows())
    assert not [row for row in rows if isinstance(row, Unreadable)]
    return [event_of(shape, row.values, row.number) for row in rows if isinstance(row, Row)]


@given(records())
def test_lines_that_replay_reads_are_the_events_they_were(record: tuple[Kind, list[Event]]) -> None:
    events = [event for event in record[1] if is_one(event)]
    assert events_of(Shape(), JsonLines(map(line, events))) == events


def cells(event: Event) -> dict[str, Any]:
    values = msgspec.to_builtins(event)
    return {
        name: msgspec.json.encode(value).decode() if isinstance(value, dict | list | bool) else value
        for name, value in values.items()
    }


def is_one(event: Event) -> bool:
    """Not feedback that says nothing, which is no event, nor a failure that reads as yes or no."""
    opinions = [getattr(event, name, None) for name in ("score", "thumbs", "task_success", "comment")]
    error = str(getattr(event, "error", None)).lower() if isinstance(event, Interaction) else ""
    return not (isinstance(event, Feedback) and opinions == [None] * 4) and error not in {"0", "1"}


def fits_cells(event: Event) -> bool:
    """An empty cell is nothing; and ``true`` there is no word."""
    values = msgspec.structs.asdict(event)
    return is_one(event) and "" not in [*values.values()] and values.get("error") not in ("true", "false")


@given(records())
def test_cells_of_a_table_are_the_events_they_were(record: tuple[Kind, list[Event]]) -> None:
    kind, events = record
    events = [event for event in events if fits_cells(event)]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, sorted({name for event in events for name in cells(event)} | {"ts"}))
    writer.writeheader()
    writer.writerows(cells(event) for event in events)
    shape = Shape(kind)
    source = Csv(io.BytesIO(file.getvalue().encode()))
    assert shape.require(source.columns) == []
    assert events_of(shape, source) == events


def test_rows_of_a_table_keep_the_number_of_their_first_line() -> None:
    source = Csv(io.BytesIO(b'id,text\r\n1,"two\r\nlines"\r\n\r\n2,one\r\n3\r\n4,\xff\r\n'))
    found = list(source.rows())
    assert [row.number for row in found] == [2, 5, 6, 7]
    assert found[0] == Row(2, {"id": "1", "text": "two\r\nlines"})
    assert found[2:] == [
        Unreadable(6, "3", "1 cells under 2 columns"),
        Unreadable(7, "4,\ufffd", "not UTF-8"),
    ]


def test_a_table_of_a_spreadsheet_begins_with_a_mark_of_its_encoding() -> None:
    assert Csv(io.BytesIO(b"\xef\xbb\xbfid,ts\n")).columns == ["id", "ts"]


def test_a_table_without_a_header_is_refused() -> None:
    with pytest.raises(SettingsError, match="first line"):
        Csv(io.BytesIO(b""))


def test_a_line_that_is_no_object_is_told_with_its_number() -> None:
    found = list(JsonLines([b'{"id": 1}\n', b"\n", b"[1]\n", b"{\n", b'"\xff"\n']).rows())
    assert [row.number for row in found] == [1, 3, 4, 5]
    assert [type(row) for row in found] == [Row, Unreadable, Unreadable, Unreadable]


def test_parquet_brings_vectors_as_lists_and_times_as_times() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    table = pyarrow.table(
        {
            "id": [7, 8],
            "ts": pyarrow.array([moment, moment], pyarrow.timestamp("us", "UTC")),
            "vector": pyarrow.array([[0.5, 1.0], [1.0, 0.5]], pyarrow.list_(pyarrow.float32())),
        }
    )
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    source = Parquet(file)
    found = events_of(Shape("embedding"), source)
    assert [(event.id, event.ts, event.dim) for event in found] == [("7", NOON, 2), ("8", NOON, 2)]  # type: ignore[union-attr]
    assert source.progress() == (2, 2)


def test_what_is_no_parquet_is_refused() -> None:
    with pytest.raises(SettingsError, match="no Parquet file"):
        Parquet(io.BytesIO(b"id,ts\n"))


def test_columns_become_fields_and_constants_win() -> None:
    shape = Shape(
        "interaction",
        {"user_query": "question", "labels.user": "user_id"},
        {"app": "shop", "labels.source": "table"},
    )
    found = interaction_of(shape, question="why?", user_id=7, app="other", labels={"tier": "gold"})
    assert (found.user_query, found.app) == ("why?", "shop")
    assert found.labels == {"tier": "gold", "user": "7", "source": "table"}


def test_a_column_that_is_mapped_is_not_taken_by_its_own_name_too() -> None:
    found = event_of(Shape("embedding", {"interaction_id": "id"}), {"id": "i1", "ts": NOON, "vector": [1.0]})
    assert (found.interaction_id, found.id != "i1") == ("i1", True)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "utc", "ts"),
    [
        (str(NOON), False, NOON),
        (NOON / 1000, False, NOON),
        (Decimal(NOON), False, NOON),
        ("2026-03-01T12:00:00Z", False, NOON),
        ("2026-03-01 12:00:00", True, NOON),
        ("2026-03-01 13:00:00+01", True, NOON),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), False, NOON),
        (datetime(2026, 3, 1, 12), True, NOON),  # noqa: DTZ001 - as a timestamp without time zone comes
    ],
)
def test_times_are_read_as_files_and_databases_have_them(given: Any, utc: bool, ts: int) -> None:
    assert interaction_of(Shape("interaction", utc=utc), ts=given).ts == ts


@pytest.mark.parametrize("given", ["2026-03-01 12:00:00", datetime(2026, 3, 1, 12), "noon", [1], ""])  # noqa: DTZ001
def test_a_time_nobody_knows_the_place_of_is_refused(given: Any) -> None:
    with pytest.raises(BadEvent, match="ts"):
        interaction_of(Shape("interaction"), ts=given)


def test_values_of_databases_are_brought_into_shape() -> None:
    found = interaction_of(
        Shape("interaction"),
        id=UUID(int=1),
        latency_ms=Decimal("12.5"),
        toxicity=float("nan"),
        refusal="true",
        turn="3",
        error="false",
        labels=[("tier", "gold")],
    )
    assert (found.id, found.latency_ms, found.toxicity) == (str(UUID(int=1)), 12.5, None)
    assert (found.refusal, found.turn, found.error, found.labels) == (True, 3, False, {"tier": "gold"})


def test_a_vector_may_be_written_as_pgvector_does() -> None:
    found = event_of(Shape("embedding"), {"id": "e", "ts": NOON, "vector": "[1,0.5]"})
    assert found.dim == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"latency_ms": "fast"}, "latency_ms"),
        ({"refusal": "perhaps"}, "refusal"),
        ({"labels": "none"}, "labels"),
        ({"user_query": {"text": "hi"}}, "user_query"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_name_of_its_field(values: dict[str, Any], why: str) -> None:
    with pytest.raises(BadEvent, match=why):
        interaction_of(Shape("interaction"), **values)


@pytest.mark.parametrize("values", [{}, {"type": "letter"}, {"type": 3}])
def test_a_row_that_does_not_say_what_it_is_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(BadEvent, match="type"):
        Shape().draft(Row(1, values))


def test_a_row_of_feedback_without_an_opinion_is_nothing() -> None:
    shape = Shape("feedback", {"score": "rating"})
    assert shape.draft(Row(1, {"interaction_id": "i", "ts": NOON, "rating": None})) is None
    assert shape.draft(Row(1, {"interaction_id": "i", "ts": NOON, "rating": 4})) is not None


def test_what_is_asked_for_and_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="no field 'user'"):
        Shape("interaction", {"user": "user_id"})
    shape = Shape("interaction", {"user_query": "question"})
    with pytest.raises(SettingsError, match="no column 'question'"):
        shape.require(["id", "ts"])
    with pytest.raises(SettingsError, match="two columns"):
        shape.require(["id", "id", "question"])
    assert shape.require(["id", "question", "user_id"]) == ["user_id"]


@given(st.dictionaries(st.text(), st.text() | st.floats() | st.binary() | st.none()), st.integers(1, 10**9))
def test_a_row_has_the_same_id_again_and_no_other_row_has_it(values: dict[str, Any], number: int) -> None:
    own = identity("interaction", Row(number, values))
    assert own == identity("interaction", Row(number, dict(reversed(values.items()))))
    assert own != identity("interaction", Row(number + 1, values))
    assert own != identity("embedding", Row(number, values))
