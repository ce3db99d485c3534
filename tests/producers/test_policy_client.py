"""PolicyClient follows the topic and is never in the application's way."""

import os
from collections.abc import Callable, Iterator

import msgspec
import pytest

from drift_aware.producers import Policy, PolicyClient
from drift_aware.schema.topics import POLICIES
from rig.brokers import Broker
from rig.kafka import KafkaServer
from rig.services import wait_until
from rig_events import NOON, publish

NOBODY = "127.0.0.1:1"
DEFAULTS = Policy(app="shop", model="usual", moderation_threshold=0.5)
Start = Callable[..., PolicyClient]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[PolicyClient] = []

    def start(bootstrap: str, **options: object) -> PolicyClient:
        client = PolicyClient(bootstrap, "shop", defaults=DEFAULTS, **options)  # type: ignore[arg-type]
        started.append(client)
        return client

    yield start
    for client in started:
        client.close()


def tell(broker: Broker, *policies: Policy) -> None:
    publish(broker.bootstrap, POLICIES.name, [(each.app, msgspec.json.encode(each)) for each in policies])


def test_without_a_broker_the_defaults_hold(start: Start) -> None:
    client = start(NOBODY)
    assert client.current() == DEFAULTS
    assert not client.wait(0.1)


def test_settings_that_cannot_be_are_no_reason_to_raise(start: Start) -> None:
    assert start(NOBODY, client={"no.such.setting": "x"}).current() == DEFAULTS


def test_what_was_published_before_and_after_the_start_is_read(broker: Broker, start: Start) -> None:
    tell(broker, Policy(app="shop", version=1, model="new"), Policy(app="other", version=9, model="theirs"))
    client = start(broker.bootstrap)
    assert client.wait(20)
    assert (client.current().model, client.current().moderation_threshold) == ("new", 0.5)
    tell(broker, Policy(version=1, moderation_threshold=0.3))
    wait_until(lambda: client.current().moderation_threshold == 0.3, 20)
    assert client.current().model == "new"


def test_an_older_version_and_garbage_change_nothing(embedded_broker: Broker, start: Start) -> None:
    new, old = Policy(app="shop", version=3, model="new"), Policy(app="shop", version=2, model="x")
    tell(embedded_broker, new, old)
    garbage = [b"{", b"[]", b'{"app": "shop", "version": 4, "moderation_threshold": 7}', b"\xff"]
    publish(embedded_broker.bootstrap, POLICIES.name, [("shop", value) for value in garbage])
    tell(embedded_broker, Policy(version=1, moderation_threshold=0.3))
    client = start(embedded_broker.bootstrap)
    assert client.wait(20)
    assert (client.current().model, client.current().moderation_threshold) == ("new", 0.3)


def test_an_expired_part_falls_back_and_the_rest_stays(embedded_broker: Broker, start: Start) -> None:
    now = [NOON / 1000]
    strict = {"moderation_threshold": NOON + 1000}
    tell(
        embedded_broker,
        Policy(app="shop", version=1, model="new", moderation_threshold=0.4, expires=strict),
    )
    client = start(embedded_broker.bootstrap, clock=lambda: now[0])
    assert client.wait(20)
    assert client.current().moderation_threshold == 0.4
    now[0] += 1
    assert (client.current().moderation_threshold, client.current().model) == (0.5, "new")


def test_what_is_known_outlives_the_broker_and_news_come_with_it(
    kafka_server: KafkaServer, kafka_broker: Broker, start: Start
) -> None:
    tell(kafka_broker, Policy(app="shop", version=1, model="new"))
    client = start(kafka_broker.bootstrap)
    assert client.wait(20)
    kafka_server.kill()
    try:
        assert client.current().model == "new"
    finally:
        kafka_server.start()
    tell(kafka_broker, Policy(app="shop", version=2, model="newer"))
    wait_until(lambda: client.current().model == "newer", 30)


def test_a_forked_child_reads_for_itself(embedded_broker: Broker, start: Start) -> None:
    tell(embedded_broker, Policy(app="shop", version=1, model="new"))
    client = start(embedded_broker.bootstrap)
    assert client.wait(20)
    child = os.fork()
    if child == 0:  # nothing of pytest may run in here
        os._exit(0 if client.current().model == "new" and client.wait(20) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
