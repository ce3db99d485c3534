"""``replay``: past events through the detectors."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from drift_aware.schema.progress import Advance
from drift_aware.schema.verbs import ConfigOption, JsonOption, start
from drift_aware.streams.labels import label
from drift_aware.streams.replay import Unused, in_order, read, replay

_SHOWN = 10
_TOLD_EVERY = 2_000


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("replay")(replay_files)


def replay_files(
    files: Annotated[list[Path], typer.Argument(help="One event a line, with `type`; - is stdin.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the alerts that past events would have raised. Needs no Kafka, and sends nothing.

    With --json each revision of an alert is a line, with `seq`, the number of the line of the event at whose
    time it was raised. Several files are put in order by the times of their events.
    """
    settings = start(config)

    def complain(number: int, why: str) -> None:
        if unused.bad <= _SHOWN:
            print(f"line {number}: {why}", file=sys.stderr)

    unused = Unused(complain)
    with contextlib.ExitStack() as opened:
        streams = [_open(file, opened) for file in files]
        passed = _Passed(opened.enter_context(Advance("replaying")), files)
        lines = in_order([read(passed.through(stream), unused) for stream in streams])
        for seq, alert in replay(settings, lines, label, unused):
            if json:
                line = msgspec.to_builtins(alert, builtin_types=(bytes,)) | {"seq": seq}
                print(msgspec.json.encode(line).decode())
            else:
                print(f"line {seq:<9} {alert.severity:8} {alert.status:8} {alert.summary}")
    if unused.late:
        print(f"{unused.late} events came after their pane had closed; sort them by `ts`", file=sys.stderr)
    if unused.bad > _SHOWN:
        print(f"{unused.bad} lines cannot be used", file=sys.stderr)
    raise typer.Exit(1 if unused.bad else 0)


def _open(file: Path, opened: contextlib.ExitStack) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return opened.enter_context(file.open("rb"))
    except OSError as error:
        raise typer.BadParameter(f"cannot read {file}: {error.strerror}") from None


class _Passed:
    """How many bytes of the files have been read."""

    def __init__(self, job: Advance, files: list[Path]) -> None:
        self._job, self._bytes = job, 0
        self._total = sum(file.stat().st_size for file in files if file.is_file()) or None

    def through(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for number, line in enumerate(stream):
            self._bytes += len(line)
            if number % _TOLD_EVERY == 0:
                self._job.reach(self._bytes, self._total)
            yield line
