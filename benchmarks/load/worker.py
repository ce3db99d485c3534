"""The worker as the process it is in production, watched from outside.

How far it has come is read from its own changelogs, which hold its exact positions: asking it for metrics
would cost it time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from drift_aware.schema import topics
from drift_aware.schema.topics import MONITORS_TABLE, PANES_TABLE, SOURCES, SUMMARIES, changelog
from load.meter import WARM, Mark, mark_of
from load.rows import Row
from rig.commands import Command
from rig.configuration import PARTITIONS, environment, make_settings
from rig.services import wait_until

_LONGEST_SECONDS = 900.0
_ADMIN_SECONDS = 30.0
_AT_ONCE = 500


class WorkerEnded(Exception):
    """The worker has ended by itself; the message has its last words."""


class Progress:
    """Where the worker stands, from the position rows of its changelogs.

    Args:
        bootstrap: the broker.
    """

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "progress", "enable.auto.commit": False}
        )
        self._consumer.assign(
            [
                TopicPartition(changelog(table).name, partition, 0)
                for table in (PANES_TABLE, MONITORS_TABLE)
                for partition in range(PARTITIONS)
            ]
        )
        self._positions: dict[tuple[str, int], int] = {}

    def read(self) -> None:
        """Take in what has been written, waiting a moment for it."""
        for message in self._consumer.consume(_AT_ONCE, 0.02):
            found = position(message.key(), message.value())
            if found is not None:
                topic, offset = found
                self._positions[topic, message.partition() or 0] = offset

    def records(self, topic: str) -> int:
        """How many records of a topic are counted, and the rows written."""
        return sum(offset for (name, _), offset in self._positions.items() if name == topic)

    def caught_up(self) -> bool:
        """Whether the second stage has read all that the first has sent."""
        ends = (
            self._consumer.get_watermark_offsets(TopicPartition(SUMMARIES.name, partition), _ADMIN_SECONDS)
            for partition in range(PARTITIONS)
        )
        return self.records(SUMMARIES.name) >= sum(end[1] for end in ends if end)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()


def position(key: bytes | None, value: bytes | None) -> tuple[str, int] | None:
    """Topic and next offset of a position row; None if it is another row.

    >>> position(b"0|@|drift.feedback.v1", b"17|note"), position(b"0|feedback|all|", b"...")
    (('drift.feedback.v1', 17), None)
    """
    _, _, rest = (key or b"").partition(b"|")
    if not rest.startswith(b"@|") or value is None:
        return None
    return rest[2:].decode(), int(value.partition(b"|")[0])


@contextmanager
def running(bootstrap: str, row: Row, folder: Path) -> Iterator[tuple[Command, Progress]]:
    """A worker that has never seen anything; stopped in order at the end."""
    emptied(bootstrap)
    progress = Progress(bootstrap)
    variables = environment(bootstrap, **row.settings)
    try:
        with Command(("worker",), variables, folder) as command:
            yield command, progress
            command.stop()
    finally:
        progress.close()


def measure(bootstrap: str, row: Row, events: int, folder: Path) -> tuple[Mark, Mark]:
    """Marks of a worker that reads so many events: when it is warm, and when both stages are through.

    Raises:
        WorkerEnded: it did not get there.
    """
    with running(bootstrap, row, folder) as (command, progress):
        warm = _reached(command, progress, row, round(events * WARM))
        counted_all = _reached(command, progress, row, events)
        wait_until(lambda: _caught_up(command, progress), _LONGEST_SECONDS, command.shown)
        # The second stage's time counts, but not the second or two for which it waits for the next watermark.
        return warm, mark_of(command.pid, events)._replace(wall=counted_all.wall)


def counted(command: Command, progress: Progress, row: Row) -> int:
    """How many events the worker has counted by now.

    Raises:
        WorkerEnded: it runs no more.
    """
    if command.exit_code is not None:
        raise WorkerEnded(command.shown())
    progress.read()
    return progress.records(SOURCES[row.kind].name) * row.packed


def _reached(command: Command, progress: Progress, row: Row, events: int) -> Mark:
    def there() -> Mark | None:
        found = counted(command, progress, row)
        return mark_of(command.pid, found) if found >= events else None

    mark = wait_until(there, _LONGEST_SECONDS, command.shown)
    assert mark is not None
    return mark


def _caught_up(command: Command, progress: Progress) -> bool:
    if command.exit_code is not None:
        raise WorkerEnded(command.shown())
    progress.read()
    return progress.caught_up()


def emptied(bootstrap: str) -> None:
    """Every topic but the sources as if it were new."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    kept = {topic.name for topic in SOURCES.values()}

    def others() -> list[str]:
        names = admin.list_topics(timeout=_ADMIN_SECONDS).topics
        return [name for name in names if name not in kept and not name.startswith("__")]

    def gone() -> bool:
        for deleted in admin.delete_topics(names).values() if (names := others()) else ():
            try:
                deleted.result()
            except KafkaException:
                continue  # the broker goes on listing for a moment what is deleted
        return not names

    wait_until(gone, _ADMIN_SECONDS, "topics deleted")
    topics.create(make_settings(bootstrap))
    wait_until(lambda: all(topic.name in others() or topic.name in kept for topic in topics.TOPICS))
