"""How fast rows get into Postgres: single INSERTs, executemany, COPY, and our sink, in rounds.

    python benchmarks/ingest.py [--quick] [--rounds 5] [--rows 60000]

All of them write the same rows into the same empty partitioned table of a PostgreSQL that syncs to the disk,
one after the other in each round. Bare COPY sends bytes made before: what this machine can take. The table
goes to ``docs/performance.md``; with ``--quick`` it is only printed.
"""

import sys
from pathlib import Path

# The events are the tests' own.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any, Literal

from pgvector.psycopg import register_vector
from prometheus_client import CollectorRegistry
from psycopg.sql import SQL, Composed, Identifier, Placeholder
from psycopg.types.json import Jsonb

from document import placed, table
from drift_aware.schema.envelope import COLUMNS, ROWS, encode_columns, encode_rows
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Retention
from drift_aware.schema.topics import SOURCES
from drift_aware.sql import dimensions, migrate, partitions, store
from drift_aware.sql.batch import Batch, sort
from drift_aware.sql.consumer import MAX_BATCH_RECORDS
from drift_aware.sql.embedded import EmbeddedPostgres
from drift_aware.sql.partitions import Days
from drift_aware.sql.rows import LOGS, LogTable
from drift_aware.sql.sink import TARGETS, Sink, write
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from rig_events import NOON, embedding, interaction

_DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
NOW = datetime.fromtimestamp(NOON / 1000, UTC)
# What is slow gets fewer rows: INSERT so many, executemany one transaction of the sink's size.
SINGLE_ROWS = 300
_QUICK_ROWS = 5_000
_ANSWER = "It left our warehouse on Monday and should be with you soon. " * 12

_INSERT_INTO = SQL("INSERT INTO {0} ({1})")
_COPY_IN = SQL("COPY {0} ({1}) FROM STDIN (FORMAT BINARY)")
_COPY_OUT = SQL("COPY (SELECT {1} FROM {0}) TO STDOUT (FORMAT BINARY)")
INSERT, MANY, BARE, PATH, SINK = "INSERT", "executemany", "bare COPY", "write path", "sink"


@dataclass(frozen=True)
class Case:
    """Rows to write: of embeddings of one dimension, or of interactions."""

    name: str
    kind: Literal["embedding", "interaction"]
    packed: int
    dim: int = 0

    @property
    def log(self) -> LogTable:
        return LOGS[self.kind]

    def batches(self, rows: int) -> list[list[Record]]:
        """Records as the Publisher packs them, as many at a time as the sink takes."""
        numbers = range(0, rows, self.packed)
        records = [self._record(first) for first in numbers]
        return [records[n : n + MAX_BATCH_RECORDS] for n in range(0, len(records), MAX_BATCH_RECORDS)]

    def _record(self, first: int) -> Record:
        numbers = range(first, first + self.packed)
        if self.kind == "embedding":
            value, form = encode_columns([embedding(n, dim=self.dim) for n in numbers]), COLUMNS
        else:
            value, form = encode_rows([interaction(n, model_response=_ANSWER) for n in numbers]), ROWS
        return Record(SOURCES[self.kind].name, 0, first // self.packed, value, form)


CASES = (
    Case("embeddings of 384", "embedding", 50, 384),
    Case("embeddings of 1,536", "embedding", 20, 1536),
    Case("interactions", "interaction", 50),
)


class Bench:
    """A database, and the ways to write a case's rows into it."""

    def __init__(self, connection: Connection, case: Case, rows: int) -> None:
        self._connection = connection
        self._log = case.log
        self._batches = case.batches(rows)
        days = Days.around(NOW.date())
        self._rows = [sort(batch, days).rows[self._log.name] for batch in self._batches]
        self._target = next(target for target in TARGETS if target.table == self._log.name)
        self._sink = Sink(SinkMetrics(CollectorRegistry()), Retention(automatic=False), now=lambda: NOW)
        self._sink.prepare(connection)
        self._bytes = self._premade()

    def ways(self) -> Mapping[str, Callable[[], int]]:
        """Each way by its name; it writes and says how many rows."""
        return {
            INSERT: self._insert,
            MANY: self._executemany,
            BARE: self._bare,
            PATH: self._path,
            SINK: self._whole,
        }

    def rate(self, way: Callable[[], int]) -> float:
        """Rows a second into the emptied table."""
        self._connection.execute(SQL("TRUNCATE {}").format(Identifier(self._log.name)))
        self._connection.execute("CHECKPOINT")
        begin = time.perf_counter()
        written = way()
        seconds = time.perf_counter() - begin
        found = self._connection.execute(SQL("SELECT count(*) FROM {}").format(Identifier(self._log.name)))
        assert found.fetchone() == (written,)
        return written / seconds

    def _insert(self) -> int:
        some = self._adapted(self._rows[0][:SINGLE_ROWS])
        for row in some:
            self._connection.execute(self._statement(), row)
        return len(some)

    def _executemany(self) -> int:
        some = self._adapted(self._rows[0])
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(self._statement(), some)
        return len(some)

    def _bare(self) -> int:
        for block in self._bytes:
            with (
                self._connection.transaction(),
                self._connection.cursor() as cursor,
                cursor.copy(self._named(_COPY_IN)) as copy,
            ):
                copy.write(block)
        return self._count()

    def _path(self) -> int:
        for rows in self._rows:
            with self._connection.transaction():
                write(self._connection, self._target, rows, Batch())
        return self._count()

    def _whole(self) -> int:
        for batch in self._batches:
            with self._connection.transaction():
                self._sink.handle(self._connection, batch)
            self._sink.committed()
        return self._count()

    def _count(self) -> int:
        return sum(map(len, self._rows))

    def _premade(self) -> list[bytes]:
        """What COPY has to say of each batch, as the server itself says it."""
        made = []
        self._connection.execute(SQL("TRUNCATE {}").format(Identifier(self._log.name)))
        for rows in self._rows:
            with self._connection.transaction(force_rollback=True):
                write(self._connection, self._target, rows, Batch())
                with (
                    self._connection.cursor() as cursor,
                    cursor.copy(self._named(_COPY_OUT)) as copy,
                ):
                    made.append(b"".join(copy))
        return made

    def _adapted(self, rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
        return [[Jsonb(cell) if isinstance(cell, dict) else cell for cell in row] for row in rows]

    def _statement(self) -> Composed:
        values = SQL(", ").join([Placeholder()] * len(self._log.columns))
        return self._named(_INSERT_INTO) + SQL(" VALUES (") + values + SQL(")")

    def _named(self, statement: SQL) -> Composed:
        names = SQL(", ").join(map(Identifier, self._log.columns))
        return statement.format(Identifier(self._log.name), names)


Rates = Mapping[str, Sequence[float]]  # way to rows a second in each round


def measure(cases: Sequence[Case], rows: int, rounds: int, durable: bool = True) -> dict[Case, Rates]:
    """Every way of every case, in rounds."""
    with EmbeddedPostgres(durable=durable) as server, store.connect(server.url, "benchmark") as connection:
        migrate.migrate(connection)
        register_vector(connection)
        for case in cases:
            if case.dim:
                dimensions.make(connection, case.dim)
        partitions.make_ahead(connection, NOW.date())
        return {case: _rounds(Bench(connection, case, rows), rounds) for case in cases}


def _rounds(bench: Bench, rounds: int) -> Rates:
    found: dict[str, list[float]] = {name: [] for name in bench.ways()}
    for _ in range(rounds):
        for name, way in bench.ways().items():
            found[name].append(bench.rate(way))
    return found


def share(rates: Rates, way: str) -> float:
    """Of what bare COPY did in the same round, the median of the rounds."""
    return median(own / bare for own, bare in zip(rates[way], rates[BARE], strict=True))


def ingest_table(found: Mapping[Case, Rates]) -> str:
    """Rows a second, the median of the rounds, and what part of bare COPY our own are."""
    heads = ["rows a second", INSERT, MANY, BARE, PATH, "of bare COPY", SINK, "of bare COPY"]
    return table(heads, [_line(case, rates) for case, rates in found.items()])


def _line(case: Case, rates: Rates) -> list[str]:
    rate = {way: f"{median(rates[way]):,.0f}" for way in rates}
    parts = {way: f"{share(rates, way):.0%}" for way in (PATH, SINK)}
    return [
        case.name,
        *(rate[way] for way in (INSERT, MANY, BARE)),
        *(rate[PATH], parts[PATH], rate[SINK], parts[SINK]),
    ]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute at most; only prints")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=60_000)
    asked = parser.parse_args()
    rows, rounds = (_QUICK_ROWS, 2) if asked.quick else (asked.rows, asked.rounds)
    text = ingest_table(measure(CASES, rows, rounds))
    print(text)
    if not asked.quick:
        _DOCUMENT.write_text(placed(_DOCUMENT.read_text(), {"ingest": text}))


if __name__ == "__main__":
    main()
