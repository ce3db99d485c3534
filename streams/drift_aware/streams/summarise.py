"""Stage one: events in, summaries out.

Works where a record landed: whatever its key, each source partition adds up its own events, by segment and
pane, and sends what it has as a snapshot. The second stage sees the segments whole.

Rows of the table, each with the offset up to which it has counted:

``{partition}|{kind}|{segment}|{pane}``  an open pane
``{partition}|{kind}|{segment}|``        totals since the beginning, read by ``drift-aware status``
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import msgspec

from drift_aware.schema.envelope import DeadLetter
from drift_aware.schema.events import Kind
from drift_aware.schema.segments import ALL, OTHER, segment
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES, SUMMARIES
from drift_aware.streams.intake import Intake, Label, Measured, time_of
from drift_aware.streams.panes import IDLE, NEVER, Clock, Source
from drift_aware.streams.stage import Changes, Input, Output
from drift_aware.streams.summary import Packed, Summary, family, summarise_events, unpack
from drift_aware.streams.wire import Snapshot, Watermark, encode, partition_of

Families = dict[str, Summary]

# A closed pane's row stays so long in event time, and so long after it was last sent, that it can be sent
# again should the worker die before the broker had it.
KEEP_CLOSED_MS = 600_000
KEEP_SENT_SECONDS = 60.0
# Stands for the pane of an event whose own pane is closed: it counts in the totals only.
_LATE = -1
_KINDS: dict[str, Kind] = {topic.name: kind for kind, topic in SOURCES.items()}
# What a kind's events are called in the totals.
TOTAL: dict[Kind, str] = {
    "interaction": "interactions",
    "embedding": "embeddings",
    "feedback": "feedback",
    "evaluation": "evaluations",
}


class PaneRow(msgspec.Struct, array_like=True):
    """An open pane of one source and segment; ``sequence`` is the offset after the last record in it."""

    sequence: int
    families: dict[str, Packed]


class TotalsRow(msgspec.Struct, array_like=True):
    """Plain counts of one source and segment since the beginning; ``sequence`` as in ``PaneRow``."""

    sequence: int
    counts: dict[str, int]


_pack = msgspec.msgpack.Encoder().encode
_pane_row = msgspec.msgpack.Decoder(PaneRow).decode
totals_row = msgspec.msgpack.Decoder(TotalsRow).decode


class _Pane:
    """An open pane in memory; ``sent`` is when it last went out, on the monotonic clock."""

    __slots__ = ("families", "sent", "sequence")

    def __init__(self, sequence: int = 0, families: Families | None = None) -> None:
        self.sequence = sequence
        self.families: Families = families or {}
        self.sent = 0.0


class _SourceState:
    """What one source has in memory."""

    def __init__(self) -> None:
        self.watermark = NEVER
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
        self._sources: dict[Source, _SourceState] = {}
        self._marks_sent: dict[int, dict[Kind, int]] = {}

    def restore(self, partition: int, rows: Iterable[tuple[bytes, bytes]], notes: dict[str, bytes]) -> None:
        """Take over a partition; every open pane and the watermarks count as unsent."""
        self._marks_sent.pop(partition, None)
        for topic, kind in _KINDS.items():
            state = self._sources[Source(kind, partition)] = _SourceState()
            state.watermark = int(notes.get(topic) or NEVER)
        for key, value in rows:
            _, kind_name, segment_name, pane = key.decode().split("|")
            state = self._sources[Source(_kind(kind_name), partition)]
            if pane:
                row = _pane_row(value)
                families = {name: unpack(packed) for name, packed in row.families.items()}
                state.panes[segment_name, int(pane)] = _Pane(row.sequence, families)
                state.dirty_panes.add((segment_name, int(pane)))
            else:
                state.totals[segment_name] = totals_row(value)

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
        state = self._sources[Source(kind, record.partition)]
        measured, dead = self._intake.read(kind, record)
        panes: dict[tuple[str, int], Families] = {}
        for (segment_name, pane, name), members in self._grouped(state, measured).items():
            summary = summarise_events([event for event, _ in members], [row for _, row in members])
            for counted_in in {ALL, segment_name}:
                families = panes.setdefault((counted_in, pane), {})
                families.setdefault(name, Summary()).add(summary)
        self._add_to_panes(state, panes, record.offset)
        self._add_to_totals(state, _totals(kind, panes, len(dead)), record.offset)
        return dead

    def changes(self, partition: int) -> Changes:
        """Rows and snapshots of all that was counted since the last call."""
        changes = Changes()
        for kind in SOURCES:
            state = self._sources[Source(kind, partition)]
            for segment_name, pane in sorted(state.dirty_panes):
                self._emit(changes, Source(kind, partition), segment_name, pane)
            for segment_name in sorted(state.dirty_totals):
                changes.rows.append((_key(partition, kind, segment_name), _pack(state.totals[segment_name])))
            state.dirty_panes.clear()
            state.dirty_totals.clear()
            changes.rows.extend((key, None) for key in self._expired(Source(kind, partition)))
        return changes

    def watermarks(self, partition: int, idle: Callable[[Kind], bool]) -> list[Output]:
        """How far the sources of a partition have come, for every partition of the second stage.

        Nothing if that is known there. Call it right after ``changes`` was sent, so that no watermark
        overtakes what it speaks of.
        """
        marks: dict[Kind, int] = {
            kind: IDLE if idle(kind) else self._sources[Source(kind, partition)].watermark for kind in SOURCES
        }
        if self._marks_sent.get(partition) == marks:
            return []
        self._marks_sent[partition] = marks
        value = encode(Watermark(partition, marks))
        return [Output(SUMMARIES.name, b"@", value, each) for each in range(self._settings.kafka.partitions)]

    def _grouped(
        self, state: _SourceState, measured: list[Measured]
    ) -> dict[tuple[str, int, str], list[Measured]]:
        """Events by segment, pane and family. Moves the watermark: an event behind it by too much is late."""
        groups: dict[tuple[str, int, str], list[Measured]] = defaultdict(list)
        for event, vector in measured:
            ts = time_of(event)
            pane = self._clock.pane(ts)
            if self._clock.closes_at(pane) <= state.watermark:
                pane = _LATE
            state.watermark = max(state.watermark, ts)
            name = self._admitted(state, segment(event, self._settings.segments) or ALL)
            groups[name, pane, family(event)].append((event, vector))
        return groups

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

    def _add_to_panes(self, state: _SourceState, panes: dict[tuple[str, int], Families], offset: int) -> None:
        for key, families in panes.items():
            pane = state.panes.setdefault(key, _Pane()) if key[1] != _LATE else None
            if pane is None or offset < pane.sequence:
                continue
            for name, summary in families.items():
                pane.families.setdefault(name, Summary()).add(summary)
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
            (_key(source.partition, source.kind, segment_name, pane), _pack(PaneRow(state.sequence, packed)))
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


def _key(partition: int, kind: Kind, segment_name: str, pane: int | str = "") -> bytes:
    return f"{partition}|{kind}|{segment_name}|{pane}".encode()


def _kind(name: str) -> Kind:
    return next(kind for kind in SOURCES if kind == name)


def _totals(kind: Kind, panes: dict[tuple[str, int], Families], dead: int) -> dict[str, dict[str, int]]:
    """What a record adds to the totals of each segment."""
    totals: dict[str, dict[str, int]] = {}
    for (segment_name, pane), families in panes.items():
        counts = totals.setdefault(segment_name, {})
        for summary in families.values():
            for name, count in summary.counts.items():
                total = TOTAL[kind] if name == "events" else name
                counts[total] = counts.get(total, 0) + count
            if pane == _LATE:
                counts["late"] = counts.get("late", 0) + summary.events
    if dead:
        totals.setdefault(ALL, {})["dead_letters"] = dead
    return totals
