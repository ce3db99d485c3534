"""What real instrumentations of OpenAI's client write, told to a provider that is made up."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from openai import APIStatusError, OpenAI
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as OpenTelemetry
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from drift_aware.producers.otlp.intake import Intake
from drift_aware.schema.events import Embedding, Event, Interaction
from rig.configuration import make_settings
from rig.listener import Heard, Listener, Reply
from rig.telemetry import request

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_772_366_400,
    "model": "gpt-small-0301",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "on its way"}}
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}
VECTORS = {
    "object": "list",
    "model": "small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}


def provider(heard: Heard) -> Reply:
    if heard.json["model"] == "missing":
        return Reply(404, b'{"error": {"message": "no such model"}}')
    body = VECTORS if heard.path.endswith("/embeddings") else COMPLETION
    return Reply(body=json.dumps(body).encode(), headers=(("Content-Type", "application/json"),))


@contextmanager
def watched(instrumentor: Any) -> Iterator[tuple[OpenAI, InMemorySpanExporter]]:
    """A client whose calls leave spans."""
    exporter = InMemorySpanExporter()
    tracing = TracerProvider(resource=Resource({"service.name": "shop"}))
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor.instrument(tracer_provider=tracing)
    try:
        with (
            Listener(provider) as listener,
            OpenAI(base_url=f"{listener.url}/v1", api_key="none", max_retries=0) as client,
        ):
            yield client, exporter
    finally:
        instrumentor.uninstrument()
        tracing.shutdown()


def events_of(exporter: InMemorySpanExporter) -> list[Event]:
    spans = exporter.get_finished_spans()
    received_ms = max(span.end_time or 0 for span in spans) / 1e6
    value = request(spans).SerializeToString()
    taken = Intake(make_settings()).take("traces", value, received_ms)
    return [event for _, events in taken.events for event in events]


@pytest.fixture(params=["openinference", "opentelemetry"])
def instrumentor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
    return OpenInference() if request.param == "openinference" else OpenTelemetry()  # type: ignore[no-untyped-call]


def test_a_chat_is_an_interaction(instrumentor: Any) -> None:
    with watched(instrumentor) as (client, exporter):
        client.chat.completions.create(
            model="gpt-small",
            messages=[
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "where is my order?"},
            ],
        )
        (event,) = events_of(exporter)
    assert isinstance(event, Interaction)
    assert (event.app, event.user_query, event.model_response) == ("shop", "where is my order?", "on its way")
    assert event.model in ("gpt-small", "gpt-small-0301")
    assert (event.input_tokens, event.output_tokens) == (7, 3)
    assert event.latency_ms is not None
    assert event.error is None


def test_a_call_that_fails_is_an_interaction_with_its_error(instrumentor: Any) -> None:
    with watched(instrumentor) as (client, exporter):
        with pytest.raises(APIStatusError):
            client.chat.completions.create(model="missing", messages=[{"role": "user", "content": "hi"}])
        (event,) = events_of(exporter)
    assert isinstance(event, Interaction)
    assert event.user_query == "hi"
    assert "NotFoundError" in str(event.error)


def test_openinference_brings_vectors() -> None:
    with watched(OpenInference()) as (client, exporter):
        client.embeddings.create(model="small", input="where is it?", encoding_format="float")
        (event,) = events_of(exporter)
    assert isinstance(event, Embedding)
    assert (event.model, event.dim, event.kind) == ("small", 2, "query")
