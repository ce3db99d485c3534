"""What must come out, by one clean pass over what was published, and what has come out."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from chaos.poison import Place, Poison
from drift_aware.schema.alerts import Alert, Readings
from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import KINDS, Event, Kind
from drift_aware.schema.segments import ALL, segment
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import (
    ALERTS,
    MONITORS_TABLE,
    READINGS,
    SOURCES,
    SUMMARIES,
    changelog,
    dead_letters,
)
from drift_aware.streams.detect import Detect, MonitorRow
from drift_aware.streams.labels import label
from drift_aware.streams.reader import read_all, read_each
from drift_aware.streams.source import TOTAL
from drift_aware.streams.stage import Input
from drift_aware.streams.status import Totals, add_up, totals
from drift_aware.streams.summarise import Summarise
from rig.records import records

_PER_RECORD = 50
_SHOWN = 3
Key = tuple[str, int]  # segment and begin of a pane

_alert = msgspec.json.Decoder(Alert).decode
_readings = msgspec.json.Decoder(Readings).decode
_monitor = msgspec.msgpack.Decoder(MonitorRow).decode


@dataclass
class Outcome:
    """What came out.

    Attributes:
        totals: what ``drift-aware status`` shows.
        alerts: id to revision to alert.
        readings: those of each pane of each segment.
        monitors: what each segment remembers.
        resent: how many alerts and readings came more than once.
    """

    totals: Totals = field(default_factory=dict)
    alerts: dict[str, dict[int, Alert]] = field(default_factory=lambda: defaultdict(dict))
    readings: dict[Key, Readings] = field(default_factory=dict)
    monitors: dict[str, MonitorRow] = field(default_factory=dict)
    resent: int = 0

    def add_alert(self, value: bytes) -> None:
        """Take one from its topic: it may come twice, but then it is the same."""
        alert = _alert(value)
        known = self.alerts[alert.id].setdefault(alert.revision, alert)
        self.resent += known is not alert
        assert known == alert, f"revision {alert.revision} of {alert.id} came in two versions"

    def add_readings(self, value: bytes) -> None:
        """Take those of one pane: they may come twice, but then they are the same."""
        readings = _readings(value)
        known = self.readings.setdefault((readings.segment, readings.start), readings)
        self.resent += known is not readings
        assert known == readings, f"{readings.segment} at {readings.start} came in two versions"

    @property
    def latest(self) -> dict[str, Alert]:
        """Each alert at its highest revision."""
        return {name: revisions[max(revisions)] for name, revisions in self.alerts.items()}


def clean_pass(settings: Settings, published: Iterable[Event | Poison], closing: list[Event]) -> Outcome:
    """Both stages over everything in the order of publication, on one partition, with nothing going wrong."""
    one = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"partitions": 1})})
    summarise, detect, outcome = Summarise(one, label), Detect(one), Outcome()
    summarise.restore(0, [], {})
    detect.restore(0, [], {})
    for offset, record in enumerate(_records([*published, *closing])):
        summarise.fold(replace(record, offset=offset))
    changes = summarise.changes(0)
    outcome.totals = add_up(dict(changes.rows))
    for output in [*changes.outputs, *summarise.watermarks(0, lambda _: False)]:
        assert detect.fold(Input(SUMMARIES.name, 0, 0, output.value, "")) == []
    decided = detect.changes(0)
    for output in decided.outputs:
        if output.topic == ALERTS.name:
            outcome.add_alert(output.value)
        elif output.topic == READINGS.name:
            outcome.add_readings(output.value)
    outcome.monitors = _monitors(dict(decided.rows))
    return outcome


def plain_counts(published: Iterable[Event | Poison]) -> dict[str, dict[str, int]]:
    """How many events each segment has of each kind, and in all the dead letters: counted by hand."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in published:
        if isinstance(item, Poison):
            counts[ALL]["dead_letters"] += len(item.reasons)
            counts[ALL][TOTAL[item.kind]] += item.usable
            continue
        for name in {ALL, segment(item, ["app", "model"]) or ALL}:
            counts[name][TOTAL[KINDS[type(item)]]] += 1
    return {name: dict(counted) for name, counted in counts.items()}


def observed(settings: Settings) -> Outcome:
    """What is on the broker now."""
    outcome = Outcome(totals(settings))
    for record in read_each(settings, ALERTS.name):
        outcome.add_alert(record.value or b"")
    for record in read_each(settings, READINGS.name):
        outcome.add_readings(record.value or b"")
    outcome.monitors = _monitors(read_all(settings, changelog(MONITORS_TABLE).name))
    return outcome


def counted(settings: Settings) -> int:
    """How many events are counted so far; nothing while the broker does not answer."""
    try:
        everything = totals(settings)[ALL]
    except Unreachable:
        return 0
    return sum(everything[name] for name in TOTAL.values())


def buried(settings: Settings) -> dict[Place, str]:
    """Where the dead letters on the broker come from, and why."""
    found: dict[Place, str] = {}
    for topic in SOURCES.values():
        for record in records(str(settings.kafka.bootstrap_servers), dead_letters(topic).name):
            said = {name.rpartition(".")[2]: value.decode() for name, value in record.headers.items()}
            place = said["topic"], int(said["partition"]), int(said["offset"]), int(said["index"])
            assert found.setdefault(place, said["reason"]) == said["reason"]
    return found


def differences(wanted: Outcome, found: Outcome) -> list[str]:
    """What is not as it must be, a few of each sort.

    Readings may be missing, for they are samples, but none may say anything else.
    """
    said = _unlike("total", wanted.totals, found.totals)
    said += _unlike("alert", wanted.latest, found.latest)
    said += _unlike("monitor", wanted.monitors, found.monitors)
    said += _unlike("readings", {key: wanted.readings.get(key) for key in found.readings}, found.readings)
    return said


def _unlike(what: str, wanted: Mapping[Any, object], found: Mapping[Any, object]) -> list[str]:
    names = sorted(wanted.keys() | found.keys())
    unlike = [name for name in names if wanted.get(name) != found.get(name)]
    return [
        f"{len(unlike)} differ, {what} {name}: {found.get(name)!s:.400}, not {wanted.get(name)!s:.400}"
        for name in unlike[:_SHOWN]
    ]


def _monitors(rows: Mapping[bytes, bytes | None]) -> dict[str, MonitorRow]:
    found = {}
    for key, value in rows.items():
        _, name, *what = key.decode().split("|")
        if what == ["monitor"] and value is not None:
            found[name] = _monitor(value)
    return found


def _records(published: Iterable[Event | Poison]) -> Iterator[Input]:
    """In packed records, each kind in its order, and none packed across a bad one."""
    packed: dict[Kind, list[Event]] = defaultdict(list)
    for item in published:
        if isinstance(item, Poison):
            yield from (_packed(kind, packed.pop(kind)) for kind in list(packed))
            yield Input(SOURCES[item.kind].name, 0, 0, item.value, item.content_type, appended_ms=_now_ms())
        else:
            same = packed[KINDS[type(item)]]
            same.append(item)
            if len(same) == _PER_RECORD:
                yield _packed(KINDS[type(item)], packed.pop(KINDS[type(item)]))
    yield from (_packed(kind, events) for kind, events in packed.items())


def _packed(kind: Kind, events: list[Event]) -> Input:
    return Input(SOURCES[kind].name, 0, 0, encode_rows(events), ROWS)


def _now_ms() -> int:
    return round(time.time() * 1000)
