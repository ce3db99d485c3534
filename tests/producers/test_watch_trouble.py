"""Nothing that goes wrong in the watching of a call is felt by the call."""

import asyncio
import gc
import logging
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from drift_aware.producers import MemoryPublisher, Publisher
from drift_aware.producers.integrations import about, calls, interaction_id
from rig.kafka import free_ports
from rig.listener import Reply
from rig.models import MODEL, Models, document
from rig.watched import APIS, QUESTION, Desk, chunks, settled

# Far above what a call on this machine takes, far below any wait for a broker.
PROMPT_SECONDS = 5.0


@pytest.fixture
def models() -> Iterator[Models]:
    with Models() as server:
        yield server


@pytest.fixture(params=[name for name in APIS if not name.startswith("azure")])
def desk(request: pytest.FixtureRequest, models: Models) -> Desk:
    return Desk(APIS[request.param], models)


@pytest.fixture(autouse=True)
def _nothing_was_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_told", set())


class Broken:
    """A publisher of which everything raises."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise RuntimeError(f"{name} is broken by {QUESTION}")


@pytest.mark.parametrize("stream", [False, True])
def test_a_publisher_that_raises_is_not_felt_and_is_told_of_once(
    desk: Desk, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    desk.publisher = Broken()

    async def story(client: Any) -> None:
        for _ in range(2):
            answer = await settled(desk.asking(client, stream=stream))
            if stream:
                assert len([chunk async for chunk in chunks(answer)]) > 3
            assert interaction_id(answer) is not None

    with caplog.at_level(logging.WARNING, "drift_aware"):
        desk.tell(story)
    [line] = caplog.records
    assert line.getMessage() == "a call of a model is not published whole: RuntimeError"


def test_not_even_a_log_that_raises_is_felt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def handle(record: logging.LogRecord) -> None:
        said.append(record.name)
        raise RuntimeError("no space left")

    monkeypatch.setattr(calls._log, "handle", handle)
    desk.publisher = Broken()
    assert interaction_id(desk.ask()) is not None
    assert said == ["drift_aware.producers.integrations"]


def test_a_publisher_that_raises_does_not_hide_what_the_call_raises(desk: Desk) -> None:
    desk.publisher = Broken()
    desk.models.next = [Reply(400, b'{"error": {"message": "no such model"}}')]
    with pytest.raises(Exception, match="no such model"):
        desk.ask()


def test_embeddings_come_back_from_a_publisher_that_raises(models: Models) -> None:
    desk = Desk(APIS["chat-sync"], models, Broken())

    async def story(client: Any) -> Any:
        return client.embeddings.create(model="embedder", input="a")

    assert len(desk.tell(story).data) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_without_a_broker_a_call_takes_no_longer(desk: Desk, stream: bool) -> None:
    desk.publisher = Publisher(f"127.0.0.1:{free_ports(1)[0]}")
    begun = time.perf_counter()
    desk.ask(stream=stream)
    assert time.perf_counter() - begun < PROMPT_SECONDS
    desk.publisher.close(0)
    assert desk.publisher.dropped == {"unsent": 1}


def test_a_closed_publisher_is_not_felt(desk: Desk) -> None:
    desk.publisher.close()
    desk.ask()
    assert desk.publisher.dropped == {"closed": 1}


ODD_ANSWERS: list[Any] = [
    {},
    [],
    [[]],
    {"choices": None, "output": None, "content": None},
    {"choices": [None], "output": [None], "content": [None]},
    {"choices": "no", "output": 7, "content": {"a": 1}, "usage": "much", "model": 3, "status": []},
    {"choices": [{"message": "hello", "finish_reason": {}}], "output": [{"type": "message", "content": 3}]},
    {"choices": [{"message": {"content": 7}}], "output": [{"type": "message", "content": [{"text": 7}]}]},
    {"usage": {"prompt_tokens": -3, "completion_tokens": 1.5, "input_tokens": "x", "output_tokens": True}},
]


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=repr)
def test_an_answer_of_an_odd_shape_comes_back_and_is_published_as_far_as_it_goes(
    desk: Desk, answer: Any
) -> None:
    desk.models.next = [document(answer)]
    desk.ask()
    event = desk.only
    assert event.user_query == QUESTION
    assert event.model_response in (None, "")
    assert (event.input_tokens, event.output_tokens) == (None, None)


def test_an_answer_that_is_no_json_comes_back_as_it_did(desk: Desk) -> None:
    desk.models.next = [Reply(body=b"<html>", headers=(("Content-Type", "text/html"),))]
    assert desk.ask() == "<html>"
    assert desk.only.user_query == QUESTION


ODD_MESSAGES: list[Any] = [
    [{"role": "user"}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": []}],
    [{"role": "user", "content": [{"type": "text"}]}],
    [{"content": "no role"}],
    [{"role": "assistant", "content": "Hello"}],
]


@pytest.mark.parametrize("messages", ODD_MESSAGES, ids=repr)
def test_messages_without_a_text_of_the_user_have_no_question(desk: Desk, messages: Any) -> None:
    desk.ask(**{field(desk): messages})
    assert desk.only.user_query is None
    assert desk.only.model_response == "It left this morning."


def test_images_are_named_and_texts_are_joined(desk: Desk) -> None:
    url = "data:image/png;base64,AAAA"
    kind, image = {
        "/chat/completions": ("text", {"type": "image_url", "image_url": {"url": url}}),
        "/responses": ("input_text", {"type": "input_image", "image_url": url}),
        "/messages": ("text", {"type": "image", "source": {"type": "url", "url": url}}),
    }[desk.api.path]
    said = {"type": kind, "text": "a"}
    desk.ask(**{field(desk): [{"role": "user", "content": [image, said, said]}]})
    assert desk.only.user_query == "[image]\na\na"


def test_a_prompt_of_a_megabyte_is_asked_whole_and_published_clipped(desk: Desk) -> None:
    prompt = "parcel " * 150_000
    desk.ask(**{field(desk): [{"role": "user", "content": prompt}]})
    [asked] = desk.models.asked
    assert asked[field(desk)][0]["content"] == prompt
    assert desk.only.user_query == prompt[:20_000]
    assert desk.publisher.stats.clipped == 1


def test_a_question_that_is_no_unicode_costs_its_event_and_nothing_else(models: Models) -> None:
    desk = Desk(APIS["chat-sync"], models)

    async def story(client: Any) -> None:
        with about(session_id="\ud800"):
            await settled(desk.asking(client))

    desk.tell(story)
    assert desk.publisher.dropped == {"bad_event": 1}


def test_messages_that_can_be_read_only_once_are_left_to_the_call(models: Models) -> None:
    for name in ("messages-sync", "chat-sync"):
        desk = Desk(APIS[name], models)

        async def story(client: Any, desk: Desk = desk) -> None:
            resource = desk.api.resource(client)
            given = {**desk.api.given, "messages": iter(desk.api.given["messages"])}
            with resource.stream(model=MODEL, **given) as stream:
                for _ in stream:
                    pass

        desk.tell(story)
        assert models.asked[-1]["messages"] == desk.api.given["messages"]
        assert desk.only.model_response == "It left this morning."


def test_a_block_left_in_another_context_is_no_error() -> None:
    block = about(session_id="s-1")
    copy_context().run(block.__enter__)
    block.__exit__(None, None, None)


def test_a_watched_client_can_be_forgotten(models: Models) -> None:
    desk = Desk(APIS["chat-sync"], models)
    found: list[Any] = []

    async def story(client: Any) -> None:
        await settled(desk.asking(client))
        found.append(weakref.ref(client))

    desk.tell(story)
    gc.collect()
    assert found[0]() is None


def test_importing_it_imports_no_library_of_a_provider() -> None:
    script = (
        "import sys\n"
        "import drift_aware.producers.integrations\n"
        "print({'openai', 'anthropic', 'httpx', 'pydantic'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_many_threads_keep_what_they_say_of_their_calls_apart(models: Models) -> None:
    desk = Desk(APIS["chat-sync"], models)

    async def story(client: Any) -> None:
        def ask(number: int) -> None:
            with about(session_id=f"s-{number}"):
                client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": f"{number}"}]
                )

        with ThreadPoolExecutor(4) as threads:
            assert len(list(threads.map(ask, range(40)))) == 40

    desk.tell(story)
    assert isinstance(desk.publisher, MemoryPublisher)
    found = {(event.session_id, event.user_query) for event in desk.publisher.interactions}
    assert found == {(f"s-{number}", f"{number}") for number in range(40)}


def test_tasks_keep_what_they_say_of_their_calls_apart(models: Models) -> None:
    desk = Desk(APIS["chat-async"], models)

    async def story(client: Any) -> None:
        async def ask(number: int) -> None:
            with about(session_id=f"s-{number}"):
                stream = await desk.asking(
                    client, stream=True, messages=[{"role": "user", "content": f"{number}"}]
                )
            async for _ in stream:
                await asyncio.sleep(0)

        # The queue of http.server is five long.
        await asyncio.gather(*map(ask, range(5)))

    desk.tell(story)
    found = {(event.session_id, event.user_query) for event in desk.publisher.interactions}
    assert found == {(f"s-{number}", f"{number}") for number in range(5)}


def field(desk: Desk) -> str:
    """What the messages are called."""
    return "input" if desk.api.path == "/responses" else "messages"
