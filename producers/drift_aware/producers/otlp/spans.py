"""OTLP's requests, as protobuf or JSON, in one plain shape.

Sources: https://opentelemetry.io/docs/specs/otlp/ and the protobuf files it refers to. In JSON, ids are
hexadecimal, 64-bit integers are text, and names are in camel case.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from drift_aware.schema.errors import BadEvent

Attributes = Mapping[str, Any]

_NANOSECONDS = 1_000_000
_FAILED = (2, "2", "STATUS_CODE_ERROR")
# Deeper than any telemetry, and shallow enough for Python.
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a span, or a log record: something with a name and attributes."""

    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """One operation.

    Attributes:
        trace_id: hexadecimal, as ``span_id``; empty if there is none.
        name: in words.
        start_ms: 0 if it is not said, as ``end_ms``.
        attributes: name to value: texts, numbers, lists and dictionaries.
        resource: what produced it, for instance ``service.name``.
        events: what happened meanwhile.
        failed: whether its status is an error.
        message: of its status.
    """

    trace_id: str
    span_id: str
    name: str
    start_ms: float
    end_ms: float
    attributes: Attributes
    resource: Attributes = field(default_factory=dict)
    events: tuple[Happening, ...] = ()
    failed: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """A log record, of which those with an event name are of interest; ``body`` as an attribute's value."""

    trace_id: str
    span_id: str
    name: str
    ts_ms: float
    attributes: Attributes
    resource: Attributes = field(default_factory=dict)
    body: Any = None


class _Any(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | str | None = None
    array_value: "_Values | None" = None
    kvlist_value: "_Pairs | None" = None
    bytes_value: str | None = None

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802 - as protobuf's messages have it
        return next((name for name in self.__struct_fields__ if getattr(self, name) is not None), None)


class _Values(msgspec.Struct):
    values: list[_Any] = []


class _Pair(msgspec.Struct):
    key: str = ""
    value: _Any = msgspec.field(default_factory=_Any)


class _Pairs(msgspec.Struct):
    values: list[_Pair] = []


class _Resource(msgspec.Struct):
    attributes: list[_Pair] = []


class _Event(msgspec.Struct):
    name: str = ""
    attributes: list[_Pair] = []


class _Status(msgspec.Struct):
    code: int | str = 0
    message: str = ""


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    name: str = ""
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: list[_Pair] = []
    events: list[_Event] = []
    status: _Status = msgspec.field(default_factory=_Status)


class _Log(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""
    time_unix_nano: int = 0
    observed_time_unix_nano: int = 0
    attributes: list[_Pair] = []
    body: _Any = msgspec.field(default_factory=_Any)


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_spans: list[_ScopeSpans] = []


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] = []


class _ScopeLogs(msgspec.Struct, rename="camel"):
    log_records: list[_Log] = []


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_logs: list[_ScopeLogs] = []


class _Logs(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] = []


# Not strict, because 64-bit integers come as text.
_traces = msgspec.json.Decoder(_Traces, strict=False)
_logs = msgspec.json.Decoder(_Logs, strict=False)
_UNREADABLE = (DecodeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


def is_json(value: bytes) -> bool:
    """Whether a request is JSON; a protobuf message that is not empty begins with the tag of its field 1."""
    return value[:1] == b"{"


def read_spans(value: bytes) -> list[Span]:
    """The spans of an ExportTraceServiceRequest, protobuf or JSON.

    Raises:
        BadEvent: ``not_otlp``.
    """
    try:
        request: Any = (
            _traces.decode(value) if is_json(value) else ExportTraceServiceRequest.FromString(value)
        )
        return [
            _span(span, resource)
            for each in request.resource_spans
            for resource in (_attributes(each.resource.attributes),)
            for scope in each.scope_spans
            for span in scope.spans
        ]
    except _UNREADABLE as error:
        raise BadEvent("not_otlp", f"no OTLP request of spans: {_first_line(error)}") from None


def read_logs(value: bytes) -> list[Log]:
    """The log records of an ExportLogsServiceRequest, protobuf or JSON.

    Raises:
        BadEvent: ``not_otlp``.
    """
    try:
        request: Any = _logs.decode(value) if is_json(value) else ExportLogsServiceRequest.FromString(value)
        return [
            _log(record, resource)
            for each in request.resource_logs
            for resource in (_attributes(each.resource.attributes),)
            for scope in each.scope_logs
            for record in scope.log_records
        ]
    except _UNREADABLE as error:
        raise BadEvent("not_otlp", f"no OTLP request of log records: {_first_line(error)}") from None


def _span(span: Any, resource: Attributes) -> Span:
    return Span(
        _hexadecimal(span.trace_id),
        _hexadecimal(span.span_id),
        span.name,
        span.start_time_unix_nano / _NANOSECONDS,
        span.end_time_unix_nano / _NANOSECONDS,
        _attributes(span.attributes),
        resource,
        tuple(Happening(event.name, _attributes(event.attributes)) for event in span.events),
        span.status.code in _FAILED,
        span.status.message,
    )


def _log(record: Any, resource: Attributes) -> Log:
    attributes = _attributes(record.attributes)
    return Log(
        _hexadecimal(record.trace_id),
        _hexadecimal(record.span_id),
        # The attribute is how it was said before the field was there.
        record.event_name or str(attributes.get("event.name", "")),
        (record.time_unix_nano or record.observed_time_unix_nano) / _NANOSECONDS,
        attributes,
        resource,
        _plain(record.body),
    )


def _attributes(pairs: Iterable[Any], depth: int = 0) -> dict[str, Any]:
    return {pair.key: _plain(pair.value, depth) for pair in pairs}


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError("an attribute is nested too deep")
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_plain(each, depth + 1) for each in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values, depth + 1)
        case name:
            return getattr(value, name)


def _hexadecimal(identifier: bytes | str) -> str:
    """The id; empty if it is all zeros, which means that there is none."""
    digits = identifier.hex() if isinstance(identifier, bytes) else identifier.lower()
    return digits if digits.strip("0") else ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
