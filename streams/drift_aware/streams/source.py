"""What one source, a partition of a source topic, has in memory: open panes, totals, and what is uncounted.

Each pane and each row of totals remembers the offset up to which it has counted. After a crash they may stand
at different offsets, so of one record some may want the events and others not.
"""

from collections.abc import Hashable
from typing import NamedTuple

import msgspec

from drift_aware.schema.events import Event, Kind
from drift_aware.schema.segments import ALL
from drift_aware.streams.conversations import Conversations
from drift_aware.streams.panes import NEVER
from drift_aware.streams.summary import EXAMPLES, Packed, Summary, Vector, again, is_total, merge, unpack

# Stands for the pane of an event whose own pane is closed: it counts in the totals only.
LATE = -1
# Of a pane's candidates for examples; then those that have fallen out are dropped.
_MANY_UNREAD = 2 * EXAMPLES
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


pane_row = msgspec.msgpack.Decoder(PaneRow).decode
totals_row = msgspec.msgpack.Decoder(TotalsRow).decode


class Pane:
    """An open pane in memory.

    Attributes:
        sent: when it last went out, on the monotonic clock.
    """

    __slots__ = ("census", "families", "sent", "sequence")

    def __init__(self, row: PaneRow | None = None) -> None:
        self.sequence = row.sequence if row is not None else 0
        packed = row.families if row is not None else {}
        self.families = {name: unpack(each) for name, each in packed.items()}
        self.census: dict[str, int] = dict(row.census) if row is not None else {}
        self.sent = 0.0

    def row(self) -> PaneRow:
        """What must be kept."""
        packed = {name: summary.pack() for name, summary in sorted(self.families.items())}
        return PaneRow(self.sequence, packed, self.census)

    def add(self, family: str, summary: Summary) -> None:
        """Add a summary of a family; from then on it is the pane's own."""
        mine = self.families.get(family)
        if mine is None:
            self.families[family] = summary
        else:
            mine.add(summary)
            if len(mine.unread) > _MANY_UNREAD:
                mine.sift()


class Wants(NamedTuple):
    """What of a segment has not counted a record yet: its pane, its totals."""

    pane: bool
    totals: bool


class Group(NamedTuple):
    """Events that are counted together: what their own segment wants of them, and what ``all`` does."""

    segment: str
    pane: int
    opens: bool
    own: Wants
    whole: Wants


class Place(NamedTuple):
    """Where events go: the uncounted of their family, and the number of their group there."""

    uncounted: "Uncounted"
    number: int


class Uncounted:
    """Events of one family that are taken but not yet counted.

    Attributes:
        events: with the vectors of embeddings, on the grid, in ``rows``, and their groups in ``codes``.
        groups: group to number.
        ends: of each group the offset after its last record.
    """

    __slots__ = ("codes", "ends", "events", "groups", "rows")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rows: list[Vector] = []
        self.codes: list[int] = []
        self.groups: dict[Group, int] = {}
        self.ends: list[int] = []

    def take(self, number: int, offset: int, event: Event, vector: Vector | None) -> None:
        """Keep an event of a group until it is counted."""
        self.events.append(event)
        self.codes.append(number)
        self.ends[number] = offset + 1
        if vector is not None:
            self.rows.append(vector)


class SourceState:
    """See the module.

    Args:
        idle_ms: for how long a conversation must be silent to be over.

    Attributes:
        dirty_panes: those that have changed since they were written; ``dirty_totals`` alike.
        unsent: panes that have changed since they were sent.
        looked_at: up to where in event time closed panes were looked through.
        end: the offset after the last record that any row knows of; all of them want what comes later.
        places: where events of such records go, by what their record's reader knows of them. The rows learn
            how far they are when the events are counted.
    """

    def __init__(self, idle_ms: int) -> None:
        self.watermark = NEVER
        self.conversations = Conversations(idle_ms)
        self.panes: dict[tuple[str, int], Pane] = {}
        self.totals: dict[str, TotalsRow] = {}
        self.dirty_panes: set[tuple[str, int]] = set()
        self.dirty_totals: set[str] = set()
        self.unsent: set[tuple[str, int]] = set()
        self.looked_at = NEVER
        self.uncounted: dict[str, Uncounted] = {}
        self.end = 0
        self.places: dict[Hashable, Place] = {}

    def pane_wants(self, segment: str, start: int, offset: int) -> bool:
        """Whether a pane wants a record; from then on it counts as having it."""
        pane = self.panes.get((segment, start))
        if pane is None:
            pane = self.panes[segment, start] = Pane()
        if offset < pane.sequence:
            return False
        pane.sequence = offset + 1
        self.dirty_panes.add((segment, start))
        self.unsent.add((segment, start))
        return True

    def totals_want(self, segment: str, offset: int) -> bool:
        """Whether the totals of a segment want a record; from then on they count as having it."""
        row = self.totals.get(segment)
        if row is None:
            row = self.totals[segment] = TotalsRow(0, {})
        if offset < row.sequence:
            return False
        row.sequence = offset + 1
        self.dirty_totals.add(segment)
        return True

    def reach(self, group: Group, end: int) -> None:
        """The rows that a group is for have counted up to an offset."""
        for segment in {group.segment, ALL}:
            self.totals[segment].sequence = max(self.totals[segment].sequence, end)
            if group.pane != LATE:
                pane = self.panes[segment, group.pane]
                pane.sequence = max(pane.sequence, end)

    def add(self, kind: Kind, family: str, group: Group, summary: Summary) -> None:
        """Count the events of a group in its own segment."""
        if group.own.totals:
            counts = self.totals[group.segment].counts
            for name, count in summary.counts.items():
                if is_total(name):
                    add_count(counts, TOTAL[kind] if name == "events" else name, count)
            if group.pane == LATE:
                add_count(counts, "late", summary.events)
        if group.own.pane:
            pane = self.panes[group.segment, group.pane]
            pane.add(family, summary)
            if not group.opens:
                pane.add(again(family), merge([summary]))


class Record:
    """One record while its events are taken: each pane and each row of totals is asked once.

    Of a record that is new to all of them, only those are asked that no such record has been for. Of one that
    is not, each has to know how far it is: nothing may be uncounted in ``SourceState.places``.

    Args:
        state: of its source.
        offset: where it stands.

    Attributes:
        places: where its events go, as far as that is known.
    """

    def __init__(self, state: SourceState, offset: int) -> None:
        self._state, self._offset = state, offset
        self._wants: dict[tuple[str, int], Wants] = {}
        self._totals: dict[str, bool] = {}
        self.places = state.places if offset >= state.end else {}
        state.end = max(state.end, offset + 1)

    def place(self, key: Hashable, segment: str, pane: int, family: str, opens: bool) -> Place:
        """Where events of this key go.

        Args:
            key: whatever the caller knows of an event; says the rest.
            segment: of the events; ``pane``, ``family`` and ``opens`` too.
            pane: as above.
            family: as above.
            opens: as above.
        """
        own = self._asked(segment, pane) if segment != ALL else Wants(False, False)
        group = Group(segment, pane, opens, own, self._asked(ALL, pane))
        uncounted = self._state.uncounted.setdefault(family, Uncounted())
        number = uncounted.groups.setdefault(group, len(uncounted.groups))
        if number == len(uncounted.ends):
            uncounted.ends.append(0)
        place = self.places[key] = Place(uncounted, number)
        return place

    def totals_want(self, segment: str) -> bool:
        """Whether the totals of a segment want this record."""
        if segment not in self._totals:
            self._totals[segment] = self._state.totals_want(segment, self._offset)
        return self._totals[segment]

    def _asked(self, segment: str, pane: int) -> Wants:
        key = segment, pane
        if key not in self._wants:
            wanted = pane != LATE and self._state.pane_wants(segment, pane, self._offset)
            self._wants[key] = Wants(wanted, self.totals_want(segment))
        return self._wants[key]


def add_count(counts: dict[str, int], name: str, more: int) -> None:
    """Count more of a name; what is not there counts from zero."""
    counts[name] = counts.get(name, 0) + more
