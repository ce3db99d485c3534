"""How OpenAI's API asks and answers, by the objects of its Python library, which is not imported.

Source: the types of openai 2.0 to 3.51.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from drift_aware.producers.integrations.answers import Answer, Assembly, Dialect
from drift_aware.producers.integrations.contents import question, words
from drift_aware.producers.integrations.shapes import count, first, items, read, text


class Chat:
    """``chat.completions``. Of several choices the first is the answer; tokens are those of all."""

    def question(self, body: Mapping[str, Any]) -> str | None:
        """The last message of the user."""
        return question(read(body, "messages"))

    def answer(self, response: Any) -> Answer:
        """The first choice; an empty list of choices is an answer without text."""
        choice, usage = first(response, "choices"), read(response, "usage")
        message = read(choice, "message")
        refusal = text(message, "refusal")
        return Answer(
            text=words(read(message, "content")) or refusal,
            refusal=True if refusal else None,
            finish_reason=text(choice, "finish_reason"),
            model=text(response, "model"),
            input_tokens=count(usage, "prompt_tokens"),
            output_tokens=count(usage, "completion_tokens"),
        )

    def assembly(self) -> Assembly:
        """Of chunks with deltas."""
        return _ChatAssembly()


class _ChatAssembly:
    def __init__(self) -> None:
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._answer = Answer()

    def add(self, chunk: Any) -> None:
        answer = self._answer
        answer.model = answer.model or text(chunk, "model")
        for choice in items(chunk, "choices"):
            if read(choice, "index") in (0, None):
                self._texts.append(text(choice, "delta", "content") or "")
                self._refusals.append(text(choice, "delta", "refusal") or "")
                answer.finish_reason = text(choice, "finish_reason") or answer.finish_reason
        if (usage := read(chunk, "usage")) is not None:
            answer.input_tokens = count(usage, "prompt_tokens")
            answer.output_tokens = count(usage, "completion_tokens")

    def answer(self) -> Answer:
        refusal = "".join(self._refusals)
        self._answer.text = "".join(self._texts) or refusal or None
        self._answer.refusal = True if refusal else None
        return self._answer


class Responses:
    """``responses``."""

    def question(self, body: Mapping[str, Any]) -> str | None:
        """The input, or the last message of the user in it."""
        return question(read(body, "input"))

    def answer(self, response: Any) -> Answer:
        """All texts of the output; why it is incomplete, or else its status, as the reason of its end."""
        # The thoughts of a reasoning model and the calls of tools are items too.
        messages = [item for item in items(response, "output") if read(item, "type") == "message"]
        parts = [part for message in messages for part in items(message, "content")]
        refusals = [said for part in parts if (said := text(part, "refusal")) is not None]
        texts = [said for part in parts if (said := text(part, "text")) is not None]
        status = text(response, "status")
        return Answer(
            text="".join(texts or refusals) if texts or refusals else None,
            refusal=True if refusals else None,
            finish_reason=text(response, "incomplete_details", "reason") or status,
            error=(text(response, "error", "code") or status) if status == "failed" else None,
            model=text(response, "model"),
            input_tokens=count(response, "usage", "input_tokens"),
            output_tokens=count(response, "usage", "output_tokens"),
        )

    def assembly(self) -> Assembly:
        """Of events; the last brings the answer whole."""
        return _ResponseAssembly(self)


class _ResponseAssembly:
    _LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})

    def __init__(self, dialect: Responses) -> None:
        self._dialect = dialect
        self._texts: list[str] = []
        self._refused = False
        self._model: str | None = None
        self._whole: Answer | None = None
        self._error: str | None = None

    def add(self, chunk: Any) -> None:
        kind = text(chunk, "type")
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            self._texts.append(text(chunk, "delta") or "")
            self._refused |= kind == "response.refusal.delta"
        elif kind == "response.created":
            self._model = text(chunk, "response", "model")
        elif kind in self._LAST:
            self._whole = self._dialect.answer(read(chunk, "response"))
        elif kind == "error":
            self._error = text(chunk, "code") or kind

    def answer(self) -> Answer:
        if self._whole is not None:
            return self._whole
        return Answer(
            text="".join(self._texts) or None,
            refusal=True if self._refused else None,
            error=self._error,
            model=self._model,
        )


def vectors(response: Any) -> Iterator[bytes | list[float]]:
    """The vectors of an answer of ``embeddings``; those left in base64 are little-endian float32."""
    for item in items(response, "data"):
        vector = read(item, "embedding")
        yield b64decode(vector) if isinstance(vector, str) else vector


DIALECTS: Mapping[str, Dialect] = {"/chat/completions": Chat(), "/responses": Responses()}
EMBEDDINGS = "/embeddings"
