"""One question over HTTP and what comes back, as it passes by. No IO: it is told of every message."""

import time
from collections.abc import Callable, MutableMapping
from typing import Any

from drift_aware.producers.fields import InteractionFields
from drift_aware.producers.identifiers import new_id
from drift_aware.producers.integrations.bodies import Chat, answer_text, question_text
from drift_aware.producers.integrations.calls import CANCELLED, INCOMPLETE, UNNOTICED

Message = MutableMapping[str, Any]

_FAILED = 500
_ANSWERED = range(200, 300)


class Exchange:
    """A request and what comes back; told of every message, knows in the end what to publish.

    Attributes:
        fields: the interaction so far, which the application may add to.
        left: whether the client left before the end.
        raised: what the application raised.
    """

    def __init__(
        self, chat: Chat, session: str | None, max_body_bytes: int, clock: Callable[[], float]
    ) -> None:
        self.fields: InteractionFields = {"id": new_id(), "ts": time.time_ns() // 1_000_000}
        if session is not None:
            self.fields["session_id"] = session
        self.left = False
        self.raised: str | None = None
        self._chat = chat
        self._clock = clock
        self._began = clock()
        self._latency_ms: float | None = None
        self._request, self._response = _Body(max_body_bytes), _Body(max_body_bytes)
        self._status: int | None = None
        self._content_type = ""

    @property
    def counts(self) -> bool:
        """Whether this is an answer, or the failure to give one."""
        if self._status is None:
            return self.left or self.raised is not None
        return self._status in _ANSWERED or self._status >= _FAILED

    def received(self, message: Message) -> None:
        if message["type"] == "http.request":
            self._request.add(message.get("body", b""))
        elif message["type"] == "http.disconnect" and self._latency_ms is None:
            self.left = True

    def answers(self, message: Message) -> None:
        self._status = message["status"]
        headers = {bytes(name).lower(): bytes(value) for name, value in message.get("headers", ())}
        if b"content-encoding" not in headers:  # what is compressed cannot be read in passing
            self._content_type = headers.get(b"content-type", b"").decode("latin-1")

    def sent(self, message: Message) -> bool:
        """Note what the client has got; whether that was the last of it."""
        if message["type"] != "http.response.body" or self._latency_ms is not None:
            return False
        self._response.add(message.get("body", b""))
        if not message.get("more_body", False):
            self._latency_ms = self._elapsed_ms()
        return self._latency_ms is not None

    def interaction(self) -> InteractionFields:
        """The fields to publish; texts are read only here."""
        found: InteractionFields = {
            "latency_ms": self._latency_ms if self._latency_ms is not None else self._elapsed_ms(),
            "error": self._error(),
            "finish_reason": CANCELLED if self.left else None,
        }
        # A reader of the application's may raise, which costs its text and not the interaction.
        with UNNOTICED:
            found["user_query"] = question_text(self._chat, self._request.whole())
        with UNNOTICED:
            found["model_response"] = answer_text(self._chat, self._response.whole(), self._content_type)
        found = {**found, **self.fields}
        if unread := self._unread():
            found["labels"] = {**(found.get("labels") or {}), "unread": unread}
        return found

    def _error(self) -> str | None:
        if self.raised is not None and not self.left:
            return self.raised
        if self._status is not None and self._status >= _FAILED:
            return f"HTTP {self._status}"
        return INCOMPLETE if self._latency_ms is None and not self.left else None

    def _unread(self) -> str | None:
        request, response = self._request.unread, self._response.unread
        if request and response:
            return "both"
        return "request" if request else "response" if response else None

    def _elapsed_ms(self) -> float:
        return (self._clock() - self._began) * 1000


class _Body:
    """A body as it passes by."""

    def __init__(self, max_bytes: int) -> None:
        self._chunks: list[bytes] = []
        self._left = max_bytes
        self.unread = False

    def add(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            self.unread = True
            self._chunks.clear()
        elif chunk:
            self._chunks.append(chunk)

    def whole(self) -> bytes:
        return b"".join(self._chunks)
