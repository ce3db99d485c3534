"""From a row, whatever its columns are called, to the fields of an event. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID, uuid5

import msgspec

from drift_aware.producers.backfill.rows import Row
from drift_aware.producers.drafts import Draft
from drift_aware.schema.errors import BadEvent, SettingsError
from drift_aware.schema.events import TYPES, Kind, Timestamp

# Never changed: a row has the same id on any machine and in any release.
_ROWS = UUID("6a0f2a0e-53a1-5b5f-9a3c-2f6f6f8f6e0d")
_LABEL = "labels."
_OPINIONS = ("score", "thumbs", "task_success", "comment")
_TRUTH = {"true": True, "false": False, "1": True, "0": False}

_TYPES: Mapping[Kind, Mapping[str, Any]] = {
    kind: {field.name: field.type for field in msgspec.structs.fields(event_type)}
    for kind, event_type in TYPES.items()
}
# The fields that hold words, whatever is in the column.
_WORDS: Mapping[Kind, frozenset[str]] = {
    kind: frozenset(name for name, wanted in types.items() if str in (wanted, *get_args(wanted)))
    for kind, types in _TYPES.items()
}


class Shape:
    """Which column is which field.

    Args:
        kind: of the events; None if each row says so in a column ``type``.
        columns: field to column. A column that is named here is not taken by its own name any more.
        constants: field to value, for every row; they win.
        utc: whether a time without an offset is UTC.

    Fields may be written ``labels.NAME``, for one label.

    Raises:
        SettingsError: there is no such field.
    """

    def __init__(
        self,
        kind: Kind | None = None,
        columns: Mapping[str, str] | None = None,
        constants: Mapping[str, str] | None = None,
        *,
        utc: bool = False,
    ) -> None:
        self._kind = kind
        self._columns = dict(columns or {})
        self._constants = dict(constants or {})
        self._utc = utc
        self._taken = set(self._columns.values())
        known = set().union(*(_TYPES[each] for each in ([kind] if kind else TYPES)))
        for field in (*self._columns, *self._constants):
            if field not in known and not field.startswith(_LABEL):
                raise SettingsError(
                    f"{kind or 'no event'} has no field {field!r}; there are {', '.join(sorted(known))}"
                )

    def require(self, columns: Sequence[str] | None) -> list[str]:
        """See that the columns that are asked for exist, each once; the names of those that are not used.

        Raises:
            SettingsError: they do not.
        """
        if columns is None:
            return []
        twice = [name for name, times in Counter(columns).items() if times > 1]
        if twice:
            raise SettingsError(f"two columns are called {twice[0]!r}; give each a name of its own")
        for theirs in self._columns.values():
            if theirs not in columns:
                raise SettingsError(f"there is no column {theirs!r}; there are {', '.join(columns)}")
        used = set(_TYPES[self._kind]) if self._kind else {"type"}.union(*_TYPES.values())
        return [name for name in columns if name not in used | self._taken]

    def draft(self, row: Row) -> Draft | None:
        """The fields of the row's event, as types that an event has; None if there is nothing to say.

        There is nothing in a row of feedback without an opinion.

        Raises:
            BadEvent: a value cannot be what its field is.
        """
        kind = self._kind or _named(row.values.get("type"))
        types = _TYPES[kind]
        values = {name: value for name, value in row.values.items() if name not in self._taken}
        values |= {ours: row.values[theirs] for ours, theirs in self._columns.items() if theirs in row.values}
        values |= self._constants
        fields = {
            name: self._shaped(kind, name, value)
            for name, value in values.items()
            if _belongs(name, types) and not _absent(value)
        }
        if kind == "feedback" and not fields.keys() & set(_OPINIONS):
            return None
        if "id" in types and "id" not in fields:
            fields["id"] = identity(kind, row)
        return kind, _with_labels(fields)

    def _shaped(self, kind: Kind, name: str, value: Any) -> Any:
        if name == "ts":
            return _moment(value, self._utc)
        if name in _SHAPES:
            return _SHAPES[name](value)
        if name in _WORDS[kind] or name.startswith(_LABEL):
            return _word(name, value)
        try:
            return msgspec.convert(_plain(value), _TYPES[kind][name], strict=False)
        except msgspec.ValidationError as error:
            raise BadEvent("bad_event", f"{name}: {error}") from None


def identity(kind: Kind, row: Row) -> str:
    """The id of an event without one: the same whenever the same row stands at the same place.

    >>> identity("interaction", Row(2, {"ts": 1})) == identity("interaction", Row(2, {"ts": 1}))
    True
    """
    content = msgspec.json.encode(row.values, order="sorted", enc_hook=str).decode(errors="replace")
    return str(uuid5(_ROWS, f"{kind}/{row.number}/{content}"))


def _named(word: object) -> Kind:
    for kind in TYPES:
        if word == kind:
            return kind
    if word is None:
        raise BadEvent("bad_event", "no `type`; give --kind")
    raise BadEvent("bad_event", f"`type` is none of {', '.join(TYPES)}")


def _belongs(name: str, types: Mapping[str, Any]) -> bool:
    return name in types or (name.startswith(_LABEL) and "labels" in types)


def _absent(value: Any) -> bool:
    # What pandas writes for a missing number.
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _word(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal | UUID | date):
        return str(value)
    raise BadEvent("bad_event", f"{name}: a {type(value).__name__} is no text")


def _moment(value: Any, utc: bool) -> Timestamp:
    """What ``events.milliseconds`` reads, which also says what is wrong with it."""
    if isinstance(value, str):
        try:
            return float(value) if "." in value else int(value)
        except ValueError:
            return _with_offset(value) if utc else value
    if isinstance(value, datetime):
        value = value.replace(tzinfo=UTC) if utc and value.tzinfo is None else value
        return str(value.isoformat())
    if isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    raise BadEvent("bad_timestamp", f"ts: a {type(value).__name__} is no time")


def _with_offset(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _vector(value: Any) -> Any:
    """Numbers, JSON of them as pgvector writes its vectors, or base64."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value, type=list[float]) if value.startswith("[") else _base64(value)
    except msgspec.DecodeError as error:
        raise BadEvent("bad_vector", f"vector: {error}") from None


def _base64(text: str) -> bytes:
    return msgspec.convert(text, bytes)


def _labels(value: Any) -> dict[str, str]:
    """An object, JSON of one, or pairs, as Parquet's maps come."""
    try:
        pairs = msgspec.json.decode(value) if isinstance(value, str) else value
        return {str(name): _word(str(name), word) for name, word in dict(pairs).items() if not _absent(word)}
    except (msgspec.DecodeError, TypeError, ValueError):
        raise BadEvent("bad_event", "labels: not an object of names and words") from None


def _with_labels(fields: dict[str, Any]) -> dict[str, Any]:
    single = {name: fields.pop(name) for name in list(fields) if name.startswith(_LABEL)}
    if single:
        named = {name.removeprefix(_LABEL): value for name, value in single.items()}
        fields["labels"] = fields.get("labels", {}) | named
    return fields


def _failure(value: Any) -> bool | str:
    if isinstance(value, str):
        return _TRUTH.get(value.lower(), value)
    return bool(value)


_SHAPES: Mapping[str, Callable[[Any], Any]] = {"vector": _vector, "labels": _labels, "error": _failure}
