"""What detectors cost: processor time of both stages, with them and without; Kafka and Faust are left out."""

from collections.abc import Iterator
from time import process_time

import msgspec
import numpy as np

from detect import clinc
from drift_aware.schema.envelope import ROWS
from drift_aware.schema.events import Embedding, Interaction, Kind
from drift_aware.schema.settings import DETECTORS, Settings
from drift_aware.schema.topics import SOURCES, SUMMARIES
from drift_aware.streams.baseline import record
from drift_aware.streams.detect import Detect
from drift_aware.streams.labels import label
from drift_aware.streams.reference import Reference, fit
from drift_aware.streams.stage import Input
from drift_aware.streams.summarise import Summarise
from drift_aware.streams.summary import Summary
from drift_aware.streams.vectors import GRID
from drift_aware.streams.wire import Fitted, encode

PANES = (5, 16, 100, 1_000)
_FAMILY = "embedding/query/m/384"
_PANES_TIMED = 60
_WARM = 20
_SILENT = frozenset({"feedback", "evaluation"})
_IN_RECORD = 50
_PANE_MS = 10_000
_NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z

# By events in a pane: microseconds an event without detectors, and what detectors add.
Costs = dict[int, tuple[float, float]]
Records = list[Input]


def costs(seed: int = 0) -> Costs:
    """Of an interaction with everything that can be watched, labels given, and the embedding of its query."""
    replicate = clinc.Replicate(clinc.load(), seed)
    shown = replicate.reference(3_000)
    reference = fit(shown.pool.rows[shown.places], shown.opens)
    vectors = (clinc.load().rows[replicate.calm(np.random.default_rng(seed), 1_000).events] / GRID).astype(
        "<f2"
    )
    found: Costs = {}
    for size in PANES:
        panes = list(_panes(size, vectors, np.random.default_rng(seed)))
        without, with_all = (
            _timed(panes, size, names, reference) for names in ([f"-{each}" for each in DETECTORS], [])
        )
        found[size] = without, with_all - without
    return found


def _timed(panes: list[Records], size: int, detectors: list[str], reference: Reference) -> float:
    """Microseconds an event, once everything is warm."""
    settings = Settings(segments=[], detectors=detectors, kafka={"partitions": 1})
    summarise, detect = Summarise(settings, label), Detect(settings)
    summarise.restore(0, [], {})
    detect.restore(0, [], {})
    packed = msgspec.msgpack.encode(reference.packed)
    sums = Summary(
        {"events": reference.units}, np.rint(reference.mean * GRID * reference.units).astype(np.int64)
    )
    baseline = record("all", _FAMILY, "pinned", sums, (0, 1), 0, packed)
    summarise.compare_with(baseline)
    detect.fold(Input(SUMMARIES.name, 0, 0, encode(Fitted(baseline)), ""))
    begun = 0.0
    for number, records in enumerate(panes):
        if number == _WARM:
            begun = process_time()
        for each in records:
            assert not summarise.fold(each)
        for output in [*summarise.changes(0).outputs, *summarise.watermarks(0, _SILENT.__contains__)]:
            detect.fold(Input(SUMMARIES.name, 0, 0, output.value, ""))
        detect.changes(0)
    return (process_time() - begun) / (_PANES_TIMED * size) * 1e6


def _panes(size: int, vectors: np.ndarray, rng: np.random.Generator) -> Iterator[Records]:
    offset = 0
    for pane in range(_WARM + _PANES_TIMED):
        begin = _NOON + pane * _PANE_MS
        numbers = range(pane * size, (pane + 1) * size)
        told = [_answer(rng, number, begin) for number in numbers]
        shown = [_vector(vectors[number % len(vectors)], number, begin) for number in numbers]
        kinds: list[tuple[Kind, list[Interaction] | list[Embedding]]] = [
            ("interaction", told),
            ("embedding", shown),
        ]
        records = []
        for kind, events in kinds:
            for at in range(0, size, _IN_RECORD):
                rows = [msgspec.to_builtins(event) for event in events[at : at + _IN_RECORD]]
                records.append(Input(SOURCES[kind].name, 0, offset, msgspec.json.encode(rows), ROWS))
                offset += 1
        yield records


def _vector(vector: np.ndarray, number: int, ts: int) -> Embedding:
    return Embedding(id=f"e{number}", ts=ts, vector=vector.tobytes(), dtype="float16", model="m")


def _answer(rng: np.random.Generator, number: int, ts: int) -> Interaction:
    """An interaction with everything that can be watched."""
    return Interaction(
        id=str(number),
        ts=ts,
        model_response="a" * int(rng.integers(100, 1_000)),
        intent=f"intent {rng.integers(20)}",
        refusal=bool(rng.random() < 0.03),
        toxicity=float(rng.beta(1, 30)),
        error=bool(rng.random() < 0.01),
        latency_ms=float(rng.lognormal(6, 0.5)),
        input_tokens=int(rng.integers(50, 500)),
        output_tokens=int(rng.integers(50, 500)),
        cost_usd=float(rng.lognormal(-6, 0.5)),
    )
