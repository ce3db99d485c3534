"""Telemetry of models, as OpenTelemetry's own SDK writes and sends it."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode, Tracer

RESOURCE = Resource({"service.name": "shop", "tenant.id": "acme"})
# 2026-03-01T12:00:00Z
NOON_NS = 1_772_366_400_000_000_000


def messages(role: str, text: str) -> str:
    """One message, as the conventions have it on spans."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def chat(number: int) -> dict[str, Any]:
    """Attributes of the call ``number``."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-small",
        "gen_ai.response.model": "gpt-small",
        "gen_ai.response.id": f"r{number}",
        "gen_ai.conversation.id": f"s{number // 3}",
        "gen_ai.prompt.version": "7",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7 + number % 5,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.input.messages": messages("user", f"question {number}"),
        "gen_ai.output.messages": messages("assistant", f"answer {number}"),
    }


def write(
    tracer: Tracer, attributes: Mapping[str, Any], start_ns: int | None = None, failed: str = ""
) -> None:
    """One span, half a second long if its beginning is given."""
    span = tracer.start_span("chat", attributes=dict(attributes), start_time=start_ns)
    if failed:
        span.set_status(Status(StatusCode.ERROR, failed))
    span.end(None if start_ns is None else start_ns + 500_000_000)


def written(*spans: Mapping[str, Any], start_ns: int = NOON_NS) -> list[ReadableSpan]:
    """Spans of these attributes, as the SDK holds them."""
    exporter = InMemorySpanExporter()
    with tracing(exporter, batches=False) as tracer:
        for number, attributes in enumerate(spans):
            write(tracer, attributes, start_ns + number * 1_000_000)
    return list(exporter.get_finished_spans())


def evaluation(name: str, **values: Any) -> bytes:
    """A request with one log record, as instrumentations write evaluations of the answer r1."""
    said = {
        "gen_ai.evaluation.name": name,
        "gen_ai.response.id": "r1",
        **{f"gen_ai.evaluation.{key.replace('_', '.')}": value for key, value in values.items()},
    }
    pairs = [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"doubleValue": value}}
        for key, value in said.items()
    ]
    record = {
        "timeUnixNano": str(NOON_NS),
        "eventName": "gen_ai.evaluation.result",
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "2",
        "attributes": pairs,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps(
        {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    ).encode()


def request(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """What a Collector writes into one record."""
    return encode_spans(spans)


def as_json(message: ExportTraceServiceRequest) -> bytes:
    """The same in JSON, with ids in hexadecimal as OTLP wants them."""
    body = MessageToDict(message)
    for each in body.get("resourceSpans", []):
        for scope in each.get("scopeSpans", []):
            for span in scope.get("spans", []):
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    return json.dumps(body).encode()


def sender(url: str, compression: Compression = Compression.Gzip) -> SpanExporter:
    """The exporter that applications use."""
    return OTLPSpanExporter(f"{url}/v1/traces", compression=compression)


@contextmanager
def tracing(exporter: SpanExporter, batches: bool = True) -> Iterator[Tracer]:
    """A tracer whose spans have all been handed over when the block is left."""
    provider = TracerProvider(resource=RESOURCE)
    if batches:
        # The queue holds all of a test: what it cannot hold the SDK drops.
        processor: Any = BatchSpanProcessor(exporter, max_queue_size=20_000, schedule_delay_millis=100)
    else:
        processor = SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor)
    try:
        yield provider.get_tracer("test")
    finally:
        assert provider.force_flush(60_000)
        provider.shutdown()
