"""The ledger of policies, and its way to the topic."""

from collections.abc import Iterator
from threading import Thread

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions import policies
from drift_aware.actions.outbox import Outbox
from drift_aware.actions.policies import Wish
from drift_aware.schema.policies import PARTS, Policy, in_force
from drift_aware.schema.topics import POLICIES
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig.brokers import Broker
from rig.configuration import make_settings
from rig_events import NOON

NOBODY = "127.0.0.1:1"
VALUES = {
    "model": st.sampled_from(["a", "b"]),
    "moderation_threshold": st.sampled_from([0.2, 0.4]),
    "system_prompt_addition": st.just("be kind"),
    "blocked_patterns": st.sampled_from([["x"], []]),
}
LAYER = st.builds(
    Policy,
    **{name: st.none() | values for name, values in VALUES.items()},
    expires=st.dictionaries(st.sampled_from(PARTS), st.integers(0, 100), max_size=4),
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def to_model(connection: Connection, key: str, model: str, app: str = "shop") -> policies.Change:
    wish = Wish(key, app, f"because of {key}")
    return policies.change(connection, wish, lambda _: {"model": model}, now_ms=NOON)


def published(broker: Broker) -> list[Policy]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test"})
    found = []
    try:
        for part in range(broker.partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(POLICIES.name, part), timeout=10)
            consumer.assign([TopicPartition(POLICIES.name, part, low)])
            for _ in range(low, high):
                [message] = consumer.consume(1, 10)
                found.append(msgspec.json.decode(message.value() or b"", type=Policy))
    finally:
        consumer.close()
    return found


@given(st.lists(LAYER, min_size=1, max_size=4), st.integers(0, 100))
def test_each_part_comes_from_the_first_layer_that_says_something(layers: list[Policy], now: int) -> None:
    held = in_force(layers, now)
    for part in PARTS:
        said = [value for layer in layers if (value := layer.part(part, now)) is not None]
        assert getattr(held, part) == (said[0] if said else None)
        # What it hands on says the same by itself, so it may be a layer again.
        assert held.part(part, now) == getattr(held, part)


def test_a_change_is_entered_once_however_often_it_is_tried(connection: Connection) -> None:
    first = to_model(connection, "one", "new")
    assert to_model(connection, "one", "newer") == first
    assert policies.find(connection, "one") == first
    assert (first.policy.version, first.policy.model) == (1, "new")
    assert policies.find(connection, "two") is None


def test_a_change_leaves_other_parts_and_their_expiry_alone(connection: Connection) -> None:
    wish = Wish("strict", "shop", "toxic")
    policies.change(connection, wish, lambda _: {"moderation_threshold": 0.4}, now_ms=NOON, until=NOON + 5)
    now = to_model(connection, "one", "new").policy
    assert (now.moderation_threshold, now.model, now.version) == (0.4, "new", 2)
    assert now.expires == {"moderation_threshold": NOON + 5}


def test_what_was_changed_is_put_back_and_what_others_changed_since_stays(connection: Connection) -> None:
    to_model(connection, "one", "old")
    to_model(connection, "two", "new")
    back = policies.restore(connection, Wish("back", "shop", "undone"), "two")
    assert back is not None
    assert back.policy.model == "old"
    assert policies.restore(connection, Wish("back", "shop", "undone"), "two") == back
    assert policies.restore(connection, Wish("again", "shop", "undone"), "two") is None
    assert policies.restore(connection, Wish("never", "shop", "undone"), "never made") is None
    assert policies.current(connection, "shop") == back.policy


def test_changes_at_once_get_versions_of_their_own(database_url: str, connection: Connection) -> None:
    def enter(number: int) -> None:
        with store.connect(database_url, "test") as mine:
            to_model(mine, f"key {number}", f"model {number}")

    threads = [Thread(target=enter, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert policies.current(connection, "shop").version == 8


def test_the_latest_of_each_application_is_published_once(
    connection: Connection, embedded_broker: Broker
) -> None:
    to_model(connection, "one", "old")
    newest = to_model(connection, "two", "new").policy
    others = to_model(connection, "three", "all", app="*").policy
    outbox = Outbox(make_settings(embedded_broker.bootstrap))
    assert outbox.publish(connection) == 2
    assert outbox.publish(connection) == 0
    assert sorted(published(embedded_broker), key=lambda each: each.app) == [others, newest]
    outbox.close()


def test_what_kafka_did_not_take_waits(
    connection: Connection, embedded_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drift_aware.actions.outbox.SEND_TIMEOUT_SECONDS", 0.5)
    made = to_model(connection, "one", "new").policy
    away, there = (Outbox(make_settings(address)) for address in (NOBODY, embedded_broker.bootstrap))
    assert away.publish(connection) == 0
    away.close()
    assert there.publish(connection) == 1
    there.close()
    assert published(embedded_broker) == [made]


def test_while_one_publishes_another_leaves_it_to_it(database_url: str, connection: Connection) -> None:
    to_model(connection, "one", "new")
    with store.connect(database_url, "test") as other, other.transaction():
        assert len(policies.unpublished(other, 10)) == 1
        with connection.transaction():
            assert policies.unpublished(connection, 10) == []
