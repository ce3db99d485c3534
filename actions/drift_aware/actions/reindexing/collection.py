"""The collection in Postgres: a table beside the live one, filled, indexed, and swapped in by renaming.

``document_index`` has a row for each table ``documents_<n>``; the live one is named ``documents``.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from drift_aware.actions.embedding.models import Vectors
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job
from drift_aware.actions.reindexing.documents import Document
from drift_aware.schema.reindexing import Hnsw
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

LIVE = Identifier("documents")
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Kind:
    """Which vectors fit, and what the column ``source`` says of documents that are ours.

    Attributes:
        model: that has made the vectors.
        dim: their dimensions.
        source: as written in rows; documents that say otherwise are somebody else's and are kept.
    """

    model: str
    dim: int
    source: str

    @property
    def given(self) -> dict[str, Any]:
        """As parameters of statements."""
        return {"model": self.model, "dim": self.dim, "source": self.source}


@dataclass(frozen=True)
class Index:
    """A row of ``document_index``."""

    n: int
    status: str
    previous: int | None
    counts: dict[str, int]
    recall: float | None
    ef_search: int | None
    created_at: datetime

    @property
    def table(self) -> Identifier:
        """Where its rows are, whether it is live or not."""
        return LIVE if self.status == "live" else numbered(self.n)


def numbered(n: int) -> Identifier:
    """The name of a table that is not live."""
    return Identifier(f"documents_{n}")


@contextmanager
def opened(job: Job) -> Iterator[Connection]:
    """A connection that knows vectors.

    Raises:
        ActionFailed: Postgres refuses a statement. Where it has gone away, its own error passes.
    """
    try:
        with job.connect() as connection:
            register_vector(connection)
            yield connection
    except psycopg.Error as error:
        if _passes(error):
            raise
        # What follows the first line may quote a row.
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise ActionFailed(f"Postgres refuses what the reindex asks: {line}") from None


def _passes(error: psycopg.Error) -> bool:
    """Whether the server was away, or two transactions were in each other's way."""
    state = error.sqlstate
    return isinstance(error, psycopg.OperationalError) and (
        state is None or state[:2] in ("08", "40") or state.startswith("57P")
    )


def find(connection: Connection, action_id: str) -> Index | None:
    """The table that an action has made; None if it has made none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(QUERIES["find_index"], {"action_id": action_id}).fetchone()
    return None if row is None else Index(**row)


def begin(connection: Connection, action_id: str, kind: Kind) -> Identifier:
    """Make an empty table beside the live one, with its indexes, rights and owner."""
    n = _one(connection, "begin_index", {"action_id": action_id, **kind.given})
    table = numbered(n)
    connection.execute(QUERIES["create_collection"].format(table=table))
    for (index,) in connection.execute(QUERIES["vector_indexes"], {"table": f"documents_{n}"}).fetchall():
        connection.execute(QUERIES["drop_index"].format(index=Identifier(index)))
    connection.execute(QUERIES["size_vectors"].format(table=table, dim=kind.dim))
    _same_rights(connection, table)
    return table


def fill(connection: Connection, table: Identifier, kind: Kind, documents: Iterable[Document]) -> None:
    """Write what is read.

    Raises:
        ActionFailed: an id comes twice.
    """
    try:
        with (
            connection.cursor() as cursor,
            cursor.copy(QUERIES["copy_documents"].format(table=table)) as copy,
        ):
            copy.set_types(["text", "text", "text", "jsonb", "text"])
            for each in documents:
                row = each.id, kind.source, each.text, Jsonb(dict(each.metadata)), each.content_hash
                copy.write_row(row)
    except psycopg.errors.UniqueViolation as error:
        raise ActionFailed(f"the source gives an id twice: {error.diag.message_detail}") from None


def adopt(connection: Connection, action_id: str, kind: Kind) -> None:
    """Take over documents of other sources, and every vector that is there already."""
    index = find(connection, action_id)
    assert index is not None
    carry(connection, index.table, kind, _LONG_AGO)
    others = connection.execute(QUERIES["reusable_indexes"], {"n": index.n, **kind.given}).fetchall()
    for other in [LIVE, *(numbered(n) for (n,) in others)]:
        connection.execute(QUERIES["copy_vectors"].format(table=index.table, other=other), kind.given)
    connection.execute(QUERIES["analyze_documents"].format(table=index.table))


def carry(connection: Connection, table: Identifier, kind: Kind, since: datetime) -> None:
    """Take over what other sources have written to the live table since a moment."""
    connection.execute(QUERIES["carry_documents"].format(table=table), {"since": since, **kind.given})


def compare(connection: Connection, table: Identifier, kind: Kind) -> dict[str, int]:
    """Counts of what is new, changed and gone against the live table, and of texts without a vector."""
    with connection.cursor(row_factory=dict_row) as cursor:
        statement = QUERIES["compare_documents"].format(table=table)
        row = cursor.execute(statement, kind.given).fetchone()
    assert row is not None
    return row


def lock_live(connection: Connection) -> int:
    """The number of the live table; nobody else swaps until the transaction ends."""
    return _one(connection, "lock_live_index", {})


def note(
    connection: Connection,
    n: int,
    counts: dict[str, int] | None = None,
    recall: float | None = None,
    ef_search: int | None = None,
) -> None:
    """Keep what is known of a table."""
    given = {"n": n, "counts": Jsonb(counts or {}), "recall": recall, "ef_search": ef_search}
    connection.execute(QUERIES["note_index"], given)


def to_embed(connection: Connection, table: Identifier) -> int:
    """How many texts have no vector."""
    return _one(connection, "count_to_embed", {}, table=table)


def texts_to_embed(
    connection: Connection, table: Identifier, at_once: int
) -> Iterator[list[tuple[str, str]]]:
    """Hashes and texts without a vector, some at a time."""
    after = ""
    statement = QUERIES["next_to_embed"].format(table=table)
    while rows := connection.execute(statement, {"after": after, "limit": at_once}).fetchall():
        yield [(str(name), str(text)) for name, text in rows]
        after = rows[-1][0]


def store_vectors(
    connection: Connection, table: Identifier, kind: Kind, hashes: Sequence[str], vectors: Vectors
) -> None:
    """Write the vectors of some texts; committed when it returns."""
    given = {"hashes": list(hashes), "vectors": [HalfVector(row) for row in vectors], "model": kind.model}
    connection.execute(QUERIES["store_vectors"].format(table=table), given)


def build(connection: Connection, index: Index, settings: Hnsw) -> None:
    """Make the HNSW index; nothing happens if it is there."""
    connection.execute(QUERIES["vacuum_documents"].format(table=index.table))
    with connection.transaction():
        set_local(connection, "statement_timeout", "0")
        set_local(connection, "maintenance_work_mem", settings.maintenance_work_mem)
        connection.execute(
            QUERIES["create_vector_index"].format(
                index=Identifier(f"documents_{index.n}_embedding_idx"),
                table=index.table,
                operators=SQL(_OPERATORS[settings.distance][0]),
                m=settings.m,
                ef_construction=settings.ef_construction,
            )
        )


def known(connection: Connection, kind: Kind, hashes: Sequence[str]) -> set[str]:
    """Which texts have a vector in the live table."""
    rows = connection.execute(QUERIES["known_hashes"], {"hashes": list(hashes), **kind.given})
    return {name for (name,) in rows}


def sample(connection: Connection, limit: int) -> list[tuple[str, bytes]]:
    """Ids and vectors of some live documents, as bytes of little-endian float16."""
    rows = connection.execute(QUERIES["sample_documents"].format(table=LIVE), {"limit": limit})
    return [(name, vector.to_numpy().astype("<f2").tobytes()) for name, vector in rows]


def distance(settings: Hnsw) -> SQL:
    """The operator that the index answers to."""
    return SQL(_OPERATORS[settings.distance][1])


def set_local(connection: Connection, name: str, value: str) -> None:
    """A setting of the server until the transaction ends."""
    connection.execute(QUERIES["set_local"], {"name": name, "value": value})


_OPERATORS = {
    "cosine": ("halfvec_cosine_ops", "<=>"),
    "l2": ("halfvec_l2_ops", "<->"),
    "inner_product": ("halfvec_ip_ops", "<#>"),
}


def _same_rights(connection: Connection, table: Identifier) -> None:
    for role, privilege in connection.execute(QUERIES["grants_on_documents"]).fetchall():
        named = SQL("PUBLIC") if role is None else Identifier(role)
        statement = QUERIES["grant_on_documents"].format(privilege=SQL(privilege), table=table, role=named)
        connection.execute(statement)
    row = connection.execute(QUERIES["own_documents"]).fetchone()
    assert row is not None
    if not row[1]:
        connection.execute(QUERIES["give_documents"].format(table=table, role=Identifier(row[0])))


def _one(connection: Connection, query: str, given: dict[str, Any], **names: Identifier) -> int:
    row = connection.execute(QUERIES[query].format(**names), given).fetchone()
    assert row is not None
    return int(row[0])
