"""Questions and answers in the bodies of HTTP requests and responses. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from drift_aware.producers.integrations.contents import words

Reader = str | Callable[[Any], Any]

_LINES = re.compile(r"\r\n|\n|\r")
_INDEX = re.compile(r"-?[0-9]{1,9}")
_LAST = "[DONE]"  # how streams of OpenAI's shape end


@dataclass(frozen=True, slots=True)
class Chat:
    """Where the texts of one endpoint stand.

    A reader is a dotted path, as in ``messages.-1.content``, or a callable that is given the parsed JSON.
    What it finds may be a text, or a list of parts as the providers' APIs have them.

    Attributes:
        question: reader of the request's body.
        answer: reader of a JSON answer.
        piece: reader of each event of an event stream and of each line of JSON lines; None takes an event's
            data as it is.
    """

    question: Reader | None = None
    answer: Reader | None = None
    piece: Reader | None = None


def question_text(chat: Chat, body: bytes) -> str | None:
    """The question in a request's body; None if it is not there, or the body is not JSON."""
    return read(chat.question, parsed(body))


def answer_text(chat: Chat, body: bytes, content_type: str) -> str | None:
    r"""The answer in a response's body, whole or cut short; None if the type of the body is not known.

    >>> answer_text(Chat(piece="delta"), b'data: {"delta": "On its"}\n\ndata: {"delta": " way"}\n\n',
    ...     "text/event-stream")
    'On its way'
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return _joined(chat.piece, events(_decoded(body)))
    if kind in ("application/x-ndjson", "application/jsonl", "application/json-seq"):
        return _joined(chat.piece, _LINES.split(_decoded(body)))
    if kind == "text/plain":
        return _decoded(body) or None
    if kind == "application/json" or kind.endswith("+json"):
        return read(chat.answer, parsed(body))
    return None


def read(reader: Reader | None, value: Any) -> str | None:
    """The text a reader finds; None if it finds none.

    >>> read("messages.-1.content", {"messages": [{"content": "Where is my parcel?"}]})
    'Where is my parcel?'
    """
    if reader is None or value is None:
        return None
    if callable(reader):
        return words(reader(value)) or None
    for step in reader.split("."):
        value = _step(value, step)
    return words(value) or None


def events(stream: str) -> Iterator[str]:
    r"""The data of each event in a text/event-stream; what is cut short at its end counts.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6.

    >>> list(events("data: a\ndata: b\n\n: nothing\nevent: end\ndata:c"))
    ['a\nb', 'c']
    """
    data: list[str] = []
    for line in (*_LINES.split(stream.removeprefix("\ufeff")), ""):
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def parsed(body: bytes | str) -> Any:
    """The JSON, or None if it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _joined(reader: Reader | None, pieces: Iterator[str] | list[str]) -> str | None:
    texts = (
        piece if reader is None else read(reader, parsed(piece))
        for piece in pieces
        if piece and piece != _LAST
    )
    return "".join(text for text in texts if text) or None


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, Sequence) and not isinstance(value, str) and _INDEX.fullmatch(step):
        return value[int(step)] if -len(value) <= int(step) < len(value) else None
    return None


def _decoded(body: bytes) -> str:
    # A stream may have been cut in the middle of a character.
    return body.decode("utf-8", "ignore")
