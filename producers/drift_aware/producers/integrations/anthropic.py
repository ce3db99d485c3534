"""How Anthropic's API asks and answers, by the objects of its Python library, which is not imported.

Source: the types of anthropic 0.75 to 2.12.
"""

from collections.abc import Mapping
from typing import Any

from drift_aware.producers.integrations.answers import Answer, Assembly, Dialect
from drift_aware.producers.integrations.contents import question
from drift_aware.producers.integrations.shapes import count, items, read, text

# What is read from the cache, or written to it, is billed at other prices, and not in ``input_tokens``.
_INPUTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Messages:
    """``messages``."""

    def question(self, body: Mapping[str, Any]) -> str | None:
        """The last message of the user that is more than results of tools."""
        return question(read(body, "messages"))

    def answer(self, response: Any) -> Answer:
        """All blocks of text."""
        texts = [said for block in items(response, "content") if (said := _text(block)) is not None]
        return _answer("".join(texts) if texts else None, response, text(response, "stop_reason"))

    def assembly(self) -> Assembly:
        """Of events with deltas."""
        return _MessageAssembly()


class _MessageAssembly:
    def __init__(self) -> None:
        self._start: Any = None
        self._texts: list[str] = []
        self._stop_reason: str | None = None
        self._output_tokens: int | None = None

    def add(self, chunk: Any) -> None:
        match text(chunk, "type"):
            case "message_start":
                self._start = read(chunk, "message")
            case "content_block_delta":
                self._texts.append(text(chunk, "delta", "text") or "")
            case "message_delta":
                self._stop_reason = text(chunk, "delta", "stop_reason")
                self._output_tokens = count(chunk, "usage", "output_tokens")

    def answer(self) -> Answer:
        answer = _answer("".join(self._texts) or None, self._start, self._stop_reason)
        # What the start says of it is no more than the first token.
        answer.output_tokens = self._output_tokens
        return answer


def _text(block: Any) -> str | None:
    return text(block, "text") if read(block, "type") == "text" else None


def _answer(said: str | None, message: Any, stop_reason: str | None) -> Answer:
    inputs = [tokens for name in _INPUTS if (tokens := count(message, "usage", name)) is not None]
    return Answer(
        text=said,
        refusal=True if stop_reason == "refusal" else None,
        finish_reason=stop_reason,
        model=text(message, "model"),
        input_tokens=sum(inputs) if inputs else None,
        output_tokens=count(message, "usage", "output_tokens"),
    )


DIALECTS: Mapping[str, Dialect] = {"/v1/messages": Messages()}
