"""LangChain's and LangGraph's runs, by a callback handler; and embeddings, which have no callbacks."""

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.embeddings import Embeddings
from langchain_core.outputs import LLMResult

from drift_aware.producers.integrations import context
from drift_aware.producers.integrations.calls import UNNOTICED, EmbeddingKind
from drift_aware.producers.integrations.messages import answered, asked, fields, model_name, result
from drift_aware.producers.integrations.runs import Forest, Tree
from drift_aware.producers.integrations.shapes import text
from drift_aware.producers.interface import EventPublisher


class DriftAwareHandler(BaseCallbackHandler):
    """Publishes an interaction for every outermost run it is told of, with all that runs inside.

    What it is given to is what counts as one. In the ``config`` of a graph or a chain, it publishes what was
    asked of that and what that answered in the end, with the tokens of all the models it called; given to a
    model, each call of that. A run in which no model is called is published only if it is a chain and fails.

    The interaction's id is the run's, which the application may choose: ``config={"run_id": uuid4()}``. Of
    the run's metadata ``session_id``, ``thread_id`` or ``conversation_id`` is the session; ``tenant``,
    ``app``, ``prompt_version`` and ``intent`` are what they are called.

    One handler serves any number of threads and event loops, synchronous and asynchronous calls alike.

    Args:
        publisher: which publishes.
    """

    # All it does takes microseconds, and in a thread of an executor calls might come in another order.
    run_inline = True
    raise_error = False

    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher
        self._forest = Forest()

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A chain or a graph begins, or a part of it."""
        with UNNOTICED:
            tree = self._begin(run_id, parent_run_id, metadata)
            if tree.id == run_id:
                tree.question = asked(inputs)

    def on_chain_end(self, outputs: dict[str, Any], *, run_id: UUID, **kwargs: Any) -> None:
        """It ends; of one that streams what it was given is known only now."""
        with UNNOTICED:
            self._end(run_id, answered(outputs), None, kwargs.get("inputs"))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has raised."""
        with UNNOTICED:
            self._end(run_id, None, error, kwargs.get("inputs"))

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A chat model is called."""
        with UNNOTICED:
            self._call(run_id, parent_run_id, metadata, messages, kwargs)

    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A model that completes texts is called."""
        with UNNOTICED:
            self._call(run_id, parent_run_id, metadata, prompts, kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered, a stream to its end."""
        self._answered(run_id, response, None)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has raised, maybe after a part of its answer."""
        self._answered(run_id, kwargs.get("response"), error)

    def on_tool_start(
        self,
        *given: Any,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool or a retriever runs; models may be called inside."""
        with UNNOTICED:
            self._begin(run_id, parent_run_id, metadata)

    def on_tool_end(self, *given: Any, run_id: UUID, **kwargs: Any) -> None:
        """It ends; who has called it alone wants no interaction."""
        with UNNOTICED:
            self._forest.end(run_id)

    on_retriever_start = on_tool_start
    on_tool_error = on_retriever_end = on_retriever_error = on_tool_end

    def _begin(self, run: UUID, parent: UUID | None, metadata: Any) -> Tree:
        tree = self._forest.begin(run, parent)
        for name, value in fields(metadata).items():
            tree.fields.setdefault(name, value)
        return tree

    def _call(self, run: UUID, parent: UUID | None, metadata: Any, given: Any, rest: dict[str, Any]) -> None:
        tree = self._begin(run, parent, metadata)
        prompt = asked(given[0] if given else None)
        tree.calls(model_name(metadata, rest.get("invocation_params")), prompt)

    def _answered(self, run: UUID, response: Any, error: BaseException | None) -> None:
        with UNNOTICED:
            answer = result(response)
            if (tree := self._forest.find(run)) is not None:
                tree.add(answer)
            self._end(run, answer.text, error)

    def _end(self, run: UUID, answer: str | None, error: BaseException | None, inputs: Any = None) -> None:
        tree = self._forest.end(run)
        if tree is None:
            return
        tree.question = tree.question or asked(inputs)
        if (found := tree.interaction(answer, error)) is not None:
            self._publisher.interaction(**found)


class WatchedEmbeddings(Embeddings):
    """Embeddings whose vectors are published: those of queries as ``query``, of documents as ``document``.

    Args:
        embeddings: which make the vectors.
        publisher: which publishes.
        model: the name of their model; by default what they call it themselves.
    """

    def __init__(
        self, embeddings: Embeddings, publisher: EventPublisher, *, model: str | None = None
    ) -> None:
        self._embeddings = embeddings
        self._publisher = publisher
        self._model = model or text(embeddings, "model") or text(embeddings, "model_name")

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self._published("query", [self._embeddings.embed_query(text)])[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of documents."""
        return self._published("document", self._embeddings.embed_documents(texts))

    async def aembed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self._published("query", [await self._embeddings.aembed_query(text)])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of documents."""
        return self._published("document", await self._embeddings.aembed_documents(texts))

    def _published(self, kind: EmbeddingKind, vectors: list[list[float]]) -> list[list[float]]:
        with UNNOTICED:
            said = {"kind": kind, "model": self._model, **context.of_embedding()}
            for vector in vectors:
                self._publisher.embedding([*vector], **said)
        return vectors
