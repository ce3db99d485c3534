"""Many events in one Kafka record.

A record costs the worker ten times what an event inside it costs, so events travel packed, in one of two
forms that every topic accepts:

rows
    a JSON object or an array of objects. Anybody can write it, with kcat too.
columns
    msgpack: one list per field and, for embeddings, one contiguous matrix. Named by the content type.

Reading is total: whatever the bytes are, each event comes out either as an event or as a dead letter that
holds its own bytes and the reason. Nothing in here raises on bad input.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Annotated, Any, Literal

import msgspec

from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import KINDS, TYPES, Embedding, Event, Kind, milliseconds

ROWS = "application/json"
COLUMNS = "application/vnd.drift-aware.columns+msgpack"
MAX_EVENTS = 50
MAX_BYTES = 64_000
# What a reader takes in the columns form, where a few bytes can claim any number of events.
MAX_READ_EVENTS = 1_000
MAX_DIM = 16_000  # the widest vector pgvector stores (https://github.com/pgvector/pgvector#vectors)

Dtype = Literal["float16", "float32"]
ITEM_BYTES: Mapping[str, int] = {"float16": 2, "float32": 4}
_CODES: Mapping[str, str] = {"float16": "e", "float32": "f"}


class Columns(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The columns form on the wire.

    Attributes:
        v: version of this form; a reader refuses one it does not know.
        kind: the type of all events in the record.
        n: how many events.
        shared: fields with the same value in every event.
        columns: field to a list of ``n`` values.
        dim, dtype, matrix: the vectors of embeddings, row after row, little-endian.
    """

    v: int = 1
    kind: Kind
    n: Annotated[int, msgspec.Meta(ge=0, le=MAX_READ_EVENTS)]
    shared: dict[str, Any] = {}
    columns: dict[str, list[Any]] = {}
    dim: Annotated[int, msgspec.Meta(ge=0, le=MAX_DIM)] = 0
    dtype: Dtype = "float32"
    matrix: bytes = b""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that cannot be used.

    Attributes:
        value: its bytes, as they came; of a record of many events, those of this one alone.
        content_type: the form of ``value``.
        reason: a fixed word; ``message`` says what to do.
    """

    value: bytes
    content_type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a record held.

    Attributes:
        events: what can be used; their ``ts`` is in milliseconds and their vectors are bytes.
        positions: where in the record each of them stands, from 0.
        dead: what cannot be used.
    """

    events: list[Event] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)


# What the decoders raise for bytes they cannot read; text that is not UTF-8 and nesting that is too deep have
# exceptions of their own.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])
_columns = msgspec.msgpack.Decoder(Columns)
_one = {kind: msgspec.json.Decoder(event_type) for kind, event_type in TYPES.items()}
_LISTS: Mapping[Kind, Any] = {kind: list[event_type] for kind, event_type in TYPES.items()}  # type: ignore[valid-type]
_many = {kind: msgspec.json.Decoder(events) for kind, events in _LISTS.items()}


def encode_rows(events: Sequence[Event]) -> bytes:
    """The rows form; always an array, so that a reader sees one shape."""
    return _json.encode(events)


def encode_columns(events: Sequence[Event]) -> bytes:
    """The columns form of events of one type; vectors must share ``dim`` and ``dtype`` and be bytes."""
    kind = KINDS[type(events[0])]
    shared: dict[str, Any] = {}
    columns: dict[str, list[Any]] = {}
    for name in events[0].__struct_fields__:
        if name in ("vector", "dim", "dtype"):
            continue
        values = [getattr(event, name) for event in events]
        if any(value != values[0] for value in values):
            columns[name] = values
        elif values[0] is not None:
            shared[name] = values[0]
    body = Columns(kind=kind, n=len(events), shared=shared, columns=columns)
    if kind == "embedding":
        _attach_matrix(body, events)
    return _msgpack.encode(body)


def _attach_matrix(body: Columns, events: Sequence[Event]) -> None:
    vectors = []
    for event in events:
        assert isinstance(event, Embedding)
        assert isinstance(event.vector, bytes)
        vectors.append(event.vector)
    first = events[0]
    assert isinstance(first, Embedding)
    body.dtype = first.dtype
    body.dim = len(vectors[0]) // ITEM_BYTES[first.dtype]
    body.matrix = b"".join(vectors)


def decode(kind: Kind, value: bytes | None, content_type: str = ROWS) -> Decoded:
    """Read one record of a topic that carries ``kind``."""
    decoded = Decoded()
    if value is None:
        _bury(decoded, b"", content_type, BadEvent("empty", "the record has no value"))
    elif content_type == COLUMNS:
        _decode_columns(kind, value, decoded)
    else:
        _decode_rows(kind, value, decoded)
    return decoded


def _decode_rows(kind: Kind, value: bytes, decoded: Decoded) -> None:
    """The good way reads the whole array at once; only a record with a bad event is read one by one."""
    try:
        events: list[Event] = (
            _many[kind].decode(value) if value.lstrip()[:1] == b"[" else [_one[kind].decode(value)]
        )
        for event in events:
            _normalise(event)
    except (*_UNREADABLE, BadEvent):
        pass
    else:
        decoded.events.extend(events)
        decoded.positions.extend(range(len(events)))
        return
    try:
        raws = _raws(value)
    except _UNREADABLE as error:
        _bury(decoded, value, ROWS, BadEvent("not_json", f"the record is not JSON: {error}"))
        return
    for position, raw in enumerate(raws):
        _decode_one(kind, raw, position, decoded)


def _raws(value: bytes) -> list[bytes]:
    if value.lstrip()[:1] != b"[":
        return [value]
    return [bytes(raw) for raw in _raw_rows.decode(value)]


def _decode_one(kind: Kind, raw: bytes, position: int, decoded: Decoded) -> None:
    try:
        event = _one[kind].decode(raw)
        _normalise(event)
    except BadEvent as error:
        _bury(decoded, raw, ROWS, error)
    except msgspec.ValidationError as error:
        _bury(decoded, raw, ROWS, BadEvent("wrong_type", f"not a valid {kind}: {error}"))
    except _UNREADABLE as error:
        _bury(decoded, raw, ROWS, BadEvent("not_json", f"the record is not JSON: {error}"))
    else:
        decoded.events.append(event)
        decoded.positions.append(position)


def _decode_columns(kind: Kind, value: bytes, decoded: Decoded) -> None:
    try:
        body = _columns.decode(value)
        _check_shape(kind, body)
    except BadEvent as error:
        _bury(decoded, value, COLUMNS, error)
        return
    except _UNREADABLE as error:
        _bury(
            decoded, value, COLUMNS, BadEvent("not_columns", f"the record is not the columns form: {error}")
        )
        return
    rows = _rows_of(body)
    try:
        events: list[Event] = msgspec.convert(rows, _LISTS[kind], builtin_types=(bytes,))
        for event in events:
            _normalise(event)
    except (msgspec.ValidationError, BadEvent):
        for position, row in enumerate(rows):
            _convert_one(kind, body, row, position, decoded)
    else:
        decoded.events.extend(events)
        decoded.positions.extend(range(body.n))


def _rows_of(body: Columns) -> list[dict[str, Any]]:
    """The fields of each event."""
    fields: dict[str, Iterable[Any]] = {name: repeat(value) for name, value in body.shared.items()}
    fields |= body.columns
    if body.kind == "embedding":
        width = body.dim * ITEM_BYTES[body.dtype]
        fields["vector"] = [body.matrix[i * width : (i + 1) * width] for i in range(body.n)]
        fields |= {"dim": repeat(body.dim), "dtype": repeat(body.dtype)}
    names = list(fields)
    values = zip(range(body.n), *fields.values(), strict=False)
    return [dict(zip(names, row[1:], strict=True)) for row in values]


def _convert_one(kind: Kind, body: Columns, row: dict[str, Any], position: int, decoded: Decoded) -> None:
    try:
        event = msgspec.convert(row, TYPES[kind], builtin_types=(bytes,))
        _normalise(event)
    except msgspec.ValidationError as error:
        bad = BadEvent("wrong_type", f"not a valid {kind}: {error}")
        _bury(decoded, _one_row(body, position), COLUMNS, bad)
    except BadEvent as error:
        _bury(decoded, _one_row(body, position), COLUMNS, error)
    else:
        decoded.events.append(event)
        decoded.positions.append(position)


def _check_shape(kind: Kind, body: Columns) -> None:
    if body.v != 1:
        raise BadEvent("unknown_version", f"columns version {body.v} is not known here; upgrade the worker")
    if body.kind != kind:
        raise BadEvent("wrong_topic", f"{body.kind} events on the topic of {kind} events")
    uneven = [name for name, values in body.columns.items() if len(values) != body.n]
    if uneven:
        raise BadEvent("bad_columns", f"column {uneven[0]!r} does not hold {body.n} values")
    if kind == "embedding" and len(body.matrix) != body.n * body.dim * ITEM_BYTES[body.dtype]:
        raise BadEvent(
            "bad_vector",
            f"the matrix has {len(body.matrix)} bytes, not {body.n} x {body.dim} {body.dtype} values",
        )


def _one_row(body: Columns, i: int) -> bytes:
    """Event ``i`` of a record, alone in the same form."""
    width = body.dim * ITEM_BYTES[body.dtype]
    return _msgpack.encode(
        msgspec.structs.replace(
            body,
            n=1,
            columns={name: [values[i]] for name, values in body.columns.items()},
            matrix=body.matrix[i * width : (i + 1) * width],
        )
    )


def rejected(value: bytes, content_type: str, position: int, error: BadEvent) -> DeadLetter:
    """The dead letter of an event that ``decode`` could read but that cannot be used after all.

    Args:
        value: the record it came in, one that ``decode`` has read.
        content_type: the form of that record.
        position: where it stands in that record.
        error: why it cannot be used.
    """
    columns = content_type == COLUMNS
    alone = _one_row(_columns.decode(value), position) if columns else _raws(value)[position]
    return DeadLetter(alone, content_type, error.reason, str(error))


def _normalise(event: Event) -> None:
    event.ts = milliseconds(event.ts)
    if isinstance(event, Embedding):
        normalise_vector(event)


def normalise_vector(event: Embedding) -> None:
    """Make ``vector`` bytes of ``dim`` numbers of ``dtype``.

    Whether the numbers are finite is asked where the vectors are read as arrays.

    Raises:
        BadEvent: ``bad_vector``.
    """
    vector = event.vector
    if not isinstance(vector, bytes):
        try:
            vector = struct.pack(f"<{len(vector)}{_CODES[event.dtype]}", *vector)
        except (OverflowError, struct.error) as error:
            raise BadEvent("bad_vector", f"the vector does not fit {event.dtype}: {error}") from None
    size = ITEM_BYTES[event.dtype]
    dim = event.dim if event.dim is not None else len(vector) // size
    if not 0 < dim <= MAX_DIM or len(vector) != dim * size:
        raise BadEvent("bad_vector", f"{len(vector)} bytes are not a vector of {dim} {event.dtype} values")
    event.vector, event.dim = vector, dim


def _bury(decoded: Decoded, value: bytes, content_type: str, error: BadEvent) -> None:
    decoded.dead.append(DeadLetter(value, content_type, error.reason, str(error)))


def content_type(headers: Iterable[tuple[str, bytes | None]] | Mapping[str, bytes] | None) -> str:
    """The form a record's headers name; rows when they name none."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    for name, value in pairs:
        if name == "content-type" and value is not None:
            return value.decode("ascii", "replace")
    return ROWS
