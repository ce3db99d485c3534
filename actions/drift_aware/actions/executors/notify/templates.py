"""Texts of messages, which a file of the user's may replace.

A template is text with ``$name`` in it (string.Template); ``$$`` is a dollar sign. Its names are those of
``Story.values``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from drift_aware.actions.executors.notify.story import Story
from drift_aware.schema.errors import SettingsError

PLAIN = """$summary

$table

$news
$links
$withheld
"""


def read(file: Path | None, names: Mapping[str, str]) -> Template | None:
    """The template in a file; None if there is no file.

    Args:
        file: of the setting.
        names: what it may name.

    Raises:
        SettingsError: it cannot be read, or names something else.
    """
    if file is None:
        return None
    try:
        template = Template(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the template {file}: {type(error).__name__}") from None
    if not template.is_valid():
        raise SettingsError(f"the template {file} has a $ without a name; write $$ for a dollar sign")
    if unknown := sorted(set(template.get_identifiers()) - set(names)):
        raise SettingsError(
            f"the template {file} names ${unknown[0]}; there are {', '.join('$' + name for name in names)}"
        )
    return template


def read_json(file: Path | None, names: Mapping[str, str]) -> Template | None:
    """The same of a template that makes JSON, with its names inside strings.

    Raises:
        SettingsError: as ``read``, and if what it makes is not JSON.
    """
    template = read(file, names)
    if template is not None:
        try:
            json.loads(fill_json(template, dict.fromkeys(names, 'a "b"\n')))
        except json.JSONDecodeError as error:
            raise SettingsError(f"the template {file} does not make JSON: {error}") from None
    return template


def fill_json(template: Template, values: Mapping[str, str]) -> str:
    """The JSON a template makes; values are escaped, so that no text can end its string."""
    return template.substitute({name: json.dumps(value)[1:-1] for name, value in values.items()})


def plain(template: Template | None, story: Story, table: str) -> str:
    """The text of a message, without empty lines where there is nothing to tell."""
    values = story.values()
    if template is not None:
        return template.substitute(values).strip()
    links = "\n".join(f"{words}: {address}" for words, address in story.links)
    filled = Template(PLAIN).substitute(values | {"table": table, "links": links})
    paragraphs = [part.strip("\n") for part in filled.split("\n\n")]
    lines = [[line for line in part.split("\n") if line.strip()] for part in paragraphs]
    return "\n\n".join("\n".join(part) for part in lines if part)


def aligned(rows: list[tuple[str, ...]]) -> str:
    """A table in columns, for a fixed-width font."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
