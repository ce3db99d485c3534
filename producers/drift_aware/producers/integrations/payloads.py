"""LiteLLM's StandardLoggingPayload as the fields of our events. Pure.

Source: the types of litellm 1.106.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from drift_aware.producers.integrations import openai
from drift_aware.producers.integrations.answers import Answer
from drift_aware.producers.integrations.contents import question, words
from drift_aware.producers.integrations.shapes import first, read, text

# What LiteLLM has put in the place of a text; so begin both of its notes.
_REDACTED = ("redacted-by-litellm", "redacted by litellm")
_EMBEDDING_CALLS = {"embedding", "aembedding"}
_CHAT_CALLS = {
    "completion",
    "acompletion",
    "text_completion",
    "atext_completion",
    "responses",
    "aresponses",
    "anthropic_messages",
    "generate_content",
    "agenerate_content",
    "generate_content_stream",
    "agenerate_content_stream",
}
_CHAT, _RESPONSES = openai.Chat(), openai.Responses()
_Payload = Mapping[str, Any]


def interaction(call: _Payload, payload: _Payload) -> dict[str, Any] | None:
    """The fields of an interaction that no embedding has; None if no language model was called.

    Args:
        call: the ``kwargs`` a callback of LiteLLM is given.
        payload: its ``standard_logging_object``.
    """
    if payload.get("call_type") not in _CHAT_CALLS:
        return None
    answer = _answer(payload.get("response"))
    known = bool(payload.get("total_tokens"))  # LiteLLM says 0 where it does not know, of costs too
    return {
        "id": interaction_id(payload),
        # What the application calls it; in the proxy and behind a router that is the name of a group.
        "model": _group(payload) or text(payload, "model") or None,
        "user_query": _kept(question(payload.get("messages"))),
        "model_response": _kept(answer.text),
        "finish_reason": answer.finish_reason,
        "refusal": answer.refusal,
        "error": _error(payload),
        "latency_ms": max(0.0, (payload["endTime"] - payload["startTime"]) * 1000),
        "input_tokens": payload.get("prompt_tokens") if known else None,
        "output_tokens": payload.get("completion_tokens") if known else None,
        "cost_usd": call.get("response_cost") or None if known else None,
        "labels": _labels(payload, answer),
    }


def interaction_id(payload: _Payload) -> str:
    """The response's id; LiteLLM's own of the call where the provider gives none, or has failed to."""
    return str(payload.get("id") or payload["litellm_call_id"])


def failed(payload: _Payload) -> bool:
    """Whether the call has brought an error."""
    return payload.get("status") == "failure"


def vectors(payload: _Payload) -> Iterator[Any]:
    """Each vector that a call for embeddings has brought."""
    if payload.get("call_type") in _EMBEDDING_CALLS:
        yield from openai.vectors(payload.get("response"))


def segment(call: _Payload, payload: _Payload) -> dict[str, Any]:
    """What interactions and embeddings have in common. In the proxy each application has a key."""
    return {
        "ts": round(payload["startTime"] * 1000),
        "app": text(payload, "metadata", "user_api_key_alias"),
        "model": text(payload, "model") or None,
        "session_id": _session(call, payload),
    }


def team(payload: _Payload) -> str | None:
    """The team whose key was used with the proxy."""
    metadata = payload.get("metadata")
    return text(metadata, "user_api_key_team_alias") or text(metadata, "user_api_key_team_id")


def _session(call: _Payload, payload: _Payload) -> str | None:
    """The conversation, which the payload itself names only if LiteLLM was told to."""
    params = call.get("litellm_params")
    found = (
        read(payload, "session_id")
        or read(params, "litellm_session_id")
        or read(params, "metadata", "session_id")
    )
    return str(found) if found else None


def _answer(response: Any) -> Answer:
    if isinstance(response, Mapping) and "output" in response:
        return _RESPONSES.answer(response)
    answer = _CHAT.answer(response)
    # Where LiteLLM puts what only some providers say.
    refusal = text(first(response, "choices"), "message", "provider_specific_fields", "refusal")
    if answer.text is None and refusal:
        answer.text, answer.refusal = refusal, True
    if answer.text is None:  # of a text completion, or a response that LiteLLM did not translate
        answer.text = text(first(response, "choices"), "text") or words(read(response, "content"))
    return answer


def _error(payload: _Payload) -> str | None:
    """The kind of the error; what else LiteLLM says of it may quote texts or keys."""
    if not failed(payload):
        return None
    return text(payload, "error_information", "error_class") or "error"


def _labels(payload: _Payload, answer: Answer) -> dict[str, str] | None:
    """Which model has answered, if it goes by another name, and what links the attempts at one request."""
    asked, deployed = _group(payload), text(payload, "model")
    # The response of a group has the group's name for a model.
    answering = deployed if asked else answer.model
    labels = {"trace_id": payload.get("trace_id")}
    if answering not in (asked or deployed, None):
        labels["response_model"] = answering
    return {name: str(value) for name, value in labels.items() if value} or None


def _group(payload: _Payload) -> str | None:
    return text(payload, "model_group") or None


def _kept(said: str | None) -> str | None:
    return None if said is None or said.startswith(_REDACTED) else said
