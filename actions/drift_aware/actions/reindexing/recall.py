"""How many of the truly nearest an index finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pgvector import HalfVector
from psycopg.sql import Identifier

from drift_aware.actions.reindexing.collection import Kind, distance, set_local
from drift_aware.schema.reindexing import Hnsw
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

NEAREST = 10
# Fewer questions than that say little; documents are asked for their neighbours then.
MIN_QUERIES = 50
# A distance is a sum of float32; the two ways to it may add in another order.
_ROUNDING = 1e-5

# A document to leave out, and a vector to look for.
Question = tuple[str, HalfVector]


@dataclass(frozen=True)
class Recall:
    """What was measured.

    Attributes:
        recall: the share of the truly nearest that the index finds.
        ef_search: with which hnsw.ef_search.
        questions: how many were asked.
        of: ``queries`` of the record, or ``documents`` that looked for their neighbours.
    """

    recall: float
    ef_search: int
    questions: int
    of: str


def found_share(found: Sequence[float], true: Sequence[float]) -> float:
    """The share of the nearest that was found, by distance: which of two equally far ones does not matter.

    >>> found_share([0.1, 0.3], [0.1, 0.2]), found_share([], [])
    (0.5, 1.0)
    """
    if not true:
        return 1.0
    return sum(each <= true[-1] + _ROUNDING for each in found) / len(true)


def measure(
    connection: Connection,
    table: Identifier,
    kind: Kind,
    settings: Hnsw,
    samples: int,
    wanted: float,
    progress: Callable[[int, int | None], None],
) -> Recall:
    """The recall at ten, with the smallest ``ef_search`` that reaches ``wanted``, or the largest allowed.

    Args:
        connection: in autocommit mode, with vectors registered.
        table: which.
        kind: of its vectors.
        settings: of its index.
        samples: how many questions.
        wanted: when to stop raising ``ef_search``.
        progress: told how far the exact search is, which takes longest.
    """
    questions, of = _questions(connection, table, kind, samples)
    search = _Search(connection, table, settings)
    true = []
    for done, question in enumerate(questions, 1):
        true.append(search.exact(question))
        progress(done, len(questions))
    ef_search = min(settings.ef_search, settings.max_ef_search)
    while True:
        shares = [
            found_share(search.indexed(each, ef_search), nearest)
            for each, nearest in zip(questions, true, strict=True)
        ]
        recall = float(np.mean(shares)) if shares else 1.0
        if recall >= wanted or ef_search >= settings.max_ef_search:
            return Recall(recall, ef_search, len(questions), of)
        ef_search = min(2 * ef_search, settings.max_ef_search)


class _Search:
    def __init__(self, connection: Connection, table: Identifier, settings: Hnsw) -> None:
        self._connection = connection
        self._statement = QUERIES["nearest_distances"].format(distance=distance(settings), table=table)

    def exact(self, question: Question) -> list[float]:
        """By looking at every row."""
        with self._connection.transaction():
            set_local(self._connection, "enable_indexscan", "off")
            return self._distances(question)

    def indexed(self, question: Question, ef_search: int) -> list[float]:
        """By the index, which the planner would pass by in a small table."""
        with self._connection.transaction():
            set_local(self._connection, "enable_seqscan", "off")
            set_local(self._connection, "enable_sort", "off")
            set_local(self._connection, "hnsw.ef_search", str(ef_search))
            return self._distances(question)

    def _distances(self, question: Question) -> list[float]:
        besides, vector = question
        given = {"besides": besides, "vector": vector, "limit": NEAREST}
        return [float(each) for (each,) in self._connection.execute(self._statement, given)]


def _questions(
    connection: Connection, table: Identifier, kind: Kind, samples: int
) -> tuple[list[Question], str]:
    given = {"limit": samples, **kind.given}
    asked = connection.execute(QUERIES["recent_queries"], given).fetchall()
    if len(asked) >= min(MIN_QUERIES, samples):
        return [(each[0], each[1]) for each in asked], "queries"
    rows = connection.execute(QUERIES["sample_documents"].format(table=table), given).fetchall()
    return [(each[0], each[1]) for each in rows], "documents"
