"""Files of rows: JSON lines, CSV, and Parquet with the extra ``parquet``."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from drift_aware.producers.backfill.rows import Row, Source, Unreadable
from drift_aware.schema.errors import SettingsError

Form = Literal["jsonl", "csv", "tsv", "parquet"]

_FORMS: dict[str, Form] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
# A cell may be the vector of an embedding; the default of the module is 131,072.
_LARGEST_CELL_CHARACTERS = 10_000_000
_BATCH_ROWS = 1000


@contextmanager
def opened(path: Path, form: Form | None) -> Iterator[Source]:
    """The file, read as what its name says it is unless ``form`` says otherwise; ``-`` is stdin.

    Raises:
        SettingsError: it cannot be read, or nobody knows how.
    """
    stdin = str(path) == "-"
    form = form or ("jsonl" if stdin else _FORMS.get(path.suffix.lower()))
    if form is None:
        raise SettingsError(f"cannot tell what {path} is; give --format jsonl, csv, tsv or parquet")
    if stdin:
        if form == "parquet":
            raise SettingsError("parquet cannot be read from stdin; give a file")
        yield _source(form, sys.stdin.buffer, None)
        return
    try:
        with path.open("rb") as file:
            yield _source(form, file, path.stat().st_size)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None


def _source(form: Form, file: BinaryIO, size: int | None) -> Source:
    if form == "jsonl":
        return JsonLines(file, size)
    return Parquet(file) if form == "parquet" else Csv(file, size, _DELIMITERS[form])


class _Read:
    """Passes lines on and adds up their bytes."""

    def __init__(self, lines: Iterable[bytes], size: int | None) -> None:
        self._lines = lines
        self._size = size
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self._bytes += len(line)
            yield line

    def progress(self) -> tuple[int, int | None]:
        return self._bytes, self._size


class JsonLines:
    """One JSON object a line; blank lines are nothing."""

    columns: Sequence[str] | None = None

    def __init__(self, lines: Iterable[bytes], size: int | None = None) -> None:
        self._read = _Read(lines, size)

    def rows(self) -> Iterator[Row | Unreadable]:
        """See Source."""
        for number, line in enumerate(self._read, 1):
            if line.strip():
                yield _parsed(number, line)

    def progress(self) -> tuple[int, int | None]:
        """See Source."""
        return self._read.progress()


def _parsed(number: int, line: bytes) -> Row | Unreadable:
    try:
        values = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(number, _text(line), f"not JSON: {error}")
    if not isinstance(values, dict):
        return Unreadable(number, _text(line), "not a JSON object")
    return Row(number, values)


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


class Csv:
    """A table with its names in the first row; an empty cell is nothing."""

    def __init__(self, lines: Iterable[bytes], size: int | None = None, delimiter: str = ",") -> None:
        csv.field_size_limit(_LARGEST_CELL_CHARACTERS)
        self._read = _Read(lines, size)
        # What is not UTF-8 is found where the cell is used, and costs that row alone.
        texts = (line.decode(errors="surrogateescape") for line in self._read)
        self._cells = csv.reader(texts, delimiter=delimiter, strict=True)
        header = self._next()
        if not isinstance(header, list):
            raise SettingsError("the first line has to name the columns, and cannot be read")
        self.columns: Sequence[str] | None = [_whole(name).removeprefix("\ufeff").strip() for name in header]

    def rows(self) -> Iterator[Row | Unreadable]:
        """See Source."""
        assert self.columns is not None
        while True:
            number = self._cells.line_num + 1
            cells = self._next()
            if cells is None:
                return
            if found := self._row(number, cells):
                yield found

    def progress(self) -> tuple[int, int | None]:
        """See Source."""
        return self._read.progress()

    def _row(self, number: int, cells: list[str] | str) -> Row | Unreadable | None:
        assert self.columns is not None
        if isinstance(cells, str):
            return Unreadable(number, "", cells)
        raw = ",".join(cells)
        if not raw.isascii() and raw != _whole(raw):
            return Unreadable(number, _whole(raw), "not UTF-8")
        if len(cells) != len(self.columns):
            why = f"{len(cells)} cells under {len(self.columns)} columns"
            return Unreadable(number, raw, why) if cells else None
        return Row(number, {name: cell for name, cell in zip(self.columns, cells, strict=True) if cell})

    def _next(self) -> list[str] | str | None:
        """The next row, what is wrong with it, or None at the end."""
        try:
            return next(self._cells, None)
        except csv.Error as error:
            return f"not CSV: {error}"


def _whole(text: str) -> str:
    """The text with signs of replacement where bytes were not UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


class Parquet:
    """A Parquet file, some rows at a time; a vector is a list column.

    Raises:
        SettingsError: it is none, or the extra is not installed.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise SettingsError("parquet is an extra: pip install 'drift-aware[parquet]'") from None
        # Words that are no UTF-8 are found when they are taken out.
        self._broken: Any = (pyarrow.ArrowException, UnicodeDecodeError)
        try:
            self._file = pyarrow.parquet.ParquetFile(file)
        except self._broken as error:
            raise SettingsError(f"this is no Parquet file: {_first_line(error)}") from None
        self.columns: Sequence[str] | None = self._file.schema_arrow.names
        self._number = 0

    def rows(self) -> Iterator[Row | Unreadable]:
        """See Source."""
        try:
            for batch in self._file.iter_batches(_BATCH_ROWS):
                for values in batch.to_pylist():
                    self._number += 1
                    yield Row(self._number, values)
        except self._broken as error:
            raise SettingsError(
                f"the file breaks off after row {self._number}: {_first_line(error)}"
            ) from None

    def progress(self) -> tuple[int, int | None]:
        """See Source."""
        return self._number, self._file.metadata.num_rows


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
