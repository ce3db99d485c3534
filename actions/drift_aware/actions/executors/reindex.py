"""Makes the collection of documents anew: a table beside the live one, swapped in when it is as good.

Only texts that have no vector of the model yet are embedded. Each batch is committed before the next is
asked for, so whatever stops a reindex, no text is paid for twice.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from uuid import UUID

from drift_aware.actions.effects import way_back
from drift_aware.actions.embedding.models import Embedder, embedder_of
from drift_aware.actions.embedding.texts import batches, tokens
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.reindexing import collection, recall
from drift_aware.actions.reindexing.collection import Index, Kind
from drift_aware.actions.reindexing.documents import Counted, Source, portions
from drift_aware.actions.reindexing.publishing import publish
from drift_aware.actions.reindexing.sources import source_of
from drift_aware.actions.reindexing.swapping import Swapping
from drift_aware.producers import Publisher
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.settings import Settings
from drift_aware.sql.store import Connection

READ, EMBED, BUILD, CHECK, SWAP, PUBLISH = "read", "embed", "build", "check", "swap", "publish"
# Texts held at a time.
_AT_ONCE = 1000
# A week: what people ask differs from day to day.
_EFFECT_HOURS = 168.0


class ReindexExecutor:
    """The executor of ``reindex``.

    Args:
        settings: with a section ``actions.reindex``.
        source: where documents come from.
        embedder: makes what gives them vectors, when it is needed.
    """

    kind: ActionKind = "reindex"
    steps: Sequence[str] = (READ, EMBED, BUILD, CHECK, SWAP, PUBLISH)

    def __init__(self, settings: Settings, source: Source, embedder: Callable[[], Embedder]) -> None:
        chosen = settings.actions.reindex
        assert chosen is not None
        self._settings, self._kafka = chosen, settings.kafka
        self._source = source
        self._embedder = embedder
        self._kind = Kind(chosen.embedding.model, chosen.embedding.dimensions, chosen.name)
        self._swapping = Swapping(chosen.lock_seconds, chosen.swap_attempts)

    def expected(self, alert: Alert) -> Effect | None:
        """That answers are as good as they were; what is asked does not change with what is indexed."""
        return way_back(alert, 1.0, _EFFECT_HOURS) if alert.kind in ("behavior", "accuracy") else None

    def plan(self, job: Job) -> str:
        """What would be read, embedded and paid; a source across a network is not asked."""
        model = self._kind.model
        after = "build an index beside the live collection, check it, and swap it in"
        if self._source.remote:
            return f"read {self._source.described}, embed with {model} what is new or changed, {after}"
        with collection.opened(job) as connection:
            texts, missing, size = self._count(connection)
        if not texts:
            raise ActionFailed(self._nothing())
        cost = self._settings.price_usd * size / 1_000_000
        return (
            f"read {texts:,} documents from {self._source.described}, embed {missing:,} texts with {model} "
            f"(about {size:,} tokens, {cost:.2f} USD), {after}"
        )

    def do(self, step: str, job: Job) -> Result:
        """See Executor; every step may be done again."""
        with collection.opened(job) as connection:
            match step:
                case "read":
                    return self._read(connection, job)
                case "embed":
                    return self._embed(connection, job)
                case "build":
                    return self._build(connection, job)
                case "check":
                    return self._check(connection, job)
                case "swap":
                    return self._swap(connection, job)
                case _:
                    return self._publish(connection, job)

    def find(self, step: str, job: Job) -> Result | None:
        """What was read and what was swapped is one transaction each; the other steps may be repeated."""
        with collection.opened(job) as connection:
            index = collection.find(connection, job.action.id)
        if step == READ and index is not None:
            return index.counts
        if step == SWAP and index is not None and index.status in ("live", "kept", "undone"):
            return _swapped(index)
        return None

    def undo(self, job: Job) -> str:
        """Give the name back to the table before, or drop one that was not swapped in."""
        with collection.opened(job) as connection:
            back = self._swapping.swap_back(connection, job.action.id)
            index = collection.find(connection, job.action.id)
            if back is not None:
                return (
                    f"documents is what it was before; the newer one is documents_{index.n if index else ''}"
                )
            if index is None or index.status in ("undone", "removed"):
                return "there is nothing to take back"
            if index.status == "kept":
                raise ActionFailed("a later reindex has taken its place; roll that one back first")
            self._swapping.remove(connection, index.n)
        return "the collection was not swapped in yet; the table beside it is removed"

    def _read(self, connection: Connection, job: Job) -> Result:
        with connection.transaction():
            table = collection.begin(connection, job.action.id, self._kind)
            documents = Counted(self._source.documents(), job.progress)
            collection.fill(connection, table, self._kind, documents)
            collection.adopt(connection, job.action.id, self._kind)
            counts = collection.compare(connection, table, self._kind) | {"empty": documents.empty}
            self._require(counts)
            index = self._index(connection, job)
            collection.note(connection, index.n, counts)
        return counts

    def _require(self, counts: dict[str, int]) -> None:
        """Refuse what would leave the application with too little."""
        if not counts["of_source"]:
            raise ActionFailed(self._nothing())
        gone, before = counts["gone"], counts["before"]
        if gone > self._settings.max_gone * before:
            raise ActionFailed(
                f"{gone:,} of {before:,} documents are gone from {self._source.described}; if that is meant, "
                "raise actions.reindex.max_gone"
            )

    def _nothing(self) -> str:
        return f"{self._source.described} has no documents; the collection stays as it is"

    def _embed(self, connection: Connection, job: Job) -> Result:
        table = self._index(connection, job).table
        total, done = collection.to_embed(connection, table), 0
        job.progress(done, total)
        with closing(self._embedder()) as embedder:
            for rows in collection.texts_to_embed(connection, table, _AT_ONCE):
                for batch in self._batches(rows):
                    vectors = embedder.embed([text for _, text in batch], job)
                    hashes = [name for name, _ in batch]
                    collection.store_vectors(connection, table, self._kind, hashes, vectors)
                    done += len(batch)
                    job.progress(done, total)
        return {"texts": job.results[READ]["to_embed"]}

    def _batches(self, rows: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
        chosen = self._settings.embedding
        for stretch in batches([text for _, text in rows], chosen.batch_texts, chosen.batch_tokens):
            yield rows[stretch.start : stretch.stop]

    def _build(self, connection: Connection, job: Job) -> Result:
        index, hnsw = self._index(connection, job), self._settings.index
        collection.build(connection, index, hnsw)
        return {"table": f"documents_{index.n}", "m": hnsw.m, "ef_construction": hnsw.ef_construction}

    def _check(self, connection: Connection, job: Job) -> Result:
        index, wanted = self._index(connection, job), self._settings.min_recall
        found = recall.measure(
            connection,
            index.table,
            self._kind,
            self._settings.index,
            self._settings.samples,
            wanted,
            job.progress,
        )
        collection.note(connection, index.n, recall=found.recall, ef_search=found.ef_search)
        if found.recall < wanted:
            raise ActionFailed(
                f"the new index finds {found.recall:.1%} of the nearest ten with ef_search "
                f"{found.ef_search}, and min_recall is {wanted:.1%}; raise m or ef_construction of "
                "actions.reindex.index"
            )
        return asdict(found)

    def _swap(self, connection: Connection, job: Job) -> Result:
        self._swapping.swap_in(connection, job.action.id, self._kind)
        self._swapping.remove_outdated(connection)
        return _swapped(self._index(connection, job))

    def _publish(self, connection: Connection, job: Job) -> Result:
        if not self._settings.publish_sample or not self._kafka.bootstrap_servers:
            return {"published": 0}
        documents = collection.sample(connection, self._settings.publish_sample)
        with Publisher(
            self._kafka.bootstrap_servers,
            app=self._settings.app,
            client=self._kafka.client(),
            max_queued_events=len(documents) + 1,
        ) as publisher:
            publish(publisher, documents, self._kind.model, UUID(job.key(PUBLISH)))
        return {"published": len(documents)}

    def _count(self, connection: Connection) -> tuple[int, int, int]:
        """How many documents there are, and how many texts of what size have no vector."""
        texts, size = 0, 0
        missing: set[str] = set()
        for some in portions(self._source.documents(), _AT_ONCE):
            texts += len(some)
            by_hash = {each.content_hash: each.text for each in some}
            for name in by_hash.keys() - missing - collection.known(connection, self._kind, list(by_hash)):
                missing.add(name)
                size += tokens(by_hash[name])
        return texts, len(missing), size

    def _index(self, connection: Connection, job: Job) -> Index:
        index = collection.find(connection, job.action.id)
        if index is None or index.status == "removed":
            raise ActionFailed("the table this reindex was making is gone; approve a new one")
        return index


def make(settings: Settings) -> ReindexExecutor | None:
    """The executor, if the settings have a section for it.

    Raises:
        SettingsError: no such source.
    """
    chosen = settings.actions.reindex
    if chosen is None:
        return None
    return ReindexExecutor(
        settings,
        source_of(settings, chosen.source),
        lambda: embedder_of(chosen.embedding, settings.openai_api_key, chosen.price_usd),
    )


def _swapped(index: Index) -> Result:
    return {"live": index.n, "kept": index.previous, "recall": index.recall, "ef_search": index.ef_search}
