"""What a class says of its fields: the section ``Attributes`` of its docstring."""

import inspect
import re

_HEAD = "Attributes:"
_ENTRY = re.compile(r"    (\w+(?:, \w+)*): (.*)")


def meanings(kind: type) -> dict[str, str]:
    """Field to what the docstring says of it, in one line; a subclass knows what its bases say.

    >>> class Box:
    ...     '''A box.
    ...
    ...     Attributes:
    ...         width, height: in millimetres,
    ...             outside.
    ...         lid: whether it has one.
    ...     '''
    >>> meanings(Box)
    {'width': 'in millimetres, outside.', 'height': 'in millimetres, outside.', 'lid': 'whether it has one.'}
    """
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        found |= _own(each.__dict__.get("__doc__") or "")
    return found


def _own(docstring: str) -> dict[str, str]:
    _, _, section = inspect.cleandoc(docstring).partition(f"{_HEAD}\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if entry := _ENTRY.fullmatch(line):
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        elif line.startswith("        "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        else:
            break
    return found


def introduction(kind: type) -> str:
    """What the docstring says before its sections, as one paragraph, with code in single backticks."""
    text = inspect.cleandoc(kind.__doc__ or "").partition(_HEAD)[0]
    return plain(" ".join(text.split()))


def plain(text: str) -> str:
    """A docstring's text as Markdown: code in single backticks.

    >>> plain("of the section ``redact``")
    'of the section `redact`'
    """
    return text.replace("``", "`")
