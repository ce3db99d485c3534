"""Bodies are small and come at once: what is larger or slower is not waited for."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drift_aware.dashboards.api.problems import problem

MAX_BYTES = 64_000
MAX_SECONDS = 10.0


class Bodies:
    """Reads a request's body before anything else sees it.

    FastAPI's own limit answers a declared length in a form of its own, past our problems and the journal.

    Args:
        app: what comes after it.
        most: bytes.
        seconds: for the whole body.
    """

    def __init__(self, app: ASGIApp, most: int = MAX_BYTES, seconds: float = MAX_SECONDS) -> None:
        self._app, self._most, self._seconds = app, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(scope, receive)
        except ClientDisconnect:
            return
        except TimeoutError:
            answer = problem(scope, 408, f"the body did not come within {self._seconds:g} s")
            await answer(scope, receive, send)
            return
        if body is None:
            answer = problem(scope, 413, f"the body is larger than {self._most} bytes")
            await answer(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None if it is too large.

        Raises:
            ClientDisconnect: half of it came.
        """
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        # A server passes on only what is a number.
        if int(declared) > self._most:
            return None
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self._most:
                return None
            more = message.get("more_body", False)
        return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once, then what the client does."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
