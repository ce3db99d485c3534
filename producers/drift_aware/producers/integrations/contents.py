"""The words in the messages of a chat, whichever API they are for. Pure."""

from typing import Any

from drift_aware.producers.integrations.shapes import items, read, text

_TEXTS = frozenset({"text", "input_text", "output_text"})
# What a program answers a model stands in messages of the user too.
_TOOL_RESULTS = frozenset({"tool_result", "function_call_output"})


def words(content: Any) -> str | None:
    r"""The text of a message's content; of parts that are no text, their names in brackets.

    Args:
        content: a text, or a list of texts and parts, which are dictionaries or objects with a ``type``.

    >>> words("Where is my parcel?")
    'Where is my parcel?'
    >>> words([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {}}])
    'What is this?\n[image]'
    """
    if isinstance(content, str):
        return content
    found = [each for part in items(content) if (each := _part(part)) is not None]
    return "\n".join(found) if found else None


def question(messages: Any) -> str | None:
    """What the user has said last; None if there is nothing.

    Args:
        messages: a text, or a list of messages with ``role`` and ``content``.

    >>> question([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
    'Hello'
    """
    if isinstance(messages, str):
        return messages
    for message in reversed(items(messages)):
        if read(message, "role") == "user":
            said = words(read(message, "content"))
            if said is not None:
                return said
    return None


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    kind = text(part, "type")
    if kind is None or kind in _TOOL_RESULTS:
        return None
    if kind in _TEXTS:
        return text(part, "text")
    return f"[{kind.removeprefix('input_').removesuffix('_url')}]"
