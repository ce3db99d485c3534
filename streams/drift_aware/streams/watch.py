"""One family of one segment under watch: its window, its baseline, its detectors, its alerts."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from drift_aware.schema.alerts import Alert, Baseline, Reading
from drift_aware.schema.settings import Settings
from drift_aware.streams.alerting import Context, Track, closed, follow
from drift_aware.streams.baseline import Growing, GrowingState, reference_of, sums_of, wanted
from drift_aware.streams.days import Days, Today
from drift_aware.streams.detectors import Pane, detectors_for, on_budget
from drift_aware.streams.detectors.windows import completed
from drift_aware.streams.summary import Packed, Summary, merge, unpack

# A window slides in steps of a sixth of its length, so that it is kept in seven sums.
STEPS = 6
# So many examples are kept of a step: enough for the words of a drift to stand out.
STEP_EXAMPLES = 60


class WatchState(msgspec.Struct, array_like=True):
    """A ``Watch`` in bytes; ``learned`` says that its baseline grew from its own panes."""

    steps: list[tuple[int, Packed]]
    detectors: dict[str, bytes]
    tracks: dict[str, Track]
    learned: bool
    growing: GrowingState | None
    today: Today


class Watch:
    """The detectors over one family of one segment, and the past they look at.

    Args:
        segment: its name.
        family: its events.
        settings: which detectors, which limits, how long a window.
        baseline: what to compare with; without one it grows from the first calm panes.
        state: to go on from.
        over: the days that are over, of the same state.

    Attributes:
        learned: whether its baseline grew from its own panes.
        days: the sums of the last days.
        tracks: detector to what is remembered of its alerts.
        fitted: the baseline that has just grown complete.
    """

    def __init__(
        self,
        segment: str,
        family: str,
        settings: Settings,
        baseline: Baseline | None,
        state: WatchState | None = None,
        over: Mapping[int, Packed] | None = None,
    ) -> None:
        self.segment, self.family = segment, family
        self._baseline = baseline
        self._sums = sums_of(baseline) if baseline is not None else None
        self.learned = baseline is None if state is None else state.learned
        self._growing = Growing() if baseline is None else None
        self._wanted = wanted(family, settings.baseline)
        self._window_ms = settings.window_seconds * 1000
        reference = self._reference = reference_of(baseline) if baseline is not None else None
        self._detectors = {
            f"{detector.subject.metric}|{detector.name}": detector
            for detector in detectors_for(family, settings, reference, None if self.learned else self._sums)
        }
        # A limit may be passed from the first day on; only a change is no part of a baseline.
        self._shifts = [name for name, each in self._detectors.items() if each.name == "shift"]
        lengths = settings.baseline.current_days, settings.baseline.baseline_days
        self.days = Days(*lengths, state.today if state is not None else None, over)
        self._steps: list[tuple[int, Summary]] = []
        self.tracks = {name: Track() for name in self._detectors}
        self.fitted: Baseline | None = None
        if state is not None:
            self._load(state)

    @property
    def monitors(self) -> int:
        """How many of its detectors share the false-alarm budget."""
        return sum(on_budget(detector) for detector in self._detectors.values())

    def windows(self) -> tuple[Summary, Summary] | None:
        """The sums of the window and those of the baseline; None while the baseline grows."""
        if self._sums is None:
            return None
        then = self._sums if self._reference is None else completed(self._sums, self._reference)
        return merge([step for _, step in self._steps]), then

    @property
    def texts(self) -> dict[str, str]:
        """Id to words of the recent past."""
        return {each.id: each.words for _, step in self._steps for each in step.examples if each.words}

    @property
    def background(self) -> list[str]:
        """Words of the baseline's interactions."""
        sums = self._sums if self._growing is None else self._growing.sums
        return [each.words for each in sorted(sums.examples) if each.words] if sums is not None else []

    def observe(
        self,
        start: int,
        end: int,
        summary: Summary,
        granted_ms: float = 0.0,
        texts: Mapping[str, str] | None = None,
        background: Sequence[str] = (),
    ) -> Iterator[tuple[Reading, Alert | None]]:
        """Show a closed pane to the detectors; their readings, and the alerts that came of them.

        Args:
            start: of the pane, event time in milliseconds; ``end`` too.
            end: as above.
            summary: its sums; of a conversation only the first event.
            granted_ms: event time granted so far to each monitor of the segment.
            texts: id to words of the segment's recent interactions.
            background: words of the segment's baseline.
        """
        self._slide(start, end, summary)
        self.days.add(start, summary)
        known = self._sums if self._growing is None else self._growing.sums
        pane = Pane(start, end, summary, self._steps, known, self._growing is None, granted_ms, self.days)
        context = Context(
            self.segment,
            self.family,
            self._baseline.id if self._baseline is not None else None,
            texts if texts is not None else self.texts,
            background or self.background,
        )
        for name, detector in self._detectors.items():
            reading = detector.update(pane)
            alert = follow(
                self.tracks[name], context, detector, reading, pane, not self._told(detector.subject.metric)
            )
            yield reading, alert
        if self._growing is not None:
            yield self._grow(start, end, summary), None

    def retire(self, ts: int) -> list[Alert]:
        """Close what is open: another baseline takes over."""
        alerts = []
        for track in self.tracks.values():
            if track.alert is not None and track.firing:
                track.alert = closed(track.alert, ts, "Another baseline is in force since then.")
                alerts.append(track.alert)
        return alerts

    def state(self) -> WatchState:
        """What must be kept."""
        return WatchState(
            [(start, step.pack()) for start, step in self._steps],
            {name: detector.dump() for name, detector in self._detectors.items()},
            self.tracks,
            self.learned,
            self._growing.state() if self._growing is not None else None,
            self.days.today(),
        )

    def _load(self, state: WatchState) -> None:
        self._steps = [(start, unpack(packed)) for start, packed in state.steps]
        if state.growing is not None:
            self._growing = Growing(state.growing)
        for name, detector in self._detectors.items():
            if name in state.tracks:
                self.tracks[name] = state.tracks[name]
                detector.load(state.detectors[name])

    def _told(self, metric: str) -> bool:
        """Whether an open alert pages for a metric already."""
        return any(
            track.alert is not None and track.firing and track.alert.paging and track.alert.metric == metric
            for track in self.tracks.values()
        )

    def _grow(self, start: int, end: int, summary: Summary) -> Reading:
        assert self._growing is not None
        if not any(self.tracks[name].firing for name in self._shifts):
            self._growing.add(start, end, summary)
        seen = self._growing.sums.events
        if seen >= self._wanted:
            self._sums = self._growing.sums
            self._baseline = self.fitted = self._growing.fit(self.segment, self.family)
            self._growing = None
        return Reading(
            metric=self.family,
            detector="baseline",
            state="warming_up",
            events=seen,
            message=f"warming up {min(seen, self._wanted)}/{self._wanted}",
        )

    def _slide(self, start: int, end: int, summary: Summary) -> None:
        self._steps = [(begin, step) for begin, step in self._steps if begin > end - self._window_ms]
        if self._steps and start - self._steps[-1][0] < self._window_ms / STEPS:
            self._steps[-1][1].add(summary)
            self._steps[-1][1].trim(STEP_EXAMPLES)
        else:
            self._steps.append((start, merge([summary])))
