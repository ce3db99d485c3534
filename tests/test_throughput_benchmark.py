"""The benchmark of throughput: its traffic, its arithmetic, its tables, and a run on a real Kafka."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from drift_aware.schema.envelope import MAX_BYTES, MAX_EVENTS, decode
from drift_aware.schema.events import Event, Interaction
from load import meter, sums
from load.contenders import BARE, CORE, PEERS, WORKER, Contender, ContenderFailed, contenders
from load.meter import Cost, Mark, Meter, TooFew, cost
from load.report import against_peers, memory_table, peers_table, throughput_table
from load.rows import MEMORY, QUICK, REFERENCE, ROWS, Row
from load.soak import Sample, slope
from load.traffic import Traffic
from rig.configuration import PARTITIONS
from rig.kafka import KafkaServer
from throughput import filled

EVENTS = 400_000
EVERY = [*ROWS, *MEMORY]
names = [row.name for row in EVERY]


def events_of(row: Row, count: int) -> list[Event]:
    packed = [decode(row.kind, value, form.decode()) for _, value, form in Traffic(row).records(count)]
    assert not any(each.dead for each in packed)
    return [event for each in packed for event in each.events]


@pytest.mark.parametrize("row", EVERY, ids=names)
def test_a_row_is_packed_as_the_publisher_would_and_ordered_by_time(row: Row) -> None:
    records = list(Traffic(row).records(row.packed * 3))
    assert row.packed <= MAX_EVENTS
    # Its limit holds for one kilobyte more: what it counts is the events, not what stands around them.
    assert all(len(value) < MAX_BYTES + 2_000 for _, value, _ in records)
    times = [event.ts for event in events_of(row, row.packed * 3)]
    assert len(times) == row.packed * 3
    assert times == sorted(times, key=float)


@pytest.mark.parametrize("row", EVERY, ids=names)
def test_every_partition_gets_as_many_records(row: Row) -> None:
    assert row.events(1.0) % (row.packed * PARTITIONS) == 0


def test_the_events_of_a_conversation_belong_to_one_segment() -> None:
    row = Row("", turns=4, segments=20, kind="interaction")
    found: dict[str | None, set[str | None]] = {}
    for event in events_of(row, 400):
        assert isinstance(event, Interaction)
        found.setdefault(event.session_id, set()).add(event.app)
    assert len(found) == 100
    assert all(len(apps) == 1 for apps in found.values())
    assert len({app for apps in found.values() for app in apps}) > 10


def test_all_contenders_are_named_differently_and_rows_too() -> None:
    assert len({each.name for each in contenders(REFERENCE)}) == len(contenders(REFERENCE))
    assert len(set(names)) == len(EVERY)
    assert REFERENCE in QUICK
    assert len(QUICK) < len(ROWS)


@pytest.mark.parametrize("row", [Row("", segments=3), Row("", kind="interaction", segments=3)])
def test_sums_by_hand_are_those_of_event_by_event(row: Row) -> None:
    totals = []
    for by_hand in (True, False):
        total: dict[tuple[str, int], tuple[int, np.typing.NDArray[np.float64]]] = {}
        for _, value, form in Traffic(row).records(600):
            for segment, ts, count, numbers in sums.parts(row.kind, value, [("content-type", form)], by_hand):
                before = total.get((segment, ts // sums.PANE_MS), (0, 0.0))
                total[segment, ts // sums.PANE_MS] = before[0] + count, before[1] + numbers
        totals.append(total)
    assert totals[0].keys() == totals[1].keys()
    for key, (count, numbers) in totals[0].items():
        assert count == totals[1][key][0]
        np.testing.assert_allclose(numbers, totals[1][key][1], rtol=1e-9)


def test_a_meter_writes_a_mark_when_warm_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    counter = Meter(1_000)
    for _ in range(10):
        counter.add(100)
    assert counter.done
    marks = [meter.read(line) for line in capsys.readouterr().out.splitlines()]
    assert [mark.events for mark in marks if mark] == [100, 1_000]


def test_processor_time_is_that_between_the_marks() -> None:
    found = meter.cost(Mark(1_000, 2.0, 50.0, 7), Mark(11_000, 2.1, 50.5, 9))
    assert found == Cost(micros=10.0, rate=20_000.0, resident=9)


def test_a_process_is_seen_from_outside_as_from_inside() -> None:
    seen = meter.mark_of(os.getpid(), 5)
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert seen.cpu == pytest.approx(used.ru_utime + used.ru_stime, abs=0.5)
    assert seen.resident > 1 << 20


def test_the_worker_is_compared_with_the_fastest_that_takes_event_by_event() -> None:
    costs = {
        WORKER.name: [Cost(20.0, 1, 1), Cost(10.0, 1, 1), Cost(11.0, 1, 1)],
        "Quix": [Cost(33.0, 1, 1)],
        "Bytewax": [Cost(22.0, 1, 1)],
        "Bytewax, summed by hand": [Cost(1.0, 1, 1)],
    }
    assert against_peers(costs) == "2.00"
    assert against_peers({WORKER.name: costs[WORKER.name]}) == "\u2013"
    assert against_peers(costs | {"Bytewax": []}) == "\u2013"


def test_a_table_says_what_could_not_be_measured() -> None:
    costs = {each.name: [Cost(10.0, 5_000.0, 1 << 30)] for each in (BARE, CORE, WORKER)}
    assert "| 1.00 | 5,000 | 1,024 MiB |" in throughput_table({REFERENCE: costs})
    table = peers_table({REFERENCE: costs, ROWS[1]: costs}, {PEERS[0].framework: "no wheel"})
    assert "Quix could not be installed: no wheel" in table
    assert ROWS[1].name not in table


def test_memory_is_what_one_more_segment_takes() -> None:
    found = {
        row: Cost(1.0, 1.0, (100 << 20) + row.segments * 2_048)
        for row in MEMORY
        if row.name.startswith("384")
    }
    assert memory_table(found, 10, 1_000).endswith("| 384 | 100 MiB | 102 MiB | 2 KiB |\n")


def test_flat_memory_has_no_slope() -> None:
    assert slope([Sample(0, 0, 50), Sample(5, 0, 50), Sample(10, 0, 50)]) == 0.0
    assert slope([Sample(0, 0, 50)]) == 0.0


def test_a_run_that_is_over_between_two_looks_is_no_measurement() -> None:
    with pytest.raises(TooFew, match="100 events were read between two looks"):
        cost(Mark(100, 1.0, 10.0, 5), Mark(100, 1.1, 10.1, 5))


@pytest.mark.kafka
def test_the_smallest_run_measures_everyone_of_ours(kafka_server: KafkaServer, tmp_path: Path) -> None:
    row = Row("", dim=8, segments=3)
    filled(kafka_server, row, EVENTS)
    for each in (BARE, CORE, WORKER):
        found = each.measure(kafka_server.bootstrap, row, EVENTS, tmp_path)
        assert found.micros >= 0
        assert found.rate > 0
        assert found.resident > 1 << 20
    with pytest.raises(ContenderFailed, match="no module of ours"):
        Contender("no module of ours", "load.nothing").measure(kafka_server.bootstrap, row, EVENTS, tmp_path)
