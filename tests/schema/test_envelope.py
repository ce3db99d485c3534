"""Many events in one record: what goes in comes out, and what cannot be read comes out as a dead letter."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift_aware.schema.envelope import (
    COLUMNS,
    MAX_READ_EVENTS,
    ROWS,
    content_type,
    decode,
    encode_columns,
    encode_rows,
)
from drift_aware.schema.events import Embedding, Event, Interaction, Kind
from rig.events import records

KINDS: list[Kind] = ["interaction", "embedding", "feedback", "evaluation"]
TS = 1_700_000_000_000
GOOD = {"id": "1", "ts": TS}
_DEEP = 100_000


def _rows(*events: object) -> bytes:
    return json.dumps(events).encode()


def _columns(kind: Kind = "interaction", **fields: Any) -> bytes:
    body = {"v": 1, "kind": kind, "n": 1, "columns": {name: [value] for name, value in GOOD.items()}}
    return msgspec.msgpack.encode(body | fields)


@given(records())
def test_rows_come_back_as_they_went_in(record: tuple[Kind, list[Event]]) -> None:
    kind, events = record
    assert decode(kind, encode_rows(events), ROWS).events == events


@given(records())
def test_columns_come_back_as_they_went_in(record: tuple[Kind, list[Event]]) -> None:
    kind, events = record
    decoded = decode(kind, encode_columns(events), COLUMNS)
    assert decoded.dead == []
    assert decoded.events == events


@given(records())
def test_one_object_reads_like_an_array_of_one(record: tuple[Kind, list[Event]]) -> None:
    kind, events = record
    assert decode(kind, msgspec.json.encode(events[0])).events == events[:1]


@given(st.sampled_from(KINDS), st.binary(max_size=300), st.sampled_from([ROWS, COLUMNS, "text/plain"]))
@example("interaction", b'{"id":"\xff","ts":1700000000}', ROWS)
@example("interaction", b'[{"id":"\xff","ts":1700000000}]', ROWS)
@example("interaction", b"[" * _DEEP, ROWS)
@example("interaction", b'{"id":"1","ts":1,"x":' + b"[" * _DEEP + b"]" * _DEEP + b"}", ROWS)
@example("interaction", b"\x81\xa6shared\x81\xa1x" + b"\x91" * _DEEP, COLUMNS)
@example("interaction", b"\x81\xa6shared\x81\xa1x\xdd\xff\xff\xff\xff", COLUMNS)
def test_reading_never_raises(kind: Kind, value: bytes, form: str) -> None:
    decode(kind, value, form)


@given(records(), st.booleans(), st.data())
def test_a_damaged_record_never_raises_and_loses_nothing_in_silence(
    record: tuple[Kind, list[Event]], columns: bool, data: st.DataObject
) -> None:
    kind, events = record
    value = bytearray(encode_columns(events) if columns else encode_rows(events))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(value[: data.draw(st.integers(1, len(value)))])
    for damaged in (bytes(value), cut):
        decoded = decode(kind, damaged, COLUMNS if columns else ROWS)
        assert decoded.events or decoded.dead or _says_it_is_empty(damaged, columns)


def _says_it_is_empty(value: bytes, columns: bool) -> bool:
    return bool(msgspec.msgpack.decode(value)["n"] == 0 if columns else json.loads(value) == [])


@pytest.mark.parametrize(
    ("reason", "kind", "value"),
    [
        ("empty", "interaction", None),
        ("not_json", "interaction", b""),
        ("not_json", "interaction", b"hello"),
        ("not_json", "interaction", b'{"id": "1", "ts": NaN}'),
        ("not_json", "interaction", b'{"id": "\xff", "ts": 1700000000}'),
        ("not_json", "interaction", b"[" * _DEEP),
        ("wrong_type", "interaction", b"null"),
        ("wrong_type", "interaction", b'{"id": "1"}'),
        ("wrong_type", "interaction", b'{"id": 1, "ts": 1700000000}'),
        ("wrong_type", "interaction", b'{"id": "1", "ts": true}'),
        ("wrong_type", "interaction", b'{"id": "1", "ts": 1e400}'),
        ("wrong_type", "interaction", b'{"id": "1", "ts": 1700000000, "latency_ms": -1}'),
        ("wrong_type", "interaction", b'{"id": "1", "ts": 1700000000, "latency_ms": 1e300}'),
        ("wrong_type", "interaction", b'{"id": "1", "ts": 1700000000, "input_tokens": 1' + b"0" * 300 + b"}"),
        ("wrong_type", "feedback", b'{"interaction_id": "1", "ts": 1700000000, "score": 6}'),
        ("bad_timestamp", "interaction", b'{"id": "1", "ts": 0}'),
        ("bad_timestamp", "interaction", b'{"id": "1", "ts": -5}'),
        ("bad_timestamp", "interaction", b'{"id": "1", "ts": "yesterday"}'),
        ("bad_timestamp", "interaction", b'{"id": "1", "ts": "2023-11-14T23:13:20"}'),
        ("bad_timestamp", "interaction", b'{"id": "1", "ts": 1' + b"0" * 300 + b"}"),
        ("wrong_type", "embedding", b'{"id": "1", "ts": 1700000000}'),
        ("wrong_type", "embedding", b'{"id": "1", "ts": 1700000000, "vector": "!!"}'),
        ("wrong_type", "embedding", b'{"id": "1", "ts": 1700000000, "vector": [1], "dtype": "int8"}'),
        ("bad_vector", "embedding", b'{"id": "1", "ts": 1700000000, "vector": []}'),
        ("bad_vector", "embedding", b'{"id": "1", "ts": 1700000000, "vector": [1e300]}'),
        ("bad_vector", "embedding", b'{"id": "1", "ts": 1700000000, "vector": [1, 2], "dim": 3}'),
        ("bad_vector", "embedding", b'{"id": "1", "ts": 1700000000, "vector": "AAAA"}'),
        ("bad_vector", "embedding", _rows(GOOD | {"vector": [0.0] * 16_001})[1:-1]),
    ],
)
def test_a_bad_row_is_a_dead_letter_with_its_own_bytes_and_its_reason(
    reason: str, kind: Kind, value: bytes | None
) -> None:
    decoded = decode(kind, value)
    assert decoded.events == []
    assert [(dead.reason, dead.value, dead.content_type) for dead in decoded.dead] == [
        (reason, value or b"", ROWS)
    ]


@pytest.mark.parametrize(
    ("reason", "kind", "value"),
    [
        ("not_columns", "interaction", b"hello"),
        ("not_columns", "interaction", _columns(n=-1)),
        ("not_columns", "interaction", _columns(n=MAX_READ_EVENTS + 1, columns={}, shared=GOOD)),
        ("not_columns", "embedding", _columns("embedding", n=1, dim=-1)),
        ("unknown_version", "interaction", _columns(v=2)),
        ("wrong_topic", "feedback", _columns("interaction")),
        ("bad_columns", "interaction", _columns(n=2)),
        ("bad_vector", "embedding", _columns("embedding", dim=2, matrix=b"1234")),
        ("wrong_type", "embedding", _columns("embedding", dim=0)),
        ("wrong_type", "interaction", _columns(columns={"id": ["1"]})),
        ("wrong_type", "interaction", _columns(shared={"latency_ms": math.inf})),
        ("wrong_type", "interaction", _columns(shared={"latency_ms": math.nan})),
        ("wrong_type", "interaction", _columns(shared={"toxicity": math.nan})),
        ("wrong_type", "interaction", _columns(shared={"cost_usd": math.inf})),
        ("bad_timestamp", "interaction", _columns(columns={"id": ["1"], "ts": [math.nan]})),
        ("bad_timestamp", "interaction", _columns(columns={"id": ["1"], "ts": [math.inf]})),
    ],
)
def test_a_bad_record_of_columns_is_a_dead_letter_with_its_reason(
    reason: str, kind: Kind, value: bytes
) -> None:
    decoded = decode(kind, value, COLUMNS)
    assert decoded.events == []
    assert [(dead.reason, dead.content_type) for dead in decoded.dead] == [(reason, COLUMNS)]


def test_one_bad_row_leaves_the_others_as_they_are() -> None:
    decoded = decode(
        "interaction", b'[{"id":"a","ts":1700000000}, {"id": 7 }, {"id":"\xff","ts":1},{"id":"b","ts":1e9}]'
    )
    assert [event.id for event in decoded.events if isinstance(event, Interaction)] == ["a", "b"]
    assert [(dead.value, dead.reason) for dead in decoded.dead] == [
        (b'{"id": 7 }', "wrong_type"),
        (b'{"id":"\xff","ts":1}', "not_json"),
    ]


def test_one_bad_event_of_columns_is_buried_alone_and_can_be_read_again_once_mended() -> None:
    value = _columns(
        "embedding",
        n=3,
        dim=2,
        dtype="float16",
        matrix=b"aaaabbbbcccc",
        shared={"app": "shop"},
        columns={"id": ["a", 7, "c"], "ts": [TS, TS, TS]},
    )
    decoded = decode("embedding", value, COLUMNS)
    assert [event.vector for event in decoded.events if isinstance(event, Embedding)] == [b"aaaa", b"cccc"]
    [dead] = decoded.dead
    mended = msgspec.msgpack.decode(dead.value)
    mended["columns"]["id"] = ["b"]
    [event] = decode("embedding", msgspec.msgpack.encode(mended), COLUMNS).events
    assert event == Embedding(id="b", ts=TS, app="shop", vector=b"bbbb", dim=2, dtype="float16")


def test_fields_of_a_newer_version_are_ignored() -> None:
    newer = GOOD | {"mood": "sunny", "nested": {"a": [1]}}
    assert decode("interaction", _rows(newer)).events == [Interaction(id="1", ts=TS)]
    assert decode("interaction", _columns(shared={"mood": "sunny"}, later=True), COLUMNS).events == [
        Interaction(id="1", ts=TS)
    ]


def test_an_event_of_the_first_version_is_read_for_ever() -> None:
    # As the first release wrote them; never edit these.
    interaction = b'[{"id":"018bcfe5-6800-7000-8000-000000000000","ts":1700000000000,"app":"shop"}]'
    embedding = b'[{"id":"1","ts":"2023-11-14T22:13:20Z","vector":"AACAPwAAAEA=","model":"m"}]'
    feedback = b'[{"interaction_id":"1","ts":1700000000,"thumbs":"up"}]'
    evaluation = b'[{"eval_set":"s","run_id":"r","ts":1700000000.5,"expected":"a","predicted":"b"}]'
    for kind, value in zip(KINDS, (interaction, embedding, feedback, evaluation), strict=True):
        decoded = decode(kind, value)
        assert decoded.dead == []
        assert len(decoded.events) == 1
    [event] = decode("embedding", embedding).events
    assert event == Embedding(id="1", ts=TS, vector=b"\0\0\x80?\0\0\0@", dim=2, model="m")


def test_a_list_of_numbers_is_as_good_as_base64() -> None:
    [listed] = decode("embedding", _rows(GOOD | {"vector": [1, 2.0]})).events
    [packed] = decode("embedding", _rows(GOOD | {"vector": "AACAPwAAAEA="})).events
    assert listed == packed


@pytest.mark.parametrize(
    "headers", [[("content-type", COLUMNS.encode())], {"content-type": COLUMNS.encode()}]
)
def test_the_header_names_the_form(headers: Any) -> None:
    assert content_type(headers) == COLUMNS


@pytest.mark.parametrize("headers", [None, [], {}, [("content-type", None)], [("other", b"x")]])
def test_without_a_header_a_record_is_rows(headers: Any) -> None:
    assert content_type(headers) == ROWS
