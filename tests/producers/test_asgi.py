"""The middleware around real FastAPI applications, and around applications that behave oddly."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.testclient import TestClient

from drift_aware.producers import MemoryPublisher, Publisher
from drift_aware.producers.integrations.asgi import Chat, DriftAwareMiddleware, Receive, Scope, Send
from drift_aware.producers.integrations.exchange import Message
from drift_aware.producers.interface import EventPublisher
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.events import Interaction
from rig.saboteur import Saboteur

Asked = Annotated[dict[str, Any], Body()]
CHAT = Chat(question="messages.-1.content", answer="reply.text", piece="delta")
QUESTION = {"messages": [{"role": "user", "content": "Where is my parcel?"}]}


def chat(asked: Asked) -> dict[str, Any]:
    return {"reply": {"text": "It left today."}}


def named(name: str, request: Request) -> dict[str, Any]:
    request.state.interaction |= {"tenant": name, "model": "gpt-4o", "labels": {"room": name}}
    return {"reply": {"text": "It left today."}, "id": request.state.interaction["id"]}


async def stream(asked: Asked) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        for piece in ("It ", "left ", "today."):
            yield f'data: {{"delta": "{piece}"}}\n\n'
        yield "data: [DONE]\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


def plain() -> PlainTextResponse:
    return PlainTextResponse("It left today.")


def broken(asked: Asked) -> None:
    raise LookupError("no such parcel: jo@example.org")


def unavailable(asked: Asked) -> JSONResponse:
    return JSONResponse({"reply": {"text": "Come back later."}}, status_code=503)


def refused() -> JSONResponse:
    return JSONResponse({"detail": "who are you?"}, status_code=401)


def health() -> dict[str, str]:
    return {"status": "ok"}


CHATS_BY_PATH: dict[str, Any] = {
    "/chat": chat,
    "/chats/{name}/messages": named,
    "/stream": stream,
    "/plain": plain,
    "/broken": broken,
    "/unavailable": unavailable,
    "/refused": refused,
}
CHATS = {f"POST {path}": CHAT for path in CHATS_BY_PATH}


def application() -> FastAPI:
    app = FastAPI()
    for path, endpoint in CHATS_BY_PATH.items():
        app.post(path)(endpoint)
    app.get("/health")(health)
    return app


@pytest.fixture
def publisher() -> MemoryPublisher:
    return MemoryPublisher(app="shop")


@pytest.fixture
def client(publisher: MemoryPublisher) -> Iterator[TestClient]:
    app = application()
    app.add_middleware(DriftAwareMiddleware, publisher=publisher, chats=CHATS, max_body_bytes=1000)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def only(publisher: MemoryPublisher) -> Interaction:
    assert publisher.dropped == {}
    [interaction] = publisher.interactions
    return interaction


def test_a_question_and_its_answer_are_published(client: TestClient, publisher: MemoryPublisher) -> None:
    answer = client.post("/chat", json=QUESTION, headers={"X-Session-Id": "s-1842"})
    told = only(publisher)
    assert answer.headers["X-Interaction-Id"] == told.id
    assert (told.user_query, told.model_response) == ("Where is my parcel?", "It left today.")
    assert (told.session_id, told.app, told.error, told.finish_reason) == ("s-1842", "shop", None, None)
    assert told.latency_ms is not None


def test_what_the_application_says_is_published_and_its_id_is_known_to_it(
    client: TestClient, publisher: MemoryPublisher
) -> None:
    answer = client.post("/chats/acme/messages", json=QUESTION)
    told = only(publisher)
    assert (told.tenant, told.model, told.labels) == ("acme", "gpt-4o", {"room": "acme"})
    assert answer.json()["id"] == told.id == answer.headers["x-interaction-id"]


def test_a_streamed_answer_is_put_together(client: TestClient, publisher: MemoryPublisher) -> None:
    answer = client.post("/stream", json=QUESTION)
    assert answer.text.count("data: ") == 4
    assert only(publisher).model_response == "It left today."


def test_plain_text_is_an_answer_and_no_question(client: TestClient, publisher: MemoryPublisher) -> None:
    client.post("/plain", content=b"Where is my parcel?")
    told = only(publisher)
    assert (told.user_query, told.model_response) == (None, "It left today.")


@pytest.mark.parametrize(
    ("path", "error", "response"),
    [("/broken", "LookupError", None), ("/unavailable", "HTTP 503", "Come back later.")],
)
def test_a_failure_is_an_error_without_its_words(
    client: TestClient, publisher: MemoryPublisher, path: str, error: str, response: str | None
) -> None:
    assert client.post(path, json=QUESTION).status_code >= 500
    told = only(publisher)
    assert (told.error, told.user_query, told.model_response) == (error, "Where is my parcel?", response)


def test_an_exception_of_the_application_goes_on(publisher: MemoryPublisher) -> None:
    app = application()
    app.add_middleware(DriftAwareMiddleware, publisher=publisher, chats=CHATS)
    with TestClient(app) as client, pytest.raises(LookupError):
        client.post("/broken", json=QUESTION)
    assert only(publisher).error == "LookupError"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/chat"),
        ("OPTIONS", "/chat"),
        ("POST", "/refused"),
        ("POST", "/chats/a/b"),
    ],
)
def test_what_is_no_answer_of_a_chat_is_not_published(
    client: TestClient, publisher: MemoryPublisher, method: str, path: str
) -> None:
    answer = client.request(method, path)
    assert "x-interaction-id" not in answer.headers
    assert publisher.events == []


def test_a_long_body_passes_and_is_left_unread(client: TestClient, publisher: MemoryPublisher) -> None:
    long = {"messages": [{"content": "x" * 2000}]}
    assert client.post("/chat", json=long).json() == {"reply": {"text": "It left today."}}
    told = only(publisher)
    assert (told.user_query, told.model_response) == (None, "It left today.")
    assert told.labels == {"unread": "request"}


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b'{"messages": [{"content": 7}]}', b"null", b"[" * 900]
)
def test_a_body_of_another_shape_costs_the_text_alone(publisher: MemoryPublisher, body: bytes) -> None:
    exchange(publisher, answering(b'{"reply": 1}'), body=body)
    told = only(publisher)
    assert (told.user_query, told.model_response) == (None, None)


def test_a_reader_that_raises_costs_its_text_alone(publisher: MemoryPublisher) -> None:
    chat = Chat(question=lambda body: body["nothing"], answer="reply")
    sent = exchange(publisher, answering(b'{"reply": "Yes."}'), chat=chat, body=b"{}")
    assert sent[1]["body"] == b'{"reply": "Yes."}'
    assert only(publisher).model_response == "Yes."


def test_what_the_application_leaves_in_its_scope_is_seen_outside(publisher: MemoryPublisher) -> None:
    app = application()
    app.add_middleware(DriftAwareMiddleware, publisher=publisher, chats=CHATS)
    routes: list[str] = []

    async def outside(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        if scope["type"] == "http":
            routes.append(scope["route"].path)

    with TestClient(outside) as client:
        client.post("/chats/acme/messages", json=QUESTION)
    assert routes == ["/chats/{name}/messages"]


def test_a_publisher_that_raises_costs_nothing() -> None:
    app = application()
    saboteur = Saboteur()
    app.add_middleware(DriftAwareMiddleware, publisher=saboteur, chats=CHATS)
    with TestClient(app) as client:
        assert client.post("/chat", json=QUESTION).json() == {"reply": {"text": "It left today."}}
        assert client.post("/stream", json=QUESTION).text.endswith("data: [DONE]\n\n")
    assert saboteur.asked == 2


def test_an_endpoint_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="POST /chat"):
        DriftAwareMiddleware(answering(b""), MemoryPublisher(), chats={"/chat": CHAT})


def test_a_mounted_application_knows_its_own_paths(publisher: MemoryPublisher) -> None:
    exchange(
        publisher, answering(b'{"reply": {"text": "Yes."}}'), scope={"path": "/api/chat", "root_path": "/api"}
    )
    assert only(publisher).model_response == "Yes."


def test_every_chunk_is_sent_before_it_is_looked_at(publisher: MemoryPublisher) -> None:
    told: list[str] = []

    async def send(message: Message) -> None:
        told.append(f"sent, {len(publisher.events)} published")

    exchange(publisher, streaming("It ", "left."), send=send)
    assert told == ["sent, 0 published"] * 4
    assert only(publisher).model_response == "It left."


def test_the_latency_ends_with_the_answer_and_not_with_what_comes_after(publisher: MemoryPublisher) -> None:
    published_in_time = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(b"{}")(scope, receive, send)
        published_in_time.extend(publisher.interactions)  # a background task begins

    exchange(publisher, app, clock=itertools.count().__next__)
    assert only(publisher).latency_ms == 1000
    assert published_in_time == publisher.interactions


def test_a_client_that_leaves_is_no_error(publisher: MemoryPublisher) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start("text/event-stream"))
        await send(chunk(b'data: {"delta": "It "}\n\n', more=True))
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"

    exchange(publisher, app)
    told = only(publisher)
    assert (told.model_response, told.finish_reason, told.error) == ("It ", "cancelled", None)


def test_a_connection_that_breaks_is_no_error_of_the_application(publisher: MemoryPublisher) -> None:
    async def send(message: Message) -> None:
        if message.get("body"):
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - as the server has raised it
        exchange(publisher, streaming("It "), send=send)
    told = only(publisher)
    assert (told.model_response, told.finish_reason, told.error) == (None, "cancelled", None)


def test_a_cancelled_answer_is_published_and_stays_cancelled(publisher: MemoryPublisher) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start("text/event-stream"))
        await send(chunk(b'data: {"delta": "It "}\n\n', more=True))
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        exchange(publisher, app)
    assert only(publisher).finish_reason == "cancelled"


def test_an_answer_that_never_ends_is_an_error(publisher: MemoryPublisher) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start("text/event-stream"))
        await send(chunk(b'data: {"delta": "It "}\n\n', more=True))

    exchange(publisher, app)
    told = only(publisher)
    assert (told.model_response, told.error) == ("It ", "incomplete")


def test_a_stream_that_raises_half_way_is_an_error_with_what_came(publisher: MemoryPublisher) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start("text/event-stream"))
        await send(chunk(b'data: {"delta": "It "}\n\n', more=True))
        raise ConnectionError("bad key sk-0123456789abcdef")

    with pytest.raises(ConnectionError):
        exchange(publisher, app)
    told = only(publisher)
    assert (told.model_response, told.error) == ("It ", "ConnectionError")


def test_what_comes_after_the_answer_does_not_count(publisher: MemoryPublisher) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(b"{}")(scope, receive, send)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        exchange(publisher, app)
    assert only(publisher).error is None


def test_a_broker_that_is_away_costs_nothing() -> None:
    with Publisher("127.0.0.1:1") as publisher:
        exchange(publisher, answering(b"{}"))
        publisher.close(0)
    assert publisher.dropped == {"unsent": 1}


def test_a_compressed_answer_is_left_alone(publisher: MemoryPublisher) -> None:
    exchange(publisher, answering(b"\x1f\x8b", headers=[(b"content-encoding", b"gzip")]))
    assert only(publisher).model_response is None


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_what_is_not_http_passes(publisher: MemoryPublisher, kind: str) -> None:
    exchange(publisher, answering(b"{}"), scope={"type": kind})
    assert publisher.events == []


def start(content_type: str, headers: list[tuple[bytes, bytes]] | None = None) -> Message:
    said = [(b"content-type", content_type.encode()), *(headers or [])]
    return {"type": "http.response.start", "status": 200, "headers": said}


def chunk(body: bytes, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def answering(body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start("application/json", headers))
        await send(chunk(body))

    return app


def streaming(*pieces: str) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start("text/event-stream"))
        for piece in pieces:
            await send(chunk(f'data: {{"delta": "{piece}"}}\n\n'.encode(), more=True))
        await send(chunk(b""))

    return app


def exchange(
    publisher: EventPublisher,
    app: Any,
    *,
    chat: Chat = CHAT,
    body: bytes = b"",
    send: Send | None = None,
    scope: dict[str, Any] | None = None,
    **options: Any,
) -> list[Message]:
    """Ask the application once, as a server does; what it has sent."""
    sent: list[Message] = []
    waiting: Iterator[Message] = iter([{"type": "http.request", "body": body}])

    async def receive() -> Message:
        return next(waiting, {"type": "http.disconnect"})

    async def keep(message: Message) -> None:
        sent.append(message)

    asked = {"type": "http", "method": "POST", "path": "/chat", "headers": [], **(scope or {})}
    middleware = DriftAwareMiddleware(app, publisher, chats={"POST /chat": chat}, **options)
    asyncio.run(middleware(asked, receive, send or keep))
    return sent
