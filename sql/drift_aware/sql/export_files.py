"""Rows as files: JSON lines, or Parquet with the extra ``parquet``; whole under their name, or not there."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

import msgspec

from drift_aware.schema.errors import SettingsError
from drift_aware.sql.export import KINDS, What
from drift_aware.sql.rows import LOGS, Holds

if TYPE_CHECKING:
    import pyarrow

Format = Literal["jsonl", "parquet"]
Row = dict[str, Any]

_ROW_GROUP_BYTES = 8_000_000
_json = msgspec.json.Encoder()


class Writer(Protocol):
    """Takes rows as the log tables have them."""

    def write(self, rows: list[Row]) -> None:
        """Take some more."""

    def close(self) -> None:
        """Write what is left; the file itself stays open."""


def writer(form: Format, what: What, file: BinaryIO) -> Writer:
    """Writes rows of one kind to an open file.

    Raises:
        SettingsError: the extra ``parquet`` is not installed.
    """
    return JsonLines(what, file) if form == "jsonl" else Parquet(what, file)


class JsonLines:
    """Events as ``drift-aware replay`` reads them, or training pairs as OpenAI's fine-tuning does."""

    def __init__(self, what: What, file: BinaryIO) -> None:
        self._what = what
        self._file = file

    def write(self, rows: list[Row]) -> None:
        """One line each."""
        shape = messages if self._what == "training" else self._event
        self._file.write(b"".join(_json.encode(shape(row)) + b"\n" for row in rows))

    def close(self) -> None:
        """Nothing is left."""

    def _event(self, row: Row) -> Row:
        given = {name: value for name, value in row.items() if value is not None}
        given["ts"] = round(row["ts"].timestamp() * 1000)
        if words := given.pop("error_text", None):
            given["error"] = words
        if (vector := given.pop("embedding", None)) is not None:
            # As it is stored, whatever was published.
            given |= {"dtype": "float16", "vector": vector.to_numpy().astype("<f2").tobytes()}
        return {"type": KINDS[self._what]} | given


def messages(row: Row) -> Row:
    """A pair in the shape of a chat."""
    return {
        "messages": [
            {"role": "user", "content": row["user_query"]},
            {"role": "assistant", "content": row["model_response"]},
        ]
    }


class Parquet:
    """Columns as the log tables have them; vectors as lists of float32."""

    def __init__(self, what: What, file: BinaryIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise SettingsError("parquet is an extra: pip install 'drift-aware[parquet]'") from None
        self._what = what
        self._arrow = pyarrow
        self._schema = _schema(pyarrow, what)
        self._file = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[pyarrow.RecordBatch] = []

    def write(self, rows: list[Row]) -> None:
        """Gather rows; a group of them is written when it is large enough."""
        shaped = [messages(row) if self._what == "training" else _plain(row) for row in rows]
        self._waiting.append(self._arrow.RecordBatch.from_pylist(shaped, self._schema))
        if sum(batch.nbytes for batch in self._waiting) >= _ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write the last group and the footer."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(self._arrow.Table.from_batches(self._waiting))
            self._waiting.clear()


def _schema(arrow: Any, what: What) -> "pyarrow.Schema":
    text = arrow.string()
    if what == "training":
        return arrow.schema({"messages": arrow.list_(arrow.struct({"role": text, "content": text}))})
    types: Mapping[Holds, Any] = {
        "time": arrow.timestamp("ms", "UTC"),
        "name": text,
        "text": text,
        "int4": arrow.int32(),
        "int8": arrow.int64(),
        "float8": arrow.float64(),
        "bool": arrow.bool_(),
        "jsonb": arrow.map_(text, text),
        "halfvec": arrow.list_(arrow.float32()),
    }
    return arrow.schema({name: types[holds] for name, holds in LOGS[KINDS[what]].event_columns.items()})


def _plain(row: Row) -> Row:
    if row.get("labels") is not None:
        row["labels"] = list(row["labels"].items())
    if "embedding" in row:
        row["embedding"] = row["embedding"].to_numpy().astype("f4")
    return row


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name, readable by its owner alone, once the block has ended well.

    ``-`` is stdout. What is no regular file, a pipe for instance, is written as it is.

    Raises:
        SettingsError: it cannot be written.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}; choose another --output") from None
