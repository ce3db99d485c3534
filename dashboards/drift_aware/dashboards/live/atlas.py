"""A map of embeddings: the clusters of calm traffic, and where the latest vectors lie among them."""

from collections import defaultdict
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from drift_aware.dashboards.api.errors import NotFound
from drift_aware.dashboards.live.axes import Axes, principal
from drift_aware.dashboards.live.clock import seen_until
from drift_aware.schema.segments import OTHER
from drift_aware.sql.cells import moment
from drift_aware.sql.export import dimensions_of
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.streams import reference
from drift_aware.streams.contrast import contrast_words
from drift_aware.streams.evidence import Floats
from drift_aware.streams.reference import Ints, Reference, Scores
from drift_aware.streams.summary import embedding_family
from drift_aware.streams.vectors import GRID, rows_on_grid
from drift_aware.streams.words import words_of

_DAY_MS = 86_400_000
_MOST_POINTS = 1500
# Of a family so many of the latest are looked at for those of a segment.
_LOOKED_AT = 20_000
_READ_CHARACTERS = 240
# A question may come so long before its embedding, and a vector so long after the latest pane.
_AROUND_MS = 3_600_000
# So seldom is a calm vector that unlike the baseline.
_UNUSUAL = 0.01
# So much of the map the circles of the clusters cover together.
_COVERED = 0.15

_packed = msgspec.msgpack.Decoder(reference.Packed).decode


class Cluster(Struct):
    """Some of the calm traffic.

    Attributes:
        radius: on the map; its square goes by ``share``.
        share: of the baseline; now: of the latest vectors.
        group: of clusters near each other, of which there are at most twelve.
        words: that stand out in the latest questions of the group.
    """

    name: str
    group: int
    x: float
    y: float
    radius: float
    share: float
    now: float
    words: list[str]


class Fitted(Struct):
    """What the map was drawn from; times in event-time milliseconds."""

    id: str
    since: int
    until: int
    events: int


class EmbeddingMap(Struct):
    """The clusters of a baseline, and the latest vectors among them.

    Attributes:
        families: of which there are maps of the segment.
        points: x, y, and 1 if it is unlike the baseline: no more than one in a hundred calm ones is.
        far: how many of the latest are, as a share.
        explained: how much of what tells the clusters apart shows on two axes, as a share.
    """

    segment: str
    family: str
    families: list[str]
    baseline: Fitted
    clusters: list[Cluster]
    points: list[tuple[float, float, int]]
    far: float
    explained: float


class _Latest(NamedTuple):
    vectors: Floats  # unit, shape (n, d)
    scores: Scores
    words: list[str]


def draw(connection: Connection, segment: str, family: str | None) -> EmbeddingMap:
    """Draw the map of a segment.

    Args:
        connection: in a transaction that sees one state.
        segment: its name.
        family: of which embeddings; None for the first there is.

    Raises:
        NotFound: there is no baseline yet, or nothing to show beside it.
    """
    rows = connection.execute(QUERIES["embedding_baselines"], {"segment": segment}).fetchall()
    found = {name: rest for name, *rest in rows}
    if not found:
        raise NotFound(
            f"there is no baseline of embeddings of {segment} yet: drift-aware baseline watch fits one, and "
            "drift-aware persist stores it"
        )
    family = family or next(iter(found))
    if family not in found:
        raise NotFound(f"there is no baseline of {family} in {segment}; there are {', '.join(found)}")
    *fitted, packed = found[family]
    known = Reference(_packed(packed))
    latest = _latest(connection, segment, family, known)
    if latest is None:
        raise NotFound(f"no embeddings of {family} in {segment} have been stored in the last day")
    return _drawn(segment, family, list(found), Fitted(*fitted), known, latest)


def _latest(connection: Connection, segment: str, family: str, known: Reference) -> _Latest | None:
    """The latest vectors of the segment, by what the baseline makes of them; None if there are none."""
    until = seen_until(connection)
    if until is None or segment == OTHER:
        return None
    asked = asked_vectors(segment, family, until)
    rows = connection.execute(QUERIES["latest_embeddings"], asked).fetchall()
    if not rows:
        return None
    grid, usable = rows_on_grid(np.array([vector for vector, _ in rows], np.float64))
    texts = [text or "" for _, text in rows]  # an owner may have chosen not to store them
    words = [words_of(text) for text, good in zip(texts, usable, strict=True) if good]
    return _Latest(grid[usable] / GRID, known.score(grid[usable]), words) if usable.any() else None


def asked_vectors(segment: str, family: str, until: int) -> dict[str, Any]:
    """The parameters of ``latest_embeddings``."""
    kind, model = embedding_family(family)
    dimensions = dimensions_of(segment)
    return {
        **dict.fromkeys(("app", "prompt_version", "tenant")),
        **dimensions,
        "segment_model": dimensions.get("model"),
        "dimensions": list(dimensions),
        "kind": kind,
        "model": model or None,
        "dim": int(family.rpartition("/")[2]),
        "since": moment(until - _DAY_MS),
        "texts_since": moment(until - _DAY_MS - _AROUND_MS),
        "until": moment(until + _AROUND_MS),
        "characters": _READ_CHARACTERS,
        "looked_at": _LOOKED_AT,
        "limit": _MOST_POINTS,
    }


def _drawn(
    segment: str, family: str, families: list[str], fitted: Fitted, known: Reference, latest: _Latest
) -> EmbeddingMap:
    shares = known.cluster_counts / max(known.cluster_counts.sum(), 1.0)
    axes = principal(known.centroids, shares)
    points = axes.place(latest.vectors)
    unusual = latest.scores.novelty >= known.unusual(_UNUSUAL)
    return EmbeddingMap(
        segment=segment,
        family=family,
        families=families,
        baseline=fitted,
        clusters=_clusters(known, axes, shares, latest, points),
        points=[
            (round(float(x), 4), round(float(y), 4), int(far))
            for (x, y), far in zip(points, unusual, strict=True)
        ],
        far=float(unusual.mean()),
        explained=axes.explained,
    )


def _clusters(known: Reference, axes: Axes, shares: Floats, latest: _Latest, points: Floats) -> list[Cluster]:
    centres = axes.place(known.centroids)
    nearest = latest.scores.cluster
    now = np.bincount(nearest, minlength=known.clusters) / len(nearest)
    unit = _radius(np.concatenate([centres, points]))
    words = _words(latest.words, known.groups[nearest])
    return [
        Cluster(
            name=f"cluster {place}",
            group=int(known.groups[place]),
            x=round(float(centres[place, 0]), 4),
            y=round(float(centres[place, 1]), 4),
            radius=round(unit * float(np.sqrt(shares[place])), 4),
            share=float(shares[place]),
            now=float(now[place]),
            words=words[int(known.groups[place])],
        )
        for place in range(known.clusters)
    ]


def _radius(points: Floats) -> float:
    """Of a circle that stands for everything."""
    low, high = np.quantile(points, [0.01, 0.99], axis=0)
    width, height = high - low
    return float(np.sqrt(_COVERED * max(width, 1e-6) * max(height, 1e-6) / np.pi))


def _words(texts: list[str], groups: Ints) -> defaultdict[int, list[str]]:
    """Group to the words that stand out in it; a cluster alone has too few texts for any to."""
    inside: defaultdict[int, list[str]] = defaultdict(list)
    for text, group in zip(texts, groups.tolist(), strict=True):
        if text:
            inside[group].append(text)
    found: defaultdict[int, list[str]] = defaultdict(list)
    for group, mine in inside.items():
        others = [text for other, some in inside.items() if other != group for text in some]
        found[group] = contrast_words(mine, others)
    return found
