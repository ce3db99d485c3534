"""Where a limit is, and how far beyond it a value is."""

from typing import Literal

from drift_aware.streams.detectors.contract import SEVERITY_STEPS, Pane
from drift_aware.streams.measures import Metric, Rate

Side = Literal["above", "below"]
_RATING_SCALE = 4.0  # stars between the best and the worst rating


class Bound:
    """Where the line is, and how far beyond it a value is.

    Args:
        metric: of what.
        side: on which side of it values are bad.
        limit: the value itself.
        drop: if it is set, ``limit`` is how far below the baseline the line lies.
        steps: how many limits are worth a warning, and are critical.
    """

    def __init__(
        self,
        metric: Metric,
        side: Side,
        limit: float,
        drop: bool = False,
        steps: tuple[float, float] = SEVERITY_STEPS,
    ) -> None:
        self.metric, self.above, self.limit, self.drop = metric, side == "above", limit, drop
        self._steps = steps

    def line(self, pane: Pane) -> float | None:
        """The line in the metric's own unit; None while there is no baseline to drop from."""
        if not self.drop:
            return self.limit
        measure, baseline = self.metric.measure, pane.baseline
        if baseline is None or not pane.settled or not measure.events(baseline):
            return None
        return measure.value(baseline) - self.limit

    def badness(self, value: float) -> float:
        """A value on a scale from 0, the best there is, to 1, the worst."""
        if isinstance(self.metric.measure, Rate):
            return value if self.above else 1 - value
        return (5 - value) / _RATING_SCALE

    def beyond(self, pane: Pane, value: float) -> float | None:
        """How bad a value is in limits: above 1 the limit is passed."""
        line = self.line(pane)
        if line is None:
            return None
        if self.drop:
            return (line + self.limit - value) / self.limit
        return value / line if self.above else (1 - value) / max(1 - line, 1e-9)

    def strength(self, pane: Pane, value: float) -> float | None:
        """How bad a value is, so that a warning and what is critical begin at SEVERITY_STEPS."""
        beyond = self.beyond(pane, value)
        if beyond is None:
            return None
        (warning, critical), (begin, end) = SEVERITY_STEPS, self._steps
        return warning + (beyond - begin) * (critical - warning) / (end - begin)
