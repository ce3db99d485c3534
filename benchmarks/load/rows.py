"""The traffic that is measured: each row of the table answers one question."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rig.configuration import PARTITIONS

# How dense the events lie in event time. A pane of ten seconds has ten times as many, and what a pane costs
# is shared by them.
EVENTS_A_SECOND = 1_000
# As much as one worker counts of many segments in a second of its own time.
DENSE = 20_000
# So that panes close: they wait for the allowed lateness.
_LEAST_PANES_SECONDS = 60


@dataclass(frozen=True)
class Row:
    """One kind of traffic.

    Attributes:
        name: as in the table.
        kind: what the events are.
        packed: events in a record.
        dim: of embeddings, how many float16 numbers.
        segments: how many there are; every event has a random one.
        turns: events of a conversation; 1 for events without a session.
        micros: what an event costs the worker, roughly: decides how many there are.
        peers: whether the others are measured too.
        labelled: whether interactions carry their labels, or the worker has to give them.
        rate: events in a second of event time.
        settings: of the worker, where they are not its own defaults.
    """

    name: str
    kind: Literal["embedding", "interaction"] = "embedding"
    packed: int = 50
    dim: int = 384
    segments: int = 1
    turns: int = 1
    micros: float = 15.0
    peers: bool = False
    labelled: bool = True
    rate: int = EVENTS_A_SECOND
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    def events(self, seconds: float) -> int:
        """How many keep a worker busy for so long; whole records, the same number on every partition.

        >>> Row("a", packed=50, micros=10.0).events(1.0), Row("a", micros=1000.0).events(1.0)
        (100000, 60000)
        """
        wanted = max(seconds * 1e6 / self.micros, _LEAST_PANES_SECONDS * self.rate)
        each = self.packed * PARTITIONS
        return round(wanted / each) * each


# The Publisher packs 50 events or 64 kB into a record, whichever is less, and 384 is the most common width of
# small sentence embedders; one segment is what a first user has. So this row is what others are compared in.
REFERENCE = Row("384, 50 a record", peers=True)
ROWS = [
    REFERENCE,
    Row("384, 10 a record", packed=10, micros=16),
    Row("384, 1 a record", packed=1, micros=80, peers=True),
    Row("1,536, 20 a record", dim=1536, packed=20, micros=30),
    Row("384, 50 a record, conversations of 4", turns=4, micros=20),
    Row("384, 50 a record, 100 segments", segments=100, micros=100, peers=True),
    Row("384, 50 a record, 10,000 segments, 1,000 kept", segments=10_000, micros=500),
    Row(
        "384, 50 a record, 10,000 segments kept",
        segments=10_000,
        micros=600,
        settings={"max_segments": 10_000},
    ),
    Row("interactions, 50 a record", kind="interaction", micros=12, peers=True),
    Row("interactions, 1 a record", kind="interaction", packed=1, micros=80),
    Row("interactions, 50 a record, conversations of 4", kind="interaction", turns=4, micros=20),
    Row("interactions, 50 a record, no labels given", kind="interaction", labelled=False, micros=20),
    *(
        Row(f"interactions, 50 a record, {each:,} segments, dense", "interaction", segments=each, rate=DENSE)
        for each in (8, 1_000)
    ),
    Row(
        "interactions, 50 a record, 1,000 segments, dense, panes of a minute",
        "interaction",
        segments=1_000,
        rate=DENSE,
        micros=1.25,  # four minutes
        settings={"pane_seconds": 60},
    ),
]
QUICK = [ROWS[0], ROWS[2]]
# As long as SUMMARISE keeps panes, and sparse, so that it does not take long.
MEMORY_SECONDS = 700
MEMORY = [
    replace(row, name=f"{row.name}, {segments:,}", segments=segments, rate=500)
    for row in (
        Row("384"),
        Row("1,536", dim=1536, packed=20),
        Row("interactions", kind="interaction", dim=0),
    )
    for segments in (10, 1_000)
]
