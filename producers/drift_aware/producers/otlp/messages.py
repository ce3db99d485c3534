"""The question and the answer among the attributes and events of a span. Pure.

Texts are written down in five ways: as messages with parts (GenAI semantic conventions), as events of the
span (their earlier versions), as numbered attributes (OpenInference, OpenLLMetry), as two attributes with
JSON, or plainly. A text that is not there was not captured.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from drift_aware.producers.otlp.spans import Happening

Message = Mapping[str, Any]

_NUMBERED_IN = ("llm.input_messages", "gen_ai.prompt")
_NUMBERED_OUT = ("llm.output_messages", "gen_ai.completion")
_MESSAGES_IN = ("gen_ai.input.messages", "gen_ai.prompt", "input.value")
_MESSAGES_OUT = ("gen_ai.output.messages", "gen_ai.completion", "output.value")
_ASKED = ("gen_ai.user.message", "gen_ai.content.prompt")
_ANSWERED = ("gen_ai.choice", "gen_ai.content.completion", "gen_ai.assistant.message")
_NUMBERED = re.compile(r"\.(\d+)\.(?:message\.)?(role|content|contents\.(\d+)\.message_content\.(\w+))$")
# Parts that hold what programs say to each other, or what a model says to itself.
_UNSAID = frozenset({"tool_call", "tool_call_response", "tool_use", "tool_result", "reasoning", "thinking"})


def question(attributes: Mapping[str, Any], events: Sequence[Happening] = ()) -> str | None:
    """What the user has said last; None if it was not captured."""
    for messages in _captured(attributes, events, _NUMBERED_IN, _MESSAGES_IN, _ASKED):
        asked = [each for each in messages if each.get("role", "user") in ("user", "human")]
        for message in reversed(asked):
            if (said := words(message)) is not None:
                return said
    return None


def answer(attributes: Mapping[str, Any], events: Sequence[Happening] = ()) -> str | None:
    """What the model has said, its first choice; None if it was not captured, or if it only called tools."""
    for messages in _captured(attributes, events, _NUMBERED_OUT, _MESSAGES_OUT, _ANSWERED):
        for message in messages:
            if (said := words(message)) is not None:
                return said
    return None


def words(message: Message) -> str | None:
    r"""The text of a message; of parts that are no text, their kind in brackets.

    >>> words({"role": "user", "parts": [{"type": "text", "content": "Look:"}, {"type": "image_url"}]})
    'Look:\n[image]'
    >>> words({"role": "assistant", "parts": [{"type": "tool_call", "name": "search"}]})
    """
    content = message.get("parts") or message.get("content")
    if isinstance(content, str):
        return content or None
    found = [each for part in _items(content) if (each := _part(part))]
    return "\n".join(found) or None


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return None
    kind = str(part.get("type", "text"))
    if kind in _UNSAID:
        return None
    text = part.get("text") if "text" in part else part.get("content")
    if kind in ("text", "input_text", "output_text"):
        return text if isinstance(text, str) else None
    return f"[{str(part.get('modality') or kind).removeprefix('input_').removesuffix('_url')}]"


def _captured(
    attributes: Mapping[str, Any],
    events: Sequence[Happening],
    numbered: tuple[str, ...],
    whole: tuple[str, ...],
    happened: tuple[str, ...],
) -> Iterable[list[Message]]:
    """The messages, as each of the ways has them."""
    yield _parsed(attributes.get(whole[0]))
    for prefix in numbered:
        yield _gathered(attributes, prefix)
    yield [message for event in events if event.name in happened for message in _happened(event)]
    for name in whole[1:]:
        yield _parsed(attributes.get(name))


def _parsed(value: Any) -> list[Message]:
    """Messages of an attribute: a structure, JSON as text, or plain text."""
    if isinstance(value, str):
        try:
            decoded = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return [{"content": value}] if value else []
        return _parsed(decoded) if isinstance(decoded, (list, dict)) else [{"content": value}]
    if isinstance(value, Mapping):
        # The arguments or the result of a whole call, as OpenInference keeps them.
        inner = value.get("messages") or [
            each["message"]
            for each in _items(value.get("choices"))
            if isinstance(each, Mapping) and "message" in each
        ]
        return _parsed(inner) if inner else [value]
    return [each if isinstance(each, Mapping) else {"content": each} for each in _items(value)]


def _gathered(attributes: Mapping[str, Any], prefix: str) -> list[Message]:
    """Messages whose number is part of the attributes' names."""
    messages: dict[int, dict[str, Any]] = {}
    parts: dict[int, dict[int, dict[str, Any]]] = {}
    for name, value in attributes.items():
        if not name.startswith(prefix) or not (found := _NUMBERED.fullmatch(name, len(prefix))):
            continue
        number, key, part, name_of_part = found.groups()
        if part is None:
            messages.setdefault(int(number), {})[key] = value
        else:
            parts.setdefault(int(number), {}).setdefault(int(part), {})[name_of_part] = value
    for number, numbered in parts.items():
        messages.setdefault(number, {})["parts"] = [numbered[each] for each in sorted(numbered)]
    return [messages[number] for number in sorted(messages)]


def _happened(event: Happening) -> list[Message]:
    """The messages of an event of a span: its attributes are one, or one of them holds them."""
    for name in ("gen_ai.prompt", "gen_ai.completion", "message"):
        if name in event.attributes:
            return _parsed(event.attributes[name])
    return [event.attributes]


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
