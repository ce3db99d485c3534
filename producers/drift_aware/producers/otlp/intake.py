"""From the bytes of a request to events, with everything counted that happens on the way. Knows no Kafka."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import structlog

from drift_aware.producers.drafts import Completion
from drift_aware.producers.otlp.events import Found, Reading
from drift_aware.producers.otlp.spans import Log, Span, read_logs, read_spans
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import KINDS, Event
from drift_aware.schema.metrics import IngestMetrics
from drift_aware.schema.redaction import Changes, Redaction
from drift_aware.schema.settings import Settings

Signal = Literal["traces", "logs"]
# A counter of IngestMetrics and the value of its label.
Counts = Counter[tuple[str, str]]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Taken:
    """What a request held.

    Attributes:
        events: by the span or log record that they are of.
        counts: what happened.
        refused: why the last event that cannot be published cannot; None if all can.
    """

    events: list[tuple[Span | Log, list[Event]]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counter)
    refused: str | None = None


class Intake:
    """Reads requests.

    Args:
        settings: what counts, and what becomes of personal data in texts.

    Raises:
        SettingsError: as ``Redaction.configured``.
    """

    def __init__(self, settings: Settings) -> None:
        self._reading = Reading(settings.otlp, settings.future_tolerance_seconds * 1000)
        self._completion = Completion({}, settings.otlp.max_text_chars, Redaction.configured(settings.redact))

    def take(self, signal: Signal, value: bytes, received_ms: float) -> Taken:
        """The events of a request.

        Args:
            signal: what kind of request.
            value: protobuf or JSON.
            received_ms: when it came.

        Raises:
            BadEvent: ``not_otlp``; there is nothing in it.
        """
        taken = Taken()
        if signal == "traces":
            for span in read_spans(value):
                self._gather(taken, span, lambda span=span: self._reading.of_span(span, received_ms))  # type: ignore[misc]
        else:
            for log in read_logs(value):
                self._gather(taken, log, lambda log=log: self._reading.of_log(log, received_ms))  # type: ignore[misc]
        return taken

    def _gather(self, taken: Taken, source: Span | Log, find: Callable[[], Found]) -> None:
        try:
            found = find()
        except Exception as error:  # noqa: BLE001 - attributes are anything; one span must not cost the others
            self._refuse(
                taken, BadEvent("bad_event", f"attributes that cannot be read: {type(error).__name__}")
            )
            return
        if found.passed is not None:
            taken.counts["passed", found.passed] += 1
            return
        taken.counts["changed", "time"] += found.retimed
        events = []
        for draft in found.drafts:
            try:
                event, changes = self._completion.complete(draft)
            except BadEvent as error:
                self._refuse(taken, error)
            else:
                events.append(event)
                _count(taken.counts, event, changes)
        taken.events.append((source, events))

    def _refuse(self, taken: Taken, error: BadEvent) -> None:
        taken.counts["refused", error.reason] += 1
        taken.refused = str(error)


def _count(counts: Counts, event: Event, changes: Changes) -> None:
    counts["events", KINDS[type(event)]] += 1
    counts["changed", "clipped"] += changes.clipped
    counts["changed", "redacted"] += sum(changes.found.values())
    counts["changed", "withheld"] += changes.withheld


def show(metrics: IngestMetrics, counts: Counts) -> None:
    """Add what happened to the counters."""
    for (name, label), number in counts.items():
        if number:
            counter = getattr(metrics, name)
            (counter.labels(label) if label else counter).inc(number)
