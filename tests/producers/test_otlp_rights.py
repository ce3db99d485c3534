"""``ingest otlp`` with the rights that docs/kafka.md names for it, and no more."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from drift_aware.schema import topics
from drift_aware.schema.errors import Unreachable
from rig.commands import Command
from rig.configuration import make_settings
from rig.records import records
from rig.rights import grant
from rig.secure_kafka import PASSWORD, SecureKafka
from rig.services import wait_until
from rig.telemetry import chat, request, written


def test_a_collectors_topics_are_read_with_the_rights_that_are_documented(
    secure_kafka: SecureKafka, start_command: Callable[..., Command]
) -> None:
    secure_kafka.clear()
    grant(secure_kafka.bootstrap)
    settings = make_settings(secure_kafka.bootstrap)
    wait_until(lambda: _complete(settings), 30)
    admin = AdminClient({"bootstrap.servers": secure_kafka.bootstrap})
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in ("otlp_spans", "otlp_logs")]).values():
        made.result()
    producer = Producer({"bootstrap.servers": secure_kafka.bootstrap})
    producer.produce("otlp_spans", request(written(chat(1))).SerializeToString())
    assert producer.flush(30) == 0

    process = start_command(
        "ingest",
        "otlp",
        kafka__bootstrap_servers=secure_kafka.addresses["SASL_PLAINTEXT"],
        kafka__security_protocol="SASL_PLAINTEXT",
        kafka__sasl_mechanism="PLAIN",
        kafka__sasl_username="otlp",
        kafka__sasl_password=PASSWORD,
    )
    wait_until(lambda: records(secure_kafka.bootstrap, "drift.interactions.v1"), 60, process.shown)
    assert process.stop() == 0
    assert "authoriz" not in process.stderr.lower()


def _complete(settings: Any) -> bool:
    with suppress(Unreachable):
        topics.create(settings)
        return topics.TOPICS[-1].name in topics.existing(settings)
    return False
