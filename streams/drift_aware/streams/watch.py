"""One family of one segment under watch: its window, its detectors, its alerts."""

from collections.abc import Iterator

import msgspec

from drift_aware.schema.alerts import Alert, Baseline, Reading
from drift_aware.schema.settings import Settings
from drift_aware.streams.alerting import Track, follow
from drift_aware.streams.baseline import reference
from drift_aware.streams.detectors import Pane, detectors_for
from drift_aware.streams.summary import Packed, Summary, merge, unpack

# A window slides in steps of a sixth of its length, so that it is kept in seven sums.
STEPS = 6


class WatchState(msgspec.Struct, array_like=True):
    """A ``Watch`` in bytes."""

    steps: list[tuple[int, Packed]]
    detectors: dict[str, bytes]
    tracks: dict[str, Track]


class Watch:
    """The detectors over one family of one segment, and the window they look at.

    Args:
        segment: its name.
        family: its events.
        baseline: what they are compared with.
        settings: which detectors, which limits, how long a window.
        state: to go on from.
    """

    def __init__(
        self,
        segment: str,
        family: str,
        baseline: Baseline,
        settings: Settings,
        state: WatchState | None = None,
    ) -> None:
        self._segment = segment
        self._baseline = baseline
        self._reference = reference(baseline)
        self._window_ms = settings.window_seconds * 1000
        self._detectors = {
            f"{detector.subject.metric}|{detector.name}": detector
            for detector in detectors_for(family, settings)
        }
        self._steps: list[tuple[int, Summary]] = []
        self.tracks = {name: Track() for name in self._detectors}
        if state is not None:
            self._load(state)

    def observe(self, start: int, end: int, summary: Summary) -> Iterator[tuple[Reading, Alert | None]]:
        """Show a closed pane to the detectors; their readings, and the alerts that came of them."""
        self._slide(start, end, summary)
        pane = Pane(
            start=start,
            end=end,
            summary=summary,
            window=merge(step for _, step in self._steps),
            window_start=self._steps[0][0],
            baseline=self._reference,
        )
        for name, detector in self._detectors.items():
            reading = detector.update(pane)
            alert = follow(self.tracks[name], self._segment, detector, reading, pane)
            if alert is not None:
                alert.baseline = self._baseline.id
            yield reading, alert

    def state(self) -> WatchState:
        """What must be kept."""
        return WatchState(
            [(start, step.pack()) for start, step in self._steps],
            {name: detector.dump() for name, detector in self._detectors.items()},
            self.tracks,
        )

    def _load(self, state: WatchState) -> None:
        self._steps = [(start, unpack(packed)) for start, packed in state.steps]
        for name, detector in self._detectors.items():
            if name in state.tracks:
                self.tracks[name] = state.tracks[name]
                detector.load(state.detectors[name])

    def _slide(self, start: int, end: int, summary: Summary) -> None:
        self._steps = [(begin, step) for begin, step in self._steps if begin > end - self._window_ms]
        if self._steps and start - self._steps[-1][0] < self._window_ms / STEPS:
            self._steps[-1][1].add(summary)
        else:
            self._steps.append((start, merge([summary])))
