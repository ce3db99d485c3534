"""Documents on their way into the collection: what a source gives."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import msgspec

from drift_aware.actions.errors import ActionFailed

_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the collection.

    Attributes:
        id: the same from one reading to the next.
        metadata: kept beside it, as JSON.
    """

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Source(Protocol):
    """Where documents come from.

    A source of your own is an entry point of the group ``drift_aware.sources``: a callable from the options
    and the Settings to a Source.

    Attributes:
        described: in a few words, as in ``the folder docs``.
        remote: whether it is across a network; a dry run does not read it then.
    """

    described: str
    remote: bool

    def documents(self) -> Iterator[Document]:
        """All documents, one after the other.

        Raises:
            ActionFailed: it cannot be read, or not to its end; says where.
        """


def of_row(row: object, id_field: str, text_field: str, where: str) -> Document:
    """The document in a row of named values.

    Raises:
        ActionFailed: the row has no id or no text; begins with ``where``.

    >>> of_row({"id": 7, "text": "Hello", "lang": "en"}, "id", "text", "line 1")
    Document(id='7', text='Hello', metadata={'lang': 'en'})
    """
    if not isinstance(row, Mapping):
        raise ActionFailed(f"{where} is no object of named values")
    name, text = row.get(id_field), row.get(text_field)
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        raise ActionFailed(f"{where} has no id: `{id_field}` has to be a text or a whole number")
    if not isinstance(text, str):
        shown = str(name)[:_SHOWN_CHARACTERS]
        raise ActionFailed(f"{where}, document {shown}, has no text: `{text_field}` has to be one")
    rest = {key: value for key, value in row.items() if key not in (id_field, text_field)}
    return Document(str(name), text, msgspec.to_builtins(rest, str_keys=True))


def storable(document: Document) -> Document:
    """The same without what Postgres cannot hold: NUL characters and halves of surrogate pairs."""
    return Document(_clean(document.id), _clean(document.text), _clean_json(document.metadata))


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _clean_json(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_json(item) for item in value]
    return value


class Counted(Iterable[Document]):
    """Documents that have a text, as they are stored; ``empty`` counts those that have none."""

    def __init__(self, documents: Iterable[Document], progress: Callable[[int, int | None], None]) -> None:
        self._documents = documents
        self._progress = progress
        self.empty = 0

    def __iter__(self) -> Iterator[Document]:
        passed = 0
        for each in self._documents:
            if not each.text.strip():
                self.empty += 1
                continue
            passed += 1
            self._progress(passed, None)
            yield storable(each)


def portions(documents: Iterable[Document], most: int) -> Iterator[list[Document]]:
    """Documents that have a text, as they are stored, so many at a time."""
    with_text = (storable(each) for each in documents if each.text.strip())
    while held := list(islice(with_text, most)):
        yield held
