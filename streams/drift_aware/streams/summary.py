"""What a pane keeps of its events: integer counts, histograms, a few examples, and one vector sum.

A summary is made of sums, so merging is addition: exact, in any order, over any number of partitions. The
examples are those with the smallest hash of their interaction's id, which is as free of order.

Counts that are sums of numbers carry their scale in the name (``latency_us``, ``cost_nano_usd``), so that
they stay integers. A vector is taken by its direction: it is scaled to unit length and rounded to a grid of
2**-14, which is finer than float16 near one. Rounding each vector before adding is what makes the sum the
same whatever the order.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple, TypeVar
from zlib import crc32

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
from drift_aware.streams import bins
from drift_aware.streams.reference import Reference, Scores
from drift_aware.streams.vectors import GRID

Vector = NDArray[np.int32]  # one embedding on the grid, shape (d,)
TOXIC_FROM = 0.5  # an answer counts as toxic at this score
# So many examples are kept of a pane; of an example so many words, from its first characters.
EXAMPLES = 24
_WORDS = 12
_READ_CHARACTERS = 240
_LONGEST_ID = 100
_AGAIN = "#again"
_SCORED = "scored/"
SILHOUETTE = "silhouette_grid"
_WORD = re.compile(r"[^\W\d_]{3,20}")

# What may be wrong with one event, by the count that it adds to.
MARKS = {"refusals": 1, "toxic": 2, "errors": 4, "rating": 8, "tasks": 16}
_UNHAPPY = 3.0  # stars, fewer than which are a mark

Histogram = dict[int, int]
Key = TypeVar("Key", int, str)


class Example(NamedTuple):
    """One interaction, picked by the hash of its id alone.

    Attributes:
        words: of the query, lower case, each once; empty if the text was withheld.
        cluster: nearest cluster of its embedding, or -1.
        novelty: bin of its novelty, or -1.
        marks: what is wrong with it, as a sum of MARKS.
    """

    hash: int
    id: str
    words: str
    cluster: int
    novelty: int
    marks: int = 0


class Packed(msgspec.Struct, omit_defaults=True, array_like=True):
    """A summary on the wire and in a table; ``vector`` holds little-endian int64 numbers."""

    counts: dict[str, int]
    vector: bytes = b""
    histograms: dict[str, Histogram] = {}
    examples: list[Example] = []


class Summary:
    """Sums over events of one family.

    Attributes:
        counts: name to count; ``events`` is always there.
        vector: the sum of the unit vectors on the grid, shape (d,), int64; None if there are no vectors.
        histograms: name to bin to count.
        examples: some of the events.
    """

    __slots__ = ("counts", "examples", "histograms", "vector")

    def __init__(
        self,
        counts: Mapping[str, int] | None = None,
        vector: NDArray[np.int64] | None = None,
        histograms: Mapping[str, Histogram] | None = None,
        examples: Iterable[Example] = (),
    ) -> None:
        self.counts: dict[str, int] = dict(counts or {})
        self.vector = vector
        self.histograms = {name: dict(each) for name, each in (histograms or {}).items()}
        self.examples = set(examples)

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
        _add(self.counts, other.counts)
        for name, histogram in other.histograms.items():
            _add(self.histograms.setdefault(name, {}), histogram)
        if other.vector is not None:
            self.vector = other.vector.copy() if self.vector is None else self.vector + other.vector
        self.examples |= other.examples

    def trim(self, most: int = EXAMPLES) -> None:
        """Keep no more than so many examples; the same ones in whatever order they came."""
        if len(self.examples) > most:
            self.examples = set(nsmallest(most, self.examples))

    def mean_vector(self) -> NDArray[np.float64]:
        """The mean of the unit vectors, shape (d,)."""
        assert self.vector is not None
        return self.vector / (GRID * self.events)

    def pack(self) -> Packed:
        """The summary for the wire; equal summaries give equal bytes."""
        return Packed(
            dict(sorted(self.counts.items())),
            b"" if self.vector is None else self.vector.astype("<i8").tobytes(),
            {name: dict(sorted(self.histograms[name].items())) for name in sorted(self.histograms)},
            sorted(self.examples),
        )


def _add(counts: dict[Key, int], more: Mapping[Key, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def less(whole: Summary, part: Summary) -> Summary:
    """What is left of a summary without a part of it. Examples are not told apart: it has none."""
    vector = whole.vector
    if vector is not None and part.vector is not None:
        vector = vector - part.vector
    return Summary(
        _less(whole.counts, part.counts),
        vector,
        {name: _less(each, part.histograms.get(name, {})) for name, each in whole.histograms.items()},
    )


def _less(counts: Mapping[Key, int], fewer: Mapping[Key, int]) -> dict[Key, int]:
    left = {key: count - fewer.get(key, 0) for key, count in counts.items()}
    return {key: count for key, count in left.items() if count}


def unpack(packed: Packed) -> Summary:
    """The reverse of ``Summary.pack``."""
    vector = np.frombuffer(packed.vector, "<i8").astype(np.int64) if packed.vector else None
    return Summary(packed.counts, vector, packed.histograms, packed.examples)


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


def again(name: str) -> str:
    """The part of a family whose events do not open a conversation."""
    return f"{name}{_AGAIN}"


def is_again(name: str) -> bool:
    """Whether a family is such a part."""
    return name.endswith(_AGAIN)


def summarise_events(
    events: Sequence[Event], vectors: Sequence[Vector | None], reference: Reference | None = None
) -> Summary:
    """The summary of events of one family.

    Args:
        events: at least one event; interactions already carry their labels.
        vectors: of each embedding its row on the grid (``vectors.on_grid``); None for other events.
        reference: what embeddings are scored against, if there is one.
    """
    summary = Summary({"events": len(events)})
    for event in events:
        for name, count in _counts(event):
            summary.counts[name] = summary.counts.get(name, 0) + count
        for name, place in _places(event):
            histogram = summary.histograms.setdefault(name, {})
            histogram[place] = histogram.get(place, 0) + 1
    rows = [row for row in vectors if row is not None]
    scores = add_vectors(summary, np.stack(rows), reference) if rows else None
    summary.examples = set(nsmallest(EXAMPLES, _examples(events, scores)))
    return summary


def add_vectors(summary: Summary, rows: NDArray[np.int32], reference: Reference | None) -> Scores | None:
    """Put the sum of vectors and what a reference says of them into a summary that has none yet.

    Args:
        summary: of the same events.
        rows: vectors on the grid, shape (n, d).
        reference: what scores them, if there is one.
    """
    summary.vector = rows.sum(axis=0, dtype=np.int64)
    if reference is None:
        return None
    scores = reference.score(rows)
    summary.counts[scored_by(reference)] = len(rows)
    summary.counts[SILHOUETTE] = int(scores.silhouette.sum())
    for name, places in (
        ("novelty", scores.novelty),
        ("cluster", scores.cluster),
        ("distance", scores.distance),
    ):
        found, counts = np.unique(places, return_counts=True)
        summary.histograms[name] = dict(zip(found.tolist(), counts.tolist(), strict=True))
    return scores


def scored_by(reference: Reference) -> str:
    """The count of vectors that a reference has scored. Scores of another one mean nothing to it."""
    return f"{_SCORED}{reference.id}"


def is_total(name: str) -> bool:
    """Whether a count is worth adding up for ever: those of scores depend on when a baseline came."""
    return not name.startswith(_SCORED) and name != SILHOUETTE


def _examples(events: Sequence[Event], scores: Scores | None) -> Iterator[Example]:
    for position, event in enumerate(events):
        name = _interaction_id(event)
        if name is None:
            continue
        name = name[:_LONGEST_ID]
        cluster = int(scores.cluster[position]) if scores is not None else -1
        novelty = int(scores.novelty[position]) if scores is not None else -1
        words = _words(event.user_query) if isinstance(event, Interaction) else ""
        yield Example(
            crc32(name.encode("utf-8", "surrogatepass")), name, words, cluster, novelty, _marks(event)
        )


def _marks(event: Event) -> int:
    wrong: dict[str, object] = {}
    match event:
        case Interaction():
            toxic = event.toxicity is not None and event.toxicity >= TOXIC_FROM
            wrong = {"refusals": event.refusal, "toxic": toxic, "errors": event.error}
        case Feedback():
            stars = rating(event)
            unhappy = stars is not None and stars < _UNHAPPY
            wrong = {"rating": unhappy, "tasks": event.task_success is False}
    return sum(MARKS[name] for name, is_so in wrong.items() if is_so)


def _interaction_id(event: Event) -> str | None:
    if isinstance(event, Evaluation):
        return None
    return event.id if isinstance(event, Interaction) else event.interaction_id


def _words(text: str | None) -> str:
    """The first words of a text, each once, in their order."""
    if not text:
        return ""
    return " ".join(list(dict.fromkeys(_WORD.findall(text[:_READ_CHARACTERS].lower())))[:_WORDS])


def _counts(event: Event) -> Iterator[tuple[str, int]]:
    match event:
        case Interaction():
            yield from _interaction(event)
        case Feedback():
            yield from _feedback(event)
        case Evaluation():
            yield from _evaluation(event)


def _places(event: Event) -> Iterator[tuple[str, int]]:
    """Histogram and bin of everything that an event has in one."""
    match event:
        case Interaction():
            yield from _interaction_places(event)
        case Feedback():
            given = rating(event)
            if given is not None:
                yield "rating", bins.stars(given)
        case Evaluation() if event.expected is not None and event.predicted is not None:
            yield "expected", bins.named(event.expected)
            yield "predicted", bins.named(event.predicted)
            if event.expected == event.predicted:
                yield "matched", bins.named(event.expected)


def _interaction_places(event: Interaction) -> Iterator[tuple[str, int]]:
    if event.toxicity is not None:
        yield "toxicity", bins.toxicity(event.toxicity)
    if event.model_response is not None:
        yield "response_length", bins.half_octave(len(event.model_response))
    if event.latency_ms is not None:
        yield "latency", bins.half_octave(round(event.latency_ms))
    if event.input_tokens is not None:
        yield "input_tokens", bins.half_octave(event.input_tokens)
    if event.output_tokens is not None:
        yield "output_tokens", bins.half_octave(event.output_tokens)
    if event.cost_usd is not None:
        yield "cost", bins.half_octave(round(event.cost_usd * 1_000_000))
    if event.intent is not None:
        yield "intent", bins.named(event.intent)


def _interaction(event: Interaction) -> Iterator[tuple[str, int]]:
    if event.refusal is not None:
        yield "refusals_known", 1
        yield "refusals", int(event.refusal)
    if event.toxicity is not None:
        yield "toxicity_known", 1
        yield "toxicity_millionths", round(event.toxicity * 1_000_000)
        yield "toxic", int(event.toxicity >= TOXIC_FROM)
    yield "errors", int(bool(event.error))
    if event.model_response is not None:
        yield "responses", 1
        yield "response_characters", len(event.model_response)
    if event.latency_ms is not None:
        yield "latency_known", 1
        yield "latency_us", round(event.latency_ms * 1000)
    if event.input_tokens is not None or event.output_tokens is not None:
        yield "tokens_known", 1
        yield "input_tokens", event.input_tokens or 0
        yield "output_tokens", event.output_tokens or 0
    if event.intent is not None:
        yield "intents", 1
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
