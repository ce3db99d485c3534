"""LangChain's and LangGraph's own runs, with models that answer on this machine, and our handler is told."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

from drift_aware.producers import MemoryPublisher, Publisher
from drift_aware.producers.integrations import about
from drift_aware.producers.integrations.langchain import DriftAwareHandler, WatchedEmbeddings
from drift_aware.schema.events import Interaction
from rig.saboteur import Saboteur

QUESTION, ANSWER = "Where is my parcel?", "It left this morning."
MESSAGES = [SystemMessage("Be brief."), HumanMessage(QUESTION)]
CALL = {"name": "track", "args": {}, "id": "c1"}


def said(text: str = ANSWER, **fields: Any) -> AIMessage:
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    details = {"model_name": "gpt-4o-2024-08-06", "finish_reason": "stop"}
    return AIMessage(text, usage_metadata=usage, response_metadata=details, **fields)


class Model(FakeMessagesListChatModel):
    """Says in turn what it is given, under a name."""

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "gpt-4o"}


class BrokenModel(Model):
    """Raises what a provider's library raises."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise ConnectionError("bad key sk-0123456789abcdef")


async def _all(chunks: AsyncIterator[Any]) -> list[Any]:
    return [chunk async for chunk in chunks]


Way = Callable[[Runnable[Any, Any], Any, Any], Any]
WAYS: dict[str, Way] = {
    "at once": lambda run, given, config: run.invoke(given, config),
    "streamed": lambda run, given, config: list(run.stream(given, config)),
    "asynchronous": lambda run, given, config: asyncio.run(run.ainvoke(given, config)),
    "asynchronous and streamed": lambda run, given, config: asyncio.run(_all(run.astream(given, config))),
    "in a batch": lambda run, given, config: run.batch([given], config),
    "by events": lambda run, given, config: asyncio.run(
        _all(run.astream_events(given, config, version="v2"))
    ),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture
def publisher() -> MemoryPublisher:
    return MemoryPublisher(app="shop")


@pytest.fixture
def handler(publisher: MemoryPublisher) -> Iterator[DriftAwareHandler]:
    handler = DriftAwareHandler(publisher)
    yield handler
    assert len(handler._forest) == 0  # nothing is kept of what has ended


@pytest.fixture
def config(handler: DriftAwareHandler) -> dict[str, Any]:
    return {"callbacks": [handler]}


def only(publisher: MemoryPublisher) -> Interaction:
    assert publisher.dropped == {}
    [interaction] = publisher.interactions
    return interaction


@every_way
def test_a_call_of_a_chat_model_is_published(publisher: MemoryPublisher, config: Any, way: Way) -> None:
    way(Model(responses=[said()]), MESSAGES, config)
    told = only(publisher)
    assert (told.user_query, told.model_response, told.finish_reason) == (QUESTION, ANSWER, "stop")
    assert (told.model, told.app) == ("gpt-4o", "shop")
    assert (told.input_tokens, told.output_tokens) == (11, 7)
    assert told.labels == {"response_model": "gpt-4o-2024-08-06"}
    assert (told.error, told.refusal) == (None, None)
    assert told.latency_ms is not None


@every_way
def test_a_graph_is_one_interaction_whatever_it_calls(
    publisher: MemoryPublisher, config: Any, way: Way
) -> None:
    config |= {"configurable": {"thread_id": "t-17"}, "metadata": {"tenant": "acme", "prompt_version": "7"}}
    way(
        graph(Model(responses=[said("", tool_calls=[CALL]), said()])),
        {"messages": [("user", QUESTION)]},
        config,
    )
    told = only(publisher)
    assert (told.user_query, told.model_response) == (QUESTION, ANSWER)
    assert (told.session_id, told.tenant, told.prompt_version) == ("t-17", "acme", "7")
    assert (told.input_tokens, told.output_tokens) == (22, 14)


def test_the_question_of_a_later_turn_is_the_new_one(publisher: MemoryPublisher, config: Any) -> None:
    config |= {"configurable": {"thread_id": "t-17"}}
    chat = graph(Model(responses=[said("Good day."), said("Good day."), said(), said()]))
    chat.invoke({"messages": [("user", "Hello")]}, config)
    chat.invoke({"messages": [("user", QUESTION)]}, config)
    first, second = publisher.interactions
    assert (first.user_query, first.model_response) == ("Hello", "Good day.")
    assert (second.user_query, second.model_response) == (QUESTION, ANSWER)


@every_way
def test_a_chain_is_asked_what_it_is_given_and_not_what_it_makes_of_it(
    publisher: MemoryPublisher, config: Any, way: Way
) -> None:
    prompt = ChatPromptTemplate.from_messages([("human", "Answer in verse: {question}")])
    way(prompt | Model(responses=[said()]) | StrOutputParser(), {"question": QUESTION}, config)
    told = only(publisher)
    assert (told.user_query, told.model_response) == (QUESTION, ANSWER)


def test_the_application_can_choose_the_id(publisher: MemoryPublisher, config: Any) -> None:
    chosen = uuid4()
    graph(Model(responses=[said()])).invoke(
        {"messages": [("user", QUESTION)]}, config | {"run_id": chosen, "configurable": {"thread_id": "1"}}
    )
    assert only(publisher).id == str(chosen)


def test_a_handler_given_twice_publishes_once(publisher: MemoryPublisher, handler: DriftAwareHandler) -> None:
    chain = RunnableLambda(lambda text: text) | Model(responses=[said()], callbacks=[handler])
    chain.invoke(QUESTION, {"callbacks": [handler]})
    assert only(publisher).user_query == QUESTION


def test_a_handler_of_the_model_alone_publishes_each_call(
    publisher: MemoryPublisher, handler: DriftAwareHandler
) -> None:
    model = Model(responses=[said(), said("And it is there.")], callbacks=[handler])
    (model | StrOutputParser() | model).invoke(QUESTION)
    assert [told.user_query for told in publisher.interactions] == [QUESTION, ANSWER]


def test_a_model_inside_a_tool_belongs_to_what_called_the_tool(
    publisher: MemoryPublisher, config: Any
) -> None:
    model = Model(responses=[said()])

    @tool
    def look_up(question: str) -> str:
        """Look it up."""
        return str(model.invoke(question).content)

    chain: Runnable[Any, Any] = RunnableLambda(lambda text: {"question": text}) | look_up
    chain.invoke(QUESTION, config)
    told = only(publisher)
    assert (told.user_query, told.model_response, told.input_tokens) == (QUESTION, ANSWER, 11)


def test_a_tool_or_a_chain_without_a_model_is_no_interaction(publisher: MemoryPublisher, config: Any) -> None:
    @tool
    def look_up(question: str) -> str:
        """Look it up."""
        return question

    look_up.invoke({"question": QUESTION}, config)
    RunnableLambda(lambda text: text).invoke(QUESTION, config)
    assert publisher.events == []


def test_a_chain_that_fails_before_it_calls_a_model_is_an_error(
    publisher: MemoryPublisher, config: Any
) -> None:
    def retrieve(question: str) -> str:
        raise TimeoutError("no index at 10.0.0.7")

    with pytest.raises(TimeoutError):
        (RunnableLambda(retrieve) | Model(responses=[said()])).invoke(QUESTION, config)
    told = only(publisher)
    assert (told.error, told.user_query) == ("TimeoutError", QUESTION)


@every_way
def test_a_model_that_fails_is_an_error_without_its_words(
    publisher: MemoryPublisher, config: Any, way: Way
) -> None:
    with pytest.raises(ConnectionError):
        way(BrokenModel(responses=[]), MESSAGES, config)
    told = only(publisher)
    assert (told.error, told.user_query, told.model_response) == ("ConnectionError", QUESTION, None)
    assert "sk-" not in str(told)


def test_a_failure_that_a_chain_makes_good_is_none(publisher: MemoryPublisher, config: Any) -> None:
    chain = RunnableLambda(lambda text: text) | BrokenModel(responses=[]).with_fallbacks(
        [Model(responses=[said()])]
    )
    chain.invoke(QUESTION, config)
    told = only(publisher)
    assert (told.error, told.model_response) == (None, ANSWER)


def test_a_stream_that_is_cut_is_published_with_what_came(publisher: MemoryPublisher, config: Any) -> None:
    stream = GenericFakeChatModel(messages=iter([said()])).stream(MESSAGES, config)
    assert next(stream).content == "It"
    del stream
    gc.collect()
    told = only(publisher)
    assert (told.model_response, told.finish_reason, told.error) == ("It", "cancelled", None)


def test_an_answer_that_only_calls_tools_has_no_text(publisher: MemoryPublisher, config: Any) -> None:
    Model(responses=[said("", tool_calls=[CALL])]).invoke(MESSAGES, config)
    assert only(publisher).model_response is None


@pytest.mark.parametrize(
    "answer",
    [
        AIMessage("", additional_kwargs={"refusal": "I cannot help."}),
        AIMessage([{"type": "refusal", "refusal": "I cannot help."}]),
        AIMessage("I cannot help.", response_metadata={"stop_reason": "refusal"}),
    ],
    ids=["OpenAI", "OpenAI's responses", "Anthropic"],
)
def test_a_refusal_that_the_api_names_is_one(
    publisher: MemoryPublisher, config: Any, answer: AIMessage
) -> None:
    Model(responses=[answer]).invoke(MESSAGES, config)
    told = only(publisher)
    assert (told.refusal, told.model_response) == (True, "I cannot help.")


def test_of_an_image_stands_its_name(publisher: MemoryPublisher, config: Any) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    Model(responses=[said()]).invoke([HumanMessage(parts)], config)  # type: ignore[arg-type]
    assert only(publisher).user_query == "What is this?\n[image]"


@every_way
def test_a_model_of_texts_is_published_too(publisher: MemoryPublisher, config: Any, way: Way) -> None:
    way(FakeListLLM(responses=[ANSWER]), QUESTION, config)
    told = only(publisher)
    assert (told.user_query, told.model_response) == (QUESTION, ANSWER)


def test_what_is_said_about_a_call_holds_for_it(publisher: MemoryPublisher, config: Any) -> None:
    with about(tenant="acme", labels={"room": "7"}):
        Model(responses=[said()]).invoke(MESSAGES, config)
    told = only(publisher)
    assert (told.tenant, told.labels) == ("acme", {"room": "7", "response_model": "gpt-4o-2024-08-06"})


def test_threads_do_not_mix_their_runs(publisher: MemoryPublisher, handler: DriftAwareHandler) -> None:
    def ask(name: str) -> None:
        for number in range(20):
            chain = RunnableLambda(lambda text: text) | Model(responses=[said(f"to {name} {number}")])
            chain.invoke(f"{name} {number}", {"callbacks": [handler], "metadata": {"session_id": name}})

    threads = [threading.Thread(target=ask, args=[name]) for name in ("a", "b", "c", "d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(publisher.interactions) == 80
    for told in publisher.interactions:
        assert told.model_response == f"to {told.user_query}"
        assert str(told.user_query).startswith(str(told.session_id))


@every_way
def test_a_publisher_that_raises_costs_nothing(way: Way) -> None:
    saboteur = Saboteur()
    assert way(Model(responses=[said()]), MESSAGES, {"callbacks": [DriftAwareHandler(saboteur)]})
    assert saboteur.asked == 1


def test_a_broker_that_is_away_costs_nothing() -> None:
    with Publisher("127.0.0.1:1") as publisher:
        Model(responses=[said()]).invoke(MESSAGES, {"callbacks": [DriftAwareHandler(publisher)]})
        publisher.close(0)
    assert publisher.dropped == {"unsent": 1}


def test_runs_that_never_end_are_forgotten_at_last(publisher: MemoryPublisher) -> None:
    handler = DriftAwareHandler(publisher)
    for _ in range(10_050):
        handler.on_chain_start({}, {}, run_id=uuid4())
    assert len(handler._forest) == 10_000


def test_vectors_are_published_by_what_they_are_of(publisher: MemoryPublisher) -> None:
    bare = DeterministicFakeEmbedding(size=4)
    watched = WatchedEmbeddings(bare, publisher, model="small")
    with about(session_id="s-1842", interaction_id="i-1"):
        assert watched.embed_query(QUESTION) == bare.embed_query(QUESTION)
    assert watched.embed_documents([QUESTION, ANSWER]) == bare.embed_documents([QUESTION, ANSWER])
    query, *documents = publisher.embeddings
    assert (query.kind, query.model, query.dim) == ("query", "small", 4)
    assert (query.session_id, query.interaction_id) == ("s-1842", "i-1")
    assert [document.kind for document in documents] == ["document", "document"]


def test_vectors_are_published_from_asynchronous_calls(publisher: MemoryPublisher) -> None:
    watched = WatchedEmbeddings(DeterministicFakeEmbedding(size=4), publisher)

    async def embed() -> None:
        await watched.aembed_query(QUESTION)
        await watched.aembed_documents([ANSWER])

    asyncio.run(embed())
    assert [embedding.kind for embedding in publisher.embeddings] == ["query", "document"]


def test_embeddings_go_on_when_the_publisher_raises() -> None:
    saboteur = Saboteur()
    assert len(WatchedEmbeddings(DeterministicFakeEmbedding(size=4), saboteur).embed_query(QUESTION)) == 4
    assert saboteur.asked == 1


def test_embeddings_that_fail_raise_what_they_raised(publisher: MemoryPublisher) -> None:
    class Broken(DeterministicFakeEmbedding):
        def embed_query(self, text: str) -> list[float]:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        WatchedEmbeddings(Broken(size=4), publisher).embed_query(QUESTION)
    assert publisher.events == []


def graph(model: Model) -> Any:
    """A graph that asks its model twice, the second time after a tool perhaps."""

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def ask_waiting(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    built = StateGraph(MessagesState)
    for name in ("plan", "answer"):
        built.add_node(name, RunnableLambda(ask, ask_waiting))
    built.add_edge(START, "plan")
    built.add_edge("plan", "answer")
    built.add_edge("answer", END)
    return built.compile(checkpointer=InMemorySaver())
