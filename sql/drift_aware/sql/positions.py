"""Where a consumer goes on: rows of ``kafka_offset`` that move with the data they account for."""

from collections.abc import Mapping

from drift_aware.schema.consuming import Partition
from drift_aware.sql.errors import Fenced
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection


def next_offsets(connection: Connection, consumer: str) -> dict[Partition, int]:
    """The next offset of every partition the consumer has ever read."""
    rows = connection.execute(QUERIES["next_offsets"], {"consumer": consumer})
    return {(topic, part): offset for topic, part, offset in rows}


def begin(connection: Connection, consumer: str, partition: Partition, offset: int) -> int:
    """Enter a partition read for the first time; the offset to start at, which another may have set first."""
    topic, part = partition
    connection.execute(
        QUERIES["first_offset"], {"consumer": consumer, "topic": topic, "part": part, "next": offset}
    )
    return next_offsets(connection, consumer)[partition]


def advance(connection: Connection, consumer: str, moves: Mapping[Partition, tuple[int, int]]) -> None:
    """Move positions on; call it first in the transaction that writes the rows.

    Args:
        connection: inside a transaction.
        consumer: whose positions.
        moves: partition to (the offset this process believes is next, the offset that then is).

    Raises:
        Fenced: a position is not where this process left it, so the partition has another owner.
    """
    with connection.cursor() as cursor:
        # Sorted, so that two processes that meet wait for each other instead of locking crosswise.
        cursor.executemany(
            QUERIES["fence_offset"],
            [
                {"consumer": consumer, "topic": topic, "part": part, "expected": expected, "next": following}
                for (topic, part), (expected, following) in sorted(moves.items())
            ],
        )
        if cursor.rowcount != len(moves):
            raise Fenced(f"another process has moved the position of {consumer}; this batch is left to it")
