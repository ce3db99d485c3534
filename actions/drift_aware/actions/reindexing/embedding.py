"""What makes vectors of texts: an endpoint shaped as OpenAI's, or a model on this machine."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Protocol

import httpx2
import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job
from drift_aware.actions.reindexing import web
from drift_aware.actions.reindexing.documents import tokens, tokens_at_most
from drift_aware.schema.reindexing import EmbeddingEndpoint, LocalModel

# Of shape (texts, dimensions).
Vectors = NDArray[np.float16]

_MILLION = 1_000_000
_SPENT_ON = "embedding"


class Embedder(Protocol):
    """Makes vectors."""

    def embed(self, texts: Sequence[str], job: Job) -> Vectors:
        """One vector for each text, in their order; what it costs is booked on the job.

        Raises:
            ActionFailed: there are none, or they are not of the dimensions set.
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

    def embed(self, texts: Sequence[str], job: Job) -> Vectors:
        """See Embedder. An attempt whose answer is lost is booked as an estimate: it may have to be paid."""
        answer = web.patiently(lambda: self._paid(texts, job), self._settings.attempts, self._what)
        rows = in_order(answer.data, len(texts), self._what)
        return checked(rows, self._settings.dimensions, self._what)

    def close(self) -> None:
        """See Embedder."""
        self._client.close()

    def _paid(self, texts: Sequence[str], job: Job) -> "Answer":
        job.spend(self._price * sum(map(tokens_at_most, texts)), _SPENT_ON)
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
            job.spent(self._price * used, _SPENT_ON)

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

    def embed(self, texts: Sequence[str], job: Job) -> Vectors:
        """See Embedder; it costs nothing."""
        del job
        if self._model is None:
            self._model = _load(self._settings.model)
        rows = self._model.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return checked(rows, self._settings.dimensions, f"the model {self._settings.model}")

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
        ActionFailed: one is not of ``dimensions`` numbers, not finite in float16, or has no direction.
    """
    for row in rows:
        if len(row) != dimensions:
            raise ActionFailed(
                f"{what} gave a vector of {len(row)} numbers, and actions.reindex.embedding.dimensions is "
                f"{dimensions}; set it to what the model gives"
            )
    with np.errstate(over="ignore"):
        vectors = np.asarray(rows, dtype=np.float32).reshape(-1, dimensions).astype(np.float16)
    if not np.isfinite(vectors).all():
        raise ActionFailed(f"{what} gave a vector with numbers that are not finite or beyond float16")
    if not vectors.any(axis=1).all():
        raise ActionFailed(f"{what} gave a vector of zeros, which is near to nothing")
    return vectors


def _numbers(item: Item, what: str) -> Any:
    if isinstance(item.embedding, list):
        return item.embedding
    try:
        return np.frombuffer(base64.b64decode(item.embedding, validate=True), "<f4")
    except (binascii.Error, ValueError):
        raise ActionFailed(f"{what} gave a vector that is neither a list nor base64") from None


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
