"""The series of segments on ``/metrics``: of a bounded number of segments, and only while they are alive."""

import time
from collections import defaultdict
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics import MetricWrapperBase

from drift_aware.schema.alerts import Reading, Readings
from drift_aware.schema.metrics import Segments
from drift_aware.schema.segments import ALL
from drift_aware.schema.settings import Settings
from drift_aware.streams.comparison import Comparison, Sums, beyond, compare

# A comparison takes a millisecond, and the loop has other things to do.
COMPARED_AT_ONCE = 20
# A segment that has been silent for so many windows has nothing to say of the present.
_SILENT_WINDOWS = 2

# The families of a window and those of the baseline.
Windows = tuple[Sums, Sums]


class SegmentSeries(Segments):
    """What each segment showed last.

    The first ``prometheus_segments`` segments to close a pane have series, and ``all`` always has. A segment
    that falls silent, or whose partition goes, makes room for another.

    Args:
        registry: where they are registered.
        settings: limits, the window, and how many segments.
        clock: monotonic seconds.
    """

    def __init__(
        self, registry: CollectorRegistry, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(registry)
        self._limits, self._most = settings.limits, settings.prometheus_segments
        self._silent_seconds = _SILENT_WINDOWS * settings.window_seconds
        self._now = clock
        self._heard: dict[str, float] = {}
        # Segment to the labels of its series; looking for them among all takes far longer.
        self._shown: dict[str, set[tuple[str, ...]]] = {}
        self._due: dict[str, None] = {}
        self._gauges: defaultdict[int, list[MetricWrapperBase]] = defaultdict(list)  # by how many labels
        for metric in self.declared():
            self._gauges[len(metric.labels)].append(self.made[metric.name])
        # Metric and detector to the names that people know the metric by.
        self._known: dict[tuple[str, str], tuple[Gauge, ...]] = {
            ("refusal_rate", "limit"): (self.refusals, self.refusal_rate),
            ("toxicity_rate", "limit"): (self.toxicity, self.toxicity_rate),
            ("accuracy", "drop"): (self.accuracy, self.recent_accuracy),
        }

    @property
    def unshown(self) -> int:
        """How many segments are heard of and have no series."""
        return len(self._heard) - len(self._shown)

    def closed(self, readings: Readings) -> None:
        """Show the readings of a closed pane."""
        segment = readings.segment
        self._heard[segment] = self._now()
        if segment not in self._shown:
            if segment != ALL and len(self._shown.keys() - {ALL}) >= self._most:
                return
            self._shown[segment] = {(segment,)}
        self._due[segment] = None
        self.pane_end.labels(segment).set(readings.end / 1000)
        for reading in readings.readings:
            self._show(segment, reading)

    def compare(self, windows: Callable[[str], Windows]) -> None:
        """Compare windows with baselines where panes have closed, some segments at a time.

        Args:
            windows: gives those of a segment.
        """
        for segment in list(self._due)[:COMPARED_AT_ONCE]:
            del self._due[segment]
            self._show_scores(segment, compare(*windows(segment), self._limits))

    def drop_silent(self) -> None:
        """Drop segments that have closed no pane for long."""
        heard_since = self._now() - self._silent_seconds
        for segment in [name for name, heard in self._heard.items() if heard < heard_since]:
            self._drop(segment)

    def drop_all(self) -> None:
        """Drop every segment: another worker may have its partition."""
        self._heard.clear()
        self._shown.clear()
        self._due.clear()
        for gauge in self.made.values():
            gauge.clear()

    def _drop(self, segment: str) -> None:
        del self._heard[segment]
        self._due.pop(segment, None)
        for labels in self._shown.pop(segment, ()):
            for gauge in self._gauges[len(labels)]:
                gauge.remove(*labels)

    def _show(self, segment: str, reading: Reading) -> None:
        if reading.score is None or reading.threshold is None or reading.current is None:
            return
        labels = (segment, reading.metric, reading.detector)
        self._shown[segment] |= {labels, labels[:2]}
        self.score.labels(*labels).set(reading.score)
        self.threshold.labels(*labels).set(reading.threshold)
        self.firing.labels(*labels).set(int(reading.fired))
        if reading.detector != "adwin":
            self.value.labels(segment, reading.metric).set(reading.current)
            self.window_events.labels(segment, reading.metric).set(reading.events)
        for gauge in self._known.get((reading.metric, reading.detector), ()):
            gauge.labels(segment).set(reading.current)
        if (reading.metric, reading.detector) == ("accuracy", "drop"):
            _set(self.baseline_accuracy, segment, reading.baseline_value)

    def _show_scores(self, segment: str, compared: Comparison) -> None:
        _set(self.embedding_score, segment, compared.embedding_score)
        _set(self.behavior_score, segment, compared.behavior_score)
        _set(self.accuracy_score, segment, compared.accuracy_score)
        _set(self.operational_score, segment, compared.operational_score)
        _set(self.overall_score, segment, compared.overall_score)
        moved = [beyond(each.cosine, each.cosine_chance) for each in compared.measures]
        known = [distance for distance in moved if distance is not None]
        _set(self.embedding_drift, segment, max(known, default=None))


def _set(gauge: Gauge, segment: str, value: float | None) -> None:
    """Show a value; where there is none, no series is told from nought."""
    if value is None:
        gauge.remove(segment)
    else:
        gauge.labels(segment).set(value)
