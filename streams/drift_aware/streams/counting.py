"""From events to summaries: many events of one family at once, column by column.

Events come in groups, one for each segment and pane. A column is added up group by group in one pass, so what
an event costs hardly depends on how many groups there are. All sums are of whole numbers: exact in any order.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

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
from drift_aware.streams.reference import Reference, Rows, Scores
from drift_aware.streams.summary import EXAMPLES, MARKS, SILHOUETTE, Summary, Vector, scored_by
from drift_aware.streams.words import READ_CHARACTERS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TOXIC_FROM = 0.5  # an answer counts as toxic at this score
_UNHAPPY = 3.0  # stars, fewer than which are a mark
# Nobody pays a million for an answer, and sums of what is counted at once stay far below 2**63.
_MOST_NANO_USD = 1e15
_LONGEST_ID = 100
_FEW = 16  # events of a group
_NO_ID = 1 << 32  # beyond every hash

_named = lru_cache(4096)(bins.named)


class Groups:
    """Which event is in which group.

    Args:
        codes: of each event its group, shape (n,).
        number: how many groups there are; each has at least one event.
    """

    def __init__(self, codes: Sequence[int] | Ints, number: int) -> None:
        self.codes: Ints = np.asarray(codes, np.int64)
        self.number = number
        self.sizes: Ints = np.bincount(self.codes, minlength=number)
        self._starts = np.cumsum(self.sizes) - self.sizes
        self._order = np.argsort(self.codes, kind="stable") if number > 1 else None

    def sums(self, values: NDArray[np.integer]) -> Ints:
        """Sums of each group, shape (number, ...), of values of shape (n, ...)."""
        ordered = values if self._order is None else values[self._order]
        return np.add.reduceat(ordered, self._starts, axis=0, dtype=np.int64)

    def sums_of_rows(self, rows: Rows) -> list[Ints]:
        """The same of vectors on the grid, shape (n, d); n is less than 2**17, so that 32 bits hold a sum."""
        if self.number * _FEW > len(rows):
            return list(self.sums(rows))  # slow for what is wide, but not with every group
        ordered = rows if self._order is None else rows[self._order]
        parts = np.split(ordered, self._starts[1:])
        return [part.sum(axis=0, dtype=np.int32).astype(np.int64) for part in parts]

    def add_histogram(self, made: Sequence[Summary], name: str, places: Ints) -> None:
        """Count how often each bin comes in each group.

        Args:
            made: of each group its summary.
            name: of the histogram.
            places: of each event its bin, shape (n,); negative if it has none.
        """
        known = places >= 0
        if not known.any():
            return
        size = int(places.max()) + 1
        found, counts = np.unique(self.codes[known] * size + places[known], return_counts=True)
        for group, place, count in zip(
            (found // size).tolist(), (found % size).tolist(), counts.tolist(), strict=True
        ):
            made[group].histograms.setdefault(name, {})[place] = count

    def smallest(self, hashes: Ints, most: int) -> Ints:
        """Which events have one of the ``most`` smallest hashes of their group.

        Args:
            hashes: of each event, shape (n,), from 0 to 2**32; those of the same interaction are equal.
            most: so many different ones.
        """
        if len(hashes) <= most:
            return np.arange(len(hashes))
        keys = (self.codes << 33) | hashes
        distinct = np.unique(keys)
        starts = np.searchsorted(distinct >> 33, np.arange(self.number + 1))
        last = np.minimum(starts[:-1] + most, starts[1:]) - 1
        return np.flatnonzero(keys <= distinct[last][self.codes])


class _Columns(NamedTuple):
    """Events of one type, field by field.

    Attributes:
        counts: name to what each event adds, shape (n,).
        places: histogram to the bin of each event, shape (n,), negative if it has none.
        ids: of the interactions they are about; empty where they are about none.
        marks: what is wrong with each, as a sum of MARKS, shape (n,).
        texts: of queries; empty if the events have none.
    """

    counts: dict[str, Ints]
    places: dict[str, Ints]
    ids: list[str]
    marks: Ints
    texts: Sequence[str | None] = ()


class Batch:
    """Events of one family.

    Args:
        events: at least one; interactions already carry their labels.
        rows: of embeddings their vectors on the grid, shape (n, d).
    """

    def __init__(self, events: Sequence[Event], rows: Rows | None = None) -> None:
        self._events, self._rows = events, rows
        self._columns = _READERS[type(events[0])](events)
        self._hashes: Ints = np.array([_hash(name) for name in self._columns.ids], np.int64)

    def summaries(self, groups: Groups, references: Sequence[Reference | None] = ()) -> list[Summary]:
        """The summary of each group, its examples not read yet.

        Args:
            groups: of these events.
            references: what the embeddings of each group are scored against; empty if nothing is.
        """
        made = [Summary({"events": size}) for size in groups.sizes.tolist()]
        columns = self._columns
        if columns.counts:
            table = groups.sums(np.stack(list(columns.counts.values()), axis=1)).tolist()
            for summary, row in zip(made, table, strict=True):
                summary.counts.update((name, n) for name, n in zip(columns.counts, row, strict=True) if n)
        for name, places in columns.places.items():
            groups.add_histogram(made, name, places)
        scores = None
        if self._rows is not None:
            scores = _add_vectors(made, self._rows, groups, references)
        self._add_examples(made, groups, scores)
        return made

    def _add_examples(self, made: Sequence[Summary], groups: Groups, scores: Scores | None) -> None:
        chosen = groups.smallest(self._hashes, EXAMPLES)
        chosen = chosen[self._hashes[chosen] != _NO_ID]
        places = chosen.tolist()
        ids, texts = self._columns.ids, self._columns.texts
        nothing = [-1] * len(places)
        unread = zip(
            self._hashes[chosen].tolist(),
            [ids[at] for at in places],
            [(texts[at] or "")[:READ_CHARACTERS] for at in places] if texts else [""] * len(places),
            nothing if scores is None else scores.cluster[chosen].tolist(),
            nothing if scores is None else scores.novelty[chosen].tolist(),
            self._columns.marks[chosen].tolist(),
            strict=True,
        )
        for group, each in zip(groups.codes[chosen].tolist(), unread, strict=True):
            made[group].unread.append(each)


def summarise_events(
    events: Sequence[Event], vectors: Sequence[Vector | None], reference: Reference | None = None
) -> Summary:
    """The summary of events of one family.

    Args:
        events: at least one event; interactions already carry their labels.
        vectors: of each embedding its row on the grid (``vectors.on_grid``); None for other events.
        reference: what embeddings are scored against, if there is one.
    """
    rows = [row for row in vectors if row is not None]
    batch = Batch(events, np.array(rows) if rows else None)
    [summary] = batch.summaries(_one_group(len(events)), [reference])
    summary.read()
    return summary


def add_vectors(summary: Summary, rows: Rows, reference: Reference | None) -> None:
    """Put the sum of vectors and what a reference says of them into a summary that has none yet.

    Args:
        summary: of the same events.
        rows: vectors on the grid, shape (n, d).
        reference: what scores them, if there is one.
    """
    _add_vectors([summary], rows, _one_group(len(rows)), [reference])


def _one_group(size: int) -> Groups:
    return Groups(np.zeros(size, np.int64), 1)


def _add_vectors(
    made: Sequence[Summary], rows: Rows, groups: Groups, references: Sequence[Reference | None]
) -> Scores | None:
    for summary, total in zip(made, groups.sums_of_rows(rows), strict=True):
        summary.vector = total
    scored = {reference for reference in references if reference is not None}
    if not scored:
        return None
    # Negative where nothing has scored them.
    scores = Scores(*np.full((4, len(rows)), -1, np.int64))
    scores.silhouette[:] = 0
    for reference in scored:
        chosen = np.array([each is reference for each in references])[groups.codes]
        for column, found in zip(scores, reference.score(rows[chosen]), strict=True):
            column[chosen] = found
    silhouettes = groups.sums(scores.silhouette).tolist()
    for summary, scorer, silhouette in zip(made, references, silhouettes, strict=True):
        if scorer is not None:
            summary.counts[scored_by(scorer)] = summary.events
            summary.counts[SILHOUETTE] = silhouette
    groups.add_histogram(made, "novelty", scores.novelty)
    groups.add_histogram(made, "cluster", scores.cluster)
    groups.add_histogram(made, "distance", scores.distance)
    return scores


def _hash(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass")) if name else _NO_ID


def _numbers(values: Sequence[float | None]) -> Floats:
    """NaN where there is none."""
    return np.array(values, np.float64)


def _whole(numbers: Floats) -> Ints:
    """To whole numbers; nothing becomes zero."""
    return np.rint(np.nan_to_num(numbers)).astype(np.int64)


def _known(numbers: Floats) -> Ints:
    return (~np.isnan(numbers)).astype(np.int64)


def _half_octaves(numbers: Floats) -> Ints:
    """``bins.half_octave`` of whole numbers; negative where there is none."""
    mantissa, exponent = np.frexp(np.rint(np.nan_to_num(numbers)))
    places = 2 * (exponent - 1) + (mantissa >= 0.75)  # the second highest bit
    places = np.minimum(np.where(exponent < 2, exponent, places), bins.OCTAVE_BINS - 1)
    return np.where(np.isnan(numbers), -1, places).astype(np.int64)


def _marks(wrong: Mapping[str, Ints | NDArray[np.bool_]]) -> Ints:
    marked: Ints = np.stack([MARKS[name] * (column != 0) for name, column in wrong.items()]).sum(axis=0)
    return marked


def _classes(names: Sequence[str | None]) -> Ints:
    return np.array([-1 if name is None else _named(name) for name in names], np.int64)


def _interactions(events: Sequence[Interaction]) -> _Columns:
    refusal = _numbers([event.refusal for event in events])
    toxicity = _numbers([event.toxicity for event in events])
    latency = _numbers([event.latency_ms for event in events])
    cost = _numbers([event.cost_usd for event in events])
    tokens_in = _numbers([event.input_tokens for event in events])
    tokens_out = _numbers([event.output_tokens for event in events])
    length = _numbers(
        [None if event.model_response is None else len(event.model_response) for event in events]
    )
    intent = _classes([event.intent for event in events])
    counts = {
        "refusals_known": _known(refusal),
        "refusals": _whole(refusal),
        "toxicity_known": _known(toxicity),
        "toxicity_millionths": _whole(toxicity * 1e6),
        "toxic": (toxicity >= TOXIC_FROM).astype(np.int64),
        "errors": np.array([bool(event.error) for event in events], np.int64),
        "responses": _known(length),
        "response_characters": _whole(length),
        "latency_known": _known(latency),
        "latency_us": _whole(latency * 1000),
        "tokens_known": _known(tokens_in) | _known(tokens_out),
        "input_tokens": _whole(tokens_in),
        "output_tokens": _whole(tokens_out),
        "intents": (intent >= 0).astype(np.int64),
        "cost_known": _known(cost),
        "cost_nano_usd": _whole(np.minimum(cost * 1e9, _MOST_NANO_USD)),
    }
    toxicity_places = np.searchsorted(bins.TOXICITY_EDGES, toxicity, "right")
    places = {
        "toxicity": np.where(np.isnan(toxicity), -1, toxicity_places),
        "response_length": _half_octaves(length),
        "latency": _half_octaves(latency),
        "input_tokens": _half_octaves(tokens_in),
        "output_tokens": _half_octaves(tokens_out),
        "cost": _half_octaves(cost * 1e6),
        "intent": intent,
    }
    wrong = {name: counts[name] for name in ("refusals", "toxic", "errors")}
    ids = [event.id[:_LONGEST_ID] for event in events]
    return _Columns(counts, places, ids, _marks(wrong), [event.user_query for event in events])


def _feedback(events: Sequence[Feedback]) -> _Columns:
    stars = _numbers([rating(event) for event in events])
    tasks = _numbers([event.task_success for event in events])
    hundredths = _whole(stars * 100)
    counts = {
        "ratings": _known(stars),
        "rating_hundredths": hundredths,
        "rating_squares": hundredths * hundredths,
        "tasks": _known(tasks),
        "task_successes": _whole(tasks),
    }
    nearest = np.clip(_whole(stars), 1, bins.RATING_BINS) - 1
    places = {"rating": np.where(np.isnan(stars), -1, nearest)}
    wrong = {"rating": stars < _UNHAPPY, "tasks": tasks == 0}
    return _Columns(counts, places, [event.interaction_id[:_LONGEST_ID] for event in events], _marks(wrong))


def _evaluations(events: Sequence[Evaluation]) -> _Columns:
    correct = _numbers([correctness(event) for event in events])
    score = _numbers([event.score for event in events])
    expected = _classes([event.expected for event in events])
    predicted = _classes([event.predicted for event in events])
    both = (expected >= 0) & (predicted >= 0)
    same = np.array([event.expected == event.predicted for event in events]) & both
    counts = {
        "graded": _known(correct),
        "correct": _whole(correct),
        "scores": _known(score),
        "score_millionths": _whole(score * 1e6),
    }
    places = {
        "expected": np.where(both, expected, -1),
        "predicted": np.where(both, predicted, -1),
        "matched": np.where(same, expected, -1),
    }
    return _Columns(counts, places, [""] * len(events), np.zeros(len(events), np.int64))


def _embeddings(events: Sequence[Embedding]) -> _Columns:
    ids = [(event.interaction_id or "")[:_LONGEST_ID] for event in events]
    return _Columns({}, {}, ids, np.zeros(len(events), np.int64))


_READERS: dict[type[Event], Callable[[Any], _Columns]] = {
    Interaction: _interactions,
    Feedback: _feedback,
    Evaluation: _evaluations,
    Embedding: _embeddings,
}
