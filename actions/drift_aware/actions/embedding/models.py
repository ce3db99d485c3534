"""What makes vectors of texts: an endpoint shaped as OpenAI's, or a model on this machine."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Protocol

import httpx2
import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from drift_aware.actions import web
from drift_aware.actions.embedding.texts import tokens, tokens_at_most
from drift_aware.actions.errors import ActionFailed, Declined
from drift_aware.schema.reindexing import EmbeddingEndpoint, LocalModel

# Of shape (texts, dimensions).
Vectors = NDArray[np.float16]

_MILLION = 1_000_000
_SPENT_ON = "embedding"


class Bill(Protocol):
    """Who pays; a Job of an action is one."""

    def spend(self, most_usd: float, what: str, /) -> None:
        """Called before a call that costs money, with what it may cost at most, and a word for what it is.

        Raises:
            OverBudget: there is not so much left.
        """

    def spent(self, usd: float, what: str, /) -> None:
        """Called after it, with what it did cost."""


class Embedder(Protocol):
    """Makes vectors."""

    def embed(self, texts: Sequence[str], bill: Bill) -> Vectors:
        """One vector for each text, in their order; trouble that may pass is waited out for a while.

        Raises:
            Declined: it makes none of one of these texts; of others it may.
            ActionFailed: there are none, or they are not of the dimensions set.
        """

    def attempt(self, texts: Sequence[str], bill: Bill) -> Vectors:
        """The same, without waiting.

        Raises:
            Passing: another attempt may help.
            Declined: see ``embed``.
            ActionFailed: see ``embed``.
        """

    def close(self) -> None:
        """Give back what it holds."""


class Endpoint:
    """An endpoint that answers POST ``/embeddings``.

    Args:
        settings: where it is.
        key: shown to it as a bearer token.
        price_usd: of a million tokens.
    """

    def __init__(self, settings: EmbeddingEndpoint, key: str | None, price_usd: float) -> None:
        self._settings = settings
        self._key = key
        self._price = price_usd / _MILLION
        self._what = f"the embedding endpoint at {httpx2.URL(settings.base_url).host}"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(timeout=settings.timeout_seconds, headers=headers)

    def embed(self, texts: Sequence[str], bill: Bill) -> Vectors:
        """See Embedder."""
        return web.patiently(lambda: self.attempt(texts, bill), self._settings.attempts, self._what)

    def attempt(self, texts: Sequence[str], bill: Bill) -> Vectors:
        """See Embedder. One whose answer is lost is booked as an estimate: it may have to be paid."""
        answer = self._paid(texts, bill)
        rows = in_order(answer.data, len(texts), self._what)
        return checked(rows, self._settings.dimensions, self._what)

    def close(self) -> None:
        """See Embedder."""
        self._client.close()

    def _paid(self, texts: Sequence[str], bill: Bill) -> "Answer":
        bill.spend(self._price * sum(map(tokens_at_most, texts)), _SPENT_ON)
        estimate = sum(map(tokens, texts))
        used = 0
        try:
            answer = self._ask(texts)
            used = answer.usage.total_tokens if answer.usage else estimate
            return answer
        except web.Passing as trouble:
            used = estimate if trouble.answered_maybe else 0
            raise
        finally:
            bill.spent(self._price * used, _SPENT_ON)

    def _ask(self, texts: Sequence[str]) -> "Answer":
        body: dict[str, Any] = {"model": self._settings.model, "input": list(texts)}
        if self._settings.request_dimensions:
            body["dimensions"] = self._settings.dimensions
        address = self._settings.base_url.rstrip("/") + "/embeddings"
        response = web.send(
            self._client, self._client.build_request("POST", address, json=body), self._what, self._key
        )
        try:
            return msgspec.json.decode(response.content, type=Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise web.Passing("the answer holds no embeddings", answered_maybe=True) from None


class Local:
    """A sentence-transformers model; it is loaded when the first texts come."""

    def __init__(self, settings: LocalModel) -> None:
        self._settings = settings
        self._model: Any = None

    def embed(self, texts: Sequence[str], bill: Bill) -> Vectors:
        """See Embedder; it costs nothing."""
        del bill
        if self._model is None:
            self._model = _load(self._settings.model)
        rows = self._model.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return checked(rows, self._settings.dimensions, f"the model {self._settings.model}")

    def attempt(self, texts: Sequence[str], bill: Bill) -> Vectors:
        """See Embedder."""
        return self.embed(texts, bill)

    def close(self) -> None:
        """See Embedder."""
        self._model = None


class Item(msgspec.Struct):
    """A vector: numbers, or the base64 of little-endian float32."""

    embedding: list[float] | str
    index: int | None = None


class Usage(msgspec.Struct):
    """What the provider has counted."""

    total_tokens: int = msgspec.field(default=0)


class Answer(msgspec.Struct):
    """What ``/embeddings`` gives."""

    data: list[Item]
    usage: Usage | None = None


def in_order(items: Sequence[Item], count: int, what: str) -> list[Any]:
    """The vectors in the order of their texts.

    Raises:
        ActionFailed: there are too few or too many, or an index is missing or comes twice.
    """
    places = [place if item.index is None else item.index for place, item in enumerate(items)]
    if sorted(places) != list(range(count)):
        raise ActionFailed(f"{what} gave {len(items)} vectors for {count} texts, or numbered them wrongly")
    by_place = dict(zip(places, items, strict=True))
    return [_numbers(by_place[place], what) for place in range(count)]


def checked(rows: Sequence[Any], dimensions: int, what: str) -> Vectors:
    """The vectors as they are stored.

    Raises:
        ActionFailed: one is not of ``dimensions`` numbers.
        Declined: one is not finite in float16, or has no direction.
    """
    for row in rows:
        if len(row) != dimensions:
            raise ActionFailed(
                f"{what} gave a vector of {len(row)} numbers, and `dimensions` in the settings is "
                f"{dimensions}; set it to what the model gives"
            )
    with np.errstate(over="ignore"):
        vectors = np.asarray(rows, dtype=np.float32).reshape(-1, dimensions).astype(np.float16)
    if not np.isfinite(vectors).all():
        raise Declined(f"{what} gave a vector with numbers that are not finite or beyond float16")
    if not vectors.any(axis=1).all():
        raise Declined(f"{what} gave a vector of zeros, which is near to nothing")
    return vectors


def _numbers(item: Item, what: str) -> Any:
    if isinstance(item.embedding, list):
        return item.embedding
    try:
        return np.frombuffer(base64.b64decode(item.embedding, validate=True), "<f4")
    except (binascii.Error, ValueError):
        raise ActionFailed(f"{what} gave a vector that is neither a list nor base64") from None


def embedder_of(
    settings: EmbeddingEndpoint | LocalModel, key: SecretStr | None, price_usd: float
) -> Embedder:
    """What the settings describe.

    Args:
        settings: which model, and where.
        key: for an endpoint without one of its own.
        price_usd: of a million tokens.
    """
    if isinstance(settings, LocalModel):
        return Local(settings)
    key = settings.api_key or key
    return Endpoint(settings, key.get_secret_value() if key else None, price_usd)


def _load(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError:
        raise ActionFailed(
            "a local embedding model needs the extra local-models: pip install 'drift-aware[local-models]'"
        ) from None
    try:
        return SentenceTransformer(name)
    except (OSError, ValueError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise ActionFailed(f"cannot load the model {name}: {line}") from None
