"""What a pane keeps of its events: integer counts, histograms, a few examples, and one vector sum.

A summary is made of sums, so merging is addition: exact, in any order, over any number of partitions. The
examples are those with the smallest hash of their interaction's id, which is as free of order.

Counts that are sums of numbers carry their scale in the name (``latency_us``, ``cost_nano_usd``), so that
they stay integers. A vector is taken by its direction: it is scaled to unit length and rounded to a grid of
2**-14, which is finer than float16 near one. Rounding each vector before adding is what makes the sum the
same whatever the order.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift_aware.schema.events import Embedding, Evaluation, Event, Feedback, Interaction
from drift_aware.streams.reference import Reference
from drift_aware.streams.vectors import GRID
from drift_aware.streams.words import words_of

Vector = NDArray[np.int32]  # one embedding on the grid, shape (d,)
EXAMPLES = 24  # so many are kept of a pane
_LARGEST = 2**63 - 1  # of a count on the wire
_AGAIN = "#again"
# In the sums of days: how many events do not open a conversation.
AGAIN = "again"
SCORED = "scored/"
SILHOUETTE = "silhouette_grid"

# What may be wrong with one event, by the count that it adds to.
MARKS = {"refusals": 1, "toxic": 2, "errors": 4, "rating": 8, "tasks": 16}

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


# An example to be, with the beginning of the query in place of its words.
Unread = tuple[int, str, str, int, int, int]


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
        unread: candidates for EXAMPLES that ``read`` chooses from. Most fall out again while a pane fills,
            and to find a query's words takes longer than to count it.
    """

    __slots__ = ("counts", "examples", "histograms", "unread", "vector")

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
        self.unread: list[Unread] = []

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
        self.unread += other.unread

    def trim(self, most: int = EXAMPLES) -> None:
        """Keep no more than so many examples; the same ones in whatever order they came."""
        if len(self.examples) > most:
            self.examples = set(sorted(self.examples)[:most])

    def sift(self) -> None:
        """Drop the candidates that cannot become examples."""
        hashes = {hashed for hashed, *_ in self.unread} | {each.hash for each in self.examples}
        last = max(sorted(hashes)[:EXAMPLES], default=0)
        self.unread = [each for each in self.unread if each[0] <= last]

    def read(self) -> None:
        """Make examples of the candidates."""
        if self.unread:
            self.sift()
            self.examples |= {
                Example(hashed, name, words_of(text), cluster, novelty, marks)
                for hashed, name, text, cluster, novelty, marks in self.unread
            }
            self.trim()
            self.unread = []

    def mean_vector(self) -> NDArray[np.float64]:
        """The mean of the unit vectors, shape (d,)."""
        assert self.vector is not None
        return self.vector / (GRID * self.events)

    def pack(self) -> Packed:
        """The summary for the wire; equal summaries give equal bytes."""
        self.read()
        return Packed(
            {name: min(self.counts[name], _LARGEST) for name in sorted(self.counts)},
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
            return _embeddings(event.kind, event.model, event.dim)
        case Interaction():
            return "interaction"
        case Feedback():
            return "feedback"
        case Evaluation():
            return "evaluation"


@lru_cache(1_000)
def _embeddings(kind: str, model: str | None, dim: int | None) -> str:
    return f"embedding/{kind}/{model or ''}/{dim}"


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


def scored_by(reference: Reference) -> str:
    """The count of vectors that a reference has scored. Scores of another one mean nothing to it."""
    return f"{SCORED}{reference.id}"


def is_total(name: str) -> bool:
    """Whether a count is worth adding up for ever: those of scores depend on when a baseline came."""
    return not name.startswith(SCORED) and name != SILHOUETTE
