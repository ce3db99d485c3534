"""``drift-aware label``: what the labellers say of the answers in a file; no broker is asked."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, BinaryIO

import msgspec
import typer

from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Interaction, Share
from drift_aware.schema.verbs import JsonOption
from drift_aware.streams import labels

_BATCH = 256
_SHOWN_CHARACTERS = 60

_FileArgument = Annotated[
    typer.FileBinaryRead,
    typer.Argument(metavar="FILE.jsonl|-", help="One JSON object a line; - reads stdin."),
]


class Line(msgspec.Struct, kw_only=True):
    """What is read of a line; every other field is ignored."""

    id: str | int | None = None
    model_response: str | None = None
    text: str | None = None
    completion: str | None = None
    error: bool | str | None = None
    refusal: bool | None = None
    toxicity: Share | None = None


_decode = msgspec.json.Decoder(Line).decode
_encode = msgspec.json.Encoder().encode


def label(file: _FileArgument, json: JsonOption = False) -> None:
    """Say of each answer in a file whether it refuses, and how toxic it reads, from 0 to 1.

    A line is an interaction event, with the answer in `model_response`, or any object with an answer in
    `text` or `completion`. Labels that a line brings along (`refusal`, `toxicity`) stand. With --json each
    line becomes {"line", "refusal", "toxicity"}, and "id" where there is one. A line that cannot be used is
    named on stderr; the others are labelled all the same, and the exit code is 1.
    """
    good = True
    for batch in _batches(file):
        lines: dict[int, Line] = {}
        for number, raw in batch:
            try:
                lines[number] = _read(raw)
            except BadEvent as error:
                good = False
                typer.echo(f"drift-aware: line {number}: {error}", err=True)
        answers = [_interaction(line) for line in lines.values()]
        labels.label(answers)
        show = _for_machines if json else _for_people
        for (number, line), answer in zip(lines.items(), answers, strict=True):
            typer.echo(show(number, line, answer))
    if not good:
        raise typer.Exit(1)


def _batches(file: BinaryIO) -> Iterator[list[tuple[int, bytes]]]:
    """The lines that are not blank, with their numbers from 1."""
    lines = ((number, raw) for number, raw in enumerate(file, 1) if raw.strip())
    while batch := list(islice(lines, _BATCH)):
        yield batch


def _read(raw: bytes) -> Line:
    try:
        line = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadEvent("bad_line", f"{error}; give one JSON object a line") from None
    if _answer(line) is None and line.error is None:
        message = (
            "there is no answer; put one in model_response, text or completion, or say what the error was"
        )
        raise BadEvent("no_answer", message)
    return line


def _interaction(line: Line) -> Interaction:
    return Interaction(
        id="", ts=0, model_response=_answer(line), refusal=line.refusal, toxicity=line.toxicity
    )


def _answer(line: Line) -> str | None:
    given = (each for each in (line.model_response, line.text, line.completion) if each is not None)
    return next(given, None)


def _for_machines(number: int, line: Line, answer: Interaction) -> str:
    score = None if answer.toxicity is None else round(answer.toxicity, 6)
    said = {"line": number, "refusal": answer.refusal, "toxicity": score}
    return _encode(said if line.id is None else said | {"id": line.id}).decode()


def _for_people(number: int, _line: Line, answer: Interaction) -> str:
    if answer.refusal is None or answer.toxicity is None:
        return f"{number:>8}  no answer"
    verdict = "refuses" if answer.refusal else "answers"
    shown = " ".join((answer.model_response or "")[:_SHOWN_CHARACTERS].split())
    return f"{number:>8}  {verdict}  {answer.toxicity:.3f}  {shown}"
