"""What the two stages of the worker have in common: state in rows, results in records.

A stage is pure. The rim gives it one Kafka record at a time, with its offset, and asks from time to time
for what has changed. It writes those rows in their order, then the position, then sends the records. After
a crash it gives back the rows and goes on at the position, which may be older than the rows: so every row
remembers the offset up to which it has counted, and skips what it has seen.

A row's key begins with the number of the partition it belongs to, and a bar: after a rebalance a worker's
tables still hold rows of partitions it no longer owns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drift_aware.schema.envelope import DeadLetter

Row = tuple[bytes, bytes | None]

# Writing so many takes a second or two, in which nothing else is done.
MANY_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Input:
    """One Kafka record.

    Attributes:
        appended_ms: when the broker or the producer stamped it, milliseconds; None if it did not.
        headers: name and value of each; empty where nobody asks for them.
    """

    topic: str
    partition: int
    offset: int
    value: bytes | None
    content_type: str
    appended_ms: int | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """One record to send; ``partition`` None leaves the choice to the key."""

    topic: str
    key: bytes
    value: bytes
    partition: int | None = None


@dataclass(slots=True)
class Changes:
    """What a stage wants written, in this order, and then sent."""

    rows: list[Row] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)


class Stage(Protocol):
    """SUMMARISE or DETECT."""

    def restore(self, partition: int, rows: Iterable[tuple[bytes, bytes]], notes: dict[str, bytes]) -> None:
        """Take over a partition: its rows, and the note kept with the position of each topic.

        What it has sent before may be lost, so the next ``changes`` sends it again.
        """

    def forget(self) -> None:
        """Drop everything in memory: another worker may own it now."""

    def fold(self, record: Input) -> Sequence[DeadLetter] | None:
        """Count one record; what cannot be counted comes back. Never raises on bad input.

        None says that there is more to do than one should wait for: fold the same record again. In between
        anything may happen, ``changes`` and ``restore`` too, but no other record may be folded.
        """

    def note(self, topic: str, partition: int) -> bytes:
        """What must be kept exactly as far as the position: stored in the same row."""

    def changes(self, partition: int) -> Changes:
        """What is new since the last call."""

    @property
    def urgent(self) -> bool:
        """Whether what waits to be written, all partitions together, should wait no longer."""
