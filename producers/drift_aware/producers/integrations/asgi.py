"""ASGI middleware for applications that answer over HTTP, FastAPI's and Starlette's among them."""

import re
import time
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from drift_aware.producers.fields import InteractionFields
from drift_aware.producers.identifiers import new_id
from drift_aware.producers.integrations.bodies import Chat, answer_text, question_text
from drift_aware.producers.integrations.calls import CANCELLED, UNNOTICED
from drift_aware.producers.interface import EventPublisher
from drift_aware.schema.errors import SettingsError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Of the application's scope: ``request.state.interaction`` in Starlette and FastAPI.
STATE = "interaction"
_FAILED = 500
_ANSWERED = range(200, 300)
_LONGEST_SESSION = 256
_ENDPOINT = re.compile(r"([A-Z]+) (/\S*)")


class DriftAwareMiddleware:
    """Publishes an interaction for every answer of the endpoints that are chats, and nothing of the others.

    A chunk is handed on before it is looked at, and the bodies are read when the answer is over. An answer
    with a status of 300 to 499 is none: nobody asked the model. One of 500 and more, or an exception, is an
    ``error``; the exception goes on. When the client leaves before the end, what it got is published with the
    finish reason ``cancelled``.

    The application finds a dictionary as ``request.state.interaction``. Its ``id`` is the interaction's,
    which the client gets as a header too; what else the application puts in until the answer is over
    (``model``, ``tenant``, ``cost_usd``, any field of an interaction) is published, and wins.

    Args:
        app: the application.
        publisher: which publishes.
        chats: method and path of an endpoint to where its texts stand, as in ``{"POST /chat": Chat(...)}``; a
            part of a path in braces stands for anything but a slash.
        session_header: of the request, with the conversation's id.
        id_header: of the response, with the interaction's id.
        max_body_bytes: a longer body passes unread. Its text is left out, and the interaction has the label
            ``unread`` that says whether it was the ``request``, the ``response`` or ``both``.
        clock: seconds, monotonic.

    Raises:
        SettingsError: a key of ``chats`` is not a method and a path.
    """

    def __init__(
        self,
        app: App,
        publisher: EventPublisher,
        *,
        chats: Mapping[str, Chat],
        session_header: str = "x-session-id",
        id_header: str = "x-interaction-id",
        max_body_bytes: int = 1_000_000,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._publisher = publisher
        self._chats = [(_pattern(endpoint), chat) for endpoint, chat in chats.items()]
        self._session_header = session_header.lower().encode("latin-1")
        self._id_header = id_header.lower().encode("latin-1")
        self._max_body_bytes = max_body_bytes
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        chat = self._chat(scope)
        if chat is None:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(chat, self._session(scope), self._max_body_bytes, self._clock)
        state = {**scope.get("state", {}), STATE: exchange.fields}

        async def receiving() -> Message:
            message = await receive()
            with UNNOTICED:
                exchange.received(message)
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                with UNNOTICED:
                    exchange.answers(message)
                    if exchange.counts:
                        id_header = (self._id_header, str(exchange.fields["id"]).encode("latin-1"))
                        message = {**message, "headers": [*message.get("headers", ()), id_header]}
            try:
                await send(message)
            except OSError:  # how servers say that nobody listens any more
                exchange.left = True
                raise
            with UNNOTICED:
                if exchange.sent(message):
                    self._publish(exchange)

        try:
            await self._app({**scope, "state": state}, receiving, sending)
        except CancelledError:
            exchange.left = True
            raise
        except Exception as error:
            exchange.raised = type(error).__name__
            raise
        finally:
            self._publish(exchange)

    def _publish(self, exchange: "_Exchange") -> None:
        """Publish it, once and only if it is an answer."""
        with UNNOTICED:
            if not exchange.published and exchange.counts:
                exchange.published = True
                self._publisher.interaction(**exchange.interaction())

    def _chat(self, scope: Scope) -> Chat | None:
        if scope["type"] != "http":
            return None
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        endpoint = f"{scope['method']} {path}"
        return next((chat for pattern, chat in self._chats if pattern.fullmatch(endpoint)), None)

    def _session(self, scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == self._session_header:
                session: str = value.decode("latin-1")
                return session if 0 < len(session) <= _LONGEST_SESSION else None
        return None


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


class _Exchange:
    """A request and what comes back; told of every message, knows in the end what to publish.

    Attributes:
        fields: the interaction so far, which the application may add to.
        left: whether the client left before the end.
        raised: what the application raised.
        published: whether it was.
    """

    def __init__(
        self, chat: Chat, session: str | None, max_body_bytes: int, clock: Callable[[], float]
    ) -> None:
        self.fields: InteractionFields = {"id": new_id(), "ts": time.time_ns() // 1_000_000}
        if session is not None:
            self.fields["session_id"] = session
        self.left = False
        self.raised: str | None = None
        self.published = False
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
            "finish_reason": CANCELLED if self._latency_ms is None and self.left else None,
        }
        # A reader of the application's may raise, which costs its text and not the interaction.
        with UNNOTICED:
            found["user_query"] = question_text(self._chat, self._request.whole())
        with UNNOTICED:
            found["model_response"] = answer_text(self._chat, self._response.whole(), self._content_type)
        if unread := self._unread():
            found["labels"] = {"unread": unread, **(self.fields.pop("labels", None) or {})}
        return {**found, **self.fields}

    def _error(self) -> str | None:
        if self.raised is not None and not self.left:
            return self.raised
        if self._status is not None and self._status >= _FAILED:
            return f"HTTP {self._status}"
        return "incomplete" if self._latency_ms is None and not self.left else None

    def _unread(self) -> str | None:
        request, response = self._request.unread, self._response.unread
        if request and response:
            return "both"
        return "request" if request else "response" if response else None

    def _elapsed_ms(self) -> float:
        return (self._clock() - self._began) * 1000


def _pattern(endpoint: str) -> re.Pattern[str]:
    """Of ``POST /chats/{name}``."""
    if not _ENDPOINT.fullmatch(endpoint):
        raise SettingsError(f"{endpoint!r} is no endpoint; write method and path, as in 'POST /chat'")
    parts = re.split(r"\{[^/{}]*\}", endpoint)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))
