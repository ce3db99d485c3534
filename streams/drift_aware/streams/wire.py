"""What travels to DETECT on ``drift.summaries.v1``, as msgpack, and to which of its partitions."""

import msgspec
from confluent_kafka import murmur2

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.events import Kind
from drift_aware.streams.summary import Packed


class Snapshot(msgspec.Struct, tag="snapshot", frozen=True):
    """All that one source has counted for one pane of one segment so far.

    Cumulative: a snapshot replaces any earlier one of the same source, segment and pane, and one that comes
    twice changes nothing. ``sequence`` is the source offset after the last record in it.
    """

    kind: Kind
    partition: int
    segment: str
    pane: int
    sequence: int
    families: dict[str, Packed]


class Watermark(msgspec.Struct, tag="watermark", frozen=True):
    """How far in event time the sources of one partition number have come; see ``panes``."""

    partition: int
    marks: dict[Kind, int]


class Census(msgspec.Struct, tag="census", frozen=True):
    """How many events of each segment one source has counted in one pane; to every partition of DETECT.

    Cumulative and numbered like a snapshot. The false-alarm budget is shared out by it.
    """

    kind: Kind
    partition: int
    pane: int
    sequence: int
    events: dict[str, int]


class Fitted(msgspec.Struct, tag="baseline", frozen=True):
    """A new baseline."""

    baseline: Baseline


Message = Snapshot | Watermark | Census | Fitted

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Message).decode


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key, as the Java client and ``murmur2_random`` of librdkafka choose it.

    >>> partition_of("all", 8)
    0
    """
    return murmur2(key.encode(), partitions)
