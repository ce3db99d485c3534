"""``dlq``: what could not be used, and what has become good since."""

import sys
import time
import uuid
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import milliseconds
from drift_aware.schema.settings import Settings
from drift_aware.schema.verbs import ConfigOption, JsonOption, start
from drift_aware.streams import postbox, reader
from drift_aware.streams.dlq import (
    GRAVEYARDS,
    Letter,
    clean,
    each_once,
    letter_of,
    place_of,
    readable,
    still_bad,
    text_of,
)
from drift_aware.streams.intake import Intake
from drift_aware.streams.redelivery import Redelivered, redeliver

TopicOption = Annotated[
    str | None, typer.Option("--topic", help="Only letters of this topic, as drift.interactions.v1.")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only letters with this reason.")]
_ID = "TOPIC:PARTITION:OFFSET:INDEX, as `drift-aware dlq list` shows it."


def register(app: typer.Typer) -> None:
    """Add the group of verbs."""
    group = typer.Typer(help="Dead letters: events that could not be used.", no_args_is_help=True)
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("replay")(replay)
    app.add_typer(group, name="dlq")


def list_letters(
    topic: TopicOption = None,
    reason: ReasonOption = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only what was buried from then on, as 2026-03-01T00:00:00Z."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Show the latest so many; all are counted.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were replayed.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the dead letters that were not replayed, oldest first, and how many there are of each reason."""
    settings = start(config)
    letters = _letters(settings, topic, reason, _time(since))
    replayed = postbox.memory(settings).redelivered
    waiting = [letter for letter in letters if everything or str(letter.place) not in replayed]
    shown = waiting if limit is None else waiting[max(0, len(waiting) - limit) :]
    for letter in shown:
        at = replayed.get(str(letter.place))
        if json:
            _print_json(_fields(letter, at))
        else:
            print(_line(letter) + ("  (replayed)" if at else ""))
    if json:
        return
    _print_counts(waiting)
    if len(waiting) < len(letters):
        print(f"{len(letters) - len(waiting):,} were replayed; --all shows them")


def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help=_ID)],
    raw: Annotated[
        bool, typer.Option("--raw", help="Write its exact bytes to stdout, nothing else.")
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show one dead letter: where it stood, why it could not be used, what to do, and its bytes."""
    settings = start(config)
    (letter,) = _chosen(settings, None, None, [letter_id])
    if raw:
        sys.stdout.buffer.write(letter.value)
        return
    replayed = postbox.memory(settings).redelivered.get(letter_id)
    if json:
        value = {"base64": b64encode(letter.value).decode(), "text": text_of(letter.value)}
        _print_json(_fields(letter, replayed) | {"advice": letter.advice} | value)
        return
    print(f"{letter.place}  {_moment(letter.buried_ms)}")
    print(f"{clean(letter.reason)}: {clean(letter.message)}")
    print(letter.advice)
    if replayed is not None:
        there = f"partition {replayed.partition}, offset {replayed.offset}"
        print(f"Replayed {_moment(replayed.at)} to {there}.")
    print(f"\n{clean(letter.content_type)}, {len(letter.value):,} bytes\n{readable(letter)}")


def replay(
    topic: TopicOption = None,
    reason: ReasonOption = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help=f"Only this letter: {_ID} May be given again.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Read dead letters again with this version and these settings, and send those that are good now to the
    topic they came from. Each is sent once for all time, whoever replays and however often.

    The worker takes them as it takes any late event: they count in the totals, and as `late` if their pane
    has closed; the detectors do not see those. Upgrade the worker first: an older one would bury them again.
    Letters that are still bad are shown and stay. A record of many events goes as soon as one of them is
    good, and the worker buries the others anew. `dead_letters` in the totals does not go down.

    Asks before it sends. Where there is no terminal to ask, and with --json, it needs --yes.
    """
    settings = start(config)
    replayed = postbox.memory(settings).redelivered
    letters = [
        each for each in _chosen(settings, topic, reason, ids or []) if str(each.place) not in replayed
    ]
    good = _judged(settings, letters, json)
    if dry_run or not good:
        _say_what_would_be(good, len(letters), json)
        return
    if not yes:
        if json or not sys.stdin.isatty():
            raise typer.BadParameter(f"say --yes to send {len(good):,} letters, or --dry-run to look")
        typer.confirm(f"Send {len(good):,} letters to their topics?", abort=True, err=True)
    sent = 0
    for letter, at in redeliver(postbox.KafkaPostbox(settings), good, f"run:{uuid.uuid4()}"):
        sent += 1
        if json:
            _print_json(_fields(letter, at) | {"outcome": "replayed"})
    if not json:
        print(f"{sent:,} replayed, {len(letters) - len(good):,} still bad")


def _judged(settings: Settings, letters: Sequence[Letter], json: bool) -> list[Letter]:
    """The letters that are good now; the others are shown."""
    intake, now = Intake(settings, lambda _: None), round(time.time() * 1000)
    good = []
    for letter in letters:
        why = still_bad(letter, intake, now)
        if why is None:
            good.append(letter)
        elif json:
            _print_json(_fields(letter) | {"outcome": "still_bad", "why": why})
        else:
            print(f"{letter.place}  still bad  {clean(why)}")
    return good


def _say_what_would_be(good: Sequence[Letter], looked_at: int, json: bool) -> None:
    for letter in good:
        if json:
            _print_json(_fields(letter) | {"outcome": "good"})
        else:
            print(f"{letter.place}  good now")
    if not json:
        print(f"{len(good):,} of {looked_at:,} dead letters are good now; nothing was sent")


def _letters(
    settings: Settings, topic: str | None, reason: str | None, since_ms: int | None = None
) -> list[Letter]:
    """The dead letters on the broker that a person asks for, each once."""
    graveyards = [name for name, source in GRAVEYARDS.items() if topic in (None, name, source)]
    if not graveyards:
        raise typer.BadParameter(
            f"no dead letters of {topic}; there are of: {', '.join(GRAVEYARDS.values())}"
        )
    found = [
        letter_of(record) for name in graveyards for record in reader.read_each(settings, name, since_ms)
    ]
    return [
        letter
        for letter in each_once(letter for letter in found if letter is not None)
        # Not every broker can look up a time.
        if reason in (None, letter.reason) and letter.buried_ms >= (since_ms or 0)
    ]


def _chosen(settings: Settings, topic: str | None, reason: str | None, ids: list[str]) -> list[Letter]:
    """The same, or those with the ids if there are any."""
    places = {text: place_of(text) for text in ids}
    for text, place in places.items():
        if place is None:
            raise typer.BadParameter(f"{text!r} is not {_ID}")
    of_one_topic = {place.topic for place in places.values() if place is not None}
    if topic is None and len(of_one_topic) == 1:
        (topic,) = of_one_topic
    letters = {letter.place: letter for letter in _letters(settings, topic, reason)}
    for text, place in places.items():
        if place not in letters:
            raise typer.BadParameter(f"no dead letter {text}; `drift-aware dlq list --all` shows the ids")
    return [letter for letter in letters.values() if not ids or letter.place in places.values()]


def _time(text: str | None) -> int | None:
    try:
        return None if text is None else milliseconds(text)
    except BadEvent as error:
        raise typer.BadParameter(f"{error}; write it as 2026-03-01T00:00:00Z") from None


def _print_counts(letters: Sequence[Letter]) -> None:
    if not letters:
        print("no dead letters")
        return
    print()
    for (topic, reason), count in sorted(
        Counter((each.place.topic, each.reason) for each in letters).items()
    ):
        print(f"{topic:24} {clean(reason):16} {count:>9,}")


def _line(letter: Letter) -> str:
    moment, reason = _moment(letter.buried_ms), clean(letter.reason)
    return f"{letter.place!s:32}  {moment}  {reason:15}  {clean(letter.message)}"


def _fields(letter: Letter, replayed: Redelivered | None = None) -> dict[str, Any]:
    """A letter for programs, without its bytes."""
    return (
        {"id": str(letter.place)}
        | asdict(letter.place)
        | {
            "at": letter.buried_ms,
            "reason": letter.reason,
            "message": letter.message,
            "content_type": letter.content_type,
            "replayed": None if replayed is None else msgspec.structs.asdict(replayed),
        }
    )


def _print_json(fields: dict[str, Any]) -> None:
    print(msgspec.json.encode(fields).decode())


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
