"""A call of a model that is watched: begun, ended in one way or another, and published once."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct

from drift_aware.producers.identifiers import new_id
from drift_aware.producers.integrations import context
from drift_aware.producers.integrations.answers import Answer, Dialect
from drift_aware.producers.integrations.openai import vectors
from drift_aware.producers.integrations.shapes import text
from drift_aware.producers.interface import EventPublisher

# Why an answer ended that the application did not want to its end, and one that stopped without a reason.
CANCELLED = "cancelled"
INCOMPLETE = "incomplete"

# Input and output, in US dollars for a million tokens.
Prices = Mapping[str, tuple[float, float]]
EmbeddingKind = Literal["query", "response", "document"]

_log = logging.getLogger("drift_aware.producers.integrations")
_told: set[str] = set()


class Watching(Struct, frozen=True):
    """How calls are published.

    Attributes:
        publisher: by whom.
        prices: model to what it costs.
        embeddings: of which texts embeddings are, if the application does not say.
        clock: the time in seconds since 1970.
        timer: seconds, monotonic.
    """

    publisher: EventPublisher
    prices: Prices = {}
    embeddings: EmbeddingKind = "query"
    clock: Callable[[], float] = time.time
    timer: Callable[[], float] = time.perf_counter


class _Unnoticed:
    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if not isinstance(error, Exception):
            return False
        name = type(error).__name__
        if name not in _told:
            _told.add(name)
            with suppress(Exception):  # a handler of the application's may raise
                # Its own words may be those of a person.
                _log.warning("a call of a model is not published whole: %s", name)
                _log.debug("the error was", exc_info=error)
        return True


# Lets nothing that goes wrong inside reach the application, whose call has gone well; each kind of error is
# logged once. One for all, because making one takes longer than most of what it stands around.
UNNOTICED = _Unnoticed()


class ChatCall:
    """One question to a model.

    Args:
        watching: how it is published.
        dialect: how the question and its answer are read.
        body: what the application sends; read now, because the application may change it later.
    """

    def __init__(self, watching: Watching, dialect: Dialect, body: Mapping[str, Any]) -> None:
        self.id = new_id()
        self.dialect = dialect
        self._watching = watching
        self._once = threading.Lock()
        self._fields = context.of_interaction()
        self._model = text(body, "model")
        self._question = dialect.question(body)
        self._ts = round(watching.clock() * 1000)
        self._start = watching.timer()

    def answered(self, response: Any) -> None:
        """It has come back at once; a response that cannot be read is published without its answer."""
        answer = None
        with UNNOTICED:
            answer = self.dialect.answer(response)
        self.ended(answer or Answer())

    def failed(self, error: BaseException, answer: Answer | None = None) -> None:
        """It has raised, after as much of an answer; what is no Exception has been the application's wish."""
        answer = answer or Answer()
        if isinstance(error, Exception):
            answer.error = type(error).__name__
        else:
            answer.finish_reason = answer.finish_reason or CANCELLED
        self.ended(answer)

    def ended(self, answer: Answer) -> None:
        """Publish it; a second time does nothing."""
        if not self._once.acquire(blocking=False):
            return
        with UNNOTICED:
            self._watching.publisher.interaction(**self._fields | self._known(answer))

    def _known(self, answer: Answer) -> dict[str, Any]:
        model, took_seconds = self._model or answer.model, self._watching.timer() - self._start
        return {
            "id": self.id,
            "ts": self._ts,
            "model": model,
            "user_query": self._question,
            "model_response": answer.text,
            "refusal": answer.refusal,
            "finish_reason": answer.finish_reason,
            "error": answer.error,
            "latency_ms": took_seconds * 1000,
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            "cost_usd": self._cost(answer),
            "labels": self._labels(answer),
        }

    def _cost(self, answer: Answer) -> float | None:
        prices = self._watching.prices
        price = prices.get(self._model or "") or prices.get(answer.model or "")
        if price is None or answer.input_tokens is None or answer.output_tokens is None:
            return None
        return (answer.input_tokens * price[0] + answer.output_tokens * price[1]) / 1e6

    def _labels(self, answer: Answer) -> dict[str, str] | None:
        """What the application says, and the model that has answered if it is called otherwise."""
        labels: dict[str, str] | None = self._fields.get("labels")
        if answer.model in (None, self._model) or self._model is None:
            return labels
        return {**(labels or {}), "response_model": str(answer.model)}


class EmbeddingCall:
    """Texts to be embedded; each vector that comes back is published, a failure is not."""

    id = None

    def __init__(self, watching: Watching, body: Mapping[str, Any]) -> None:
        self._watching = watching
        self._fields = {"kind": watching.embeddings, **context.of_embedding()}
        self._model = text(body, "model")
        self._ts = round(watching.clock() * 1000)

    def answered(self, response: Any) -> None:
        """The vectors have come."""
        with UNNOTICED:
            model = self._model or text(response, "model")
            for vector in vectors(response):
                self._watching.publisher.embedding(vector, ts=self._ts, model=model, **self._fields)

    def failed(self, error: BaseException) -> None:
        """There is nothing to publish."""


Call = ChatCall | EmbeddingCall
