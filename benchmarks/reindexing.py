"""A reindex of real texts, while readers search the collection without a pause.

    python benchmarks/reindexing.py [--texts 20000] [--readers 2] [--rounds 2]

The texts are queries of CLINC150 with their embeddings, given out by an endpoint on this machine; they lie
beside the project, as the tests have them. PostgreSQL syncs to the disk. The first round embeds every text;
before each further one a tenth of them is changed. Other programs that run meanwhile spoil the times.
"""

import sys
from pathlib import Path

# The endpoint and the texts are the tests' own.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from document import table
from drift_aware.sql import migrate, store
from drift_aware.sql.embedded import EmbeddedPostgres
from rig.clinc import MODEL, clinc
from rig.embeddings import Endpoint
from rig.reindexing import Bench

DIM = 384
_QUESTIONS = 500
_CHANGED = " (changed)"
_NEAREST = "SELECT id FROM documents ORDER BY embedding <=> %s LIMIT 10"


@dataclass
class Reading:
    """What a reader has seen: answers in milliseconds, and what was wrong."""

    answers_ms: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Round:
    """One reindex: seconds by step, what was found, and what readers saw meanwhile."""

    documents: int
    embedded: int
    seconds: dict[str, float]
    recall: float
    ef_search: int
    reading: Reading

    def cells(self) -> list[str]:
        """As a line of the table."""
        answers = self.reading.answers_ms
        times = [f"{each:.1f}" for each in np.percentile(answers, [50, 99, 100])] if answers else ["-"] * 3
        return [
            f"{self.documents:,}",
            f"{self.embedded:,}",
            ", ".join(f"{step} {seconds:.1f}" for step, seconds in self.seconds.items()),
            f"{self.recall:.4f}",
            str(self.ef_search),
            f"{len(answers):,}",
            str(len(self.reading.troubles)),
            *times,
        ]


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    found = measure(arguments.texts, arguments.readers, arguments.rounds)
    heads = ["texts", "embedded", "s by step", "recall@10", "ef_search", "searches", "errors or empty"]
    print(table([*heads, "p50 ms", "p99 ms", "max ms"], [each.cells() for each in found]))
    for trouble in [trouble for each in found for trouble in each.reading.troubles][:5]:
        print(trouble, file=sys.stderr)


def measure(count: int, readers: int, rounds: int) -> list[Round]:
    """Reindex ``count`` texts so many times; nobody reads in the first round, when there is nothing yet."""
    data = clinc()
    texts = list(dict.fromkeys(data.texts))[:count]
    vectors = dict(zip(data.texts, data.vectors, strict=True))

    def vector(text: str) -> list[float]:
        return [float(each) for each in vectors[text.removesuffix(_CHANGED)]]

    found = []
    with tempfile.TemporaryDirectory() as folder, Endpoint(DIM, vector) as endpoint, _postgres() as url:
        bench = Bench(url, endpoint, Path(folder) / "documents.jsonl")
        for number in range(rounds):
            changed = range(number, len(texts), 10) if number else range(0)
            bench.write(*[text + _CHANGED if n in changed else text for n, text in enumerate(texts)])
            with _readers(url, data.vectors[-_QUESTIONS:], readers if number else 0) as reading:
                found.append(_reindex(bench, f"round-{number}", reading))
    return found


def _reindex(bench: Bench, name: str, reading: Reading) -> Round:
    before = sum(bench.endpoint.embedded.values())
    executor = bench.executor(
        embedding={"model": MODEL, "dimensions": DIM, "batch_texts": 256, "timeout_seconds": 60},
        prices_usd={MODEL: 0.02},
    )
    results: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for step in executor.steps:
        begun = time.perf_counter()
        results[step] = executor.do(step, bench.job(name, **results))
        seconds[step] = time.perf_counter() - begun
    return Round(
        documents=results["read"]["documents"],
        embedded=sum(bench.endpoint.embedded.values()) - before,
        seconds=seconds,
        recall=results["check"]["recall"],
        ef_search=results["check"]["ef_search"],
        reading=reading,
    )


@contextmanager
def _readers(url: str, asked: NDArray[np.float16], count: int) -> Iterator[Reading]:
    """Search until the block ends."""
    reading, stop = Reading(), threading.Event()

    def read(first: int) -> None:
        with store.connect(url, "reader") as connection:
            register_vector(connection)
            number = first
            while not stop.is_set():
                number += 1
                _search(connection, HalfVector(asked[number % len(asked)]), reading)

    threads = [threading.Thread(target=read, args=(n * 100,)) for n in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield reading
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _search(connection: store.Connection, vector: HalfVector, reading: Reading) -> None:
    begun = time.perf_counter()
    try:
        rows = connection.execute(_NEAREST, [vector]).fetchall()
    except psycopg.Error as error:
        reading.troubles.append(str(error))
        return
    reading.answers_ms.append(1000 * (time.perf_counter() - begun))
    if len(rows) != 10:
        reading.troubles.append(f"{len(rows)} rows")


@contextmanager
def _postgres() -> Iterator[str]:
    server = EmbeddedPostgres()
    server.start()
    try:
        with store.connect(server.url, "benchmark") as connection:
            migrate.migrate(connection)
        yield server.url
    finally:
        server.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A reindex while readers search.")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
