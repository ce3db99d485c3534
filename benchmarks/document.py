"""Markdown tables, and where in a document they go."""

from collections.abc import Mapping, Sequence

from drift_aware.schema.errors import DriftAwareError

_END = "<!-- end -->"


class NoPlace(DriftAwareError):
    """The document has no comments between which a table could go."""


def placed(document: str, tables: Mapping[str, str]) -> str:
    r"""The document with each table between ``<!-- table: NAME -->`` and the next ``<!-- end -->``.

    Raises:
        NoPlace: one of the two comments is missing.

    >>> placed("a <!-- table: x --> old <!-- end --> b", {"x": "new"})
    'a <!-- table: x -->\nnew\n<!-- end --> b'
    """
    for name, text in tables.items():
        begin = f"<!-- table: {name} -->"
        head, found, tail = document.partition(begin)
        _, closed, rest = tail.partition(_END)
        if not found or not closed:
            raise NoPlace(f"write {begin} and after it {_END} into the document, where the table is to go")
        document = f"{head}{begin}\n{text.strip()}\n{_END}{rest}"
    return document


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    r"""Lines of cells under their heads; nothing if there are none.

    >>> table(["a", "b"], [["1", "2"]])
    '| a | b |\n| --- | --- |\n| 1 | 2 |\n'
    """
    if not lines:
        return ""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
