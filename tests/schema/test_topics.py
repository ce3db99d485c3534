"""Topics are created once, found again, and checked; on both brokers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from drift_aware.schema import topics
from drift_aware.schema.checks import Check
from drift_aware.schema.errors import SettingsError, Unreachable
from drift_aware.streams.embedded import EmbeddedBroker
from rig.brokers import Broker
from rig.configuration import make_settings
from rig.kafka import KafkaServer
from rig.services import wait_until

NOBODY = "127.0.0.1:1"


def test_creating_what_exists_creates_nothing(broker: Broker) -> None:
    settings = make_settings(broker.bootstrap)
    assert topics.create(settings) == []
    there = topics.existing(settings)
    assert {topic.name for topic in topics.TOPICS} <= there.keys()


def test_only_what_is_missing_is_created(kafka_server: KafkaServer, kafka_broker: Broker) -> None:
    settings = make_settings(kafka_broker.bootstrap)
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
    gone = topics.ALERTS.name
    admin.delete_topics([gone])[gone].result()
    wait_until(lambda: gone not in topics.existing(settings), 20, "the broker to hear of it")
    assert topics.create(settings) == [gone]


def test_two_that_create_at_the_same_time_both_succeed(
    kafka_server: KafkaServer, kafka_broker: Broker
) -> None:
    kafka_server.clear()
    settings = make_settings(kafka_broker.bootstrap)
    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(lambda _: topics.create(settings), range(4)))
    assert sorted(name for names in created for name in names) == sorted(
        topic.name for topic in topics.TOPICS
    )


def test_every_topic_is_kept_as_it_says(kafka_broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
    wanted = {topic.name: topic.config() for topic in topics.TOPICS}
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in wanted])
    for resource, future in asked.items():
        kept = {name: entry.value for name, entry in future.result().items()}
        assert wanted[resource.name].items() <= kept.items()


def test_no_source_is_compacted() -> None:
    # The worker counts source offsets one by one.
    assert {topic.cleanup for topic in (*topics.SOURCES.values(), topics.SUMMARIES)} == {"delete"}


def test_no_two_topics_have_one_metric_name() -> None:
    names = [topic.name.replace(".", "_") for topic in topics.TOPICS]
    assert len(set(names)) == len(names)


def test_the_checks_of_a_whole_broker_are_good(broker: Broker) -> None:
    found = list(topics.checks(make_settings(broker.bootstrap)))
    assert [(check.name, check.ok) for check in found] == [("kafka", True), ("topics", True)]


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ({"drift.interactions.v1": 4}, "run: drift-aware topics create"),
        (
            {topic.name: 4 for topic in topics.TOPICS} | {"drift.alerts.v1": 2},
            "drift.alerts.v1 has 2 partitions",
        ),
    ],
)
def test_a_check_that_fails_says_what_to_do(there: dict[str, int], says: str) -> None:
    with EmbeddedBroker(there) as broker:
        *_, check = topics.checks(make_settings(broker.bootstrap))
    assert check.name == "topics"
    assert not check.ok
    assert says in check.message


def test_without_a_broker_the_error_names_the_setting() -> None:
    with pytest.raises(Unreachable, match=r"no Kafka at 127\.0\.0\.1:1: .*KAFKA_BOOTSTRAP_SERVERS"):
        topics.existing(make_settings(NOBODY), timeout_seconds=0.3)


def test_without_a_broker_the_checks_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(settings: object) -> dict[str, int]:
        raise Unreachable("no Kafka; set KAFKA_BOOTSTRAP_SERVERS")

    monkeypatch.setattr(topics, "existing", unreachable)
    assert list(topics.checks(make_settings(NOBODY))) == [
        Check("kafka", False, "no Kafka; set KAFKA_BOOTSTRAP_SERVERS")
    ]


def test_settings_librdkafka_refuses_are_an_error_of_the_settings(tmp_path: Path) -> None:
    kafka = {"security_protocol": "SSL", "ssl_ca_location": tmp_path / "absent.pem"}
    with pytest.raises(SettingsError, match=r"kafka\.ssl_ca_location: cannot read .*absent\.pem"):
        topics.existing(make_settings(NOBODY, kafka=kafka))
