"""Dead letters: what could not be used, where it stood, and what to do about it.

A letter is known by its place: the topic, partition and offset of the record it came in, and its index among
that record's letters. After a crash the worker may bury it again; the place tells that it is the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from drift_aware.schema.envelope import COLUMNS
from drift_aware.schema.events import Kind
from drift_aware.schema.topics import SOURCES, SUMMARIES, dead_letters
from drift_aware.streams.intake import Intake
from drift_aware.streams.stage import Input

Reason = Literal[
    "bad_columns",
    "bad_timestamp",
    "bad_vector",
    "empty",
    "future",
    "internal",
    "not_columns",
    "not_json",
    "not_summary",
    "unknown_version",
    "wrong_topic",
    "wrong_type",
]

# One sentence for each reason the worker can give: what happened, and what to do.
ADVICE: Mapping[Reason, str] = {
    "bad_columns": "A column of the record has more or fewer values than it has events: correct the "
    "publisher, which must give every column one value for each event.",
    "bad_timestamp": "The event's `ts` is no time: correct the publisher to send milliseconds since 1970, "
    "or an RFC 3339 time with its offset from UTC.",
    "bad_vector": "The vector does not fit its `dim` and `dtype`, is not finite, has length zero, or differs "
    "from the setting embedding_dim: correct the publisher; if the setting was wrong, change it and replay.",
    "empty": "The record has no value, as a deletion has on a compacted topic: find who writes it; "
    "there is nothing to replay.",
    "future": "The event's `ts` lay further ahead than future_tolerance_seconds when it was written: set the "
    "publisher's clock; replay when that time has come, or after raising the setting.",
    "internal": "The worker failed at a record it should have read: report it with the letter, upgrade, and "
    "replay.",
    "not_columns": "The content type names the columns form, but the bytes are none: correct the content "
    "type, or the publisher's encoding.",
    "not_json": "The bytes are not JSON in UTF-8: correct the publisher; if it sends the columns form, it "
    "must say so in the header content-type.",
    "not_summary": "Another version of the worker, or a stranger, wrote to the topic of summaries: run one "
    "version of the worker; it sends its summaries again by itself, so there is nothing to replay.",
    "unknown_version": "The publisher is newer than the worker: upgrade the worker, and replay.",
    "wrong_topic": "The events are of another kind than their topic: correct the publisher to send each kind "
    "to its own topic.",
    "wrong_type": "A field is missing, or has a value that it cannot have: correct the publisher; if a newer "
    "worker knows the field, upgrade and replay.",
}
_UNKNOWN = "This version does not know the reason: look with the version of the worker that gave it."

SHOWN_BYTES = 4_000
_KINDS: Mapping[str, Kind] = {topic.name: kind for kind, topic in SOURCES.items()}
# Dead-letter topic to the topic its letters come from.
GRAVEYARDS: Mapping[str, str] = {
    dead_letters(topic).name: topic.name for topic in (*SOURCES.values(), SUMMARIES)
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a letter stood; as text ``TOPIC:PARTITION:OFFSET:INDEX``, which is its id."""

    topic: str
    partition: int
    offset: int
    index: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}:{self.index}"


def place_of(text: str) -> Place | None:
    """The place that an id names; None if it is no id.

    >>> place_of("drift.interactions.v1:0:17:2")
    Place(topic='drift.interactions.v1', partition=0, offset=17, index=2)
    """
    topic, *numbers = text.split(":")
    if not topic or len(numbers) != 3 or not all(_is_number(number) for number in numbers):
        return None
    partition, offset, index = map(int, numbers)
    return Place(topic, partition, offset, index)


def _is_number(text: str) -> bool:
    # As Kafka counts: 64 bits. `isdecimal` alone would take other scripts' digits.
    return text.isascii() and text.isdecimal() and len(text) < 20


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter.

    Attributes:
        place: where it stood.
        reason: as the worker gave it; a ``Reason``, unless another version wrote it.
        message: what exactly was wrong.
        value: the event's bytes as they came, or the record's if it could not be taken apart.
        content_type: the form of ``value``.
        key: of the record.
        buried_ms: when, milliseconds.
    """

    place: Place
    reason: str
    message: str
    value: bytes
    content_type: str
    key: bytes | None = None
    buried_ms: int = 0

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence."""
        return {str(reason): advice for reason, advice in ADVICE.items()}.get(self.reason, _UNKNOWN)


def letter_of(record: Input) -> Letter | None:
    """The letter in a record of a dead-letter topic; None if no worker wrote it there."""
    headers = {
        name.removeprefix("drift.errors."): value.decode("utf-8", "replace") for name, value in record.headers
    }
    place = place_of(":".join(headers.get(part, "") for part in ("topic", "partition", "offset", "index")))
    if place is None or place.topic != GRAVEYARDS.get(record.topic):
        return None
    return Letter(
        place=place,
        reason=headers.get("reason", ""),
        message=headers.get("message", ""),
        value=record.value or b"",
        content_type=record.content_type,
        key=record.key,
        buried_ms=record.appended_ms or 0,
    )


def each_once(letters: Iterable[Letter]) -> list[Letter]:
    """Every letter once, as it was first buried, in the order of burial."""
    first: dict[Place, Letter] = {}
    for letter in letters:
        known = first.setdefault(letter.place, letter)
        if letter.buried_ms < known.buried_ms:
            first[letter.place] = letter
    return sorted(first.values(), key=lambda letter: (letter.buried_ms, letter.place))


def still_bad(letter: Letter, intake: Intake, now_ms: int) -> str | None:
    """Why a letter still cannot be used; None if it can.

    A record of many events can be used as soon as one of them can: the worker counts that one and buries the
    others anew, as it does with every record.

    Args:
        letter: to be judged as if it were written now.
        intake: reads events as the worker does.
        now_ms: the time at which a replayed record would be written.
    """
    kind = _KINDS.get(letter.place.topic)
    if kind is None:
        return "the worker sends its summaries again by itself"
    place = letter.place
    # The worker buries a record without a value as no bytes.
    record = Input(
        place.topic, place.partition, place.offset, letter.value or None, letter.content_type, now_ms
    )
    usable, dead, canaries = intake.read(kind, record)
    if usable or canaries:
        return None
    return dead[0].message if dead else "there is no event in it"


def clean(text: str) -> str:
    r"""Text without what a terminal would obey: a letter's bytes may come from anybody.

    >>> print(clean("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def readable(letter: Letter) -> str:
    """A letter's bytes for people: the fields of the columns form, else text, else hexadecimal; clipped."""
    text = _fields(letter.value) if letter.content_type == COLUMNS else None
    if text is None:
        text = text_of(letter.value)
    if text is None:
        text = letter.value.hex(" ")
    shown = "\n".join(clean(line) for line in text[:SHOWN_BYTES].split("\n"))
    return shown if len(text) <= SHOWN_BYTES else f"{shown}\n[clipped; --raw writes all of it]"


def text_of(value: bytes) -> str | None:
    """The text that bytes are in UTF-8; None if they are none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _fields(value: bytes) -> str | None:
    try:
        fields = msgspec.msgpack.decode(value)
        return msgspec.json.format(msgspec.json.encode(fields)).decode()
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
        return None  # not what its content type says; then as it is
