"""Reading what a stranger made: dictionaries and objects of any shape, of which nothing is certain.

What is missing, or not of the type it ought to be, is None. So one field that is odd costs that field, and
not the event.
"""

from collections.abc import Sequence
from typing import Any

# As the schema of events has it.
_LARGEST_COUNT = 10**12


def read(source: Any, *names: str) -> Any:
    """What stands at the end of these names.

    >>> read({"usage": {"input_tokens": 3}}, "usage", "input_tokens")
    3
    >>> read({"usage": None}, "usage", "input_tokens") is None
    True
    """
    for name in names:
        if source is None:
            return None
        source = source.get(name) if isinstance(source, dict) else getattr(source, name, None)
    return source


def text(source: Any, *names: str) -> str | None:
    """The same, if it is a text."""
    found = read(source, *names)
    return found if isinstance(found, str) else None


def count(source: Any, *names: str) -> int | None:
    """The same, if it is a whole number that an event may carry."""
    found = read(source, *names)
    return found if type(found) is int and 0 <= found <= _LARGEST_COUNT else None


def items(source: Any, *names: str) -> Sequence[Any]:
    """The same, if it is a list or a tuple; nothing of anything else, which may be readable only once."""
    found = read(source, *names)
    return found if isinstance(found, list | tuple) else ()


def first(source: Any, *names: str) -> Any:
    """The first item of a list."""
    found = items(source, *names)
    return found[0] if found else None
