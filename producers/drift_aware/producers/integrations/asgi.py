"""ASGI middleware for applications that answer over HTTP, FastAPI's and Starlette's among them."""

import re
import time
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from drift_aware.producers.integrations.bodies import Chat
from drift_aware.producers.integrations.calls import UNNOTICED
from drift_aware.producers.integrations.exchange import Exchange, Message
from drift_aware.producers.interface import EventPublisher
from drift_aware.schema.errors import SettingsError

__all__ = ["Chat", "DriftAwareMiddleware"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Of the application's scope: ``request.state.interaction`` in Starlette and FastAPI.
STATE = "interaction"
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
        exchange = Exchange(chat, self._session(scope), self._max_body_bytes, self._clock)
        passage = _Passage(exchange, self._publisher, self._id_header, receive, send)
        # Into the scope itself: who stands outside looks there for what the application leaves, as its route.
        scope.setdefault("state", {})[STATE] = exchange.fields
        try:
            await self._app(scope, passage.receive, passage.send)
        except CancelledError:
            exchange.left = True
            raise
        except Exception as error:
            exchange.raised = type(error).__name__
            raise
        finally:
            passage.end()

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


class _Passage:
    """Hands messages on between server and application, and tells an exchange of them."""

    def __init__(
        self, exchange: Exchange, publisher: EventPublisher, id_header: bytes, receive: Receive, send: Send
    ) -> None:
        self._exchange = exchange
        self._publisher = publisher
        self._id_header = id_header
        self._receive = receive
        self._send = send
        self._published = False

    async def receive(self) -> Message:
        message = await self._receive()
        with UNNOTICED:
            self._exchange.received(message)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = self._begun(message)
        own = {**message}  # what stands outside may compress the body in the message it is handed
        try:
            await self._send(message)
        except OSError:  # how servers say that nobody listens any more
            self._exchange.left = True
            raise
        with UNNOTICED:
            if self._exchange.sent(own):
                self.end()

    def end(self) -> None:
        """Publish it, once and only if it is an answer."""
        with UNNOTICED:
            if not self._published and self._exchange.counts:
                self._published = True
                self._publisher.interaction(**self._exchange.interaction())

    def _begun(self, message: Message) -> Message:
        """The beginning of the response, with the interaction's id if it is going to be one."""
        with UNNOTICED:
            self._exchange.answers(message)
            if self._exchange.counts:
                named = (self._id_header, str(self._exchange.fields["id"]).encode("latin-1"))
                return {**message, "headers": [*message.get("headers", ()), named]}
        return message


def _pattern(endpoint: str) -> re.Pattern[str]:
    """Of ``POST /chats/{name}``."""
    if not _ENDPOINT.fullmatch(endpoint):
        raise SettingsError(f"{endpoint!r} is no endpoint; write method and path, as in 'POST /chat'")
    parts = re.split(r"\{[^/{}]*\}", endpoint)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))
