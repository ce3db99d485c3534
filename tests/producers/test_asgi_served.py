"""The middleware in a real server, with clients that leave and middleware of others around it."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from drift_aware.producers import MemoryPublisher
from drift_aware.producers.integrations.asgi import Chat, DriftAwareMiddleware
from drift_aware.schema.events import Interaction
from rig.services import wait_until

CHATS = {f"POST {path}": Chat(question="question", answer="answer") for path in ("/chat", "/endless")}
ANSWER = "It left this morning. " * 100


@pytest.fixture
def publisher() -> MemoryPublisher:
    return MemoryPublisher()


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/chat")
    async def chat(request: Request) -> dict[str, str]:
        await request.json()
        return {"answer": ANSWER}

    @app.post("/endless")
    async def endless(request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "It "
            await asyncio.Event().wait()

        await request.json()
        return StreamingResponse(pieces(), media_type="text/plain")

    return app


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """A middleware as most applications have one."""
    return await call_next(request)


@contextmanager
def served(app: FastAPI) -> Iterator[httpx2.Client]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def published(publisher: MemoryPublisher) -> Interaction:
    wait_until(lambda: publisher.events, 20)
    [told] = publisher.interactions
    return told


@pytest.mark.parametrize("others", ["none", "inside", "outside"])
def test_a_client_that_leaves_half_way_has_cancelled_the_answer(
    publisher: MemoryPublisher, others: str
) -> None:
    app = application()
    if others == "inside":
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    app.add_middleware(DriftAwareMiddleware, publisher=publisher, chats=CHATS)
    if others == "outside":
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    with served(app) as client:
        with client.stream("POST", "/endless", json={"question": "Where is it?"}) as answer:
            assert next(answer.iter_text()) == "It "
        told = published(publisher)
    assert (told.user_query, told.model_response) == ("Where is it?", "It ")
    assert (told.finish_reason, told.error) == ("cancelled", None)


@pytest.mark.parametrize(("compresses", "response"), [("outside", ANSWER), ("inside", None)])
def test_an_answer_is_read_before_it_is_compressed(
    publisher: MemoryPublisher, compresses: str, response: str | None
) -> None:
    app = application()
    if compresses == "inside":
        app.add_middleware(GZipMiddleware)
    app.add_middleware(DriftAwareMiddleware, publisher=publisher, chats=CHATS)
    if compresses == "outside":
        app.add_middleware(GZipMiddleware)
    with served(app) as client:
        answer = client.post("/chat", json={"question": "Where is it?"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.json() == {"answer": ANSWER}
        assert published(publisher).model_response == response
