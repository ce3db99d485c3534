"""The worker's metrics: what it says of itself, what of each segment."""

from itertools import product
from typing import get_args

from prometheus_client import CollectorRegistry, Counter

from drift_aware.schema.alerts import Alert, AlertKind, Readings, Severity
from drift_aware.schema.envelope import DeadLetter
from drift_aware.schema.events import CANARY_KINDS
from drift_aware.schema.metrics import Stream
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES
from drift_aware.streams.cursor import Positions
from drift_aware.streams.dlq import ADVICE
from drift_aware.streams.observer import Observer
from drift_aware.streams.series import SegmentSeries
from drift_aware.streams.summarise import Summarise

_PAGING = {True: "true", False: "false"}


class WorkerMetrics(Stream, Observer):
    """All of them, in one registry.

    Counters whose labels are known begin at nought: one that is born at one has not grown, for Prometheus.

    Args:
        registry: where they are registered.
        settings: the budget, and how many segments have series.
    """

    def __init__(self, registry: CollectorRegistry, settings: Settings) -> None:
        super().__init__(registry)
        self._reached: dict[Counter, int] = {}
        self.series = SegmentSeries(registry, settings)
        self.started.set_to_current_time()
        self.budget.set(settings.budget_ms / 1000)
        for topic in SOURCES.values():
            self.records.labels(topic.name)
            for reason in ADVICE:
                self.dead_letters.labels(topic.name, reason)
        for kind in SOURCES:
            self.late.labels(kind)
        for kind in CANARY_KINDS:
            self.canaries.labels(kind)
        for kind, severity, paging in product(get_args(AlertKind), get_args(Severity), _PAGING.values()):
            self.alerts.labels(kind, severity, paging)

    def show(self, positions: Positions, summarise: Summarise) -> None:
        """Show where the worker stands."""
        self.ready.set(int(positions.ready))
        self._reach(self.gaps, positions.gaps)
        self._reach(self.lost, positions.lost)
        self._reach(self.rejected, positions.rejected)
        self.recovery.set(positions.recovery_seconds)
        for cursor in positions.cursors:
            for topic, records in cursor.lag().items():
                self.lag.labels(topic).set(records)
        for kind, late in summarise.late.items():
            self._reach(self.late.labels(kind), late)
        for kind in CANARY_KINDS:
            self._reach(self.canaries.labels(kind), summarise.canaries[kind])
        for kind, mark in summarise.reached().items():
            self.event_time.labels(kind).set(mark / 1000)
        self.segments.set(summarise.named())
        self._reach(self.overflow, summarise.overflow)
        self.series.drop_silent()
        self.unshown.set(self.series.unshown)

    def show_size(self, positions: Positions) -> None:
        """Show how large the tables are."""
        for cursor in positions.cursors:
            rows, size = cursor.size()
            self.rows.labels(cursor.name).set(rows)
            self.bytes.labels(cursor.name).set(size)

    def failed(self, topic: str, letter: DeadLetter) -> None:
        """Count a dead letter."""
        self.dead_letters.labels(topic, letter.reason).inc()

    def closed(self, readings: Readings) -> None:
        """See ``Observer``."""
        self.series.closed(readings)

    def opened(self, alert: Alert) -> None:
        """See ``Observer``."""
        self.alerts.labels(alert.kind, alert.severity, _PAGING[alert.paging]).inc()

    def dropped(self) -> None:
        """See ``Observer``."""
        self.series.drop_all()

    def _reach(self, counter: Counter, total: int) -> None:
        """Bring a counter to a total that somebody else counts."""
        counter.inc(total - self._reached.get(counter, 0))
        self._reached[counter] = total
