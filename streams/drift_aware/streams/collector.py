"""Which events baselines are made of: the first of every family of every segment, or all of a range. Pure."""

from collections import abc, defaultdict

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.events import Embedding, Event, Kind
from drift_aware.schema.segments import ALL, OTHER, segment
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES
from drift_aware.streams.baseline import Collection, Part, Policy, wanted
from drift_aware.streams.conversations import Conversations
from drift_aware.streams.counting import summarise_events
from drift_aware.streams.intake import Intake, Label, Measured, time_of
from drift_aware.streams.panes import END_OF_TIME, NEVER, Clock
from drift_aware.streams.stage import Input
from drift_aware.streams.summary import Summary, Vector, family, kind_of, merge

# An event, its row on the grid, and whether it counts as a unit.
Counted = tuple[Event, Vector | None, bool]

_KINDS: dict[str, Kind] = {topic.name: kind for kind, topic in SOURCES.items()}


class Collector:
    """Which baselines there are, and which are being collected.

    Args:
        settings: how many events make a baseline.
        label: as in the worker: a baseline counts what panes count.
        known: the baselines fitted so far.
        span: event time from and to, milliseconds: of all families everything in it. Without, of embeddings
            the first; the first of other families DETECT learns by itself.
    """

    def __init__(
        self, settings: Settings, label: Label, known: list[Baseline], span: tuple[int, int] | None = None
    ) -> None:
        self._settings = settings
        self._intake = Intake(settings, label)
        self._span = span
        self._done = {(baseline.segment, baseline.family) for baseline in known}
        self._collections: dict[tuple[str, str], Collection] = {}
        self._watermarks: dict[tuple[str, int], int] = {}
        self._conversations: dict[tuple[str, int], Conversations] = {}
        self._clock = Clock(settings.pane_seconds * 1000, settings.allowed_lateness_seconds * 1000)

    def take(self, record: Input) -> None:
        """Keep what a record of a source topic adds to baselines that are not there yet."""
        measured, _, _ = self._intake.read(_KINDS[record.topic], record)
        self.add(measured, record)

    def add(self, measured: list[Measured], record: Input) -> None:
        """Keep the events of a record, as ``take`` does once it has read them."""
        newest = [time_of(event) for event, _ in measured]
        source = record.topic, record.partition
        self._watermarks[source] = max([self._watermarks.get(source, NEVER), *newest])
        for (segment_name, pane, name), members in self._grouped(source, measured).items():
            self._collection(segment_name, name).add(pane, _part(members), record)

    def pass_time(self, ts: int) -> None:
        """All sources have come as far as an event time, whatever their last event."""
        for topic in _KINDS:
            self._watermarks[topic, 0] = max(self._watermarks.get((topic, 0), NEVER), ts)

    def settle(self, behind: abc.Collection[tuple[str, int]], now_ms: int) -> list[Baseline]:
        """The baselines that have come together.

        Args:
            behind: topic and partition of the sources with unread records; all others are read to the end.
            now_ms: the wall clock, for the baselines' records.
        """
        fitted = []
        for topic, kind in _KINDS.items():
            complete = self._complete(topic, behind)
            for key, collection in list(self._collections.items()):
                if kind_of(collection.family) == kind and collection.settle(complete, self._clock):
                    self._done.add(key)
                    del self._collections[key]
                    fitted.append(collection.fit(now_ms))
        return [baseline for baseline in fitted if baseline is not None]

    def conclude(self, policy: Policy, now_ms: int) -> list[Baseline]:
        """The baselines of everything taken, however little it is."""
        fitted = []
        for _, collection in sorted(self._collections.items()):
            collection.settle(END_OF_TIME, self._clock)
            fitted.append(collection.fit(now_ms, policy))
        self._collections.clear()
        return [baseline for baseline in fitted if baseline is not None]

    def needed_from(self, topic: str, partition: int, position: int) -> int:
        """The oldest offset of a partition that an unfinished collection has, at most ``position``."""
        firsts = [
            collection.offsets[topic][str(partition)][0]
            for collection in self._collections.values()
            if str(partition) in collection.offsets.get(topic, {})
        ]
        return min([position, *firsts])

    def _complete(self, topic: str, behind: abc.Collection[tuple[str, int]]) -> int:
        """The event time up to which all of a topic is read, less what may still come late."""
        marks = {source: mark for source, mark in self._watermarks.items() if source[0] == topic}
        held_back = [marks.get(source, NEVER) for source in behind if source[0] == topic]
        return min([max(marks.values(), default=NEVER), *held_back])

    def _grouped(
        self, source: tuple[str, int], measured: list[Measured]
    ) -> dict[tuple[str, int, str], list[Counted]]:
        groups: dict[tuple[str, int, str], list[Counted]] = defaultdict(list)
        for event, vector in measured:
            own = segment(event, self._settings.segments) or ALL
            ts, name = time_of(event), family(event)
            if not self._asked(name, ts):
                continue  # not even as part of a conversation: a range gives the same read from anywhere
            opens = self._opens(source, event, name, ts)
            for segment_name in {ALL, self._capped(own)}:
                if (segment_name, name) not in self._done:
                    groups[segment_name, self._clock.pane(ts), name].append((event, vector, opens))
        return groups

    def _asked(self, name: str, ts: int) -> bool:
        if self._span is None:
            return kind_of(name) == "embedding"
        return self._span[0] <= ts < self._span[1]

    def _opens(self, source: tuple[str, int], event: Event, name: str, ts: int) -> bool:
        session = getattr(event, "session_id", None)
        if session is None or self._settings.unit == "event":
            return True
        idle_ms = self._settings.conversation_idle_minutes * 60_000
        conversations = self._conversations.setdefault(source, Conversations(idle_ms))
        conversations.forget(self._watermarks[source])
        return conversations.opens(f"{name}|{session}", ts, self._clock.pane(ts))

    def _capped(self, name: str) -> str:
        names = {known for known, _ in self._done} | {known for known, _ in self._collections}
        return name if name in names or len(names) < self._settings.max_segments else OTHER

    def _collection(self, segment_name: str, name: str) -> Collection:
        key = segment_name, name
        if key not in self._collections:
            needed = wanted(name, self._settings.baseline) if self._span is None else None
            self._collections[key] = Collection(segment_name, name, needed)
        return self._collections[key]


def _part(members: list[Counted]) -> Part:
    """Events of one family of one segment and pane, for a collection."""
    opening, again = (
        summarise_events([event for event, _, _ in chosen], [row for _, row, _ in chosen])
        if chosen
        else Summary()
        for chosen in ([each for each in members if each[2]], [each for each in members if not each[2]])
    )
    vectors = [
        (time_of(event), event.id, row, opens)
        for event, row, opens in members
        if isinstance(event, Embedding) and row is not None
    ]
    sums = merge([opening, again])
    sums.trim()
    return Part(sums, again, vectors)
