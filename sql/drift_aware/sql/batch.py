"""The records of one transaction, sorted into rows by table: pure."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from drift_aware.schema.alerts import Alert, Baseline, DaySums, Readings
from drift_aware.schema.envelope import decode
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Embedding, Kind
from drift_aware.schema.topics import ALERTS, BASELINES, HISTORY, READINGS, SOURCES
from drift_aware.sql import rows
from drift_aware.sql.cells import Tally
from drift_aware.sql.partitions import Days
from drift_aware.sql.work import Record

_KINDS: dict[str, Kind] = {topic.name: kind for kind, topic in SOURCES.items()}
_alerts = msgspec.json.Decoder(Alert)
_readings = msgspec.json.Decoder(Readings)
_day_sums = msgspec.json.Decoder(DaySums)
_baselines = msgspec.json.Decoder(Baseline)
T = TypeVar("T")


@dataclass
class Batch:
    """Rows to write, and what is to be counted once they are there for good.

    Attributes:
        rows: table to what its statement takes.
        written: table to rows that Postgres took.
        skipped: (topic, reason) to events that cannot be read or stored.
        tally: values that had to be changed.
        dims: the dimensions of the vectors in it.
        withheld: (table, reason) to rows without what must not be stored, or left out altogether.
        unplaced: table to rows whose day has no partition of its own.
        started: when the work on it began, on the clock of ``time.perf_counter``.
    """

    rows: dict[str, list[Any]] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Counter)
    dims: set[int] = field(default_factory=set)
    withheld: Counter[tuple[str, str]] = field(default_factory=Counter)
    unplaced: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.perf_counter)

    def add(self, table: str, new: Iterable[Any]) -> None:
        self.rows.setdefault(table, []).extend(new)


def sort(records: Iterable[Record], days: Days) -> Batch:
    """Read the records; what cannot be read is counted in ``skipped``.

    Args:
        records: of the source topics, readings, sums of days, baselines and alerts.
        days: those that have partitions.
    """
    batch = Batch()
    for record in records:
        try:
            if record.topic == ALERTS.name:
                _sort_alert(record, batch)
            elif record.topic == READINGS.name:
                _sort_readings(record, batch)
            elif record.topic == HISTORY.name:
                _sort_day(record, batch)
            elif record.topic == BASELINES.name:
                _sort_baseline(record, batch)
            else:
                _sort_events(_KINDS[record.topic], record, batch, days)
        except BadEvent as error:
            batch.skipped[record.topic, error.reason] += 1
    return batch


def _sort_events(kind: Kind, record: Record, batch: Batch, days: Days) -> None:
    decoded = decode(kind, record.value, record.content_type)
    for dead in decoded.dead:
        batch.skipped[record.topic, dead.reason] += 1
    table = rows.LOGS[kind].name
    found = []
    for index, event in enumerate(decoded.events):
        try:
            row = rows.event_row(kind, event, (record.partition, record.offset, index), batch.tally)
        except BadEvent as error:
            batch.skipped[record.topic, error.reason] += 1
            continue
        found.append(row)
        if isinstance(event, Embedding) and event.dim is not None:
            batch.dims.add(event.dim)
        if row[0] not in days:
            batch.unplaced[table] += 1
    batch.add(table, found)


def _sort_alert(record: Record, batch: Batch) -> None:
    batch.add("drift_events", [rows.alert_row(read_alert(record), batch.tally)])


def _sort_readings(record: Record, batch: Batch) -> None:
    pane = _decoded(_readings, record)
    if pane.totals:  # what has waited for its baseline was counted when its panes closed
        batch.add("pane_totals", [rows.totals_row(pane, batch.tally)])
    batch.add("drift_metrics", rows.reading_rows(pane, batch.tally))


def _sort_day(record: Record, batch: Batch) -> None:
    batch.add("day_sums", [rows.day_row(_decoded(_day_sums, record), batch.tally)])


def _sort_baseline(record: Record, batch: Batch) -> None:
    batch.add("baseline", [rows.baseline_row(_decoded(_baselines, record), batch.tally)])


def read_alert(record: Record) -> Alert:
    """The alert in a record.

    Raises:
        BadEvent: there is none.
    """
    return _decoded(_alerts, record)


def _decoded(decoder: msgspec.json.Decoder[T], record: Record) -> T:
    if record.value is None:
        raise BadEvent("empty", "the record has no value")
    try:
        return decoder.decode(record.value)
    except msgspec.ValidationError as error:
        raise BadEvent("wrong_type", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadEvent("not_json", str(error)) from None
