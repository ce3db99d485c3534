"""What a pane keeps of its events: integer counts, and of embeddings one fixed-point vector sum.

A summary is made of sums only, so merging is addition: exact, in any order, over any number of partitions.

Counts that are sums of numbers carry their scale in the name (``latency_us``, ``cost_nano_usd``), so that
they stay integers. A vector is taken by its direction: it is scaled to unit length and rounded to a grid of
2**-14, which is finer than float16 near one. Rounding each vector before adding is what makes the sum the
same whatever the order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.schema.events import (
    Embedding,
    Evaluation,
    Event,
    Feedback,
    Interaction,
    correctness,
    rating,
)

GRID = 1 << 14
Vector = NDArray[np.int32]  # one embedding on the grid, shape (d,)
TOXIC_FROM = 0.5  # an answer counts as toxic at this score


class Packed(msgspec.Struct, omit_defaults=True, array_like=True):
    """A summary on the wire and in a table; ``vector`` holds little-endian int64 numbers."""

    counts: dict[str, int]
    vector: bytes = b""


class Summary:
    """Sums over events of one family.

    Attributes:
        counts: name to count; ``events`` is always there.
        vector: the sum of the unit vectors on the grid, shape (d,), int64; None if there are no vectors.
    """

    __slots__ = ("counts", "vector")

    def __init__(
        self, counts: Mapping[str, int] | None = None, vector: NDArray[np.int64] | None = None
    ) -> None:
        self.counts: dict[str, int] = dict(counts or {})
        self.vector = vector

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Summary) and self.pack() == other.pack()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Summary({self.counts}, dim={0 if self.vector is None else len(self.vector)})"

    @property
    def events(self) -> int:
        """How many events are in it."""
        return self.counts.get("events", 0)

    def add(self, other: "Summary") -> None:
        """Add another summary of the same family to this one."""
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        if other.vector is not None:
            self.vector = other.vector.copy() if self.vector is None else self.vector + other.vector

    def mean_vector(self) -> NDArray[np.float64]:
        """The mean of the unit vectors, shape (d,)."""
        assert self.vector is not None
        return self.vector / (GRID * self.events)

    def pack(self) -> Packed:
        """The summary for the wire; equal summaries give equal bytes."""
        vector = b"" if self.vector is None else self.vector.astype("<i8").tobytes()
        return Packed(dict(sorted(self.counts.items())), vector)


def unpack(packed: Packed) -> Summary:
    """The reverse of ``Summary.pack``."""
    vector = np.frombuffer(packed.vector, "<i8").astype(np.int64) if packed.vector else None
    return Summary(packed.counts, vector)


def merge(summaries: Iterable[Summary]) -> Summary:
    """The sum of summaries of one family."""
    total = Summary()
    for summary in summaries:
        total.add(summary)
    return total


def family(event: Event) -> str:
    """Which events can be added up with this one: its type, and of embeddings what makes them comparable."""
    match event:
        case Embedding():
            return f"embedding/{event.kind}/{event.model or ''}/{event.dim}"
        case Interaction():
            return "interaction"
        case Feedback():
            return "feedback"
        case Evaluation():
            return "evaluation"


def kind_of(name: str) -> str:
    """The kind of event that a family is of.

    >>> kind_of("embedding/query/m/384"), kind_of("feedback")
    ('embedding', 'feedback')
    """
    return name.partition("/")[0]


def embedding_family(name: str) -> tuple[str, str]:
    """Kind and model of a family of embeddings; a model's name may hold slashes.

    >>> embedding_family("embedding/query/BAAI/bge-small/384")
    ('query', 'BAAI/bge-small')
    """
    _, kind, rest = name.split("/", 2)
    return kind, rest.rpartition("/")[0]


def summarise_events(events: Sequence[Event], vectors: Sequence[Vector | None]) -> Summary:
    """The summary of events of one family.

    Args:
        events: at least one event; interactions already carry their labels.
        vectors: of each embedding its row on the grid (``vectors.on_grid``); None for other events.
    """
    summary = Summary({"events": len(events)})
    counts = summary.counts
    for event in events:
        for name, count in _counts(event):
            counts[name] = counts.get(name, 0) + count
    rows = [row for row in vectors if row is not None]
    if rows:
        summary.vector = np.sum(rows, axis=0, dtype=np.int64)
    return summary


def _counts(event: Event) -> Iterator[tuple[str, int]]:
    match event:
        case Interaction():
            yield from _interaction(event)
        case Feedback():
            yield from _feedback(event)
        case Evaluation():
            yield from _evaluation(event)


def _interaction(event: Interaction) -> Iterator[tuple[str, int]]:
    if event.refusal is not None:
        yield "refusals_known", 1
        yield "refusals", int(event.refusal)
    if event.toxicity is not None:
        yield "toxicity_known", 1
        yield "toxicity_millionths", round(event.toxicity * 1_000_000)
        yield "toxic", int(event.toxicity >= TOXIC_FROM)
    yield "errors", int(bool(event.error))
    if event.latency_ms is not None:
        yield "latency_known", 1
        yield "latency_us", round(event.latency_ms * 1000)
    if event.input_tokens is not None or event.output_tokens is not None:
        yield "tokens_known", 1
        yield "input_tokens", event.input_tokens or 0
        yield "output_tokens", event.output_tokens or 0
    if event.cost_usd is not None:
        yield "cost_known", 1
        yield "cost_nano_usd", round(event.cost_usd * 1_000_000_000)


def _feedback(event: Feedback) -> Iterator[tuple[str, int]]:
    stars = rating(event)
    if stars is not None:
        hundredths = round(stars * 100)
        yield "ratings", 1
        yield "rating_hundredths", hundredths
        yield "rating_squares", hundredths * hundredths
    if event.task_success is not None:
        yield "tasks", 1
        yield "task_successes", int(event.task_success)


def _evaluation(event: Evaluation) -> Iterator[tuple[str, int]]:
    correct = correctness(event)
    if correct is not None:
        yield "graded", 1
        yield "correct", int(correct)
    if event.score is not None:
        yield "scores", 1
        yield "score_millionths", round(event.score * 1_000_000)
