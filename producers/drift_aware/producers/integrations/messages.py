"""What LangChain's values say: messages, prompts, results, and what chains take and give. Pure.

They are known by their shape, so LangChain is not imported. Source: the types of langchain-core 1.7.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from drift_aware.producers.integrations.answers import Answer
from drift_aware.producers.integrations.contents import words
from drift_aware.producers.integrations.shapes import count, first, items, read, text

_PEOPLE = {"human", "user", "HumanMessageChunk"}
_MODELS = {"ai", "assistant", "AIMessageChunk"}
# What chains call the question and the answer where they take and give dictionaries.
_QUESTIONS = ("question", "input", "query")
_ANSWERS = ("answer", "output", "result", "response")
# Field of an interaction to what LangChain's users and LangGraph call it in their metadata.
_METADATA = {
    "session_id": ("session_id", "thread_id", "conversation_id"),
    "tenant": ("tenant",),
    "app": ("app",),
    "prompt_version": ("prompt_version",),
    "intent": ("intent",),
}


def asked(value: Any) -> str | None:
    """The question in what a chain or a model is given.

    >>> asked({"messages": [("user", "Hello"), ("ai", "Good day"), ("user", "Where is my parcel?")]})
    'Where is my parcel?'
    >>> asked({"question": "Where is my parcel?", "language": "en"})
    'Where is my parcel?'
    """
    return _said(value, _QUESTIONS, _PEOPLE)


def answered(value: Any) -> str | None:
    """The answer in what a chain gives.

    >>> answered({"messages": [("user", "Hello"), ("ai", "Good day")]})
    'Good day'
    """
    return _said(value, _ANSWERS, _MODELS)


def result(response: Any) -> Answer:
    """What a model has brought, an ``LLMResult``; of several generations the first."""
    generation = first(first(response, "generations"))
    message = read(generation, "message")
    details = read(message, "response_metadata") or read(generation, "generation_info")
    usage = read(message, "usage_metadata")
    tokens = read(response, "llm_output", "token_usage")
    refusal = _refusal(message)
    reason = text(details, "finish_reason") or text(details, "stop_reason") or text(details, "status")
    return Answer(
        text=text(generation, "text") or refusal or None,
        refusal=True if refusal or reason == "refusal" else None,
        finish_reason=reason,
        model=text(details, "model_name") or text(details, "model"),
        input_tokens=_either(count(usage, "input_tokens"), count(tokens, "prompt_tokens")),
        output_tokens=_either(count(usage, "output_tokens"), count(tokens, "completion_tokens")),
    )


def model_name(metadata: Any, params: Any) -> str | None:
    """What the application calls the model."""
    return text(metadata, "ls_model_name") or text(params, "model") or text(params, "model_name")


def fields(metadata: Any) -> dict[str, Any]:
    """The fields of an interaction that a run's metadata name.

    >>> fields({"thread_id": "t-17", "tenant": "acme", "langgraph_step": 1})
    {'session_id': 't-17', 'tenant': 'acme'}
    """
    found = {
        field: next((str(value) for name in names if (value := read(metadata, name)) is not None), None)
        for field, names in _METADATA.items()
    }
    return {field: value for field, value in found.items() if value}


def _said(value: Any, names: Iterable[str], roles: set[str]) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, Mapping):
        if (found := _last(value.get("messages"), roles)) is not None:
            return found
        return next((found for name in names if (found := _said(value.get(name), (), roles))), None)
    if isinstance(value, list | tuple):
        return _last(value, roles)
    return (words(read(value, "content")) or None) if _role(value) in roles else None


def _last(messages: Any, roles: set[str]) -> str | None:
    """The last message of such a role that says anything."""
    for message in reversed([*items(messages)]):
        content = message[1] if _is_pair(message) else read(message, "content")
        if _role(message) in roles and (said := words(content)):
            return said
    return None


def _refusal(message: Any) -> str | None:
    """What OpenAI's APIs say as a refusal; LangChain has it in one of two places."""
    parts = [text(part, "refusal") for part in items(message, "content")]
    return text(message, "additional_kwargs", "refusal") or next((said for said in parts if said), None)


def _role(message: Any) -> str | None:
    if _is_pair(message):
        return str(message[0])
    return text(message, "type") or text(message, "role")


def _is_pair(message: Any) -> bool:
    return isinstance(message, tuple) and len(message) == 2


def _either(one: int | None, other: int | None) -> int | None:
    return other if one is None else one
