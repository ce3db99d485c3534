"""Baselines from the first events, by event time, whatever order records arrive in."""

from collections.abc import Callable
from random import Random

import msgspec
from confluent_kafka import Producer
from hypothesis import given, settings
from hypothesis import strategies as st

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.events import Event
from drift_aware.schema.topics import FEEDBACK, INTERACTIONS, SUMMARIES
from drift_aware.streams.baseline import reference
from drift_aware.streams.baseliner import Collector, catalogue
from drift_aware.streams.labels import label
from drift_aware.streams.reader import read_each
from drift_aware.streams.stage import Input
from drift_aware.streams.wire import Fitted, decode
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.services import wait_until
from rig_events import NOON, feedback, interaction

StartCommand = Callable[..., Command]
PARTITIONS = 3
NEEDED = 60
SETTINGS = make_settings(
    "nowhere:1",
    kafka={"partitions": PARTITIONS},
    pane_seconds=1,
    allowed_lateness_seconds=2,
    baseline={"events": NEEDED, "feedback": 20},
)


def records(count: int = 300) -> list[Input]:
    """Ten interactions a second on three partitions, a few to a record, in the order of their times."""
    random, offsets, found = Random(3), [0] * PARTITIONS, []
    for start in range(0, count, 4):
        partition = random.randrange(PARTITIONS)
        events: list[Event] = [
            interaction(number, ts=NOON + number * 100, refusal=number % 7 == 0)
            for number in range(start, min(start + 4, count))
        ]
        found.append(Input(INTERACTIONS.name, partition, offsets[partition], encode_rows(events), ROWS))
        offsets[partition] += 1
    return found


def fitted(collector: Collector, order: list[Input]) -> dict[str, Baseline]:
    """What comes together while records are read in that order."""
    left = {partition: sum(each.partition == partition for each in order) for partition in range(PARTITIONS)}
    found: dict[str, Baseline] = {}
    for record in order:
        collector.take(record)
        left[record.partition] -= 1
        behind = {(INTERACTIONS.name, partition) for partition in left if left[partition]}
        for baseline in collector.settle(behind, 0):
            assert baseline.segment not in found
            found[baseline.segment] = baseline
    return found


def by_time() -> dict[str, Baseline]:
    return fitted(Collector(SETTINGS, label, []), records())


def test_a_baseline_is_the_first_whole_panes_with_enough_events() -> None:
    baseline = by_time()["all"]
    assert (baseline.since, baseline.until) == (NOON, NOON + 6000)
    assert baseline.events == reference(baseline).events == NEEDED
    assert reference(baseline).counts["refusals"] == len(range(0, NEEDED, 7))


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(PARTITIONS)), st.integers(0, 10_000))
def test_how_far_one_partition_is_read_ahead_of_another_changes_nothing(first: list[int], seed: int) -> None:
    queues = [[each for each in records() if each.partition == partition] for partition in first]
    random, order = Random(seed), list[Input]()
    while any(queues):
        queue = random.choice([queue for queue in queues if queue])
        take = random.randint(1, len(queue))
        order += queue[:take]
        del queue[:take]
    expected = {segment: baseline.id for segment, baseline in by_time().items()}
    assert {
        segment: each.id for segment, each in fitted(Collector(SETTINGS, label, []), order).items()
    } == expected


def test_what_is_in_the_catalogue_is_not_fitted_again() -> None:
    known = list(by_time().values())
    assert fitted(Collector(SETTINGS, label, known), records()) == {}


def test_a_restart_from_what_is_needed_collects_the_same() -> None:
    order = records()
    first = Collector(SETTINGS, label, [])
    for record in order[:10]:
        first.take(record)
        assert first.settle(set(), 0) == []
    needed = {
        partition: first.needed_from(INTERACTIONS.name, partition, 10_000) for partition in range(PARTITIONS)
    }
    again = [record for record in order if record.offset >= needed[record.partition]]
    expected = {segment: baseline.id for segment, baseline in by_time().items()}
    assert {
        segment: each.id for segment, each in fitted(Collector(SETTINGS, label, []), again).items()
    } == expected


def test_nothing_is_needed_when_nothing_is_collected() -> None:
    assert Collector(SETTINGS, label, []).needed_from(INTERACTIONS.name, 0, 42) == 42


def test_an_event_that_comes_too_late_stays_out() -> None:
    collector = Collector(SETTINGS, label, [])
    for record in records(80):  # eight seconds: panes up to six are settled, the baseline not yet complete
        collector.take(record)
    collector.settle(set(), 0)
    late = encode_rows([interaction(9999, ts=NOON + 50)])
    collector.take(Input(INTERACTIONS.name, 0, 500, late, ROWS))
    for record in records()[20:]:
        collector.take(record)
    for baseline in collector.settle(set(), 0):
        assert baseline.events == NEEDED


def test_families_wait_for_their_own_numbers() -> None:
    collector = Collector(SETTINGS, label, [])
    ratings: list[Event] = [msgspec.structs.replace(feedback(n), ts=NOON + n * 100) for n in range(100)]
    collector.take(Input(FEEDBACK.name, 0, 0, encode_rows(ratings), ROWS))
    assert {(each.family, each.events) for each in collector.settle(set(), 0)} == {("feedback", 20)}


def test_the_process_publishes_each_baseline_once_whatever_happens_to_it(
    broker: Broker, start_command: StartCommand
) -> None:
    config = {"pane_seconds": 1, "allowed_lateness_seconds": 2, "baseline__events": NEEDED}
    settings = make_settings(broker.bootstrap)
    producer = Producer({"bootstrap.servers": broker.bootstrap})

    def publish(found: list[Input]) -> None:
        for record in found:
            producer.produce(record.topic, record.value, partition=record.partition)
        assert producer.flush(20) == 0

    order = records()
    publish(order[:10])
    first = start_command("baseline", "watch", bootstrap=broker.bootstrap, **config)
    wait_until(lambda: "watching" in first.stderr, 30, first.shown)
    first.kill()
    publish(order[10:])
    second = start_command("baseline", "watch", bootstrap=broker.bootstrap, **config)
    wait_until(lambda: len(catalogue(settings)) == 2, 60, second.shown)
    assert {each.segment: each.id for each in catalogue(settings)} == {
        segment: each.id for segment, each in by_time().items()
    }
    assert second.stop() == 0
    third = start_command("baseline", "watch", bootstrap=broker.bootstrap, **config)
    wait_until(lambda: "watching" in third.stderr, 30, third.shown)
    assert third.stop() == 0
    sent = [decode(record.value or b"") for record in read_each(settings, SUMMARIES.name)]
    assert len(sent) == 2
    assert all(isinstance(message, Fitted) for message in sent)

    listing = start_command("baseline", "list", bootstrap=broker.bootstrap)
    assert listing.wait() == 0
    assert listing.stdout.count(f"{NEEDED} events") == 2
