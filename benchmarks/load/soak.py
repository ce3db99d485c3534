"""The worker at full speed for long: does its memory stay where it is?"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from drift_aware.schema.topics import SOURCES
from load import worker
from load.meter import mark_of
from load.rows import Row
from load.traffic import Publisher, Traffic
from rig.configuration import PARTITIONS

_EVERY_SECONDS = 5.0
# The worker never waits for events, and the disk never holds many.
_AHEAD_EVENTS = 400_000
_AT_ONCE_EVENTS = 40_000
_REQUEST_SECONDS = 30.0


class Sample(NamedTuple):
    """Where the worker stood: seconds since it counted its first event, events, bytes of memory."""

    seconds: float
    events: int
    resident: int


def soak(bootstrap: str, row: Row, seconds: float, folder: Path) -> Iterator[Sample]:
    """Samples of a worker that always has events to read."""
    traffic, publisher = Traffic(row), Publisher(bootstrap, row)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    with worker.running(bootstrap, row, folder) as (command, progress):
        began = sampled = None
        while began is None or time.monotonic() - began < seconds:
            done = worker.counted(command, progress, row)
            if traffic.next - done < _AHEAD_EVENTS:
                publisher.send(traffic.records(_AT_ONCE_EVENTS))
            now = time.monotonic()
            if done and (sampled is None or now - sampled >= _EVERY_SECONDS):
                began, sampled = began or now, now
                yield Sample(now - began, done, mark_of(command.pid, done).resident)
                _delete(admin, row, done)


def _delete(admin: AdminClient, row: Row, done: int) -> None:
    """Take from the broker what the worker has counted."""
    before = max(0, done - _AHEAD_EVENTS) // row.packed // PARTITIONS
    topic = SOURCES[row.kind].name
    marks = [TopicPartition(topic, partition, before) for partition in range(PARTITIONS)]
    for deleted in admin.delete_records(marks, request_timeout=_REQUEST_SECONDS).values():
        deleted.result()


def slope(samples: Sequence[Sample]) -> float:
    """Bytes of memory more a minute, by least squares.

    >>> slope([Sample(0, 0, 100), Sample(60, 0, 200), Sample(120, 0, 300)])
    100.0
    """
    count = len(samples)
    middle = sum(sample.seconds for sample in samples) / count
    spread = sum((sample.seconds - middle) ** 2 for sample in samples)
    if not spread:
        return 0.0
    together = sum((sample.seconds - middle) * sample.resident for sample in samples)
    return 60.0 * together / spread
