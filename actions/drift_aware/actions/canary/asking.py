"""One round of questions to an endpoint of OpenAI's shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
import structlog

from drift_aware.actions.calls import Api
from drift_aware.actions.canary.goldens import Question, prompts, texts
from drift_aware.actions.embedding.models import Item, in_order
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.tune.openai import opened
from drift_aware.schema.canaries import CanaryId
from drift_aware.schema.canary_settings import CanaryChat, CanaryEmbedding
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass
class Round:
    """What came back.

    Attributes:
        answers: name of a prompt to the text.
        vectors: name of a string to its vector, little-endian float32.
        reported: the model as the API names it; empty if it does not.
        fingerprint: the API's ``system_fingerprint``.
        input_tokens: as the API counts them; ``output_tokens`` alike.
        errors: requests without a usable answer.
    """

    answers: dict[str, str] = field(default_factory=dict)
    vectors: dict[str, bytes] = field(default_factory=dict)
    reported: str = ""
    fingerprint: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    errors: int = 0

    @property
    def answered(self) -> bool:
        """Whether anything came back."""
        return bool(self.answers or self.vectors)


class Endpoint(Protocol):
    """What is asked."""

    id: CanaryId
    model: str
    questions: Sequence[Question]

    def ask(self, stopped: Callable[[], bool]) -> Round:
        """Ask everything once, until told to stop; trouble is counted and logged, never raised."""


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None


class _Embeddings(msgspec.Struct):
    data: list[Item]
    model: str | None = None
    usage: _Usage | None = None


class Chat:
    """The chat model: one request for each prompt.

    Args:
        settings: everything; the key may be the one for all.
        chat: where it is, and what is asked.
    """

    id: CanaryId = "answers"

    def __init__(self, settings: Settings, chat: CanaryChat) -> None:
        self._settings, self._chat = settings, chat
        self.model = chat.model
        self.questions: Sequence[Question] = prompts(chat)

    def ask(self, stopped: Callable[[], bool]) -> Round:
        """See ``Endpoint``. A prompt that is refused is left out; after one nobody answers so is the rest."""
        found = Round()
        with opened(self._settings, self._chat) as api:
            for question in self.questions:
                if stopped():
                    break
                try:
                    self._ask(api, question, found)
                except ActionFailed as error:
                    _count(found, self, error, prompt=question.name)
                except Unreachable as error:
                    _count(found, self, error)
                    break
        return found

    def _ask(self, api: Api, question: Question, found: Round) -> None:
        said = _read(api.ask("/chat/completions", self.body(question)), _Completion)
        if not said.choices:
            raise ActionFailed("the answer has no choices; its API has not the shape of OpenAI's")
        found.answers[question.name] = said.choices[0].message.content or ""
        found.reported = said.model or found.reported
        found.fingerprint = said.system_fingerprint or found.fingerprint
        if said.usage is not None:
            found.input_tokens += said.usage.prompt_tokens or 0
            found.output_tokens += said.usage.completion_tokens or 0

    def body(self, question: Question) -> dict[str, Any]:
        """The request, without what the settings leave out."""
        turns = [{"role": "user", "content": question.prompt}]
        if self._chat.system:
            turns.insert(0, {"role": "system", "content": self._chat.system})
        wanted = {name: getattr(self._chat, name) for name in ("max_tokens", "temperature", "seed")}
        given = {name: value for name, value in wanted.items() if value is not None}
        return {"model": self.model, "messages": turns} | given


class Embedder:
    """The embedder: one request for all strings.

    Args:
        settings: everything; the key may be the one for all.
        embedding: where it is, and what is embedded.
    """

    id: CanaryId = "embedding"

    def __init__(self, settings: Settings, embedding: CanaryEmbedding) -> None:
        self._settings, self._embedding = settings, embedding
        self.model = embedding.model
        self.questions: Sequence[Question] = texts(embedding)

    def ask(self, stopped: Callable[[], bool]) -> Round:
        """See ``Endpoint``."""
        found = Round()
        if stopped():
            return found
        with opened(self._settings, self._embedding) as api:
            try:
                self._ask(api, found)
            except (ActionFailed, Unreachable) as error:
                _count(found, self, error)
        return found

    def _ask(self, api: Api, found: Round) -> None:
        body = {"model": self.model, "input": [question.prompt for question in self.questions]}
        said = _read(api.ask("/embeddings", body), _Embeddings)
        rows = in_order(said.data, len(self.questions), "the endpoint")
        made = {question.name: _vector(row) for question, row in zip(self.questions, rows, strict=True)}
        found.vectors, found.reported = made, said.model or ""
        if said.usage is not None:
            found.input_tokens = said.usage.prompt_tokens or said.usage.total_tokens or 0


def endpoints(settings: Settings) -> list[Endpoint]:
    """Those that the settings name."""
    found: list[Endpoint] = []
    if settings.canary.chat is not None:
        found.append(Chat(settings, settings.canary.chat))
    if settings.canary.embedding is not None:
        found.append(Embedder(settings, settings.canary.embedding))
    return found


def _read(said: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        raise ActionFailed(f"the endpoint's answer has not the shape of OpenAI's: {error}") from None


def _vector(row: Any) -> bytes:
    with np.errstate(over="ignore"):
        vector = np.asarray(row, dtype="<f4")
    if not np.isfinite(vector).all() or not vector.any():
        raise ActionFailed("the endpoint gave a vector without a direction")
    return vector.tobytes()


def _count(found: Round, endpoint: Endpoint, error: Exception, **where: str) -> None:
    found.errors += 1
    log.warning("the canary has no answer", canary=endpoint.id, error=str(error), **where)
