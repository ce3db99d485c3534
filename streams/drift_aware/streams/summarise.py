"""Stage one: events in, summaries out.

Works where a record landed: whatever its key, each source partition adds up its own events, by segment and
pane, and sends what it has as a snapshot when the pane closes. The second stage sees the segments whole.

Rows of the table, each with the offset up to which it has counted:

``{partition}|{kind}|{segment}|{pane}``  an open pane
``{partition}|{kind}|{segment}|``        totals since the beginning, read by ``drift-aware status``
``{partition}|{kind}|@open|{pane}``      conversations that are open, by the pane in which they were last
noted

The conversations come after the panes: a row that survives a crash then has all its panes before it, and what
is read again is judged as it was the first time.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

import msgspec
import numpy as np

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.envelope import DeadLetter
from drift_aware.schema.events import Event, Kind
from drift_aware.schema.segments import ALL, OTHER, segment
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES, SUMMARIES
from drift_aware.streams.baseline import reference_of
from drift_aware.streams.conversations import Conversations
from drift_aware.streams.counting import Batch, Groups
from drift_aware.streams.intake import Intake, Label, Measured, time_of
from drift_aware.streams.panes import IDLE, NEVER, Clock, Source
from drift_aware.streams.reference import Reference
from drift_aware.streams.source import (
    LATE,
    Group,
    Pane,
    Record,
    SourceState,
    TotalsRow,
    Uncounted,
    add_count,
    pane_row,
    totals_row,
)
from drift_aware.streams.stage import MANY_ROWS, Changes, Input, Output
from drift_aware.streams.summary import family
from drift_aware.streams.wire import Census, Snapshot, Watermark, encode, partition_of

# A closed pane's row stays so long in event time, and so long after it was last sent, that it can be sent
# again should the worker die before the broker had it.
KEEP_CLOSED_MS = 600_000
KEEP_SENT_SECONDS = 60.0
# When the events of a source are counted at last: numpy is slow with fifty, slow again with what does not fit
# the processor's cache, and with groups of a few.
_ENOUGH_EVENTS = 1_000
_ENOUGH_OF_A_GROUP = 16
_MOST_EVENTS = 16_000
_OPEN = "@open"  # no segment is called so: their names begin with a dimension
_KINDS: dict[str, Kind] = {topic.name: kind for kind, topic in SOURCES.items()}
_pack = msgspec.msgpack.Encoder().encode


class Summarise:
    """The first stage; see ``Stage`` for the contract.

    Args:
        settings: segments, panes, lateness.
        label: sets the labels that events do not carry.
        clock: monotonic seconds.
        most_panes: how many one call of ``watermarks`` may send; after a restart all that are kept go again.
    """

    def __init__(
        self,
        settings: Settings,
        label: Label,
        clock: Callable[[], float] = time.monotonic,
        most_panes: int | None = None,
    ) -> None:
        self._settings = settings
        self._segments = tuple(settings.segments)
        # What tells segments apart; attrgetter wants at least one name.
        self._dimensions = attrgetter(*self._segments) if self._segments else _nothing
        self._intake = Intake(settings, label)
        self._now = clock
        self._most_panes = most_panes
        self._clock = Clock(settings.pane_seconds * 1000, settings.allowed_lateness_seconds * 1000)
        self._idle_ms = settings.conversation_idle_minutes * 60_000
        self._sources: dict[Source, SourceState] = {}
        self._marks_sent: dict[int, dict[Kind, int]] = {}
        self._held: set[int] = set()  # partitions whose watermark waits for panes that it closes
        self._references: dict[tuple[str, str], Reference] = {}
        # Since the process began, for the metrics alone.
        self.late: Counter[Kind] = Counter()
        self.canaries: Counter[Kind] = Counter()
        self.overflow = 0

    def reached(self) -> dict[Kind, int]:
        """Kind to the event time in milliseconds that every source at hand has reached."""
        marks: dict[Kind, int] = {}
        for source, state in self._sources.items():
            if state.watermark != NEVER:
                marks[source.kind] = min(marks.get(source.kind, state.watermark), state.watermark)
        return marks

    def named(self) -> int:
        """How many segments have a place of their own in some source."""
        return len({name for state in self._sources.values() for name in state.totals} - {ALL, OTHER})

    def compare_with(self, baseline: Baseline) -> None:
        """Score the embeddings of a segment against a baseline from now on; other families have no scores."""
        reference = reference_of(baseline)
        if reference is not None:
            self._references[baseline.segment, baseline.family] = reference

    def restore(self, partition: int, rows: Iterable[tuple[bytes, bytes]], notes: dict[str, bytes]) -> None:
        """Take over a partition; every open pane and the watermarks count as unsent."""
        self._marks_sent.pop(partition, None)
        self._held.discard(partition)
        opened: dict[Source, dict[int, bytes]] = defaultdict(dict)
        for topic, kind in _KINDS.items():
            state = self._sources[Source(kind, partition)] = SourceState(self._idle_ms)
            state.watermark = int(notes.get(topic) or NEVER)
        for key, value in rows:
            _, kind_name, segment_name, pane = key.decode().split("|")
            source = Source(_kind(kind_name), partition)
            state = self._sources[source]
            if segment_name == _OPEN:
                opened[source][int(pane)] = value
            elif pane:
                kept = state.panes[segment_name, int(pane)] = Pane(pane_row(value))
                state.end = max(state.end, kept.sequence)
                state.unsent.add((segment_name, int(pane)))
            else:
                totals = state.totals[segment_name] = totals_row(value)
                state.end = max(state.end, totals.sequence)
        for source, noted in opened.items():
            self._sources[source].conversations = Conversations(self._idle_ms, noted)

    def forget(self) -> None:
        """Drop everything in memory."""
        self._sources.clear()
        self._marks_sent.clear()
        self._held.clear()

    def note(self, topic: str, partition: int) -> bytes:
        """The watermark: on a replay an event is late exactly if it was late before."""
        return str(self._sources[Source(_KINDS[topic], partition)].watermark).encode()

    def fold(self, record: Input) -> list[DeadLetter]:
        """Count one record; what cannot be counted comes back."""
        kind = _KINDS[record.topic]
        measured, dead, canaries = self._intake.read(kind, record)
        self.count(Source(kind, record.partition), record.offset, measured, len(dead), canaries)
        return dead

    def count(
        self, source: Source, offset: int, measured: list[Measured], dead: int = 0, canaries: int = 0
    ) -> None:
        """Take the events of one record, as ``fold`` does once it has read them.

        They are counted together with those of other records, at the latest for ``changes``: numpy is quick
        with thousands and slow with fifty. Canaries are a number among the totals and nothing else: no time
        passes by them.
        """
        state = self._sources[source]
        if offset < state.end and state.places:
            self._count_all(source)
        record = Record(state, offset)
        for event, vector in measured:
            ts, name = time_of(event), family(event)
            pane = self._clock.pane(ts)
            opens = self._opens(state, event, name, ts, pane)
            if self._clock.closes_at(pane) <= state.watermark:
                pane = LATE
                self.late[source.kind] += 1
            elif ts > state.watermark:
                state.watermark = ts
            key = self._dimensions(event), pane, name, opens
            place = record.places.get(key)
            if place is None:
                own = self._admitted(state, segment(event, self._segments) or ALL)
                place = record.place(key, own, pane, name, opens)
            place.uncounted.take(place.number, offset, event, vector)
        for name, number in (("dead_letters", dead), ("canaries", canaries)):
            if number and record.totals_want(ALL):
                add_count(state.totals[ALL].counts, name, number)
        self.canaries[source.kind] += canaries
        if _is_enough(state):
            self._count_all(source)

    def pass_time(self, partition: int, ts: int) -> None:
        """All sources of a partition have come as far as an event time, whatever their last event."""
        for kind in SOURCES:
            state = self._sources[Source(kind, partition)]
            state.watermark = max(state.watermark, ts)

    def changes(self, partition: int) -> Changes:
        """The rows of all that was counted since the last call; what is sent goes with ``watermarks``."""
        changes = Changes()
        for kind in SOURCES:
            state = self._sources[Source(kind, partition)]
            self._count_all(Source(kind, partition))
            for segment_name, pane in sorted(state.dirty_panes):
                row = state.panes[segment_name, pane].row()
                changes.rows.append((_key(partition, kind, segment_name, pane), _pack(row)))
            for segment_name in sorted(state.dirty_totals):
                changes.rows.append((_key(partition, kind, segment_name), _pack(state.totals[segment_name])))
            state.conversations.forget(state.watermark)
            for pane in sorted(state.conversations.changed):
                changes.rows.append((_key(partition, kind, _OPEN, pane), state.conversations.row(pane)))
            state.conversations.changed.clear()
            state.dirty_panes.clear()
            state.dirty_totals.clear()
            changes.rows.extend((key, None) for key in self._expired(Source(kind, partition)))
        return changes

    @property
    def urgent(self) -> bool:
        """Whether a watermark waits, or rows are many."""
        states = self._sources.values()
        return (
            bool(self._held)
            or sum([len(state.dirty_panes) + len(state.dirty_totals) for state in states]) >= MANY_ROWS
        )

    def watermarks(self, partition: int, idle: Callable[[Kind], bool]) -> list[Output]:
        """How far the sources of a partition have come, for every partition of the second stage.

        Before a watermark go the panes that it closes, and how many events of each segment they have; if they
        are too many for one call, a first part of them, and no watermark yet. Nothing if all that is known
        there. Call it right after ``changes``.
        """
        marks: dict[Kind, int] = {
            kind: IDLE if idle(kind) else self._sources[Source(kind, partition)].watermark for kind in SOURCES
        }
        closed = [
            (Source(kind, partition), *key)
            for kind, mark in marks.items()
            for key in self._closed(Source(kind, partition), mark)
        ]
        outputs, messages = [], list[Census | Watermark]()
        for source, name, pane in closed[: self._most_panes]:
            snapshot, census = self._sent(source, name, pane)
            to = partition_of(name, self._settings.kafka.partitions)
            outputs.append(Output(SUMMARIES.name, name.encode(), encode(snapshot), to))
            messages += [census] if census is not None else []
        if len(outputs) < len(closed):
            self._held.add(partition)
        elif not outputs and self._marks_sent.get(partition) == marks:
            return []
        else:
            self._held.discard(partition)
            self._marks_sent[partition] = marks
            messages.append(Watermark(partition, marks))
        everywhere = range(self._settings.kafka.partitions)
        values = [encode(message) for message in messages]
        return outputs + [Output(SUMMARIES.name, b"@", value, to) for value in values for to in everywhere]

    def _closed(self, source: Source, mark: int) -> list[tuple[str, int]]:
        """Segments and panes that are not sent yet and that a watermark closes; an idle source's all are."""
        unsent = self._sources[source].unsent
        return sorted(key for key in unsent if mark == IDLE or self._clock.closes_at(key[1]) <= mark)

    def _sent(self, source: Source, name: str, pane: int) -> tuple[Snapshot, Census | None]:
        """What is to be sent of a pane; from then on it counts as sent."""
        state = self._sources[source]
        state.unsent.discard((name, pane))
        kept = state.panes[name, pane]
        kept.sent = self._now()
        packed = {family: summary.pack() for family, summary in sorted(kept.families.items())}
        snapshot = Snapshot(*source, name, pane, kept.sequence, packed)
        return snapshot, Census(*source, pane, kept.sequence, kept.census) if name == ALL else None

    def _opens(self, state: SourceState, event: Event, name: str, ts: int, pane: int) -> bool:
        """Whether an event counts as a unit: the first of its conversation, or one without a session."""
        session = getattr(event, "session_id", None)
        if session is None or self._settings.unit == "event":
            return True
        return state.conversations.opens(f"{name}|{session}", ts, pane)

    def _admitted(self, state: SourceState, name: str) -> str:
        """The segment, or what stands for all beyond the cap.

        Its place is taken at once, so who gets one depends on the order of events alone, not on how they were
        packed; and a restart, whatever rows it finds, decides the same.
        """
        totals = state.totals
        totals.setdefault(ALL, TotalsRow(0, {}))
        if name not in totals and len(totals) - (OTHER in totals) >= self._settings.max_segments:
            return OTHER
        totals.setdefault(name, TotalsRow(0, {}))
        return name

    def _count_all(self, source: Source) -> None:
        """Count what has been taken: by segment, and everything together for ``all``."""
        state = self._sources[source]
        for name, uncounted in state.uncounted.items():
            batch = Batch(uncounted.events, np.array(uncounted.rows) if uncounted.rows else None)
            keys = list(uncounted.groups)
            for key, end in zip(keys, uncounted.ends, strict=True):
                state.reach(key, end)
            if any(key.segment != ALL for key in keys):
                self._count_groups(state, source.kind, name, batch, Groups(uncounted.codes, len(keys)), keys)
            wholes: dict[Group, int] = {}
            whole_of = [
                wholes.setdefault(key._replace(segment=ALL, own=key.whole), len(wholes)) for key in keys
            ]
            groups = Groups(np.array(whole_of)[uncounted.codes], len(wholes))
            self._count_groups(state, source.kind, name, batch, groups, list(wholes))
            _take_census(state, uncounted, keys)
        state.uncounted.clear()
        state.places.clear()

    def _count_groups(
        self, state: SourceState, kind: Kind, name: str, batch: Batch, groups: Groups, keys: list[Group]
    ) -> None:
        references = [self._references.get((key.segment, name)) for key in keys]
        for key, summary in zip(keys, batch.summaries(groups, references), strict=True):
            state.add(kind, name, key, summary)
            self.overflow += summary.events if key.segment == OTHER else 0

    def _expired(self, source: Source) -> Iterator[bytes]:
        """Forget closed panes that have been with the broker for long; a look for every pane that passes."""
        state = self._sources[source]
        now, passed = self._now(), self._clock.pane(state.watermark)
        if passed == state.looked_at:
            return
        state.looked_at = passed
        for (segment_name, pane), kept in list(state.panes.items()):
            closed = self._clock.closes_at(pane) + KEEP_CLOSED_MS <= state.watermark
            if closed and (segment_name, pane) not in state.unsent and now - kept.sent >= KEEP_SENT_SECONDS:
                del state.panes[segment_name, pane]
                yield _key(source.partition, source.kind, segment_name, pane)


def _key(partition: int, kind: Kind, segment_name: str, pane: int | str = "") -> bytes:
    return f"{partition}|{kind}|{segment_name}|{pane}".encode()


def _kind(name: str) -> Kind:
    return next(kind for kind in SOURCES if kind == name)


def _is_enough(state: SourceState) -> bool:
    """Whether it is time to count."""
    events = sum([len(each.events) for each in state.uncounted.values()])
    groups = sum([len(each.groups) for each in state.uncounted.values()])
    return events >= min(max(_ENOUGH_EVENTS, _ENOUGH_OF_A_GROUP * groups), _MOST_EVENTS)


def _nothing(event: Event) -> None:
    del event


def _take_census(state: SourceState, uncounted: Uncounted, groups: list[Group]) -> None:
    sizes = np.bincount(uncounted.codes, minlength=len(groups)).tolist()
    for group, size in zip(groups, sizes, strict=True):
        if group.whole.pane:
            add_count(state.panes[ALL, group.pane].census, group.segment, size)
