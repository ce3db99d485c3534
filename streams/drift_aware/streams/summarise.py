"""Stage one: events in, summaries out.

Works where a record landed: whatever its key, each source partition adds up its own events, by segment and
pane, and sends what it has as a snapshot. The second stage sees the segments whole.

Rows of the table, each with the offset up to which it has counted:

``{partition}|{kind}|{segment}|{pane}``  an open pane
``{partition}|{kind}|{segment}|``        totals since the beginning, read by ``drift-aware status``
``{partition}|{kind}|@open|{pane}``      conversations that are open, by the pane in which they were last
noted

The conversations come after the panes: a row that survives a crash then has all its panes before it, and what
is read again is judged as it was the first time.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import msgspec

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.envelope import DeadLetter
from drift_aware.schema.events import Event, Kind
from drift_aware.schema.segments import ALL, OTHER, segment
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES, SUMMARIES
from drift_aware.streams.baseline import reference_of
from drift_aware.streams.conversations import Conversations
from drift_aware.streams.intake import Intake, Label, Measured, time_of
from drift_aware.streams.panes import IDLE, NEVER, Clock, Source
from drift_aware.streams.reference import Reference
from drift_aware.streams.stage import Changes, Input, Output
from drift_aware.streams.summary import (
    Packed,
    Summary,
    Vector,
    again,
    family,
    is_again,
    is_total,
    summarise_events,
    unpack,
)
from drift_aware.streams.wire import Census, Snapshot, Watermark, encode, partition_of

Families = dict[str, Summary]
# An event, its row on the grid, and whether it counts as a unit.
Counted = tuple[Event, Vector | None, bool]

# A closed pane's row stays so long in event time, and so long after it was last sent, that it can be sent
# again should the worker die before the broker had it.
KEEP_CLOSED_MS = 600_000
KEEP_SENT_SECONDS = 60.0
# Stands for the pane of an event whose own pane is closed: it counts in the totals only.
_LATE = -1
_OPEN = "@open"  # no segment is called so: their names begin with a dimension
_KINDS: dict[str, Kind] = {topic.name: kind for kind, topic in SOURCES.items()}
# What a kind's events are called in the totals.
TOTAL: dict[Kind, str] = {
    "interaction": "interactions",
    "embedding": "embeddings",
    "feedback": "feedback",
    "evaluation": "evaluations",
}


class PaneRow(msgspec.Struct, array_like=True):
    """An open pane of one source and segment.

    Attributes:
        sequence: the offset after the last record in it.
        census: of the segment ``all``, how many events each segment has in the pane.
    """

    sequence: int
    families: dict[str, Packed]
    census: dict[str, int] = {}


class TotalsRow(msgspec.Struct, array_like=True):
    """Plain counts of one source and segment since the beginning; ``sequence`` as in ``PaneRow``."""

    sequence: int
    counts: dict[str, int]


_pack = msgspec.msgpack.Encoder().encode
_pane_row = msgspec.msgpack.Decoder(PaneRow).decode
totals_row = msgspec.msgpack.Decoder(TotalsRow).decode


class _Pane:
    """An open pane in memory.

    Attributes:
        sent: when it last went out, on the monotonic clock.
        announced: up to which sequence its census went out.
    """

    __slots__ = ("announced", "census", "families", "sent", "sequence")

    def __init__(self, row: PaneRow | None = None) -> None:
        self.sequence = row.sequence if row is not None else 0
        packed = row.families if row is not None else {}
        self.families: Families = {name: unpack(each) for name, each in packed.items()}
        self.census: dict[str, int] = dict(row.census) if row is not None else {}
        self.sent = 0.0
        self.announced = 0

    def add(self, more: "_Pane") -> None:
        for name, summary in more.families.items():
            mine = self.families.setdefault(name, Summary())
            mine.add(summary)
            mine.trim()
        for name, count in more.census.items():
            self.census[name] = self.census.get(name, 0) + count


class _SourceState:
    """What one source has in memory."""

    def __init__(self, idle_ms: int) -> None:
        self.watermark = NEVER
        self.conversations = Conversations(idle_ms)
        self.panes: dict[tuple[str, int], _Pane] = {}
        self.totals: dict[str, TotalsRow] = {}
        self.dirty_panes: set[tuple[str, int]] = set()
        self.dirty_totals: set[str] = set()


class Summarise:
    """The first stage; see ``Stage`` for the contract.

    Args:
        settings: segments, panes, lateness.
        label: sets the labels that events do not carry.
        clock: monotonic seconds.
    """

    def __init__(self, settings: Settings, label: Label, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._intake = Intake(settings, label)
        self._now = clock
        self._clock = Clock(settings.pane_seconds * 1000, settings.allowed_lateness_seconds * 1000)
        self._idle_ms = settings.conversation_idle_minutes * 60_000
        self._sources: dict[Source, _SourceState] = {}
        self._marks_sent: dict[int, dict[Kind, int]] = {}
        self._references: dict[tuple[str, str], Reference] = {}

    def compare_with(self, baseline: Baseline) -> None:
        """Score the embeddings of a segment against a baseline from now on; other families have no scores."""
        reference = reference_of(baseline)
        if reference is not None:
            self._references[baseline.segment, baseline.family] = reference

    def restore(self, partition: int, rows: Iterable[tuple[bytes, bytes]], notes: dict[str, bytes]) -> None:
        """Take over a partition; every open pane and the watermarks count as unsent."""
        self._marks_sent.pop(partition, None)
        opened: dict[Source, dict[int, bytes]] = defaultdict(dict)
        for topic, kind in _KINDS.items():
            state = self._sources[Source(kind, partition)] = _SourceState(self._idle_ms)
            state.watermark = int(notes.get(topic) or NEVER)
        for key, value in rows:
            _, kind_name, segment_name, pane = key.decode().split("|")
            source = Source(_kind(kind_name), partition)
            state = self._sources[source]
            if segment_name == _OPEN:
                opened[source][int(pane)] = value
            elif pane:
                state.panes[segment_name, int(pane)] = _Pane(_pane_row(value))
                state.dirty_panes.add((segment_name, int(pane)))
            else:
                state.totals[segment_name] = totals_row(value)
        for source, noted in opened.items():
            self._sources[source].conversations = Conversations(self._idle_ms, noted)

    def forget(self) -> None:
        """Drop everything in memory."""
        self._sources.clear()
        self._marks_sent.clear()

    def note(self, topic: str, partition: int) -> bytes:
        """The watermark: on a replay an event is late exactly if it was late before."""
        return str(self._sources[Source(_KINDS[topic], partition)].watermark).encode()

    def fold(self, record: Input) -> list[DeadLetter]:
        """Count one record; what cannot be counted comes back."""
        kind = _KINDS[record.topic]
        measured, dead = self._intake.read(kind, record)
        self.count(Source(kind, record.partition), record.offset, measured, len(dead))
        return dead

    def count(self, source: Source, offset: int, measured: list[Measured], dead: int = 0) -> None:
        """Count the events of one record, as ``fold`` does once it has read them."""
        state = self._sources[source]
        panes: dict[tuple[str, int], _Pane] = {}
        for (segment_name, pane, name), members in self._grouped(state, measured).items():
            everything = panes.setdefault((ALL, pane), _Pane())
            everything.census[segment_name] = everything.census.get(segment_name, 0) + len(members)
            made: dict[Reference | None, _Pane] = {}
            for counted_in in {ALL, segment_name}:
                reference = self._references.get((counted_in, name))
                if reference not in made:
                    made[reference] = _counted(name, members, reference)
                panes.setdefault((counted_in, pane), _Pane()).add(made[reference])
        self._add_to_panes(state, panes, offset)
        self._add_to_totals(state, _totals(source.kind, panes, dead), offset)

    def pass_time(self, partition: int, ts: int) -> None:
        """All sources of a partition have come as far as an event time, whatever their last event."""
        for kind in SOURCES:
            state = self._sources[Source(kind, partition)]
            state.watermark = max(state.watermark, ts)

    def changes(self, partition: int) -> Changes:
        """Rows and snapshots of all that was counted since the last call."""
        changes = Changes()
        for kind in SOURCES:
            state = self._sources[Source(kind, partition)]
            for segment_name, pane in sorted(state.dirty_panes):
                self._emit(changes, Source(kind, partition), segment_name, pane)
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

    def watermarks(self, partition: int, idle: Callable[[Kind], bool]) -> list[Output]:
        """How far the sources of a partition have come, for every partition of the second stage.

        Nothing if that is known there. Call it right after ``changes`` was sent, so that no watermark
        overtakes what it speaks of. Before a watermark goes the census of every pane that it closes.
        """
        marks: dict[Kind, int] = {
            kind: IDLE if idle(kind) else self._sources[Source(kind, partition)].watermark for kind in SOURCES
        }
        if self._marks_sent.get(partition) == marks:
            return []
        self._marks_sent[partition] = marks
        messages: list[Census | Watermark] = [
            census for kind, mark in marks.items() for census in self._census(Source(kind, partition), mark)
        ]
        values = [encode(message) for message in [*messages, Watermark(partition, marks)]]
        to = range(self._settings.kafka.partitions)
        return [Output(SUMMARIES.name, b"@", value, each) for value in values for each in to]

    def _census(self, source: Source, mark: int) -> Iterator[Census]:
        """What is not announced yet of the panes that a watermark closes; an idle source's are all closed."""
        for (segment_name, pane), kept in sorted(self._sources[source].panes.items()):
            closed = mark == IDLE or self._clock.closes_at(pane) <= mark
            if segment_name == ALL and closed and kept.announced < kept.sequence:
                kept.announced = kept.sequence
                yield Census(source.kind, source.partition, pane, kept.sequence, kept.census)

    def _grouped(
        self, state: _SourceState, measured: list[Measured]
    ) -> dict[tuple[str, int, str], list[Counted]]:
        """Events by segment, pane and family. Moves the watermark: an event behind it by too much is late."""
        groups: dict[tuple[str, int, str], list[Counted]] = defaultdict(list)
        for event, vector in measured:
            ts, name = time_of(event), family(event)
            pane = self._clock.pane(ts)
            opens = self._opens(state, event, name, ts, pane)
            if self._clock.closes_at(pane) <= state.watermark:
                pane = _LATE
            state.watermark = max(state.watermark, ts)
            segment_name = self._admitted(state, segment(event, self._settings.segments) or ALL)
            groups[segment_name, pane, name].append((event, vector, opens))
        return groups

    def _opens(self, state: _SourceState, event: Event, name: str, ts: int, pane: int) -> bool:
        """Whether an event counts as a unit: the first of its conversation, or one without a session."""
        session = getattr(event, "session_id", None)
        if session is None or self._settings.unit == "event":
            return True
        return state.conversations.opens(f"{name}|{session}", ts, pane)

    def _admitted(self, state: _SourceState, name: str) -> str:
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

    def _add_to_panes(self, state: _SourceState, panes: dict[tuple[str, int], _Pane], offset: int) -> None:
        for key, counted in panes.items():
            pane = state.panes.setdefault(key, _Pane()) if key[1] != _LATE else None
            if pane is None or offset < pane.sequence:
                continue
            pane.add(counted)
            pane.sequence = offset + 1
            state.dirty_panes.add(key)

    def _add_to_totals(self, state: _SourceState, totals: dict[str, dict[str, int]], offset: int) -> None:
        for segment_name, counts in totals.items():
            row = state.totals.setdefault(segment_name, TotalsRow(0, {}))
            if offset < row.sequence:
                continue
            for name, count in counts.items():
                row.counts[name] = row.counts.get(name, 0) + count
            row.sequence = offset + 1
            state.dirty_totals.add(segment_name)

    def _emit(self, changes: Changes, source: Source, segment_name: str, pane: int) -> None:
        state = self._sources[source].panes[segment_name, pane]
        packed = {name: summary.pack() for name, summary in sorted(state.families.items())}
        state.sent = self._now()
        changes.rows.append(
            (
                _key(source.partition, source.kind, segment_name, pane),
                _pack(PaneRow(state.sequence, packed, state.census)),
            )
        )
        snapshot = Snapshot(source.kind, source.partition, segment_name, pane, state.sequence, packed)
        to = partition_of(segment_name, self._settings.kafka.partitions)
        changes.outputs.append(Output(SUMMARIES.name, segment_name.encode(), encode(snapshot), to))

    def _expired(self, source: Source) -> Iterator[bytes]:
        """Forget closed panes that have been with the broker for long."""
        state = self._sources[source]
        for (segment_name, pane), kept in list(state.panes.items()):
            closed = self._clock.closes_at(pane) + KEEP_CLOSED_MS <= state.watermark
            if closed and self._now() - kept.sent >= KEEP_SENT_SECONDS:
                del state.panes[segment_name, pane]
                yield _key(source.partition, source.kind, segment_name, pane)


def _counted(name: str, members: list[Counted], reference: Reference | None) -> _Pane:
    """What events of one family add to a pane; those that open no conversation also by themselves."""
    counted = _Pane()
    repeated = [member for member in members if not member[2]]
    for counted_as, chosen in ((name, members), (again(name), repeated)):
        if chosen:
            events, vectors = [event for event, _, _ in chosen], [row for _, row, _ in chosen]
            counted.families[counted_as] = summarise_events(events, vectors, reference)
    return counted


def _key(partition: int, kind: Kind, segment_name: str, pane: int | str = "") -> bytes:
    return f"{partition}|{kind}|{segment_name}|{pane}".encode()


def _kind(name: str) -> Kind:
    return next(kind for kind in SOURCES if kind == name)


def _totals(kind: Kind, panes: dict[tuple[str, int], _Pane], dead: int) -> dict[str, dict[str, int]]:
    """What a record adds to the totals of each segment."""
    totals: dict[str, dict[str, int]] = {}
    for (segment_name, pane), counted in panes.items():
        counts = totals.setdefault(segment_name, {})
        for family_name, summary in counted.families.items():
            if is_again(family_name):
                continue
            for name, count in summary.counts.items():
                if is_total(name):
                    total = TOTAL[kind] if name == "events" else name
                    counts[total] = counts.get(total, 0) + count
            if pane == _LATE:
                counts["late"] = counts.get("late", 0) + summary.events
    if dead:
        totals.setdefault(ALL, {})["dead_letters"] = dead
    return totals
