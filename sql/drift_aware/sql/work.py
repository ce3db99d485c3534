"""What a consumer hands over, and what it is handed over to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from drift_aware.sql.store import Connection


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record; ``content_type`` is the form of its value (schema.envelope)."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    content_type: str


class Work(Protocol):
    """What is done with the records."""

    def prepare(self, connection: Connection) -> None:
        """Called before every poll, outside a transaction: also when no records come."""

    def handle(self, connection: Connection, records: Sequence[Record]) -> None:
        """Write what follows from the records; called inside the transaction that moves the positions.

        It may be called again with the same records, after a rollback. It must not raise on bad records.
        """

    def committed(self) -> None:
        """Called once what ``handle`` wrote is there for good."""
