"""``drift-aware redact``: what a publisher with these settings would send in place of the lines of a file."""

from typing import Annotated

import msgspec
import typer

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.events import Mode
from drift_aware.schema.redaction import Changes, Redaction
from drift_aware.schema.settings import Redact
from drift_aware.schema.verbs import ConfigOption, start

_FileArgument = Annotated[
    typer.FileBinaryRead,
    typer.Argument(metavar="FILE|-", help="Events as JSON, one a line, or plain text; - reads stdin."),
]


def redact(file: _FileArgument, config: ConfigOption = None) -> None:
    """Print each line as it would leave the application, and on stderr how much was replaced.

    Of a line that is a JSON object the text fields of an event are treated as the settings say; any other
    line is taken as one text. Where the settings redact nothing, everything found is masked.
    """
    section = start(config).redact
    redaction = Redaction.configured(section) or Redaction(patterns=section.patterns)
    changes, lines = Changes(), 0
    for lines, raw in enumerate(file, 1):  # noqa: B007 - it is counted
        typer.echo(_line(raw, redaction, section, changes))
    told = ", ".join(f"{count} x {kind}" for kind, count in changes.found.most_common())
    typer.echo(f"{lines} lines: {told or 'nothing found'}", err=True)
    if changes.withheld:
        raise SettingsError(f"{changes.withheld} texts would be withheld: {changes.why}")


def _line(raw: bytes, redaction: Redaction, section: Redact, changes: Changes) -> str:
    try:
        values = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        values = None
    if isinstance(values, dict):
        redaction.apply(values, changes)
        return msgspec.json.encode(values).decode()
    mode: Mode = "hash" if section.mode == "hash" else "mask"
    return redaction.text(raw.decode(errors="replace").rstrip("\r\n"), mode, changes.found)
