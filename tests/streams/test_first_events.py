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
from drift_aware.schema.settings import BaselinePolicy
from drift_aware.schema.topics import EMBEDDINGS, FEEDBACK, SUMMARIES
from drift_aware.streams.baseline import reference_of, sums_of
from drift_aware.streams.baseliner import due
from drift_aware.streams.catalogue import baselines
from drift_aware.streams.collector import Collector
from drift_aware.streams.labels import label
from drift_aware.streams.reader import read_each
from drift_aware.streams.stage import Input
from drift_aware.streams.wire import Fitted, decode
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.services import wait_until
from rig_events import NOON, embedding, feedback

StartCommand = Callable[..., Command]
PARTITIONS = 3
NEEDED = 60
# Seven panes hold seventy events, ten of them of one session, which begins once on each partition.
FOUND = 63
SETTINGS = make_settings(
    "nowhere:1",
    kafka={"partitions": PARTITIONS},
    pane_seconds=1,
    allowed_lateness_seconds=2,
    baseline={"events": NEEDED, "feedback": 20},
)


def records(count: int = 300) -> list[Input]:
    """Ten embeddings a second on three partitions, a few to a record, in the order of their times."""
    random, offsets, found = Random(3), [0] * PARTITIONS, []
    for start in range(0, count, 4):
        partition = random.randrange(PARTITIONS)
        events: list[Event] = [
            embedding(number, ts=NOON + number * 100, session_id=None if number % 7 else "s")
            for number in range(start, min(start + 4, count))
        ]
        found.append(Input(EMBEDDINGS.name, partition, offsets[partition], encode_rows(events), ROWS))
        offsets[partition] += 1
    return found


def fitted(collector: Collector, order: list[Input]) -> dict[str, Baseline]:
    """What comes together while records are read in that order."""
    left = {partition: sum(each.partition == partition for each in order) for partition in range(PARTITIONS)}
    found: dict[str, Baseline] = {}
    for record in order:
        collector.take(record)
        left[record.partition] -= 1
        behind = {(EMBEDDINGS.name, partition) for partition in left if left[partition]}
        for baseline in collector.settle(behind, 0):
            assert baseline.segment not in found
            found[baseline.segment] = baseline
    return found


def by_time() -> dict[str, Baseline]:
    return fitted(Collector(SETTINGS, label, []), records())


def test_a_baseline_is_the_first_whole_panes_with_enough_units() -> None:
    baseline = by_time()["all"]
    # Of the session only the first event is a unit, so it takes a seventh more of events.
    assert (baseline.since, baseline.until) == (NOON, NOON + 7000)
    assert baseline.events == sums_of(baseline).events == FOUND
    reference = reference_of(baseline)
    assert reference is not None
    assert (reference.dim, reference.units) == (8, FOUND)


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
        partition: first.needed_from(EMBEDDINGS.name, partition, 10_000) for partition in range(PARTITIONS)
    }
    again = [record for record in order if record.offset >= needed[record.partition]]
    expected = {segment: baseline.id for segment, baseline in by_time().items()}
    assert {
        segment: each.id for segment, each in fitted(Collector(SETTINGS, label, []), again).items()
    } == expected


def test_nothing_is_needed_when_nothing_is_collected() -> None:
    assert Collector(SETTINGS, label, []).needed_from(EMBEDDINGS.name, 0, 42) == 42


def test_an_event_that_comes_too_late_stays_out() -> None:
    collector = Collector(SETTINGS, label, [])
    for record in records(80):  # eight seconds: panes up to six are settled, the baseline not yet complete
        collector.take(record)
    collector.settle(set(), 0)
    late = encode_rows([embedding(9999, ts=NOON + 50)])
    collector.take(Input(EMBEDDINGS.name, 0, 500, late, ROWS))
    for record in records()[20:]:
        collector.take(record)
    for baseline in collector.settle(set(), 0):
        assert baseline.events == FOUND


def test_of_a_range_every_family_gets_a_baseline_of_all_that_is_in_it() -> None:
    span = NOON + 2000, NOON + 5000
    collector = Collector(SETTINGS, label, [], span)
    ratings: list[Event] = [msgspec.structs.replace(feedback(n), ts=NOON + n * 100) for n in range(100)]
    collector.take(Input(FEEDBACK.name, 0, 0, encode_rows(ratings), ROWS))
    for record in records():
        collector.take(record)
    found = collector.conclude("pinned", 0)
    assert {(each.segment, each.family, each.since, each.until) for each in found} == {
        (segment, family, *span)
        for segment, family in [
            ("all", "feedback"),
            (found[-1].segment, "embedding/query/small/8"),
            ("all", "embedding/query/small/8"),
        ]
    } | {(each.segment, "feedback", *span) for each in found if each.family == "feedback"}
    assert {each.events for each in found if each.family == "feedback"} == {30}
    assert {each.policy for each in found} == {"pinned"}


def test_the_range_of_a_record_gives_the_same_baseline_again() -> None:
    for baseline in by_time().values():
        collector = Collector(SETTINGS, label, [], (baseline.since, baseline.until))
        for record in records():
            first, end = baseline.offsets[EMBEDDINGS.name].get(str(record.partition), (0, 0))
            if first <= record.offset < end:
                collector.take(record)
        again = {each.segment: each.id for each in collector.conclude("first", 0)}
        assert again[baseline.segment] == baseline.id


DAY = 86_400_000


def test_a_rolling_baseline_is_due_every_day() -> None:
    policy = BaselinePolicy(policy="rolling", current_days=7, baseline_days=7)
    assert due(policy, [], 20 * DAY + 5) == (6 * DAY, 13 * DAY)
    known = msgspec.structs.replace(by_time()["all"], policy="rolling", since=6 * DAY, until=13 * DAY)
    assert due(policy, [known], 20 * DAY + 5) is None
    assert due(policy, [known], 21 * DAY) == (7 * DAY, 14 * DAY)


def test_a_pinned_baseline_is_due_once_its_time_is_over() -> None:
    times = {"from": "1970-01-07T00:00:00Z", "to": "1970-01-14T00:00:00Z"}
    policy = BaselinePolicy.model_validate({"policy": "pinned", **times})
    assert due(policy, [], 10 * DAY) is None
    assert due(policy, [], 14 * DAY) == (6 * DAY, 13 * DAY)


def test_no_range_is_due_when_the_first_events_are_wanted() -> None:
    assert due(BaselinePolicy(), [], 20 * DAY) is None


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
    wait_until(lambda: len(baselines(settings)) == 2, 60, second.shown)
    assert {each.segment: each.id for each in baselines(settings)} == {
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
    assert listing.stdout.count(f"{FOUND} events") == 2

    (known, *_) = baselines(settings)
    again = start_command(
        "baseline", "fit", "--like", known.id, "--json", bootstrap=broker.bootstrap, **config
    )
    assert again.wait() == 0
    assert msgspec.json.decode(again.stdout)["id"] == known.id

    moment = "1970-01-01T00:00:00Z"
    empty = start_command(
        "baseline", "pin", "--from", moment, "--to", "1970-01-02T00:00:00Z", bootstrap=broker.bootstrap
    )
    assert empty.wait() == 2
    assert "no such events" in empty.stderr
    span = ("--from", "2026-03-01T12:00:10Z", "--to", "2026-03-01T12:00:20+00:00")
    pinned = start_command("baseline", "pin", *span, bootstrap=broker.bootstrap, **config)
    assert pinned.wait() == 0
    assert {each.policy for each in baselines(settings)} == {"pinned"}
