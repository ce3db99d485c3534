"""What can be asked, with the bounds of every value; a name that is not known is refused, not passed over."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from drift_aware.dashboards.api.places import ACTION_CURSOR, ALERT_CURSOR, EVENT_CURSOR
from drift_aware.schema.alerts import ActionStatus, AlertStatus, Severity
from drift_aware.schema.events import Kind
from drift_aware.schema.segments import ALL
from drift_aware.sql.cells import MAX_NAME_CHARACTERS

MAX_DAYS = 90
# Every reading of that time is looked at.
MAX_HOURS = 24 * 7


def _moment(value: object) -> object:
    """A time as RFC 3339 has it; pydantic alone takes numbers, too."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            "not an RFC 3339 time, as in 2026-03-01T12:00:00Z; a plus sign is written %2B"
        ) from None
    if moment.tzinfo is None:
        raise ValueError("the time has no offset from UTC; append Z if it is UTC")
    return moment


def _whole(value: object) -> object:
    """To JSON 7.0 is an integer like 7."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# What Postgres can hold; in front of $, a newline at the end is no match either.
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=r"^[^\x00]+$")]
Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Limit = Annotated[int, Field(ge=1, le=200, description="How many at most.")]
Since = Annotated[Moment | None, Field(description="Not before this time.")]
SegmentName = Annotated[
    Name, Field(description="As `GET /segments` names it.", examples=["app=shop,model=gpt-4o"])
]


Note = Annotated[
    str, Field(max_length=2000, pattern=r"^[^\x00]*$", description="Why; it is kept with the action.")
]
# What comes back from Postgres as the number that went in.
_LARGEST = 2**53
Value = (
    Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
    | bool
    | Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)]
    | Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
    | None
)


def _cursor(pattern: str) -> object:
    return Field(None, pattern=pattern, max_length=520, description="The `next` of the page before.")


class Question(BaseModel):
    """The parameters of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AlertQuestion(Question):
    """Which alerts."""

    status: AlertStatus | None = None
    severity: Severity | None = None
    segment: SegmentName | None = None
    metric: Annotated[Name | None, Field(examples=["refusal_rate"])] = None
    since: Annotated[Moment | None, Field(description="Only those that changed at this time or later.")] = (
        None
    )
    limit: Limit = 50
    cursor: Annotated[str | None, _cursor(ALERT_CURSOR)]


class ActionQuestion(Question):
    """Which actions."""

    status: ActionStatus | None = None
    segment: SegmentName | None = None
    limit: Limit = 50
    cursor: Annotated[str | None, _cursor(ACTION_CURSOR)]


class EventQuestion(Question):
    """Which events."""

    kind: Kind = "interaction"
    app: Name | None = None
    model: Name | None = None
    prompt_version: Name | None = None
    tenant: Name | None = None
    since: Annotated[Moment | None, Field(description="Only events at this time or later.")] = None
    until: Annotated[Moment | None, Field(description="Only events before this time.")] = None
    include: Annotated[
        Literal["vectors"] | None,
        Field(description="Embeddings come without their vectors unless asked for."),
    ] = None
    limit: Limit = 50
    cursor: Annotated[str | None, _cursor(EVENT_CURSOR)]


class MetricsQuestion(Question):
    """Which days."""

    days: Annotated[
        int, Field(ge=1, le=MAX_DAYS, description="So many UTC days, the present one included.")
    ] = 30
    segment: SegmentName = ALL


class SeriesQuestion(Question):
    """What of a segment, and how fine."""

    segment: SegmentName = ALL
    hours: Annotated[
        int, Field(ge=1, le=MAX_HOURS, description="Up to the latest pane that is known, from the first on.")
    ] = 24
    points: Annotated[int, Field(ge=2, le=1000, description="At most so many stretches of time.")] = 300


class MapQuestion(Question):
    """Which embeddings."""

    segment: SegmentName = ALL
    family: Annotated[
        Name | None,
        Field(description="One of `families`; else the first.", examples=["embedding/query/small/384"]),
    ] = None


class CheckRequest(BaseModel):
    """The last days against as many before them."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"window_days": 7, "segment": "all"}}
    )

    window_days: Annotated[
        int,
        Field(ge=1, le=MAX_DAYS, description="UTC days, the present one included."),
        BeforeValidator(_whole),
    ] = 7
    segment: SegmentName = ALL


class ActionRequest(BaseModel):
    """A tuning run to propose."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "example": {"reason": "refusals rose after the prompt of Monday", "segment": "all"}
        },
    )

    reason: Annotated[
        str,
        Field(
            min_length=1, max_length=2000, pattern=r"^[^\x00]+$", description="For those who have to decide."
        ),
    ]
    segment: SegmentName = ALL
    force: Annotated[bool, Field(description="Propose it although the last one is not long ago.")] = False


class Answer(BaseModel):
    """What somebody says to an action."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"example": {"note": "before Monday"}}
    )

    note: Note = ""


class Settlement(BaseModel):
    """What somebody has found out about a step of unknown outcome."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"example": {"step": "upload", "done": True, "result": {"file_id": "file-7"}}},
    )

    step: Annotated[Name, Field(description="As `steps` of the action names it.")]
    done: Annotated[bool, Field(description="Whether its effect is there; if not, it is done again.")]
    result: Annotated[
        dict[Name, Value],
        Field(max_length=50, description="What the step gave, if later steps need it."),
    ] = {}
    note: Note = ""
