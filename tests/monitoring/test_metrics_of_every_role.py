"""What the roles show as the processes they are: all that is declared, nothing else, no bad name."""

import re
import urllib.request
from collections.abc import Callable
from typing import get_args

import pytest
from confluent_kafka import Producer

from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.metrics import names
from drift_aware.schema.metrics.metric import Role
from drift_aware.schema.topics import INTERACTIONS
from rig.brokers import Broker
from rig.commands import Command
from rig.kafka import free_ports
from rig.monitoring import checked
from rig.services import wait_until
from rig_events import interaction

SECONDS = 90.0


def shown(port: int) -> str:
    """The page for Prometheus; empty as long as nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def families(page: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))


@pytest.mark.timeout(240)
def test_every_role_shows_what_is_declared_and_promtool_has_nothing_to_say(
    kafka_broker: Broker, database_url: str, start_command: Callable[..., Command]
) -> None:
    worker, persist, act, serve = free_ports(4)
    places = {"bootstrap": kafka_broker.bootstrap, "database_url": database_url}
    start_command("worker", prometheus_port=worker, pane_seconds=1, allowed_lateness_seconds=0, **places)
    start_command("persist", "--prometheus-port", str(persist), **places)
    start_command("act", "--prometheus-port", str(act), **places)
    start_command("serve", "--port", str(serve), **places)
    events = [interaction(number, ts=1_772_366_400_000 + number * 100, app="shop") for number in range(200)]
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap})
    for begin in range(0, 200, 20):
        producer.produce(
            INTERACTIONS.name,
            encode_rows(events[begin : begin + 20]),
            partition=0,
            headers={"content-type": ROWS},
        )
    producer.produce(INTERACTIONS.name, b"drift", partition=0, headers={"content-type": ROWS})
    assert producer.flush(30) == 0

    ports: dict[Role, int] = {"worker": worker, "persist": persist, "act": act, "serve": serve}
    has_rows = 'drift_aware_sink_rows_total{table="interaction_log"} 200.0'
    wait_until(lambda: has_rows in shown(persist), SECONDS, lambda: shown(persist))
    has_segment = 'drift_aware_pane_end_timestamp_seconds{segment="all"}'
    wait_until(lambda: has_segment in shown(worker), SECONDS, lambda: shown(worker))
    assert 'reason="not_json",topic="drift.interactions.v1"} 1.0' in shown(worker)
    wait_until(lambda: "retrain_events_total 0.0" in shown(act), SECONDS, lambda: shown(act))
    wait_until(lambda: 'route="/metrics"' in shown(serve), SECONDS, lambda: shown(serve))
    assert set(ports) == set(get_args(Role))
    for role, port in ports.items():
        page = shown(port)
        assert families(page) == names(role), role
        assert checked("promtool", "check", "metrics", given=page) == "", role
