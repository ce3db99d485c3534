"""What a relay leaves behind, so that whoever goes on after it knows what is done. Pure.

Two things: a mark in the header of each record it sends, which names the one record that it was made of, and
a note with each offset it commits, which says since when outputs beyond that offset can be there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from drift_aware.producers.packing import Packer, Record
from drift_aware.schema.consuming import Partition
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Event

MARK_HEADER = "drift-relayed"
# Of all that a broker keeps with an offset (offset.metadata.max.bytes); the rest is for the time.
MAX_STATE_BYTES = 4_000

# What a work wants to find again, of one partition: numbers and words, as JSON.
State = dict[str, Any]


class Origin(NamedTuple):
    """Where a record came from."""

    topic: str
    partition: int
    offset: int

    @property
    def home(self) -> Partition:
        """The partition it lies on."""
        return self.topic, self.partition


class Mark(NamedTuple):
    """Which of the records that were made of one this is: ``number`` of ``total``, from 0."""

    origin: Origin
    number: int
    total: int

    def header(self, name: str) -> bytes:
        """The value of the header; ``name`` is of the relay.

        >>> Mark(Origin("otlp_spans", 3, 1234), 0, 2).header("otlp")
        b'otlp/otlp_spans/3/1234/0/2'
        """
        return "/".join(map(str, (name, *self.origin, self.number, self.total))).encode()


def read_mark(name: str, header: bytes | None) -> Mark | None:
    """The mark, if it is one of that relay."""
    parts = (header or b"").decode("utf-8", "replace").split("/")
    if len(parts) != 6 or parts[0] != name or not all(part.isdecimal() for part in parts[2:]):
        return None
    partition, offset, number, total = map(int, parts[2:])
    return Mark(Origin(parts[1], partition, offset), number, total)


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is committed with an offset.

    Attributes:
        since_ms: outputs of records at or after the offset carry no earlier time, by their sender's clock.
        state: what the work wants to find again.
    """

    since_ms: int
    state: State = {}

    def text(self) -> str:
        """As it is committed.

        Raises:
            ValueError: the state is larger than a broker keeps.
        """
        text = msgspec.json.encode(self)
        if len(text) > MAX_STATE_BYTES:
            raise ValueError(f"a state of {len(text)} bytes; {MAX_STATE_BYTES} can be committed")
        return text.decode()


def read_note(text: str | None) -> Note:
    """What was committed; of an offset that somebody else set, outputs may be of any time."""
    try:
        return msgspec.json.decode(text or "", type=Note)
    except msgspec.DecodeError:
        return Note(0)


@dataclass(slots=True)
class Done:
    """The outputs that are there already, of records that do not count as read yet."""

    marks: dict[Partition, dict[int, set[Mark]]] = field(default_factory=dict)

    def add(self, mark: Mark) -> None:
        """One was found."""
        offsets = self.marks.setdefault(mark.origin.home, {})
        offsets.setdefault(mark.origin.offset, set()).add(mark)

    def has(self, mark: Mark) -> bool:
        """Whether this output is there; how many there are in all may have been counted otherwise then."""
        return any(found.number == mark.number for found in self._of(mark.origin))

    def complete(self, origin: Origin) -> bool:
        """Whether all outputs of a record are there."""
        found = self._of(origin)
        return bool(found) and len(found) == next(iter(found)).total

    def pass_by(self, home: Partition, following: int) -> bool:
        """Forget what is before an offset; whether nothing is left of this partition."""
        left = {offset: marks for offset, marks in self.marks.pop(home, {}).items() if offset >= following}
        if left:
            self.marks[home] = left
        return not left

    def _of(self, origin: Origin) -> set[Mark]:
        return self.marks.get(origin.home, {}).get(origin.offset, set())


def packed(events: Iterable[Event], counts: dict[str, int]) -> tuple[list[Record], list[BadEvent]]:
    """The records that hold these events, always the same for the same events; and what cannot be sent.

    Args:
        events: made of one record.
        counts: topic to its number of partitions.
    """
    packer = Packer(counts.get)
    records: list[Record] = []
    refused: list[BadEvent] = []
    for event in events:
        try:
            full = packer.add(event)
        except BadEvent as error:
            refused.append(error)
        else:
            records += [full] if full else []
    return [*records, *packer.rest()], refused


def marked(origin: Origin, records: Sequence[Record]) -> list[tuple[Mark, Record]]:
    """The records made of one, with their marks."""
    return [(Mark(origin, number, len(records)), record) for number, record in enumerate(records)]
