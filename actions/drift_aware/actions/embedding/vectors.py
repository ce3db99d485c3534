"""Vectors of texts, whatever the provider is like: slow, away, or unwilling to take one of them."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import structlog

from drift_aware.actions.embedding.budget import Budget, Home
from drift_aware.actions.embedding.models import Embedder
from drift_aware.actions.embedding.models import Vectors as ModelVectors
from drift_aware.actions.embedding.texts import batches
from drift_aware.actions.errors import Declined, OverBudget
from drift_aware.actions.web import Passing
from drift_aware.schema.backoff import backoff
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.metrics import EmbedMetrics
from drift_aware.schema.reindexing import EmbeddingEndpoint, LocalModel

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 20.0
# What was paid is kept until it has been delivered, and texts that come again soon are not paid twice.
KEPT_TEXTS = 5_000
# Taken by whatever takes anything.
_HARMLESS = "hello"

log = structlog.get_logger(__name__)


class ProviderAway(Unreachable):
    """The provider does not answer; interactions wait until it does."""


class Stopping(Unreachable):
    """The process was told to stop; what was in hand is done after the next start."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Of a text: little-endian float16; None if there is none, and then why."""

    numbers: bytes | None
    missing: str = ""


class Vectors:
    """Makes vectors in batches, and remembers the last of them.

    Args:
        settings: of the model.
        embedder: makes them.
        budget: pays.
        pause: waits so many seconds, or less if it is told to stop; then it returns True.
        metrics: told of every request.
    """

    def __init__(
        self,
        settings: EmbeddingEndpoint | LocalModel,
        embedder: Embedder,
        budget: Budget,
        pause: Callable[[float], bool],
        metrics: EmbedMetrics,
    ) -> None:
        self._settings = settings
        self._embedder = embedder
        self._budget = budget
        self._pause = pause
        self._metrics = metrics
        self._attempts = settings.attempts if isinstance(settings, EmbeddingEndpoint) else 1
        self._kept: OrderedDict[bytes, Vector] = OrderedDict()
        self._said_on = ""

    def of(self, texts: Iterable[tuple[str, Home]]) -> dict[str, Vector]:
        """The vector of each text, each paid by its partition.

        Raises:
            ProviderAway: no answer, after some attempts; what was made is remembered.
            Stopping: told to stop.
            ActionFailed: the provider cannot be used as the settings are.
        """
        homes = dict(texts)
        found = {text: kept for text in homes if (kept := self._remembered(text))}
        missing = [text for text in homes if text not in found]
        for stretch in batches(missing, self._settings.batch_texts, self._settings.batch_tokens):
            some = missing[stretch.start : stretch.stop]
            self._budget.home = homes[some[0]]
            found |= self._made(some)
        return found

    def _made(self, texts: Sequence[str]) -> dict[str, Vector]:
        try:
            rows = self._patiently(texts)
        except OverBudget as error:
            self._say_once(str(error))
            return dict.fromkeys(texts, Vector(None, "over_budget"))
        except Declined as error:
            if len(texts) > 1:
                middle = len(texts) // 2
                return self._made(texts[:middle]) | self._made(texts[middle:])
            with suppress(OverBudget):
                self._patiently([_HARMLESS])  # if that is declined too, it is not the text
            log.warning("a text is not embedded", error=str(error))
            return {texts[0]: self._remember(texts[0], Vector(None, "refused"))}
        vectors = [row.astype("<f2").tobytes() for row in rows]
        return {
            text: self._remember(text, Vector(vector)) for text, vector in zip(texts, vectors, strict=True)
        }

    def _patiently(self, texts: Sequence[str]) -> ModelVectors:
        for attempt in range(self._attempts):
            try:
                with self._metrics.request_seconds.time():
                    return self._embedder.attempt(texts, self._budget)
            except Passing as trouble:
                self._metrics.failures.inc()
                said, asked = str(trouble), trouble.wait_seconds
            seconds = backoff(attempt, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS) if asked is None else asked
            if self._pause(min(seconds, LONGEST_PAUSE_SECONDS)):
                raise Stopping("told to stop while the provider was waited for; nothing is lost")
        raise ProviderAway(f"the embedding provider: {said}, {self._attempts} times; it is waited for")

    def _remembered(self, text: str) -> Vector | None:
        name = _name(text)
        if name in self._kept:
            self._kept.move_to_end(name)
        return self._kept.get(name)

    def _remember(self, text: str, vector: Vector) -> Vector:
        self._kept[_name(text)] = vector
        if len(self._kept) > KEPT_TEXTS:
            self._kept.popitem(last=False)
        return vector

    def _say_once(self, what: str) -> None:
        """Once a day is enough."""
        if self._said_on != self._budget.day:
            self._said_on = self._budget.day
            log.warning("budget spent", error=what)


def _name(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
