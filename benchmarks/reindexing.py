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


def main() -> None:
    """Print the tables."""
    arguments = _arguments()
    data = clinc()
    texts = list(dict.fromkeys(data.texts))[: arguments.texts]
    # The same text may stand there twice, with the same vector.
    vectors = dict(zip(data.texts, data.vectors, strict=True))
    asked = data.vectors[-_QUESTIONS:]

    def vector(text: str) -> list[float]:
        return [float(each) for each in vectors[text.removesuffix(_CHANGED)]]

    with (
        tempfile.TemporaryDirectory() as folder,
        Endpoint(DIM, vector) as endpoint,
        _postgres() as url,
    ):
        bench = Bench(url, endpoint, Path(folder) / "documents.jsonl")
        lines = []
        for number in range(arguments.rounds):
            changed = [
                text + _CHANGED if number and n % 10 == number else text for n, text in enumerate(texts)
            ]
            bench.write(*changed)
            readers = 0 if number == 0 else arguments.readers
            lines.append([str(number + 1), *_round(bench, f"round-{number}", asked, readers)])
    heads = [
        "round",
        "texts",
        "embedded",
        "s by step",
        "recall@10",
        "ef_search",
        "searches",
        "errors or empty",
    ]
    print(table([*heads, "p50 ms", "p99 ms", "max ms"], lines))


def _round(bench: Bench, name: str, asked: np.ndarray, readers: int) -> list[str]:
    before = sum(bench.endpoint.embedded.values())
    settings = {
        "embedding": {"model": MODEL, "dimensions": DIM, "batch_texts": 256, "timeout_seconds": 60},
        "prices_usd": {MODEL: 0.02},
    }
    with _readers(bench.url, asked, readers) as reading:
        results: dict[str, Any] = {}
        seconds = []
        executor = bench.executor(**settings)
        for step in executor.steps:
            begun = time.perf_counter()
            results[step] = executor.do(step, bench.job(name, **results))
            seconds.append(f"{step} {time.perf_counter() - begun:.1f}")
    check = results["check"]
    times = np.percentile(reading.answers_ms, [50, 99, 100]) if reading.answers_ms else [float("nan")] * 3
    for trouble in reading.troubles[:3]:
        print(trouble, file=sys.stderr)
    return [
        f"{results['read']['documents']:,}",
        f"{sum(bench.endpoint.embedded.values()) - before:,}",
        ", ".join(seconds),
        f"{check['recall']:.4f}",
        str(check["ef_search"]),
        f"{len(reading.answers_ms):,}",
        str(len(reading.troubles)),
        *(f"{each:.1f}" for each in times),
    ]


@contextmanager
def _readers(url: str, asked: np.ndarray, count: int) -> Iterator[Reading]:
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
