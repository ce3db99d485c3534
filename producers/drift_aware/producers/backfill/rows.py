"""What a file or a query holds: rows, numbered so that a person finds them again."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol


class Row(NamedTuple):
    """One row.

    Attributes:
        number: of its first line in a text file, else of the row; from 1.
        values: what stands in it, by column; what is empty may be left out.
    """

    number: int
    values: dict[str, Any]


class Unreadable(NamedTuple):
    """What should be a row and is none; ``raw`` is as much of it as there is, ``why`` a few words."""

    number: int
    raw: str
    why: str


class Source(Protocol):
    """A file or a query; the block of a ``with`` statement has it open.

    Attributes:
        columns: their names; None where every row has its own.
    """

    columns: Sequence[str] | None

    def rows(self) -> Iterator[Row | Unreadable]:
        """All of them, from the first.

        Raises:
            SettingsError: it is not what it should be.
            Unreachable: a database went away.
        """

    def progress(self) -> tuple[int, int | None]:
        """How much of it has been read, and of how much; None if nobody knows."""
