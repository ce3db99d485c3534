"""What the detectors cost: processor time for each event, all that watch it together."""

from collections.abc import Callable, Sequence
from time import process_time

import numpy as np

from detect import clinc
from drift_aware.schema.events import Interaction
from drift_aware.schema.settings import Settings
from drift_aware.streams.detectors import Detector, Pane, detectors_for
from drift_aware.streams.reference import Reference, fit
from drift_aware.streams.summary import Summary, add_vectors, summarise_events

PANES = (5, 16, 100, 1_000)
_PANES_TIMED = 100
_KINDS = 8  # different panes, taken in turn
_FAMILY = "embedding/query/m/384"
_BATCH = 500

Costs = dict[int, tuple[int, float, int, float]]


def scoring(seed: int = 0) -> float:
    """Microseconds to score one vector of 384 dimensions, in batches of 500."""
    replicate = clinc.Replicate(clinc.load(), seed)
    reference = _reference(replicate)
    rows = clinc.load().rows[:_BATCH]
    begun = process_time()
    for _ in range(10):
        reference.score(rows)
    return (process_time() - begun) / (10 * _BATCH) * 1e6


def detecting(seed: int = 0) -> Costs:
    """By size of pane: detectors of interactions and microseconds an event; the same of embeddings."""
    replicate = clinc.Replicate(clinc.load(), seed)
    reference, settings = _reference(replicate), Settings()
    rng = np.random.default_rng(seed)

    def vectors(size: int) -> Summary:
        summary = Summary({"events": size})
        add_vectors(summary, clinc.load().rows[replicate.calm(rng, size).events], reference)
        return summary

    def answers(size: int) -> Summary:
        return summarise_events([_answer(rng, number) for number in range(size)], [None] * size)

    costs: Costs = {}
    for size in PANES:
        plain = detectors_for("interaction", settings)
        deep = detectors_for(_FAMILY, settings, reference)
        costs[size] = (len(plain), _timed(plain, answers, size), len(deep), _timed(deep, vectors, size))
    return costs


def _reference(replicate: clinc.Replicate) -> Reference:
    shown = replicate.reference(3_000)
    return fit(shown.pool.rows[shown.places], shown.opens)


def _timed(detectors: Sequence[Detector], draw: Callable[[int], Summary], size: int) -> float:
    """Microseconds an event; detectors are warm by then."""
    kinds = [draw(size) for _ in range(_KINDS)]
    baseline = draw(3_000)
    length = 10_000  # milliseconds of a pane
    begun = 0.0
    for number in range(2 * _PANES_TIMED):
        if number == _PANES_TIMED:
            begun = process_time()
        start, counts = number * length, kinds[number % _KINDS]
        pane = Pane(start, start + length, counts, [(start, counts)], baseline, granted_ms=float(start))
        for detector in detectors:
            detector.update(pane)
    return (process_time() - begun) / (_PANES_TIMED * size) * 1e6


def _answer(rng: np.random.Generator, number: int) -> Interaction:
    """An interaction with everything that can be watched."""
    return Interaction(
        id=str(number),
        ts=number,
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
