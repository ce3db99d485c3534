"""The section ``actions.reindex``: where documents come from, what embeds them, and how they are indexed."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from drift_aware.schema.section import Section

# pgvector's HNSW index takes no more numbers of a halfvec.
MAX_DIMENSIONS = 4000
# Beyond it pgvector refuses hnsw.ef_search.
MAX_EF_SEARCH = 1000

HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/\S*)?$")]


class FolderSource(Section):
    """Text and Markdown files; a file's path inside the folder is its document's id.

    Attributes:
        kind: a folder.
        path: of the folder.
        patterns: of the files in it.
    """

    kind: Literal["folder"]
    path: Path
    patterns: list[str] = Field(["**/*.md", "**/*.txt"], min_length=1)


class JsonlSource(Section):
    """A file with one JSON object on each line; what else an object holds becomes metadata.

    Attributes:
        kind: a file of JSON lines.
        path: of the file.
        id: name of the field with the document's id.
        text: name of the field with its text.
    """

    kind: Literal["jsonl"]
    path: Path
    id: str = "id"
    text: str = "text"


class SqlSource(Section):
    """A query with a column ``id`` and a column ``text``; further columns become metadata.

    It is read only. Without ``database_url`` it is asked where the record is.

    Attributes:
        kind: a query.
        query: the SELECT.
        database_url: of another database.
    """

    kind: Literal["sql"]
    query: str = Field(min_length=1)
    database_url: SecretStr | None = None


class HttpSource(Section):
    """An endpoint that answers GET with pages of JSON.

    ``items`` and ``next`` are dotted paths inside a page; an empty ``items`` is the whole page. What stands
    at ``next`` is the address of the next page, or with ``cursor`` the value of that query parameter.

    Attributes:
        kind: an endpoint.
        url: of the first page.
        token: sent as a bearer token.
        items: where in a page the documents are.
        next: where in a page the next one is named.
        cursor: the query parameter that takes it; null if it is a whole address.
        id: name of the field with a document's id.
        text: name of the field with its text.
        timeout_seconds: for a page.
        attempts: for a page.
    """

    kind: Literal["http"]
    url: HttpUrl
    token: SecretStr | None = None
    items: str = "items"
    next: str = "next"
    cursor: str | None = None
    id: str = "id"
    text: str = "text"
    timeout_seconds: float = Field(30, gt=0)
    attempts: int = Field(5, ge=1)


class PluginSource(Section):
    """A source of your own, by its name in the entry point group ``drift_aware.sources``.

    Attributes:
        kind: a source of your own.
        name: of the entry point.
        options: given to it as they are.
    """

    kind: Literal["plugin"]
    name: str
    options: dict[str, Any] = Field(default_factory=dict)


DocumentSource = Annotated[
    FolderSource | JsonlSource | SqlSource | HttpSource | PluginSource, Field(discriminator="kind")
]


class EmbeddingEndpoint(Section):
    """An endpoint that speaks as OpenAI's ``/embeddings`` does; ``api_key`` is else ``openai_api_key``.

    ``request_dimensions`` sends ``dimensions`` along, for models that can shorten their vectors.

    Attributes:
        kind: an endpoint.
        base_url: up to ``/embeddings``.
        model: as the endpoint names it.
        dimensions: of its vectors.
        api_key: of the endpoint.
        request_dimensions: whether ``dimensions`` is sent along.
        batch_texts: texts in a request, at most.
        batch_tokens: tokens in a request, at most, as estimated.
        timeout_seconds: for a request.
        attempts: of a request.
    """

    kind: Literal["endpoint"]
    base_url: HttpUrl
    model: str = Field(min_length=1)
    dimensions: int = Field(ge=1, le=MAX_DIMENSIONS)
    api_key: SecretStr | None = None
    request_dimensions: bool = False
    batch_texts: int = Field(128, ge=1)
    batch_tokens: int = Field(100_000, ge=1)
    timeout_seconds: float = Field(60, gt=0)
    attempts: int = Field(6, ge=1)


class LocalModel(Section):
    """A sentence-transformers model on this machine; needs the extra ``local-models``.

    Attributes:
        kind: a model on this machine.
        model: its name or folder.
        dimensions: of its vectors.
        batch_texts: texts embedded at a time.
        batch_tokens: tokens embedded at a time, at most, as estimated.
    """

    kind: Literal["local"]
    model: str = Field(min_length=1)
    dimensions: int = Field(ge=1, le=MAX_DIMENSIONS)
    batch_texts: int = Field(32, ge=1)
    batch_tokens: int = Field(100_000, ge=1)


EmbeddingModel = Annotated[EmbeddingEndpoint | LocalModel, Field(discriminator="kind")]


class Hnsw(Section):
    """The index, and how it is searched; ``ef_search`` is raised up to ``max_ef_search`` if it has to be.

    Attributes:
        m: links of a node.
        ef_construction: candidates looked at when a node is added.
        distance: by which vectors are compared.
        maintenance_work_mem: memory that Postgres may use to build the index.
        ef_search: candidates looked at in a search.
        max_ef_search: the most that ``ef_search`` is raised to, to reach ``min_recall``.
    """

    m: int = Field(16, ge=2, le=100)
    ef_construction: int = Field(64, ge=4, le=1000)
    distance: Literal["cosine", "l2", "inner_product"] = "cosine"
    maintenance_work_mem: str = Field("256MB", pattern=r"^\d+(kB|MB|GB)$")
    ef_search: int = Field(40, ge=1, le=MAX_EF_SEARCH)
    max_ef_search: int = Field(400, ge=1, le=MAX_EF_SEARCH)


class Reindex(Section):
    """How the collection ``documents`` is made anew.

    Attributes:
        name: what the column ``source`` says of documents of this source; others are kept as they are.
        source: where the documents come from.
        embedding: what embeds them.
        prices_usd: of a model, for a million tokens; a model of an endpoint must be in it.
        max_gone: the share of the source's documents that may be missing since the last time.
        min_recall: below which share of the true nearest ten a new index is not swapped in.
        samples: queries the recall is measured with.
        lock_seconds: how long readers may wait behind one attempt to swap.
        swap_attempts: how many such attempts.
        publish_sample: the most documents whose vectors are published.
        app: of the published vectors.
    """

    name: str = Field("reindex", min_length=1)
    source: DocumentSource
    embedding: EmbeddingModel
    prices_usd: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    index: Hnsw = Hnsw()
    max_gone: float = Field(0.5, ge=0, le=1)
    min_recall: float = Field(0.95, gt=0, le=1)
    samples: int = Field(200, ge=1)
    lock_seconds: float = Field(1, gt=0)
    swap_attempts: int = Field(30, ge=1)
    publish_sample: int = Field(2000, ge=0)
    app: str | None = None

    @model_validator(mode="after")
    def _priced(self) -> "Reindex":
        if self.embedding.kind == "endpoint" and self.embedding.model not in self.prices_usd:
            raise ValueError("`prices_usd` has no price of `embedding.model`; write 0 if it costs nothing")
        return self

    @property
    def price_usd(self) -> float:
        """What a million tokens cost; nothing on this machine."""
        return 0.0 if self.embedding.kind == "local" else self.prices_usd[self.embedding.model]
