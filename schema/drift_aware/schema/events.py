"""What an application publishes.

Only ``id`` and ``ts`` are required of an interaction; every other field makes one more question
answerable. Fields are only ever added, and unknown fields are ignored, so a publisher may be older or
newer than the worker.

Times are milliseconds since 1970-01-01 UTC. An RFC 3339 string with an offset and a number of seconds
are accepted too, and turned into milliseconds when the event is read.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from drift_aware.schema.errors import BadEvent

Timestamp = int | float | str
Share = Annotated[float, Meta(ge=0, le=1)]
# Bounded above too, so that infinity and numbers no array can hold are refused where they come in.
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Count = Annotated[int, Meta(ge=0, le=10**12)]

# A count of milliseconds passes this number on 1973-03-03, a count of seconds in the year 5138.
_SMALLEST_MILLISECONDS = 100_000_000_000
# 9999-12-31; what lies beyond cannot be written as a date.
_LARGEST_MILLISECONDS = 253_402_300_799_999
_SHOWN_CHARACTERS = 40


class Interaction(Struct, kw_only=True, omit_defaults=True):
    """One question to the model and what came back.

    Attributes:
        id: any that is unique, for instance a UUIDv7.
        ts: when it was asked.
        app: what traffic can be divided by.
        model: what traffic can be divided by.
        prompt_version: what traffic can be divided by.
        tenant: what traffic can be divided by.
        session_id: of the conversation.
        turn: of the conversation, from 0 or 1.
        user_query: the texts; they may be left out.
        model_response: the texts; they may be left out.
        intent: what the question is about, a word of yours.
        refusal: whether the answer refuses; labelled by the worker if it is not said.
        toxicity: of the answer; labelled by the worker if it is not said.
        error: whether it failed, or why.
        finish_reason: why the answer ended, as the model's API says it.
        latency_ms: how long the answer took.
        input_tokens: as they are billed.
        output_tokens: as they are billed.
        cost_usd: of question and answer.
        labels: anything else, name to word.
    """

    id: str
    ts: Timestamp
    app: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    tenant: str | None = None
    session_id: str | None = None
    turn: Count | None = None
    user_query: str | None = None
    model_response: str | None = None
    intent: str | None = None
    refusal: bool | None = None
    toxicity: Share | None = None
    error: bool | str | None = None
    finish_reason: str | None = None
    latency_ms: Amount | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_usd: Amount | None = None
    labels: dict[str, str] | None = None


class Embedding(Struct, kw_only=True, omit_defaults=True):
    """A vector of a query, an answer or a document.

    ``vector`` is base64 of little-endian numbers of ``dtype``, or a plain list of numbers. ``model`` is
    the model that made the vector: vectors of two models, or of two sizes, are never compared.

    Attributes:
        id: any that is unique.
        ts: when the text was asked, answered or indexed.
        vector: the numbers.
        interaction_id: of the interaction whose text it is of.
        kind: of which text.
        dtype: of the numbers in base64.
        dim: how many numbers; counted if it is not said.
        app: as in an interaction.
        model: which made the vector.
        prompt_version: as in an interaction.
        tenant: as in an interaction.
        session_id: as in an interaction.
        canary: the vector of a fixed string, not of traffic; see ``drift-aware canary``.
    """

    id: str
    ts: Timestamp
    vector: bytes | list[float]
    interaction_id: str | None = None
    kind: Literal["query", "response", "document"] = "query"
    dtype: Literal["float16", "float32"] = "float32"
    dim: Annotated[int, Meta(ge=1)] | None = None
    app: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    tenant: str | None = None
    session_id: str | None = None
    canary: bool = False


class Feedback(Struct, kw_only=True, omit_defaults=True):
    """What a person thought of an answer; at least one of ``score``, ``thumbs`` and ``task_success``.

    ``ts`` is the interaction's time when it is known, else the time of the feedback.

    Attributes:
        interaction_id: of the answer.
        ts: of the answer if it is known, else of the opinion.
        score: from 1 to 5.
        thumbs: count as 5 and 1.
        task_success: whether the person got what they wanted.
        comment: in their own words.
        app: as in the interaction.
        model: as in the interaction.
        prompt_version: as in the interaction.
        tenant: as in the interaction.
        session_id: as in the interaction.
    """

    interaction_id: str
    ts: Timestamp
    score: Annotated[float, Meta(ge=1, le=5)] | None = None
    thumbs: Literal["up", "down"] | None = None
    task_success: bool | None = None
    comment: str | None = None
    app: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    tenant: str | None = None
    session_id: str | None = None


class Evaluation(Struct, kw_only=True, omit_defaults=True):
    """One graded item of a run: ``correct``, or ``expected`` beside ``predicted``, or a ``score``.

    Attributes:
        eval_set: which questions.
        run_id: which run of them.
        ts: when it was graded.
        expected: texts that are compared.
        predicted: texts that are compared.
        correct: whether the answer was right; goes before a comparison of texts.
        score: how good it was.
        app: what was evaluated.
        model: what was evaluated.
        prompt_version: what was evaluated.
        tenant: what was evaluated.
        canary: the answer to a golden prompt, not part of anybody's evaluation; see ``drift-aware canary``.
    """

    eval_set: str
    run_id: str
    ts: Timestamp
    expected: str | None = None
    predicted: str | None = None
    correct: bool | None = None
    score: Share | None = None
    app: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    tenant: str | None = None
    canary: bool = False


Event = Interaction | Embedding | Feedback | Evaluation
Kind = Literal["interaction", "embedding", "feedback", "evaluation"]

TYPES: Mapping[Kind, type[Event]] = {
    "interaction": Interaction,
    "embedding": Embedding,
    "feedback": Feedback,
    "evaluation": Evaluation,
}
# Those that may be answers to the monitor's own questions.
CANARY_KINDS: tuple[Kind, ...] = ("embedding", "evaluation")
# Where people's own words stand, and what may be done about it before they travel.
TextField = Literal["user_query", "model_response", "comment", "expected", "predicted", "error", "labels"]
Mode = Literal["keep", "mask", "hash", "drop"]
KINDS: Mapping[type[Event], Kind] = {event_type: kind for kind, event_type in TYPES.items()}


def milliseconds(ts: Timestamp) -> int:
    """The time in milliseconds since the epoch, UTC.

    Args:
        ts: milliseconds, seconds (a number below 10^11) or an RFC 3339 string with an offset.

    Raises:
        BadEvent: ``bad_timestamp``, for anything else.

    >>> milliseconds(1_700_000_000_000), milliseconds(1_700_000_000.25)
    (1700000000000, 1700000000250)
    >>> milliseconds("2023-11-14T23:13:20+01:00")
    1700000000000
    """
    if type(ts) is int and _SMALLEST_MILLISECONDS <= ts <= _LARGEST_MILLISECONDS:
        return ts  # as nearly all of them are
    if isinstance(ts, str):
        return _parsed(ts)
    return _checked(ts if ts >= _SMALLEST_MILLISECONDS else ts * 1000, ts)


def _parsed(ts: str) -> int:
    try:
        moment = datetime.fromisoformat(ts)
    except ValueError:
        raise BadEvent("bad_timestamp", f"ts {ts[:_SHOWN_CHARACTERS]!r} is not an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise BadEvent(
            "bad_timestamp", f"ts {ts[:_SHOWN_CHARACTERS]!r} has no offset from UTC; append Z if it is UTC"
        )
    return _checked(moment.timestamp() * 1000, ts)


def _checked(scaled: float, ts: Timestamp) -> int:
    if not 0 < scaled <= _LARGEST_MILLISECONDS:
        said = str(ts)[:_SHOWN_CHARACTERS]
        raise BadEvent("bad_timestamp", f"ts {said!r} is not a time after 1970 and before the year 10000")
    return round(scaled)


def is_canary(event: Event) -> bool:
    """Whether an event is the monitor's own question to a model, and so no part of the traffic."""
    return isinstance(event, Embedding | Evaluation) and event.canary


def correctness(event: Evaluation) -> bool | None:
    """Whether an evaluated answer was right: said so, or expected equal to predicted; None if neither."""
    if event.correct is not None:
        return event.correct
    if event.expected is None or event.predicted is None:
        return None
    return event.expected == event.predicted


def rating(event: Feedback) -> float | None:
    """The rating from 1 to 5; thumbs count as 5 and 1."""
    if event.score is not None or event.thumbs is None:
        return event.score
    return 5.0 if event.thumbs == "up" else 1.0
