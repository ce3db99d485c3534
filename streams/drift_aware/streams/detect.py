"""Stage two: summaries in, readings, alerts and the sums of days out.

Each segment is on one partition and so is seen whole: the snapshots of its panes from all sources are put
together, and when a pane is complete the detectors look at it, in the order of event time. The results depend
on nothing but the records of ``drift.summaries.v1`` in their order.

Rows of the table:

``{partition}|{segment}|pane|{pane}|{kind}/{source partition}``  latest snapshot of an open pane
``{partition}|{segment}|waiting|{time}|{family}``                closed panes whose baseline is not there yet
``{partition}|{segment}|baseline|{family}``                      what the segment is compared with
``{partition}|{segment}|day|{day}|{family}``                     sums of a day that is over
``{partition}|{segment}|history|{day}|{family}``                 a day that is over, until it has been told
``{partition}|{segment}|monitor``                                windows, detectors, alerts, this day so far
``{partition}||census|{pane}|{kind}/{source partition}``         events of each segment in an open pane
``{partition}||books``                                           how the false-alarm budget is shared out
"""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

import msgspec

from drift_aware.schema.alerts import Alert, Baseline, DaySums, Reading, Readings
from drift_aware.schema.envelope import DeadLetter
from drift_aware.schema.events import Kind
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ALERTS, BASELINES, HISTORY, READINGS
from drift_aware.streams.baseline import wanted
from drift_aware.streams.budget import Books
from drift_aware.streams.history import Day, DayRow, Told
from drift_aware.streams.labels import VERSION
from drift_aware.streams.observer import Observer
from drift_aware.streams.panes import END_OF_TIME, Clock, complete_until
from drift_aware.streams.silence import fallen_silent, speaking_again
from drift_aware.streams.stage import MANY_ROWS, Changes, Input, Output, Row
from drift_aware.streams.summary import Packed, Summary, again, is_again, kind_of, less, unpack
from drift_aware.streams.tallies import tallies
from drift_aware.streams.waiting import Stretch, StretchRow, Waiting
from drift_aware.streams.watch import Watch, WatchState
from drift_aware.streams.wire import Census, Fitted, Snapshot, Watermark, decode

Families = dict[str, Summary]
# The family whose events labellers read.
_LABELLED = "interaction"
Marks = dict[int, dict[Kind, int]]

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_baseline = msgspec.msgpack.Decoder(Baseline).decode
_marks = msgspec.msgpack.Decoder(Marks).decode


class Share(msgspec.Struct, array_like=True):
    """Event time granted to a segment so far, and of that to each of its monitors, milliseconds."""

    segment: float = 0.0
    monitor: float = 0.0


class MonitorRow(msgspec.Struct, array_like=True):
    """What a segment remembers.

    Attributes:
        closed_until: all its panes before this event time are closed.
        watches: family to the state of its watch.
        unmatched: family to how many events it had while it had no baseline.
        share: what the segment and each of its monitors was granted.
        silent: the latest alert that nothing comes.
        labeller: version of the labels that were counted.
        history: family to all of the day that goes on.
    """

    closed_until: int
    watches: dict[str, WatchState]
    unmatched: dict[str, int]
    share: Share
    silent: Alert | None = None
    labeller: str = VERSION
    history: dict[str, DayRow] = {}


_monitor_row = msgspec.msgpack.Decoder(MonitorRow).decode
_census = msgspec.msgpack.Decoder(Census).decode
_books = msgspec.msgpack.Decoder(Books).decode
_packed = msgspec.msgpack.Decoder(Packed).decode
_stretch_row = msgspec.msgpack.Decoder(StretchRow).decode
_day_row = msgspec.msgpack.Decoder(DayRow).decode


class _Segment:
    """What one segment has in memory."""

    def __init__(self) -> None:
        self.closed_until = 0
        self.panes: dict[int, dict[str, Snapshot]] = {}
        self.waiting: dict[str, Waiting] = {}
        self.baselines: dict[str, Baseline] = {}
        self.days: defaultdict[str, dict[int, Packed]] = defaultdict(dict)  # until the watches are restored
        self.watches: dict[str, Watch] = {}
        self.unmatched: Counter[str] = Counter()
        self.share = Share()
        self.silent: Alert | None = None


class _Partition:
    """What one partition has in memory, and what has changed in it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.marks: Marks = {}
        self.complete = 0
        self.segments: dict[str, _Segment] = {}
        self.census: dict[int, dict[str, Census]] = {}
        self.books = Books()
        self.books_changed = False
        self.rows: dict[bytes, bytes | None] = {}
        self.dirty: dict[str, None] = {}  # segments whose monitor row is due, in order
        self.outputs: list[Output] = []
        self.history = Told(clock)


class Detect:
    """The second stage; see ``Stage`` for the contract.

    Args:
        settings: panes, windows, limits.
        observer: told what is seen, for metrics.
        clock: monotonic seconds.
        slice_seconds: how long one call of ``fold`` may close panes; it closes one of a segment in any case.
    """

    def __init__(
        self,
        settings: Settings,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
        slice_seconds: float = math.inf,
    ) -> None:
        self._settings = settings
        self._observer = observer or Observer()
        self._now = clock
        self._slice_seconds = slice_seconds
        self._clock = Clock(settings.pane_seconds * 1000, settings.allowed_lateness_seconds * 1000)
        self._partitions: dict[int, _Partition] = {}
        self._partition_count = settings.kafka.partitions

    def restore(self, partition: int, rows: Iterable[tuple[bytes, bytes]], notes: dict[str, bytes]) -> None:
        """Take over a partition; remembered alerts, at their latest revision, and days count as unsent."""
        state = self._partitions[partition] = _Partition(self._now)
        for note in notes.values():
            state.marks = _marks(note) if note else {}
        # What was complete is closed: the same watermark must not close more only because it comes again.
        state.complete = complete_until(state.marks, self._partition_count)
        state.history.pass_time(state.complete)
        monitors: dict[str, MonitorRow] = {}
        stretches: dict[tuple[str, str], dict[int, StretchRow]] = defaultdict(dict)
        for key, value in rows:
            _, name, what, *rest = key.decode().split("|", 3)
            if not name:
                _restore_books(state, what, rest, value)
                continue
            segment = state.segments.setdefault(name, _Segment())
            match what:
                case "monitor":
                    monitors[name] = _monitor_row(value)
                case "waiting":
                    at, family = rest[0].split("|", 1)
                    stretches[name, family][int(at)] = _stretch_row(value)
                case "history":
                    _, family = rest[0].split("|", 1)
                    state.history.end(name, family, _day_row(value))
                case _:
                    _restore_row(segment, what, rest[0], value)
        for name, row in monitors.items():
            self._restore_monitor(state, partition, name, row)
            _drop_closed(state.rows, partition, name, state.segments[name])
        _drop_unwatched(state.segments)
        self._drop_counted(state, partition)
        for (name, family), waiting_rows in stretches.items():
            self._restore_waiting(state, partition, name, family, waiting_rows)

    def forget(self) -> None:
        """Drop everything in memory."""
        self._partitions.clear()
        self._observer.dropped()

    def note(self, topic: str, partition: int) -> bytes:
        """The watermarks of all sources."""
        del topic
        return _pack(self._partitions[partition].marks)

    def fold(self, record: Input) -> list[DeadLetter] | None:
        """Take one message; one that cannot be read comes back. None: there are more panes to close."""
        try:
            message = decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = f"not a summary of this version: {error}"
            return [DeadLetter(record.value or b"", record.content_type, "not_summary", why)]
        state = self._partitions[record.partition]
        match message:
            case Snapshot():
                self._take(state, record.partition, message)
            case Census():
                self._take_census(state, record.partition, message)
            case Watermark():
                marks = state.marks | {message.partition: message.marks}
                if not self._close(state, record.partition, complete_until(marks, self._partition_count)):
                    return None
                state.marks = marks
            case Fitted():
                self._compare_with(state, record.partition, message.baseline)
        return []

    def windows(self, name: str) -> tuple[Families, Families]:
        """Family to the sums of a segment's window, and to those of its baseline, where both are there."""
        now, then = Families(), Families()
        for state in self._partitions.values():
            if name in state.segments:
                for family, watch in state.segments[name].watches.items():
                    if (windows := watch.windows()) is not None:
                        now[family], then[family] = windows
        return now, then

    def listen(self, now_ms: int) -> None:
        """Take note of segments from which nothing comes any more.

        Args:
            now_ms: the wall clock; it counts once all that was published has been counted, else event time.
        """
        for state in self._partitions.values():
            for name, segment in state.segments.items():
                if not segment.panes:
                    self._listen(state, name, now_ms if state.complete == END_OF_TIME else state.complete)

    def changes(self, partition: int) -> Changes:
        """Rows, readings and alerts since the last call.

        A crash may keep any first part of the rows. So what is new comes before the monitors that build on
        it, and what is done with goes only after the monitors know: at worst it is done with once more. The
        books come after the monitors too: a monitor knows what it was granted, and panes that are closed once
        more must find the books as they were.
        """
        state = self._partitions[partition]
        rows: list[Row] = [(key, value) for key, value in state.rows.items() if value is not None]
        rows += [
            (_key(partition, name, "monitor"), _pack(_row(state.segments[name], state.history.rows(name))))
            for name in state.dirty
        ]
        if state.books_changed:
            rows.append((_key(partition, "", "books"), _pack(state.books)))
            state.books_changed = False
        rows += [(key, None) for key, value in state.rows.items() if value is None]
        changes = Changes(rows, state.outputs + [_day_output(sums) for sums in state.history.news()])
        state.rows, state.dirty, state.outputs = {}, {}, []
        return changes

    @property
    def urgent(self) -> bool:
        """Whether rows are many."""
        return sum([len(state.rows) + len(state.dirty) for state in self._partitions.values()]) >= MANY_ROWS

    def _restore_monitor(self, state: _Partition, partition: int, name: str, row: MonitorRow) -> None:
        segment = state.segments[name]
        segment.closed_until, segment.share, segment.silent = row.closed_until, row.share, row.silent
        if row.silent is not None:
            state.outputs.append(_alert_output(row.silent))
        segment.unmatched = Counter(row.unmatched)
        state.history.restore(name, row.history)
        for family, watch_state in row.watches.items():
            baseline = segment.baselines.get(family)
            if watch_state.growing is not None:
                baseline = None  # it grew complete, but the process died before this watch knew
            watch = Watch(name, family, self._settings, baseline, watch_state, segment.days.pop(family, None))
            if family == _LABELLED and row.labeller != VERSION:
                _begin_again(state, partition, family, watch)
                continue
            segment.watches[family] = watch
            if baseline is not None and watch_state.learned:
                state.outputs.append(_baseline_output(baseline))
            for track in watch.tracks.values():
                known = [*track.past, track.alert] if track.alert is not None else []
                state.outputs.extend(_alert_output(alert) for alert in known)

    def _restore_waiting(
        self, state: _Partition, partition: int, name: str, family: str, rows: dict[int, StretchRow]
    ) -> None:
        segment = state.segments[name]
        segment.waiting[family] = Waiting(self._clock.pane_ms, rows)
        if family in segment.watches and family in segment.baselines:
            segment.waiting[family].clear()  # the process died between the monitor's row and these
        self._write_waiting(state, partition, name, family)

    def _take(self, state: _Partition, partition: int, snapshot: Snapshot) -> None:
        segment = state.segments.setdefault(snapshot.segment, _Segment())
        if snapshot.pane < segment.closed_until:
            return  # sent again after a recovery, or come too late for the detectors; the totals have it
        source = f"{snapshot.kind}/{snapshot.partition}"
        sources = segment.panes.setdefault(snapshot.pane, {})
        if source in sources and sources[source].sequence >= snapshot.sequence:
            return
        sources[source] = snapshot
        state.rows[_key(partition, snapshot.segment, "pane", snapshot.pane, source)] = _pack(snapshot)

    def _drop_counted(self, state: _Partition, partition: int) -> None:
        """Rid a restored partition of the census that its books had counted when the process died."""
        for pane in [pane for pane in state.census if pane + self._clock.pane_ms <= state.books.until]:
            sources = state.census.pop(pane)
            state.rows.update((_key(partition, "", "census", pane, source), None) for source in sources)

    def _take_census(self, state: _Partition, partition: int, census: Census) -> None:
        if census.pane + self._clock.pane_ms <= state.books.until:
            return
        source = f"{census.kind}/{census.partition}"
        sources = state.census.setdefault(census.pane, {})
        if source not in sources or sources[source].sequence < census.sequence:
            sources[source] = census
            state.rows[_key(partition, "", "census", census.pane, source)] = _pack(census)

    def _close(self, state: _Partition, partition: int, complete: int) -> bool:
        """Close complete panes in the order of event time, each segment by segment; whether all are closed.

        Stopping after any segment is safe: the rest finds the books as the first did, because they have moved
        past the pane and its census is gone.
        """
        if complete == state.complete:
            return True
        begun = self._now()
        panes = {pane for segment in state.segments.values() for pane in segment.panes} | set(state.census)
        for pane in sorted(panes):
            if self._clock.closes_at(pane) > complete:
                break
            self._advance_books(state, partition, pane)
            for name in sorted(state.segments):
                if pane in state.segments[name].panes:
                    self._close_pane(state, partition, name, pane)
                    if self._now() - begun >= self._slice_seconds:
                        return False
        state.complete = complete
        for day in state.history.pass_time(complete):
            state.rows[_day_key(partition, day)] = None
        return True

    def _advance_books(self, state: _Partition, partition: int, pane: int) -> None:
        events: Counter[str] = Counter()
        for source, census in state.census.pop(pane, {}).items():
            events.update(census.events)
            state.rows[_key(partition, "", "census", pane, source)] = None
        if events:
            state.books.advance(pane + self._clock.pane_ms, events)
            state.books_changed = True

    def _close_pane(self, state: _Partition, partition: int, name: str, pane: int) -> None:
        segment = state.segments[name]
        self._listen(state, name, pane)
        if segment.silent is not None and segment.silent.status == "firing":
            segment.silent = speaking_again(segment.silent, pane)
            state.outputs.append(_alert_output(segment.silent))
        sources = segment.panes.pop(pane)
        end = pane + self._clock.pane_ms
        segment.closed_until = max(segment.closed_until, end)
        state.dirty[name] = None
        state.rows.update((_key(partition, name, "pane", pane, source), None) for source in sources)
        families = _merged(sources.values())
        for day, over in state.history.add(name, pane, end, families):
            state.rows[_day_key(partition, day)] = _pack(over)
        units = _units(families)
        for family in units:
            if kind_of(family) != "embedding" and family not in segment.watches:
                baseline = segment.baselines.get(family)
                segment.watches[family] = Watch(name, family, self._settings, baseline)
        self._grant(state, name, segment, units)
        readings: list[Reading] = []
        for family in sorted(units):
            stretch = Stretch(pane, end, units[family], segment.share.monitor)
            if family in segment.watches:
                readings += self._observe(state, partition, name, family, stretch)
            else:
                readings.append(self._warming_up(segment, family, units[family]))
                waiting = segment.waiting.setdefault(family, Waiting(self._clock.pane_ms, {}))
                waiting.add(stretch)
                self._write_waiting(state, partition, name, family)
        told = Readings(
            segment=name,
            start=pane,
            end=end,
            totals=_events(sources),
            readings=readings,
            tallies=tallies(units),
        )
        self._report(state, told)

    def _listen(self, state: _Partition, name: str, until: int) -> None:
        segment, minutes = state.segments[name], self._settings.no_data_minutes
        if minutes is None or not segment.closed_until:
            return
        known = segment.silent is not None and segment.silent.status == "firing"
        if not known and until - segment.closed_until >= minutes * 60_000:
            segment.silent = fallen_silent(name, segment.closed_until, minutes * 60_000)
            self._tell(state, segment.silent)
            state.dirty[name] = None

    def _grant(self, state: _Partition, name: str, segment: _Segment, units: Families) -> None:
        """Divide what the segment was granted since its last pane equally among its monitors.

        Embeddings that wait for their baseline have their place already.
        """
        granted = state.books.granted(name)
        waiting = {family for family in [*units, *segment.waiting] if family not in segment.watches}
        monitors = len(waiting) + sum(watch.monitors for watch in segment.watches.values())
        if monitors:
            segment.share.monitor += (granted - segment.share.segment) / monitors
        segment.share.segment = granted

    def _observe(
        self, state: _Partition, partition: int, name: str, family: str, stretch: Stretch
    ) -> list[Reading]:
        segment = state.segments[name]
        watch = segment.watches[family]
        baseline = segment.baselines.get(family)
        if baseline is not None and stretch.start < baseline.until and not watch.learned:
            return []  # what a baseline is made of is not compared with it
        readings = []
        told = segment.watches.get("interaction")
        texts, background = (told.texts, told.background) if told is not None else ({}, [])
        for reading, alert in watch.observe(*stretch, texts, background):
            readings.append(reading)
            if alert is not None:
                self._tell(state, alert)
        for day in sorted(watch.days.changed):
            over = watch.days.row(day)
            state.rows[_key(partition, name, "day", day, family)] = None if over is None else _pack(over)
        watch.days.changed.clear()
        if watch.fitted is not None:
            segment.baselines[family] = watch.fitted
            state.rows[_key(partition, name, "baseline", family)] = _pack(watch.fitted)
            state.outputs.append(_baseline_output(watch.fitted))
            watch.fitted = None
        return readings

    def _warming_up(self, segment: _Segment, family: str, summary: Summary) -> Reading:
        segment.unmatched[family] += summary.events
        seen, needed = segment.unmatched[family], wanted(family, self._settings.baseline)
        return Reading(
            metric=family,
            detector="baseline",
            state="warming_up",
            events=seen,
            message=f"warming up {min(seen, needed)}/{needed}",
        )

    def _write_waiting(self, state: _Partition, partition: int, name: str, family: str) -> None:
        waiting = state.segments[name].waiting[family]
        for at in sorted(waiting.changed):
            row = waiting.row(at)
            state.rows[_key(partition, name, "waiting", at, family)] = None if row is None else _pack(row)
        waiting.changed.clear()

    def _compare_with(self, state: _Partition, partition: int, baseline: Baseline) -> None:
        """Take a baseline, and show the detectors what has waited for it."""
        name, family = baseline.segment, baseline.family
        segment = state.segments.setdefault(name, _Segment())
        there = segment.baselines.get(family)
        if there is not None and there.id == baseline.id:
            return
        if family in segment.watches:
            for alert in segment.watches[family].retire(segment.closed_until):
                state.outputs.append(_alert_output(alert))
        segment.baselines[family] = baseline
        days = segment.watches[family].days if family in segment.watches else None
        segment.watches[family] = Watch(name, family, self._settings, baseline)
        if days is not None:
            segment.watches[family].days = days
        segment.unmatched.pop(family, None)
        state.dirty[name] = None
        state.rows[_key(partition, name, "baseline", family)] = _pack(baseline)
        for stretch in segment.waiting.setdefault(family, Waiting(self._clock.pane_ms, {})):
            readings = self._observe(state, partition, name, family, stretch)
            if readings:  # how many events there were was said when the panes closed
                told = Readings(
                    segment=name, start=stretch.start, end=stretch.end, totals={}, readings=readings
                )
                self._report(state, told)
        segment.waiting[family].clear()
        self._write_waiting(state, partition, name, family)

    def _tell(self, state: _Partition, alert: Alert) -> None:
        if alert.revision == 1:
            self._observer.opened(alert)
        state.outputs.append(_alert_output(alert))

    def _report(self, state: _Partition, readings: Readings) -> None:
        self._observer.closed(readings)
        state.outputs.append(Output(READINGS.name, readings.segment.encode(), _json(readings)))


def _restore_row(segment: _Segment, what: str, rest: str, value: bytes) -> None:
    match what:
        case "pane":
            pane, source = rest.split("|")
            segment.panes.setdefault(int(pane), {})[source] = _snapshot(value)
        case "baseline":
            segment.baselines[rest] = _baseline(value)
        case "day":
            day, family = rest.split("|", 1)
            segment.days[family][int(day)] = _packed(value)


def _restore_books(state: _Partition, what: str, rest: list[str], value: bytes) -> None:
    if what == "books":
        state.books = _books(value)
        return
    pane, source = rest[0].split("|")
    state.census.setdefault(int(pane), {})[source] = _census(value)


def _merged(snapshots: Iterable[Snapshot]) -> Families:
    families: Families = {}
    for snapshot in snapshots:
        for family, packed in snapshot.families.items():
            families.setdefault(family, Summary()).add(unpack(packed))
    return families


def _units(families: Families) -> Families:
    """Of each family only the events that count as units."""
    units = {}
    for name, summary in families.items():
        if is_again(name):
            continue
        repeated = families.get(again(name))
        left = summary if repeated is None else less(summary, repeated)
        left.examples = summary.examples
        left.trim()
        if left.events:
            units[name] = left
    return units


def _drop_closed(rows: dict[bytes, bytes | None], partition: int, name: str, segment: _Segment) -> None:
    """Rid a restored segment of panes that its monitor had closed when the process died."""
    for pane in [pane for pane in segment.panes if pane < segment.closed_until]:
        sources = segment.panes.pop(pane)
        rows.update((_key(partition, name, "pane", pane, source), None) for source in sources)


def _begin_again(state: _Partition, partition: int, family: str, watch: Watch) -> None:
    """Give up what was learned of labels that another version of the labellers gave."""
    segment = state.segments[watch.segment]
    state.outputs.extend(_alert_output(alert) for alert in watch.retire(segment.closed_until))
    if segment.baselines.pop(family, None) is not None:
        state.rows[_key(partition, watch.segment, "baseline", family)] = None
    state.dirty[watch.segment] = None


def _drop_unwatched(segments: dict[str, _Segment]) -> None:
    """A baseline without a watch was written just before the process died, and comes once more."""
    for segment in segments.values():
        segment.baselines = {
            family: each for family, each in segment.baselines.items() if family in segment.watches
        }


def _events(sources: dict[str, Snapshot]) -> dict[str, int]:
    """How many events of each kind a pane held."""
    events: Counter[str] = Counter()
    for snapshot in sources.values():
        families = snapshot.families.items()
        events[snapshot.kind] += sum(
            packed.counts["events"] for name, packed in families if not is_again(name)
        )
    return dict(sorted(events.items()))


def _row(segment: _Segment, history: dict[str, DayRow]) -> MonitorRow:
    watches = {family: watch.state() for family, watch in segment.watches.items()}
    return MonitorRow(
        segment.closed_until,
        watches,
        dict(segment.unmatched),
        segment.share,
        segment.silent,
        history=history,
    )


def _baseline_output(baseline: Baseline) -> Output:
    key = f"{baseline.segment}|{baseline.family}".encode()
    return Output(BASELINES.name, key, _json(baseline))


def _alert_output(alert: Alert) -> Output:
    return Output(ALERTS.name, alert.segment.encode(), _json(alert))


def _day_output(sums: DaySums) -> Output:
    return Output(HISTORY.name, f"{sums.segment}|{sums.family}|{sums.day}".encode(), _json(sums))


def _day_key(partition: int, day: Day) -> bytes:
    return _key(partition, day.segment, "history", day.day, day.family)


def _key(partition: int, *parts: str | int) -> bytes:
    return "|".join(str(part) for part in (partition, *parts)).encode()
