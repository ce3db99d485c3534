"""What the API answers, as types; those of alerts and actions are the ones on Kafka."""

from msgspec import Struct

from drift_aware.dashboards.check import DayMetrics
from drift_aware.schema.alerts import Action, Alert
from drift_aware.schema.events import Embedding, Evaluation, Feedback, Interaction


class Fault(Struct):
    """One thing that is wrong with a request: where, and what."""

    where: str
    message: str


class Problem(Struct, omit_defaults=True):
    """Why a request was not answered (RFC 9457).

    Attributes:
        title: the status in words.
        detail: what to do about it.
        instance: what the server's log calls this request.
        errors: of a request that cannot be read, each thing that is wrong.
    """

    title: str
    status: int
    detail: str
    instance: str
    errors: list[Fault] = []


class Health(Struct):
    """The server answers, and so does the database."""

    alive: bool
    database: bool


class Ready(Struct):
    """The database has the schema of this release."""

    ready: bool


class AlertPage(Struct):
    """Some alerts; ``next`` is the cursor of the page after them, null on the last one."""

    items: list[Alert]
    next: str | None


class ActionPage(Struct):
    """Some actions; ``next`` is the cursor of the page after them, null on the last one."""

    items: list[Action]
    next: str | None


class AlertWithActions(Struct):
    """An alert and what it has led to."""

    alert: Alert
    actions: list[Action]


class InteractionEvent(Interaction, tag_field="type", tag="interaction"):
    """As published, its time in milliseconds."""


class EmbeddingEvent(Embedding, tag_field="type", tag="embedding"):
    """As published, its time in milliseconds; the vector only if asked for."""

    vector: list[float] | None = None  # type: ignore[assignment]


class FeedbackEvent(Feedback, tag_field="type", tag="feedback"):
    """As published, its time in milliseconds."""


class EvaluationEvent(Evaluation, tag_field="type", tag="evaluation"):
    """As published, its time in milliseconds."""


Event = InteractionEvent | EmbeddingEvent | FeedbackEvent | EvaluationEvent


class EventPage(Struct):
    """Some events; ``next`` is the cursor of the page after them, null on the last one."""

    items: list[Event]
    next: str | None


class Segment(Struct):
    """A part of the traffic.

    Attributes:
        segment: its name.
        events: how many there were, by family.
        first_day, last_day: UTC days with events, as in 2026-03-01.
        open_alerts: how many alerts fire now.
    """

    segment: str
    events: dict[str, int]
    first_day: str | None
    last_day: str | None
    open_alerts: int


class Segments(Struct):
    """All segments, by name."""

    items: list[Segment]


class Metrics(Struct):
    """A segment's days, oldest first."""

    segment: str
    days: list[DayMetrics]
