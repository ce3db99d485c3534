"""Every shape of telemetry we know, and what becomes of it."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from drift_aware.producers.otlp.intake import Intake, Taken
from drift_aware.producers.otlp.spans import read_logs, read_spans
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Embedding, Evaluation, Event, Feedback, Interaction
from rig.configuration import make_settings
from rig.telemetry import NOON_NS, as_json, chat, evaluation, messages, request, written

NOON = NOON_NS // 1_000_000
NOW = NOON + 60_000.0


def taken(value: bytes, signal: Any = "traces", **settings: Any) -> Taken:
    return Intake(make_settings(**settings)).take(signal, value, NOW)


def events_of(attributes: Mapping[str, Any], start_ns: int = NOON_NS, **settings: Any) -> list[Event]:
    value = request(written(attributes, start_ns=start_ns)).SerializeToString()
    return [event for _, events in taken(value, **settings).events for event in events]


def interaction_of(attributes: Mapping[str, Any], **settings: Any) -> Interaction:
    (event,) = events_of(attributes, **settings)
    assert isinstance(event, Interaction)
    return event


def spoken(attributes: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Question and answer."""
    event = interaction_of({"gen_ai.operation.name": "chat"} | dict(attributes))
    return event.user_query, event.model_response


def test_a_chat_of_todays_conventions_is_an_interaction_with_all_that_it_says() -> None:
    assert interaction_of(chat(1), otlp={"tenant_attribute": "tenant.id"}) == Interaction(
        id="r1",
        ts=NOON,
        app="shop",
        model="gpt-small",
        prompt_version="7",
        tenant="acme",
        session_id="s0",
        user_query="question 1",
        model_response="answer 1",
        finish_reason="stop",
        latency_ms=500.0,
        input_tokens=8,
        output_tokens=3,
        labels={"provider": "openai"},
    )


OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-small",
    "llm.provider": "openai",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "be brief",
    "llm.input_messages.10.message.role": "user",
    "llm.input_messages.10.message.content": "and today?",
    "llm.input_messages.9.message.role": "user",
    "llm.input_messages.9.message.content": "how was yesterday?",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "fine",
    "llm.token_count.prompt": 12,
    "llm.token_count.completion": 4,
    "llm.cost.total": 0.002,
    "llm.prompt_template.version": "v3",
    "session.id": "s1",
    "input.value": '{"messages": []}',
}


def test_a_call_of_openinference_is_an_interaction_too() -> None:
    found = interaction_of(OPENINFERENCE)
    assert (found.user_query, found.model_response) == ("and today?", "fine")
    assert (found.model, found.prompt_version, found.session_id) == ("gpt-small", "v3", "s1")
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (12, 4, 0.002)
    trace_id, _, span_id = found.id.partition(":")
    assert (len(trace_id), len(span_id)) == (32, 16)


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.input.messages": messages("user", "hi"),
            "gen_ai.output.messages": messages("assistant", "ho"),
        },
        {"gen_ai.prompt": "hi", "gen_ai.completion": "ho"},
        {
            "gen_ai.prompt": json.dumps([{"role": "user", "content": "hi"}]),
            "gen_ai.completion": json.dumps([{"role": "assistant", "content": "ho"}]),
        },
        {
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "hi",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "ho",
        },
        {"input.value": "hi", "output.value": "ho"},
        {
            "input.value": json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
            "output.value": json.dumps({"choices": [{"message": {"role": "assistant", "content": "ho"}}]}),
        },
        {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "hi",
            "llm.output_messages.0.message.content": "ho",
        },
    ],
)
def test_texts_are_found_in_every_way_they_are_written_down(attributes: dict[str, Any]) -> None:
    assert spoken(attributes) == ("hi", "ho")


def test_texts_that_were_not_captured_are_missing_and_the_rest_is_there() -> None:
    bare = {name: value for name, value in chat(1).items() if "messages" not in name}
    found = interaction_of(bare)
    assert (found.user_query, found.model_response) == (None, None)
    assert found.output_tokens == 3


def test_an_answer_that_only_calls_tools_has_no_text() -> None:
    call = json.dumps(
        [{"role": "assistant", "parts": [{"type": "tool_call", "name": "search", "arguments": {}}]}]
    )
    assert spoken({"gen_ai.output.messages": call}) == (None, None)


def test_images_are_named_in_the_place_they_have() -> None:
    parts = [
        {"type": "text", "content": "what is this?"},
        {"type": "blob", "modality": "image", "content": "iVBO"},
    ]
    assert spoken({"gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])}) == (
        "what is this?\n[image]",
        None,
    )


def test_a_prompt_of_a_megabyte_is_clipped_and_counted() -> None:
    value = request(
        written(chat(1) | {"gen_ai.input.messages": messages("user", "x" * 1_000_000)})
    ).SerializeToString()
    found = taken(value)
    ((_, [event]),) = found.events
    assert isinstance(event, Interaction)
    assert len(event.user_query or "") == 20_000
    assert found.counts["changed", "clipped"] == 1


def test_personal_data_is_replaced_before_anything_leaves() -> None:
    told = {"gen_ai.input.messages": messages("user", "I am jo@example.org")}
    assert interaction_of(chat(1) | told, redact={"mode": "mask"}).user_query == "I am [email]"


@pytest.mark.parametrize("start_ns", [1, 1_000_000_000, NOON_NS + 86_400 * 10**9])
def test_a_clock_that_is_wrong_is_replaced_by_ours_and_counted(start_ns: int) -> None:
    found = taken(request(written(chat(1), start_ns=start_ns)).SerializeToString())
    ((_, [event]),) = found.events
    assert event.ts == NOW
    assert found.counts["changed", "time"] == 1


def test_a_span_without_an_end_has_no_latency() -> None:
    message = request(written(chat(1)))
    message.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = 0
    ((_, [event]),) = taken(message.SerializeToString()).events
    assert isinstance(event, Interaction)
    assert event.latency_ms is None


def test_another_model_than_asked_for_is_a_label() -> None:
    found = interaction_of(chat(1) | {"gen_ai.response.model": "gpt-small-0301"})
    assert (found.model, found.labels) == (
        "gpt-small",
        {"provider": "openai", "response_model": "gpt-small-0301"},
    )


def test_the_kind_of_an_error_and_what_it_says_are_kept() -> None:
    message = request(written(chat(1) | {"error.type": "RateLimitError"}))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.status.code, span.status.message = 2, "too many"
    ((_, [event]),) = taken(message.SerializeToString()).events
    assert isinstance(event, Interaction)
    assert event.error == "RateLimitError: too many"


def test_an_exception_among_the_events_of_a_span_is_an_error() -> None:
    message = request(written(chat(1)))
    raised = message.resource_spans[0].scope_spans[0].spans[0].events.add(name="exception")
    raised.attributes.append(KeyValue(key="exception.type", value=AnyValue(string_value="TimeoutError")))
    raised.attributes.append(KeyValue(key="exception.message", value=AnyValue(string_value="30 s")))
    ((_, [event]),) = taken(message.SerializeToString()).events
    assert isinstance(event, Interaction)
    assert event.error == "TimeoutError: 30 s"


def test_vectors_of_openinference_are_embeddings() -> None:
    one = {
        "openinference.span.kind": "EMBEDDING",
        "embedding.model_name": "small",
        "session.id": "s1",
        "embedding.embeddings.0.embedding.text": "hi",
        "embedding.embeddings.0.embedding.vector": (0.5, 1.0),
    }
    (event,) = events_of(one)
    assert isinstance(event, Embedding)
    assert (event.dim, event.model, event.kind, event.session_id) == (2, "small", "query", "s1")
    both = events_of(one | {"embedding.embeddings.1.embedding.vector": (0.25, 1.0)})
    assert [(e.kind, e.id.rpartition(":")[2]) for e in both if isinstance(e, Embedding)] == [
        ("document", "0"),
        ("document", "1"),
    ]


def test_operations_without_anything_for_us_are_counted_by_a_few_names() -> None:
    value = request(
        written(
            {"gen_ai.operation.name": "execute_tool"},
            {"gen_ai.operation.name": "embeddings"},
            {"gen_ai.operation.name": "made up by somebody"},
            {"http.request.method": "GET"},
        )
    ).SerializeToString()
    found = taken(value)
    assert found.events == []
    names = ("execute_tool", "embeddings", "other", "none")
    assert found.counts == {("passed", name): 1 for name in names}


def logged(value: bytes, **settings: Any) -> Event:
    ((_, [event]),) = taken(value, "logs", **settings).events
    return event


def test_an_evaluation_is_one_of_the_days_run() -> None:
    assert logged(evaluation("relevance", score_value=0.8, score_label="pass")) == Evaluation(
        eval_set="relevance", run_id="shop/2026-03-01", ts=NOON, app="shop", score=0.8, correct=True
    )


def test_what_users_think_is_feedback_on_the_answer_they_saw() -> None:
    stars = logged(evaluation("user_feedback", score_value=4.0, explanation="nice"))
    assert stars == Feedback(interaction_id="r1", ts=NOON, score=4.0, comment="nice", app="shop")
    share = logged(evaluation("user_feedback", score_value=0.5), otlp={"feedback_scale": "share"})
    assert isinstance(share, Feedback)
    assert share.score == 3.0
    thumb = logged(evaluation("thumb", score_label="Thumbs_Up"), otlp={"feedback_names": ["thumb"]})
    assert isinstance(thumb, Feedback)
    assert thumb.thumbs == "up"


def test_a_rating_that_is_none_is_refused_and_said() -> None:
    found = taken(evaluation("user_feedback", score_value=17.0), "logs")
    assert found.counts["refused", "bad_event"] == 1
    assert "score" in str(found.refused)


def test_annotations_of_a_span_of_openinference_are_evaluations_of_it() -> None:
    said = {"annotations.0.annotation.name": "tone", "annotations.0.annotation.score": 0.25}
    _, judged = events_of(OPENINFERENCE | said)
    assert isinstance(judged, Evaluation)
    assert (judged.eval_set, judged.score, judged.model) == ("tone", 0.25, "gpt-small")


def test_texts_may_be_in_log_records_and_then_spans_do_not_count_twice() -> None:
    settings: dict[str, Any] = {"otlp": {"interactions_from": "logs"}}
    assert events_of(chat(1), **settings) == []
    body = ExportLogsServiceRequest()
    record = body.resource_logs.add().scope_logs.add().log_records.add()
    record.event_name, record.time_unix_nano = "gen_ai.client.inference.operation.details", NOON_NS
    for key, value in chat(1).items():
        if isinstance(value, str):
            record.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
    found = logged(body.SerializeToString(), **settings)
    assert isinstance(found, Interaction)
    assert (found.id, found.user_query, found.model_response) == ("r1", "question 1", "answer 1")
    assert taken(body.SerializeToString(), "logs").counts == {("passed", "details"): 1}


# JSON knows no other numbers, and OTLP no other integers.
plain = (
    st.text(max_size=5)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8), plain | st.lists(st.text(max_size=3), max_size=3), max_size=5
    )
)
def test_json_says_the_same_as_protobuf(attributes: dict[str, Any]) -> None:
    message = request(written(attributes))
    (one,), (other,) = read_spans(message.SerializeToString()), read_spans(as_json(message))
    assert one.attributes.keys() == other.attributes.keys()
    for name, value in one.attributes.items():
        there = other.attributes[name]
        assert there == value or math.isclose(there, value), name
    assert (one.trace_id, one.span_id, one.start_ms) == (other.trace_id, other.span_id, other.start_ms)


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: f"{{{text}".encode()))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    for read in (read_spans, read_logs):
        try:
            read(value)
        except BadEvent as error:
            assert error.reason == "not_otlp"  # noqa: PT017 - there may be none


@given(
    st.dictionaries(
        st.sampled_from(
            [*chat(1), *OPENINFERENCE, "gen_ai.prompt", "input.value", "error.type", "gen_ai.evaluation.name"]
        ),
        plain | st.lists(plain, max_size=3) | st.dictionaries(st.text(max_size=3), plain, max_size=2),
    )
)
def test_whatever_the_attributes_are_nothing_is_raised(attributes: dict[str, Any]) -> None:
    body = {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [_span(attributes | {"gen_ai.operation.name": "chat"})]}]}
        ]
    }
    found = taken(json.dumps(body).encode())
    assert len(found.events) == 1


def _span(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "attributes": [{"key": name, "value": _any(value)} for name, value in attributes.items()],
    }


def _any(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, dict):
        return {
            "kvlistValue": {"values": [{"key": name, "value": _any(each)} for name, each in value.items()]}
        }
    return {"arrayValue": {"values": [_any(each) for each in value]}}
