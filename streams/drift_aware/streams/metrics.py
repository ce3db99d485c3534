"""The worker's metrics, each with what it means. Base units are in the names; labels are bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from drift_aware.schema.alerts import Readings
from drift_aware.schema.envelope import DeadLetter
from drift_aware.streams.cursor import Positions
from drift_aware.streams.summarise import Summarise

# Metric of a reading to the gauge that people already have on their dashboards.
_KNOWN_GAUGES = {
    ("refusal_rate", "limit"): "model_refusal_rate",
    ("toxicity_rate", "limit"): "model_toxicity_rate",
    ("accuracy", "drop"): "model_accuracy",
}


class WorkerMetrics:
    """All of them, in one registry.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reached: dict[Counter, int] = {}
        self.records = Counter(
            "drift_aware_records", "Kafka records read from the source topics.", ["topic"], registry=registry
        )
        self.dead_letters = Counter(
            "drift_aware_dead_letters",
            "Events that could not be used and went to the dead-letter topic.",
            ["topic", "reason"],
            registry=registry,
        )
        self.gaps = Counter(
            "drift_aware_offset_gaps", "Records that came too early, to be read again.", registry=registry
        )
        self.lost = Counter(
            "drift_aware_records_lost", "Records that retention deleted unread.", registry=registry
        )
        self.rejected = Counter(
            "drift_aware_rejected_writes",
            "Writes that the broker rejected; the worker stops at the first.",
            registry=registry,
        )
        self.late = Counter(
            "drift_aware_late_events",
            "Events that came after their pane had closed; they count in the totals only.",
            ["kind"],
            registry=registry,
        )
        self.segments = Gauge(
            "drift_aware_segments", "Segments with a place of their own; see max_segments.", registry=registry
        )
        self.overflow = Counter(
            "drift_aware_events_beyond_cap",
            "Events of segments beyond max_segments, counted as `other`.",
            registry=registry,
        )
        self.lag = Gauge(
            "drift_aware_lag_records", "Records that are not counted yet.", ["topic"], registry=registry
        )
        self.event_time = Gauge(
            "drift_aware_watermark_timestamp_seconds",
            "Event time that every partition at hand has reached.",
            ["kind"],
            registry=registry,
        )
        self.rows = Gauge("drift_aware_state_rows", "Rows of a table.", ["table"], registry=registry)
        self.bytes = Gauge(
            "drift_aware_state_bytes", "Bytes of a table's rows.", ["table"], registry=registry
        )
        self.recovery = Gauge(
            "drift_aware_recovery_seconds", "How long the last recovery took.", registry=registry
        )
        self.ready = Gauge(
            "drift_aware_worker_ready", "1 when recovered and not rebalancing, else 0.", registry=registry
        )
        self.watermark = Gauge(
            "drift_aware_pane_end_timestamp_seconds",
            "End of the last closed pane, event time.",
            ["segment"],
            registry=registry,
        )
        self.score = Gauge(
            "drift_aware_score",
            "What a detector compares with its threshold.",
            ["segment", "metric", "detector"],
            registry=registry,
        )
        self.threshold = Gauge(
            "drift_aware_threshold",
            "From which score on a detector fires.",
            ["segment", "metric", "detector"],
            registry=registry,
        )
        self.value = Gauge(
            "drift_aware_value",
            "A metric in the current window, in its own unit.",
            ["segment", "metric"],
            registry=registry,
        )
        self.firing = Gauge(
            "drift_aware_firing",
            "1 while a detector fires, else 0.",
            ["segment", "metric", "detector"],
            registry=registry,
        )
        self.embedding_score = Gauge(
            "drift_embedding_score", "Distance of the embeddings' centre.", ["segment"], registry=registry
        )
        self.known = {
            "model_refusal_rate": Gauge(
                "model_refusal_rate", "Share of answers that refuse.", ["segment"], registry=registry
            ),
            "model_toxicity_rate": Gauge(
                "model_toxicity_rate", "Share of toxic answers.", ["segment"], registry=registry
            ),
            "model_accuracy": Gauge(
                "model_accuracy", "Share of right answers in evaluations.", ["segment"], registry=registry
            ),
        }

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
        for kind, mark in summarise.reached().items():
            self.event_time.labels(kind).set(mark / 1000)
        self.segments.set(summarise.named())
        self._reach(self.overflow, summarise.overflow)

    def show_size(self, positions: Positions) -> None:
        """Show how large the tables are."""
        for cursor in positions.cursors:
            rows, size = cursor.size()
            self.rows.labels(cursor.name).set(rows)
            self.bytes.labels(cursor.name).set(size)

    def _reach(self, counter: Counter, total: int) -> None:
        """Bring a counter to a total that somebody else counts."""
        counter.inc(total - self._reached.get(counter, 0))
        self._reached[counter] = total

    def observe(self, readings: Readings) -> None:
        """Show the readings of a closed pane."""
        segment = readings.segment
        self.watermark.labels(segment).set(readings.end / 1000)
        for reading in readings.readings:
            if reading.score is None or reading.threshold is None or reading.current is None:
                continue
            labels = (segment, reading.metric, reading.detector)
            self.score.labels(*labels).set(reading.score)
            self.threshold.labels(*labels).set(reading.threshold)
            self.firing.labels(*labels).set(int(reading.fired))
            if reading.detector != "adwin":
                self.value.labels(segment, reading.metric).set(reading.current)
            known = _KNOWN_GAUGES.get((reading.metric, reading.detector))
            if known is not None:
                self.known[known].labels(segment).set(reading.current)
            if reading.detector == "centroid":
                self.embedding_score.labels(segment).set(reading.score)

    def failed(self, topic: str, letter: DeadLetter) -> None:
        """Count a dead letter."""
        self.dead_letters.labels(topic, letter.reason).inc()
