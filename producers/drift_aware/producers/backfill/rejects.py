"""Rows that cannot be used: the first are told of, all are kept if there is a file for them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from drift_aware.producers.backfill.rows import Row, Unreadable
from drift_aware.schema.errors import SettingsError

_SHOWN = 10
_json = msgspec.json.Encoder(enc_hook=str)


class Rejects:
    """Takes rows that cannot be used.

    Args:
        tell: shows a line to a person.
        file: takes each row as a JSON line, to be mended and published; None keeps none.
    """

    def __init__(self, tell: Callable[[str], None], file: BinaryIO | None = None) -> None:
        self._tell = tell
        self._file = file
        self._count = 0

    def add(self, row: Row | Unreadable, why: str) -> None:
        """One more, and why."""
        self._count += 1
        said = f"line {row.number}: {why}"
        if self._count <= _SHOWN:
            self._tell(said)
        elif self._count == _SHOWN + 1:
            self._tell("more lines like these are counted, and not shown")
        if self._file is not None:
            values = {"raw": row.raw} if isinstance(row, Unreadable) else row.values
            self._file.write(_json.encode(values | {"rejected": said}) + b"\n")


@contextmanager
def kept(path: Path | None, tell: Callable[[str], None], *, anew: bool) -> Iterator[Rejects]:
    """Rejects that are kept in a file, if one is named; ``anew`` empties it first.

    Raises:
        SettingsError: it cannot be written.
    """
    if path is None:
        yield Rejects(tell)
        return
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if anew else os.O_APPEND)
    try:
        # Readable by its owner alone: it holds people's words.
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}; choose another --rejects") from None
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
        yield Rejects(tell, file)
