"""Many events in one record. Pure: knows topics and partitions as names and numbers only.

Events of one session must meet on one partition, and one record lies on one partition, so events are packed
by partition. The partition of a key is Java's (murmur2), the one that every other well-behaved producer
picks too; whoever knows no partition count packs by key and lets librdkafka place the record.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import murmur2

from drift_aware.schema.envelope import COLUMNS, MAX_BYTES, MAX_EVENTS, ROWS, encode_columns
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import KINDS, Embedding, Evaluation, Event, Feedback, Interaction, Kind
from drift_aware.schema.topics import SOURCES

MAX_EVENT_BYTES = 900_000  # brokers refuse records of 1 MB (message.max.bytes), headers included

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Record:
    """One record to be.

    Attributes:
        partition: where it goes; None leaves it to librdkafka, by ``key``.
        key: None where the partition is given: the events inside may have several keys.
        events: how many it holds.
    """

    kind: Kind
    partition: int | None
    key: bytes | None
    content_type: str
    value: bytes
    events: int

    @property
    def topic(self) -> str:
        """The topic of its kind."""
        return SOURCES[self.kind].name


@dataclass(slots=True)
class _Parcel:
    """What has been gathered for one record; embeddings wait as events, the others as their JSON."""

    kind: Kind
    partition: int | None
    key: bytes | None
    rows: list[bytes] = field(default_factory=list)
    embeddings: list[Embedding] = field(default_factory=list)
    size: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.embeddings)

    def record(self) -> Record:
        if self.embeddings:
            value = encode_columns(self.embeddings)
            return Record(self.kind, self.partition, self.key, COLUMNS, value, len(self))
        # Byte for byte what envelope.encode_rows gives; the rows are encoded already, to know their size.
        value = b"[" + b",".join(self.rows) + b"]"
        return Record(self.kind, self.partition, self.key, ROWS, value, len(self))


def key(event: Event) -> bytes:
    """What the event's record is keyed by: events with the same key stay in order, on one partition."""
    match event:
        case Interaction():
            text = event.session_id or event.id
        case Embedding():
            text = event.session_id or event.interaction_id or event.id
        case Feedback():
            text = event.session_id or event.interaction_id
        case Evaluation():
            text = event.run_id
    return text.encode()


class Packer:
    """Gathers events into records of at most MAX_EVENTS events and about MAX_BYTES.

    Args:
        partitions: the number of partitions of a topic, None if it is not known.
    """

    def __init__(self, partitions: Callable[[str], int | None]) -> None:
        self._partitions = partitions
        self._parcels: dict[tuple[object, ...], _Parcel] = {}

    def add(self, event: Event) -> Record | None:
        """Pack one more event; the record that became full by it, if one did.

        Raises:
            BadEvent: ``too_large`` or ``bad_event`` (it cannot be written as JSON); nothing was packed.
        """
        kind = KINDS[type(event)]
        row, size = encoded(event)
        place, parcel = self._parcel(kind, event)
        full = None
        if len(parcel) == MAX_EVENTS or (parcel.size and parcel.size + size > MAX_BYTES):
            full = parcel.record()
            parcel = self._parcels[place] = _Parcel(kind, parcel.partition, parcel.key)
        if isinstance(event, Embedding):
            parcel.embeddings.append(event)
        else:
            parcel.rows.append(row)
        parcel.size += size + 1
        return full

    def rest(self) -> Iterator[Record]:
        """What is left; the packer is empty afterwards."""
        parcels, self._parcels = self._parcels, {}
        for parcel in parcels.values():
            yield parcel.record()

    def _parcel(self, kind: Kind, event: Event) -> tuple[tuple[object, ...], _Parcel]:
        own = key(event)
        count = self._partitions(SOURCES[kind].name)
        partition = murmur2(own, count) if count else None
        shape = (event.dim, event.dtype) if isinstance(event, Embedding) else ()
        place = (kind, own if partition is None else partition, *shape)
        if place not in self._parcels:
            self._parcels[place] = _Parcel(kind, partition, own if partition is None else None)
        return place, self._parcels[place]


def encoded(event: Event) -> tuple[bytes, int]:
    """The event's JSON (of an embedding, all but the vector) and how many bytes it needs in a record.

    Raises:
        BadEvent: ``too_large`` or ``bad_event`` (it cannot be written as JSON).
    """
    bare = msgspec.structs.replace(event, vector=b"") if isinstance(event, Embedding) else event
    try:
        row = _json.encode(bare)
    except (TypeError, ValueError) as error:  # a label of a type of its own; half a surrogate pair
        raise BadEvent("bad_event", f"cannot be written as JSON: {error}") from None
    size = len(row) + (len(event.vector) if isinstance(event, Embedding) else 0)
    if size > MAX_EVENT_BYTES:
        raise BadEvent("too_large", f"an event of {size} bytes; a record may hold {MAX_EVENT_BYTES}")
    return row, size
