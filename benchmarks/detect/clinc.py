"""Real queries as streams: baselines of a few topics, and what may come after them.

CLINC150 (Larson et al. 2019, https://github.com/clinc/oos-eval, CC BY 3.0) has 22,500 queries of 150 intents
in ten domains, and 1,200 out of scope; they are embedded with all-MiniLM-L6-v2. Both lie beside the project
in ``../shared/data`` and are not part of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from detect.protocol import Bools, Floats, Ints, Stream
from drift_aware.schema.errors import DriftAwareError
from drift_aware.streams.vectors import rows_on_grid

DATA = Path(__file__).parents[3] / "shared" / "data"
DOMAINS = 5
SCENARIOS = ("contam100", "contam30", "contam10", "contam5", "ramp30", "mixdomain", "oos30")
CALM_BEFORE = 1_000
# A change falls somewhere in a pane, not always between two.
_JITTER = 100
HORIZON = 5_000
RAMP = 2_000
OPEN_CONVERSATIONS = 8
TURNS = 5
WIDE = 1_536
_WIDE_NOISE = 0.1
_OUT_OF_SCOPE = "oos"

# Which intents, and with what weights.
Mixture = Mapping[int, float]


class NoData(DriftAwareError):
    """The queries or their embeddings are not there."""


class Query(msgspec.Struct):
    intent: str
    domain: str


@dataclass(frozen=True)
class Pool:
    """All queries.

    Attributes:
        rows: embeddings on the grid, shape (n, d), int32.
        unit: the same as unit vectors, float32.
        places: of each intent, where its queries are.
        domains: the intents of each domain.
        out_of_scope: the intent of queries that belong to none.
    """

    rows: NDArray[np.int32]
    unit: NDArray[np.float32]
    places: list[Ints]
    domains: list[list[int]]
    out_of_scope: int


@cache
def load(folder: Path = DATA, wide: bool = False) -> Pool:
    """Read the pool.

    Args:
        folder: where the two files are.
        wide: as if the model had 1,536 dimensions: rotated at random into so many, plus noise a tenth as long
            as the vector, and then reduced as the product reduces what is wide.

    Raises:
        NoData: a file is missing.
    """
    queries, vectors = folder / "clinc150.jsonl", folder / "clinc150_minilm_l6_f16.npy"
    if not queries.exists() or not vectors.exists():
        raise NoData(f"put clinc150.jsonl and clinc150_minilm_l6_f16.npy into {folder}, or name their folder")
    read = msgspec.json.Decoder(Query).decode
    return pool_of(
        [read(line) for line in queries.read_bytes().splitlines()], np.load(vectors).astype(np.float64), wide
    )


def pool_of(queries: list[Query], vectors: Floats, wide: bool = False) -> Pool:
    """A pool of queries and their embeddings, shape (n, d); see ``load``."""
    names = sorted({query.intent for query in queries})
    numbers = {name: number for number, name in enumerate(names)}
    intents = np.array([numbers[query.intent] for query in queries])
    domains: dict[str, set[int]] = {}
    for query in queries:
        if query.intent != _OUT_OF_SCOPE:
            domains.setdefault(query.domain, set()).add(numbers[query.intent])
    rows = np.concatenate([_rows(part, wide, seed) for seed, part in enumerate(np.array_split(vectors, 12))])
    return Pool(
        rows=rows,
        unit=(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32),
        places=[np.flatnonzero(intents == number) for number in range(len(names))],
        domains=[sorted(domains[name]) for name in sorted(domains)],
        out_of_scope=numbers[_OUT_OF_SCOPE],
    )


def _rows(vectors: Floats, wide: bool, seed: int) -> NDArray[np.int32]:
    if wide:
        noise = np.random.default_rng([1, seed]).normal(size=(len(vectors), WIDE))
        vectors = vectors @ _rotation(vectors.shape[1]).T + noise * (_WIDE_NOISE / np.sqrt(WIDE))
    return rows_on_grid(vectors.copy())[0]


@cache
def _rotation(dim: int) -> Floats:
    """Orthonormal columns, shape (WIDE, dim)."""
    rotation: Floats = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDE, dim)))[0]
    return rotation


@dataclass(frozen=True)
class Sample:
    """The reference that a contender may look at.

    Attributes:
        pool: where the embeddings are.
        places: of the reference's queries in the pool, shape (n,).
        opens: which of them open a conversation, shape (n,); all of them if there are none.
    """

    pool: Pool
    places: Ints
    opens: Bools


class Replicate:
    """One baseline: five domains of equal weight, in each the intents with random weights.

    The queries of every intent are split in halves: the reference is drawn from one, the streams from the
    other, so no query is in both. Draws are with replacement.

    Args:
        pool: all queries.
        seed: of the replicate.
    """

    def __init__(self, pool: Pool, seed: int) -> None:
        self._pool, self._rng = pool, np.random.default_rng(seed)
        rng = self._rng
        self._halves = [np.array_split(rng.permutation(places), 2) for places in pool.places]
        order = [pool.domains[place] for place in rng.permutation(len(pool.domains))]
        self._known, self._unseen = order[:DOMAINS], order[DOMAINS:]
        self._parts = [_weights(rng, intents) for intents in self._known]
        self._base = {intent: weight / DOMAINS for part in self._parts for intent, weight in part.items()}

    def reference(self, size: int, conversations: bool = False) -> Sample:
        """So many queries of the half that no stream sees."""
        if conversations:
            places, opens = self._talk(self._rng, size, None, 0.0, side=0)
            return Sample(self._pool, places, opens)
        return Sample(self._pool, self._draw(self._rng, self._base, size, side=0), np.ones(size, np.bool_))

    def calm(self, rng: np.random.Generator, size: int, conversations: bool = False) -> Stream:
        """A stream in which nothing changes."""
        if conversations:
            return Stream(*self._talk(rng, size, None, 0.0))
        return Stream(self._draw(rng, self._base, size))

    def changing(self, rng: np.random.Generator, scenario: str, conversations: bool = False) -> Stream:
        """A stream that is calm at first, and then one of ``SCENARIOS``."""
        calm = CALM_BEFORE + int(rng.integers(_JITTER))
        if conversations:
            before = self._talk(rng, calm, None, 0.0)
            after = self._talk(rng, HORIZON, self._new(rng), _percent(scenario))
            places, opens = (np.concatenate(pair) for pair in zip(before, after, strict=True))
            return Stream(places, opens, calm)
        events = [self._draw(rng, self._base, calm), self._changed(rng, scenario)]
        return Stream(np.concatenate(events), change=calm)

    def _changed(self, rng: np.random.Generator, scenario: str) -> Ints:
        if scenario == "mixdomain":
            return self._draw(rng, self._doubled(rng), HORIZON)
        share = np.full(HORIZON, _percent(scenario))
        if scenario.startswith("ramp"):
            share = share * np.minimum(1.0, np.arange(1, HORIZON + 1) / RAMP)
        new = {self._pool.out_of_scope: 1.0} if scenario.startswith("oos") else self._new(rng)
        base, other = self._draw(rng, self._base, HORIZON), self._draw(rng, new, HORIZON)
        return np.where(rng.random(HORIZON) < share, other, base)

    def _new(self, rng: np.random.Generator) -> Mixture:
        return _weights(rng, self._unseen[rng.integers(len(self._unseen))])

    def _doubled(self, rng: np.random.Generator) -> Mixture:
        """The baseline, but one of its domains has 40 % of it, where it had 20."""
        grown = rng.integers(DOMAINS)
        share, rest = 2 / DOMAINS, (1 - 2 / DOMAINS) / (DOMAINS - 1)
        return {
            intent: weight * (share if number == grown else rest)
            for number, part in enumerate(self._parts)
            for intent, weight in part.items()
        }

    def _draw(self, rng: np.random.Generator, mixture: Mixture, size: int, side: int = 1) -> Ints:
        weights = np.array(list(mixture.values()))
        chosen = rng.choice(list(mixture), size=size, p=weights / weights.sum())
        drawn = np.empty(size, np.int64)
        for intent in np.unique(chosen):
            where = np.flatnonzero(chosen == intent)
            half = self._halves[intent][side]
            drawn[where] = half[rng.integers(0, len(half), len(where))]
        return drawn

    def _talk(
        self, rng: np.random.Generator, size: int, new: Mixture | None, share: float, side: int = 1
    ) -> tuple[Ints, Bools]:
        """Conversations of five queries each on one domain, several at a time, in random turn.

        Returns:
            The queries, shape (size,), and which of them open a conversation.
        """
        places, opens = np.empty(size, np.int64), np.zeros(size, np.bool_)
        waiting: list[list[int]] = [[] for _ in range(OPEN_CONVERSATIONS)]
        for index, slot in enumerate(rng.integers(0, OPEN_CONVERSATIONS, size)):
            if not waiting[slot]:
                part = self._parts[rng.integers(DOMAINS)]
                topic = new if new is not None and rng.random() < share else part
                waiting[slot] = self._draw(rng, topic, TURNS, side).tolist()
                opens[index] = True
            places[index] = waiting[slot].pop()
        return places, opens


def _weights(rng: np.random.Generator, intents: list[int]) -> Mixture:
    return dict(zip(intents, rng.dirichlet(np.ones(len(intents))).tolist(), strict=True))


def _percent(scenario: str) -> float:
    return int(scenario.lstrip("abcdefghijklmnopqrstuvwxyz")) / 100
