"""Sources of documents: a folder, a file of JSON lines, a query, and those of others by entry point."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import psycopg
from psycopg.rows import dict_row

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.reindexing.documents import Document, Source, of_row
from drift_aware.actions.reindexing.pages import Pages
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.reindexing import (
    DocumentSource,
    FolderSource,
    HttpSource,
    JsonlSource,
    PluginSource,
    SqlSource,
)
from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from drift_aware.sql.queries import QUERIES

GROUP = "drift_aware.sources"
_FETCHED_ROWS = 1000


class Folder:
    """The text files of a folder, in the order of their paths."""

    remote = False

    def __init__(self, settings: FolderSource) -> None:
        self._settings = settings
        self.described = f"the folder {settings.path}"

    def documents(self) -> Iterator[Document]:
        """See Source."""
        root = self._settings.path
        if not root.is_dir():
            raise ActionFailed(f"{self.described} is not there")
        found = {file for pattern in self._settings.patterns for file in root.glob(pattern) if file.is_file()}
        for file in sorted(found):
            name = file.relative_to(root).as_posix()
            yield Document(name, _read(file), {"path": name})


class Jsonl:
    """The rows of a file of JSON lines; blank lines are passed over."""

    remote = False

    def __init__(self, settings: JsonlSource) -> None:
        self._settings = settings
        self.described = f"the file {settings.path}"

    def documents(self) -> Iterator[Document]:
        """See Source."""
        settings = self._settings
        try:
            with settings.path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        where = f"{settings.path}, line {number}"
                        yield of_row(_parsed(line, where), settings.id, settings.text, where)
        except OSError as error:
            raise ActionFailed(f"cannot read {self.described}: {error.strerror}") from None


class Query:
    """The rows of a query, as of one moment, in a transaction that cannot write."""

    remote = False

    def __init__(self, settings: SqlSource, record_url: str) -> None:
        self._query = settings.query
        self._url = settings.database_url.get_secret_value() if settings.database_url else record_url
        self.described = "the query"

    def documents(self) -> Iterator[Document]:
        """See Source."""
        opened = store.connect(self._url, "reindex source")
        with self._said(), opened as connection, connection.transaction():
            connection.execute(QUERIES["read_only"])
            with connection.cursor("documents", row_factory=dict_row) as cursor:
                cursor.itersize = _FETCHED_ROWS
                # The operator's own statement, from the settings.
                cursor.execute(self._query.encode())
                for number, row in enumerate(cursor, 1):
                    yield of_row(row, "id", "text", f"{self.described}, row {number}")

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            # What follows the first line may quote a row.
            line = next(iter(str(error).splitlines()), type(error).__name__)
            raise ActionFailed(f"{self.described} broke: {line}") from None


def source_of(settings: Settings, chosen: DocumentSource) -> Source:
    """The source that the settings choose.

    Raises:
        SettingsError: no such plug-in, or no database.
    """
    match chosen:
        case FolderSource():
            return Folder(chosen)
        case JsonlSource():
            return Jsonl(chosen)
        case SqlSource():
            return Query(chosen, "" if chosen.database_url else settings.require_database_url())
        case HttpSource():
            return Pages(chosen)
        case PluginSource():
            return _plugin(settings, chosen)


def _plugin(settings: Settings, chosen: PluginSource) -> Source:
    entries = {entry.name: entry for entry in entry_points(group=GROUP)}
    if chosen.name not in entries:
        there = ", ".join(sorted(entries)) or "none"
        raise SettingsError(f"actions.reindex.source: no plug-in {chosen.name}; installed: {there}")
    made: Source = entries[chosen.name].load()(chosen.options, settings)
    return made


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ActionFailed(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ActionFailed(f"{file} is not UTF-8 text; convert it, or leave it out of `patterns`") from None


def _parsed(line: bytes, where: str) -> object:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ActionFailed(f"{where} is not JSON: {error}") from None
