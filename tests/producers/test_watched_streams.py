"""Answers that come in chunks: what is published when they end, break, are closed or forgotten."""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

from drift_aware.producers import MemoryPublisher
from drift_aware.producers.integrations import interaction_id
from drift_aware.producers.integrations.answers import Answer
from drift_aware.producers.integrations.calls import ChatCall, Watching
from drift_aware.producers.integrations.streams import follow
from rig.models import MODEL, SNAPSHOT, TOKENS, Models, Saying, events
from rig.watched import APIS, QUESTION, Desk, chunks, settled


@pytest.fixture
def models() -> Iterator[Models]:
    with Models() as server:
        yield server


@pytest.fixture(params=APIS)
def desk(request: pytest.FixtureRequest, models: Models) -> Desk:
    return Desk(APIS[request.param], models)


async def read_to(stream: Any, word: str) -> None:
    """Read until a chunk that has the word has come, and the chunk after it."""
    found = False
    while not found:
        found = word in repr(await following(stream))
    await following(stream)


async def following(stream: Any) -> Any:
    return await anext(stream) if hasattr(stream, "__anext__") else next(stream)


def test_a_stream_gives_the_chunks_it_would_give_without(desk: Desk) -> None:
    async def story(client: Any) -> tuple[list[Any], list[Any]]:
        bare = desk.api.make(desk.models.url)
        found = []
        for each in (client, bare):
            stream = await settled(desk.asking(each, stream=True))
            assert isinstance(
                stream, openai.Stream | openai.AsyncStream | anthropic.Stream | anthropic.AsyncStream
            )
            found.append([chunk async for chunk in chunks(stream)])
        await settled(bare.close())
        return found[0], found[1]

    with_us, without = desk.tell(story)
    assert with_us == without
    assert len(with_us) > 3


def test_a_stream_that_breaks_is_published_with_what_has_come(desk: Desk) -> None:
    whole = desk.models.streamed(desk.api.path)
    desk.models.next = [replace(whole, cut=whole.body.index(b"morning"))]
    with pytest.raises(Exception, match=r"peer closed connection|Connection error") as caught:
        desk.ask(stream=True)
    event = desk.only
    assert event.error == type(caught.value).__name__
    assert event.model_response == "It left this "
    assert event.user_query == QUESTION


def test_an_error_in_the_stream_is_raised_and_published(desk: Desk) -> None:
    said: dict[str, Any] = {"message": "overloaded, sk-a-secret", "type": "overloaded_error"}
    body = {"type": "error", "error": said} if desk.api.path == "/messages" else {"error": said}
    desk.models.saying = Saying(ends=False)
    begun = desk.models.streamed(desk.api.path)
    desk.models.next = [replace(begun, body=begun.body + events([body]).body)]
    with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
        desk.ask(stream=True)
    assert desk.only.error == type(caught.value).__name__
    assert desk.only.model_response == "It left this morning."
    assert "secret" not in repr(desk.only)


def test_a_stream_of_responses_that_fails_says_why(models: Models) -> None:
    desk = Desk(APIS["responses-sync"], models)
    whole = {"id": "r", "object": "response", "model": MODEL, "output": [], "status": "failed"}
    failed = {"type": "response.failed", "response": {**whole, "error": {"code": "rate_limit_exceeded"}}}
    told = {"type": "error", "code": "server_error", "message": "an inner secret", "param": None}
    models.next = [events([{"sequence_number": 1, **each}]) for each in (failed, told)]
    desk.ask(stream=True)
    desk.ask(stream=True)
    found = [(event.error, event.finish_reason) for event in desk.publisher.interactions]
    assert found == [("rate_limit_exceeded", "failed"), ("server_error", "incomplete")]


def test_a_stream_that_ends_without_a_reason_is_incomplete(desk: Desk) -> None:
    desk.models.saying = Saying(ends=False)
    desk.ask(stream=True)
    assert desk.only.finish_reason == "incomplete"
    assert desk.only.model_response == "It left this morning."
    assert desk.only.error is None
    assert desk.only.labels == {"response_model": SNAPSHOT}


@pytest.mark.parametrize("how", ["close", "with"])
def test_a_stream_that_is_closed_early_is_published_at_once(desk: Desk, how: str) -> None:
    async def story(client: Any) -> None:
        stream = await settled(desk.asking(client, stream=True))
        if how == "close":
            await read_to(stream, "this ")
            assert desk.publisher.events == []
            await settled(stream.close())
        elif hasattr(stream, "__aenter__"):
            async with stream:
                await read_to(stream, "this ")
        else:
            with stream:
                await read_to(stream, "this ")
        assert desk.only.finish_reason == "cancelled"
        assert desk.only.id == interaction_id(stream)
        await settled(stream.close())

    desk.tell(story)
    assert desk.only.model_response == "It left this morning."
    assert desk.only.error is None


def test_a_stream_left_after_its_last_words_has_ended_well(desk: Desk) -> None:
    last = {"/messages": "message_stop", "/responses": "response.completed"}.get(desk.api.path, "'stop'")

    async def story(client: Any) -> None:
        stream = await settled(desk.asking(client, stream=True))
        while last not in repr(await following(stream)):
            pass
        await settled(stream.close())

    desk.tell(story)
    assert desk.only.finish_reason in ("stop", "completed", "end_turn")


def test_a_stream_nobody_reads_or_closes_is_published_when_it_is_forgotten(desk: Desk) -> None:
    async def story(client: Any) -> None:
        await settled(desk.asking(client, stream=True))
        stream = await settled(desk.asking(client, stream=True))
        await following(stream)
        del stream
        gc.collect()
        assert len(desk.publisher.interactions) == 2

    desk.tell(story)
    assert {event.finish_reason for event in desk.publisher.interactions} == {"cancelled"}
    assert {event.user_query for event in desk.publisher.interactions} == {QUESTION}


@pytest.mark.parametrize("name", ["chat-sync", "messages-sync"])
def test_a_dropped_stream_closes_its_connection_as_soon_as_without_us(models: Models, name: str) -> None:
    desk = Desk(APIS[name], models)

    async def story(client: Any) -> list[bool]:
        bare = desk.api.make(models.url)
        closed = []
        for each in (bare, client):
            stream = desk.asking(each, stream=True)
            next(stream)
            response = stream.response
            del stream
            closed.append(response.is_closed)
        bare.close()
        return closed

    gc.disable()
    try:
        without, with_us = desk.tell(story)
    finally:
        gc.enable()
    # Some releases leave it to the garbage collector.
    assert with_us is without


def test_a_task_that_is_cancelled_is_no_error(models: Models) -> None:
    desk = Desk(APIS["chat-async"], models)
    models.next = [replace(models.streamed("/chat/completions"), hold=True)]

    async def story(client: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await desk.asking(client)

    desk.tell(story)
    assert (desk.only.error, desk.only.finish_reason) == (None, "cancelled")


HELPERS = pytest.mark.parametrize("name", [name for name in APIS if not name.startswith("azure")])


@HELPERS
@pytest.mark.parametrize("to_its_end", [True, False])
def test_the_libraries_own_helpers_for_streams_are_published(
    models: Models, name: str, to_its_end: bool
) -> None:
    desk = Desk(APIS[name], models)

    async def story(client: Any) -> str | None:
        manager = desk.api.resource(client).stream(model=MODEL, **desk.api.given)
        if hasattr(manager, "__aenter__"):
            async with manager as stream:
                return await _use(stream, to_its_end)
        with manager as stream:
            return await _use(stream, to_its_end)

    found = desk.tell(story)
    assert desk.only.id == found
    assert desk.only.user_query == QUESTION
    if to_its_end:
        assert desk.only.model_response == "It left this morning."
        assert desk.only.finish_reason in ("stop", "completed", "end_turn")
    else:
        assert desk.only.finish_reason == "cancelled"
        assert desk.only.model_response.startswith("It left this ")


async def _use(stream: Any, to_its_end: bool) -> str | None:
    if to_its_end:
        async for _ in chunks(stream):
            pass
    else:
        await read_to(stream, "this ")
    return interaction_id(stream)


def test_usage_that_is_not_asked_for_is_unknown_in_streams_of_openai(models: Models) -> None:
    models.saying = Saying(ends=False)
    desk = Desk(APIS["chat-sync"], models)
    desk.ask(stream=True)
    assert (desk.only.input_tokens, desk.only.output_tokens) == (None, None)
    desk = Desk(APIS["messages-sync"], models)
    desk.ask(stream=True)
    assert (desk.only.input_tokens, desk.only.output_tokens) == (TOKENS[0], None)


class Response:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Dialect:
    """Of chunks that are texts; notes what it has looked at."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def question(self, body: object) -> str:
        return "?"

    def answer(self, response: object) -> Answer:
        return Answer()

    def assembly(self) -> "Dialect.Assembly":
        return self.Assembly(self.seen)

    class Assembly:
        def __init__(self, seen: list[str]) -> None:
            self.seen = seen

        def add(self, chunk: str) -> None:
            if chunk == "poison":
                raise RuntimeError("cannot be read")
            self.seen.append(chunk)

        def answer(self) -> Answer:
            return Answer(text="".join(self.seen))


class Stream:
    def __init__(self, *found: str) -> None:
        self._iterator = iter(found)
        self.response = Response()


def test_a_chunk_is_handed_on_before_it_is_looked_at() -> None:
    dialect, stream, publisher = Dialect(), Stream("a", "b"), MemoryPublisher()
    follow(stream, ChatCall(Watching(publisher), dialect, {}))
    assert next(stream._iterator) == "a"
    assert dialect.seen == []
    assert next(stream._iterator) == "b"
    assert dialect.seen == ["a"]
    with pytest.raises(StopIteration):
        next(stream._iterator)
    assert dialect.seen == ["a", "b"]
    assert [event.model_response for event in publisher.interactions] == ["ab"]


def test_a_chunk_that_cannot_be_read_costs_its_own_words_only() -> None:
    stream, publisher = Stream("a", "poison", "b"), MemoryPublisher()
    follow(stream, ChatCall(Watching(publisher), Dialect(), {}))
    assert list(stream._iterator) == ["a", "poison", "b"]
    assert [event.model_response for event in publisher.interactions] == ["ab"]


def test_how_long_it_took_and_when_it_began_are_those_of_the_clocks() -> None:
    seconds = iter([5.0, 7.5])
    publisher = MemoryPublisher()
    watching = Watching(publisher, clock=lambda: 1_772_366_400.25, timer=lambda: next(seconds))
    stream = Stream("a")
    follow(stream, ChatCall(watching, Dialect(), {}))
    assert list(stream._iterator) == ["a"]
    [event] = publisher.interactions
    assert (event.ts, event.latency_ms) == (1_772_366_400_250, 2500.0)
