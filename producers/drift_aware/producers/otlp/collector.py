"""What an OpenTelemetry Collector has written to Kafka, as work of a relay."""

from collections import Counter
from collections.abc import Mapping, Sequence

import structlog

from drift_aware.producers.otlp.intake import Counts, Intake, Signal, Taken, show
from drift_aware.producers.work import Received, Work
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Event
from drift_aware.schema.metrics import IngestMetrics

NAME = "otlp"

log = structlog.get_logger(__name__)


class Telemetry(Work):
    """Makes events of records that are one OTLP request each.

    What is no request is counted and logged with its place; it stays where it is, on the Collector's topic.

    Args:
        intake: reads requests.
        signals: topic to what is on it.
        metrics: shown what was published, once it is.
    """

    def __init__(self, intake: Intake, signals: Mapping[str, Signal], metrics: IngestMetrics) -> None:
        self._intake = intake
        self._signals = signals
        self._metrics = metrics
        self._counts: Counts = Counter()

    def outputs(self, records: Sequence[Received]) -> list[list[Event]]:
        """See ``Work``."""
        self._counts = Counter()
        return [[event for _, events in self._taken(record).events for event in events] for record in records]

    def committed(self) -> None:
        """See ``Work``."""
        show(self._metrics, self._counts)
        self._counts = Counter()

    def _taken(self, record: Received) -> Taken:
        try:
            taken = self._intake.take(
                self._signals[record.origin.topic], record.value or b"", record.timestamp_ms
            )
        except BadEvent as error:
            log.warning("not read", place=str(record.origin), reason=error.reason, why=str(error))
            self._counts["unread", error.reason] += 1
            return Taken()
        if taken.refused:
            log.warning("events refused", place=str(record.origin), why=taken.refused)
        self._counts += taken.counts
        return taken
