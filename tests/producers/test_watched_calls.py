"""What is published of the calls of a watched client, whichever library and way of asking it is."""

import time
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from drift_aware.producers import MemoryPublisher
from drift_aware.producers.integrations import about, interaction_id, watch
from rig.listener import Reply
from rig.models import MODEL, SNAPSHOT, TOKENS, VECTOR, Models, Saying, document, events
from rig.watched import APIS, QUESTION, Desk, chunks, settled


@pytest.fixture
def models() -> Iterator[Models]:
    with Models() as server:
        yield server


@pytest.fixture(params=APIS)
def desk(request: pytest.FixtureRequest, models: Models) -> Desk:
    return Desk(APIS[request.param], models)


streaming = pytest.mark.parametrize("stream", [False, True], ids=["at once", "in chunks"])


@streaming
def test_a_question_and_its_answer_are_published(desk: Desk, stream: bool) -> None:
    before = time.time()
    usage = {"stream_options": {"include_usage": True}} if stream and "chat" in desk.api.create else {}
    answer = desk.ask(stream=stream, **usage)
    event = desk.only
    assert event.id == interaction_id(answer) == answer.interaction_id
    assert (event.user_query, event.model_response) == (QUESTION, "It left this morning.")
    assert (event.app, event.model, event.labels) == ("shop", MODEL, {"response_model": SNAPSHOT})
    assert (event.input_tokens, event.output_tokens) == TOKENS
    assert event.finish_reason in ("stop", "completed", "end_turn")
    assert event.refusal is None
    assert event.error is None
    assert event.cost_usd is None
    assert int(before * 1000) <= event.ts <= time.time() * 1000 - event.latency_ms + 2
    assert 0 < event.latency_ms < 60_000


@streaming
def test_a_refusal_the_api_speaks_of_is_one(desk: Desk, stream: bool) -> None:
    desk.models.saying = Saying(refuses=True)
    desk.ask(stream=stream)
    assert desk.only.refusal is True
    assert desk.only.model_response == "It left this morning."


@streaming
def test_an_answer_that_only_calls_tools_has_no_text(desk: Desk, stream: bool) -> None:
    desk.models.saying = Saying(calls_tool=True)
    desk.ask(stream=stream)
    assert desk.only.model_response is None
    assert desk.only.user_query == QUESTION


@streaming
def test_what_is_raised_is_published_by_its_name_and_raised(desk: Desk, stream: bool) -> None:
    desk.models.next = [Reply(429, b'{"error": {"message": "sk-a-secret may not ask so often"}}')]
    with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)):
        desk.ask(stream=stream)
    event = desk.only
    assert event.error == "RateLimitError"
    assert event.user_query == QUESTION
    assert event.model_response is None
    assert "secret" not in repr(event)


def test_calls_that_are_tried_again_are_one_interaction(desk: Desk) -> None:
    desk.models.next = [Reply(500, b"{}", (("retry-after-ms", "1"),))]

    async def story(client: Any) -> None:
        await settled(desk.asking(client))

    desk.tell(story, max_retries=1)
    assert len(desk.models.heard) == 2
    assert desk.only.error is None


def test_copies_of_a_client_are_watched_too(desk: Desk) -> None:
    async def story(client: Any) -> None:
        await settled(desk.asking(client.with_options(timeout=20)))
        await settled(desk.asking(client.copy().copy()))
        await settled(desk.asking(client))

    desk.tell(story)
    assert len(desk.publisher.interactions) == 3


def test_resources_that_were_taken_before_are_watched(desk: Desk) -> None:
    async def story(client: Any) -> None:
        resource = desk.api.resource(client)
        watch(client, desk.publisher)
        await settled(resource.create(model=MODEL, **desk.api.given))

    desk.tell(story)
    assert desk.only.user_query == QUESTION


def test_the_last_publisher_that_watches_a_client_is_the_only_one(desk: Desk) -> None:
    other = MemoryPublisher()

    async def story(client: Any) -> None:
        watch(client, other)
        await settled(desk.asking(client))
        await settled(desk.asking(client.with_options(timeout=20)))

    desk.tell(story)
    assert (len(desk.publisher.interactions), len(other.interactions)) == (0, 2)


@streaming
def test_a_raw_response_is_published_and_can_be_read(desk: Desk, stream: bool) -> None:
    async def story(client: Any) -> str:
        raw = await settled(
            desk.api.resource(client).with_raw_response.create(model=MODEL, **desk.api.given, stream=stream)
        )
        assert raw.headers["Content-Length"]
        parsed = await settled(raw.parse())
        if stream:
            assert [chunk async for chunk in chunks(parsed)]
        assert interaction_id(raw) == interaction_id(parsed)
        return str(interaction_id(raw))

    assert desk.tell(story) == desk.only.id
    assert desk.only.model_response == "It left this morning."


def test_a_response_whose_body_the_application_reads_is_published_without_its_answer(desk: Desk) -> None:
    async def story(client: Any) -> Any:
        manager = desk.api.resource(client).with_streaming_response.create(model=MODEL, **desk.api.given)
        if hasattr(manager, "__aenter__"):
            async with manager as response:
                return await response.json()
        with manager as response:
            return response.json()

    assert desk.tell(story)["model"] == SNAPSHOT
    assert desk.only.user_query == QUESTION
    assert desk.only.model_response is None


def test_the_response_is_written_out_as_it_would_be_without(desk: Desk) -> None:
    watched = desk.ask()

    async def story(client: Any) -> Any:
        bare = desk.api.make(desk.models.url)
        answer = await settled(desk.asking(bare))
        await settled(bare.close())
        return answer

    bare = desk.tell(story)
    assert watched.model_dump() == bare.model_dump()
    assert watched.model_dump_json() == bare.model_dump_json()
    assert watched == bare
    assert type(watched) is type(bare)
    assert interaction_id(bare) is None


def test_what_the_application_says_of_its_calls_is_published(desk: Desk) -> None:
    async def story(client: Any) -> None:
        with about(session_id="s-1", tenant="acme", labels={"page": "orders"}):
            with about(turn=2, intent="tracking"):
                await settled(desk.asking(client))
            await settled(desk.asking(client))

    desk.tell(story)
    [inner, outer] = desk.publisher.interactions
    assert (inner.session_id, inner.tenant, inner.turn, inner.intent) == ("s-1", "acme", 2, "tracking")
    assert inner.labels == {"page": "orders", "response_model": SNAPSHOT}
    assert (outer.session_id, outer.turn) == ("s-1", None)


def test_the_model_that_was_asked_for_is_not_repeated_as_a_label(desk: Desk) -> None:
    async def story(client: Any) -> None:
        await settled(desk.asking(client, model=SNAPSHOT))

    desk.tell(story)
    assert (desk.only.model, desk.only.labels) == (SNAPSHOT, None)


@pytest.mark.parametrize("priced", [MODEL, SNAPSHOT])
def test_costs_are_those_of_the_price_of_either_name(desk: Desk, priced: str) -> None:
    desk.options = {"prices": {priced: (2.0, 8.0)}}
    desk.ask()
    assert desk.only.cost_usd == pytest.approx((11 * 2 + 7 * 8) / 1e6)


def test_what_no_message_says_stays_unsaid(desk: Desk) -> None:
    field = next(name for name in desk.api.given if name in ("messages", "input"))
    desk.ask(**{field: []})
    assert desk.only.user_query is None
    assert desk.only.model_response == "It left this morning."


def test_of_several_choices_the_first_is_the_answer(models: Models) -> None:
    desk = Desk(APIS["chat-sync"], models)
    choices = [
        {"index": n, "finish_reason": "stop", "message": {"role": "assistant", "content": f"answer {n}"}}
        for n in range(2)
    ]
    models.next = [document({"id": "c", "object": "chat.completion", "model": MODEL, "choices": choices})]
    desk.ask(n=2)
    assert desk.only.model_response == "answer 0"
    deltas = [{"index": n, "delta": {"content": f"answer {n}"}, "finish_reason": "stop"} for n in (1, 0)]
    chunks = [{"id": "c", "object": "chat.completion.chunk", "model": MODEL, "choices": [d]} for d in deltas]
    models.next = [events([*chunks, "[DONE]"])]
    desk.ask(n=2, stream=True)
    assert desk.publisher.interactions[1].model_response == "answer 0"


def test_an_answer_without_choices_has_no_text(models: Models) -> None:
    desk = Desk(APIS["azure-sync"], models)
    models.next = [document({"id": "c", "object": "chat.completion", "model": MODEL, "choices": []})]
    desk.ask()
    assert (desk.only.model_response, desk.only.finish_reason) == (None, None)


def test_an_answer_the_api_calls_incomplete_or_failed_says_why(models: Models) -> None:
    desk = Desk(APIS["responses-sync"], models)
    cut = {"id": "r", "object": "response", "model": MODEL, "output": [], "status": "incomplete"}
    failed = {**cut, "status": "failed", "error": {"code": "server_error", "message": "an inner secret"}}
    models.next = [document(cut | {"incomplete_details": {"reason": "max_output_tokens"}}), document(failed)]
    desk.ask()
    desk.ask()
    [first, second] = desk.publisher.interactions
    assert (first.finish_reason, first.error) == ("max_output_tokens", None)
    assert (second.finish_reason, second.error) == ("failed", "server_error")


def test_an_answer_in_the_background_is_not_published(models: Models) -> None:
    desk = Desk(APIS["responses-sync"], models)
    assert interaction_id(desk.ask(background=True)) is None
    assert desk.publisher.events == []


def test_calls_that_ask_no_model_are_left_alone(models: Models) -> None:
    desk = Desk(APIS["chat-sync"], models)
    models.next = [document({"id": "m", "model": "omni-moderation-latest", "results": []})]

    async def story(client: openai.OpenAI) -> None:
        client.moderations.create(input="Hello")

    desk.tell(story)
    assert desk.publisher.events == []


def test_parsed_answers_are_published(models: Models) -> None:
    desk = Desk(APIS["chat-sync"], models)

    async def story(client: openai.OpenAI) -> None:
        client.chat.completions.parse(model=MODEL, messages=[{"role": "user", "content": QUESTION}])
        client.responses.parse(model=MODEL, input=QUESTION)

    desk.tell(story)
    assert [event.user_query for event in desk.publisher.interactions] == [QUESTION, QUESTION]
    assert [event.model_response for event in desk.publisher.interactions] == ["It left this morning."] * 2


def test_what_is_in_trial_at_anthropic_is_published_too(models: Models) -> None:
    desk = Desk(APIS["messages-sync"], models)

    async def story(client: anthropic.Anthropic) -> None:
        asked: Any = desk.api.given["messages"]
        client.beta.messages.create(model=MODEL, messages=asked, max_tokens=9)
        with client.beta.messages.stream(model=MODEL, messages=asked, max_tokens=9) as stream:
            stream.until_done()

    desk.tell(story)
    assert [event.model_response for event in desk.publisher.interactions] == ["It left this morning."] * 2


EMBEDDERS = pytest.mark.parametrize("kind", ["sync", "async"])
FORMATS = pytest.mark.parametrize("given", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])


@EMBEDDERS
@FORMATS
def test_embeddings_are_published_with_their_model(models: Models, kind: str, given: dict[str, str]) -> None:
    desk = Desk(APIS[f"chat-{kind}"], models)

    async def story(client: Any) -> Any:
        with about(session_id="s-1", turn=3, interaction_id="i-1"):
            return await settled(client.embeddings.create(model="embedder", input=["a", "b"], **given))

    answer = desk.tell(story)
    assert interaction_id(answer) is None
    assert desk.publisher.dropped == {}
    [first, second] = desk.publisher.embeddings
    assert first.id != second.id
    assert (first.model, first.kind, first.dim) == ("embedder", "query", len(VECTOR))
    assert (first.session_id, first.interaction_id) == ("s-1", "i-1")
    assert memoryview(first.vector).cast("f").tolist() == pytest.approx(VECTOR)


@EMBEDDERS
def test_what_embeddings_are_of_is_said_by_the_call_or_the_client(models: Models, kind: str) -> None:
    desk = Desk(APIS[f"chat-{kind}"], models, options={"embeddings": "document"})

    async def story(client: Any) -> None:
        await settled(client.embeddings.create(model="embedder", input="a"))
        with about(kind="response"):
            await settled(client.embeddings.create(model="embedder", input="a"))

    desk.tell(story)
    assert [event.kind for event in desk.publisher.embeddings] == ["document", "response"]


@EMBEDDERS
def test_embeddings_that_fail_are_not_published(models: Models, kind: str) -> None:
    desk = Desk(APIS[f"chat-{kind}"], models)
    models.next = [Reply(400, b"{}")]

    async def story(client: Any) -> None:
        with pytest.raises(openai.BadRequestError):
            await settled(client.embeddings.create(model="embedder", input="a"))

    desk.tell(story)
    assert desk.publisher.events == []


def test_another_client_is_refused_by_its_name() -> None:
    with pytest.raises(TypeError, match="a client of openai or anthropic, not a dict"):
        watch({}, MemoryPublisher())


@pytest.mark.parametrize("price", [(1.0,), (1.0, -2.0), (1.0, float("nan"))])
def test_a_price_that_is_none_is_refused(price: Any) -> None:
    with openai.OpenAI(api_key="sk") as client, pytest.raises(ValueError, match="'small-1' is not two"):
        watch(client, MemoryPublisher(), prices={MODEL: price})
