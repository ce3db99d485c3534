"""Past events through the same code as the worker's, without Kafka and without a wall clock.

Event time is that of the file: a pane closes when an event comes that is later than its end by the allowed
lateness. So the same file gives the same alerts, byte for byte.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from drift_aware.schema.alerts import Alert
from drift_aware.schema.envelope import ROWS
from drift_aware.schema.errors import BadEvent, SettingsError
from drift_aware.schema.events import CANARY_KINDS, Kind, Timestamp, milliseconds
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ALERTS, SOURCES, SUMMARIES
from drift_aware.streams.collector import Collector
from drift_aware.streams.detect import Detect
from drift_aware.streams.intake import Intake, Label
from drift_aware.streams.panes import END_OF_TIME, NEVER, Clock, Source
from drift_aware.streams.stage import Input, Output
from drift_aware.streams.summarise import Summarise
from drift_aware.streams.wire import Fitted, encode

# So many lines are read at once.
_MOST_LINES = 500
_alert = msgspec.json.Decoder(Alert).decode


class Line(NamedTuple):
    """One event as it stands in a file; ``number`` counts lines from 1."""

    ts: int
    number: int
    kind: Kind
    raw: bytes


class Raised(NamedTuple):
    """An alert, and the number of the line at whose time it was raised."""

    seq: int
    alert: Alert


@dataclass(slots=True)
class Unused:
    """Lines that do not count.

    Attributes:
        tell: given the number of a line that cannot be used, and why.
        bad: how many of those there were.
        late: how many came after their pane had closed.
    """

    tell: Callable[[int, str], None]
    bad: int = 0
    late: int = 0

    def refuse(self, number: int, why: str) -> None:
        """A line cannot be used."""
        self.bad += 1
        self.tell(number, why)


class _Head(msgspec.Struct):
    type: Kind
    ts: Timestamp
    canary: object = False


_head = msgspec.json.Decoder(_Head).decode


def read(file: Iterable[bytes], unused: Unused) -> Iterator[Line]:
    """The events of a file, one JSON object a line; blank lines and canaries are nothing."""
    for number, raw in enumerate(file, 1):
        if not raw.strip():
            continue
        try:
            head = _head(raw)
            if head.canary is True and head.type in CANARY_KINDS:
                continue  # no time passes by it either
            yield Line(milliseconds(head.ts), number, head.type, raw.strip())
        except BadEvent as error:
            unused.refuse(number, str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            unused.refuse(number, f"not an event with `type` and `ts`: {error}")


def in_order(files: Sequence[Iterable[Line]]) -> Iterable[Line]:
    """The lines of several files by their times; they are numbered as they come then."""
    if len(files) == 1:
        return files[0]
    merged = heapq.merge(*files, key=lambda line: line.ts)
    return (line._replace(number=number) for number, line in enumerate(merged, 1))


def replay(settings: Settings, lines: Iterable[Line], label: Label, unused: Unused) -> Iterator[Raised]:
    """Every revision of every alert, in the order in which they are raised.

    Args:
        settings: as for the worker.
        lines: events, about in the order of their times; what comes too late does not count.
        label: as for the worker.
        unused: told what does not count.

    Raises:
        SettingsError: the baseline policy is ``rolling``, for which a file has no days to come.
    """
    run = _Replay(settings, label, unused)
    number = 0
    for line in lines:
        number = line.number
        yield from run.take(line)
    yield from run.finish(number)


class _Replay:
    """Both stages and the baseliner as one partition in memory.

    Lines wait until their pane closes, and panes are counted one after the other. So it does not matter how
    lines of open panes are mixed, nor at which of them a baseline comes together.
    """

    def __init__(self, settings: Settings, label: Label, unused: Unused) -> None:
        policy = settings.baseline
        if policy.policy == "rolling":
            raise SettingsError("replay knows the baseline policies first and pinned, not rolling")
        one = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"partitions": 1})})
        self._unused = unused
        self._clock = Clock(settings.pane_seconds * 1000, settings.allowed_lateness_seconds * 1000)
        self._intake = Intake(settings, label)
        self._summarise = Summarise(one, label, clock=lambda: self._time / 1000)
        self._detect = Detect(one)
        self._span = None
        if policy.begin is not None and policy.end is not None:
            self._span = round(policy.begin.timestamp() * 1000), round(policy.end.timestamp() * 1000)
        self._collector = Collector(one, label, [], self._span)
        self._summarise.restore(0, [], {})
        self._detect.restore(0, [], {})
        self._time = NEVER
        self._lines: dict[int, list[Line]] = {}
        self._offset = 0

    def take(self, line: Line) -> Iterator[Raised]:
        """One more event; the alerts that its time brings."""
        self._time = max(self._time, line.ts)
        yield from self._close(self._time, line.number)
        pane = self._clock.pane(line.ts)
        if self._clock.closes_at(pane) <= self._time:
            self._unused.late += 1
        else:
            self._lines.setdefault(pane, []).append(line)

    def finish(self, number: int) -> Iterator[Raised]:
        """Close what is open."""
        yield from self._close(END_OF_TIME, number)

    def _close(self, time: int, number: int) -> Iterator[Raised]:
        if not self._lines or self._clock.closes_at(min(self._lines)) > time:
            return
        for pane in sorted(self._lines):
            closes = self._clock.closes_at(pane)
            if closes > time:
                break
            self._count(self._lines.pop(pane))
            self._pass(closes)
        alerts = [
            _alert(output.value) for output in self._detect.changes(0).outputs if output.topic == ALERTS.name
        ]
        for alert in sorted(alerts, key=_order):
            yield Raised(number, alert)

    def _count(self, lines: list[Line]) -> None:
        """Read and count the lines of a pane, in an order that is always the same."""
        lines.sort(key=lambda line: (line.ts, line.raw))
        for kind in SOURCES:
            mine = [line for line in lines if line.kind == kind]
            for begin in range(0, len(mine), _MOST_LINES):
                self._count_record(kind, mine[begin : begin + _MOST_LINES])

    def _count_record(self, kind: Kind, lines: list[Line]) -> None:
        value = b"[" + b",".join(line.raw for line in lines) + b"]"
        record = Input(SOURCES[kind].name, 0, self._offset, value, ROWS)
        self._offset += 1
        measured, dead, canaries = self._intake.read(kind, record)
        numbers = {line.raw: line.number for line in lines}
        for letter in dead:
            self._unused.refuse(numbers[letter.value], letter.message)
        self._summarise.count(Source(kind, 0), record.offset, measured, len(dead), canaries)
        self._collector.add(measured, record)

    def _pass(self, time: int) -> None:
        """Let both stages and the baseliner know that everything up to an event time is there."""
        self._summarise.pass_time(0, time)
        self._collector.pass_time(time)
        self._tell(self._summarise.changes(0).outputs)
        found = self._collector.settle(set(), time)
        if self._span is not None and time >= self._clock.closes_at(self._span[1]):
            found = self._collector.conclude("pinned", time)
        for baseline in found:
            self._summarise.compare_with(baseline)
            self._tell([Output(SUMMARIES.name, b"", encode(Fitted(baseline)))])
        self._tell(self._summarise.watermarks(0, lambda _: False))
        self._detect.listen(time)

    def _tell(self, outputs: list[Output]) -> None:
        for output in outputs:
            self._detect.fold(Input(SUMMARIES.name, 0, 0, output.value, ""))


def _order(alert: Alert) -> tuple[int, str, str, str, str, int]:
    return alert.ts, alert.segment, alert.metric, alert.detector, alert.id, alert.revision
