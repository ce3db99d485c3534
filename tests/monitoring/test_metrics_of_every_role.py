"""What the roles show as the processes they are: all that is declared, nothing else, no bad name."""

import json
import re
import urllib.request
from collections.abc import Callable, Sequence
from typing import get_args

import pytest
from confluent_kafka import Producer

from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.events import Event
from drift_aware.schema.metrics import names
from drift_aware.schema.metrics.metric import Role
from drift_aware.schema.topics import INTERACTIONS
from rig.brokers import Broker
from rig.commands import Command
from rig.kafka import free_ports
from rig.monitoring import checked
from rig.services import wait_until
from rig_events import NOON, interaction

SECONDS = 90.0


def shown(port: int) -> str:
    """The page for Prometheus; empty as long as nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def publish(broker: Broker, events: Sequence[Event] | bytes) -> None:
    """Events, or bytes that are none, on one partition."""
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    value = events if isinstance(events, bytes) else encode_rows(events)
    producer.produce(INTERACTIONS.name, value, partition=0, headers={"content-type": ROWS})
    assert producer.flush(30) == 0


def segments(page: str) -> set[str]:
    return set(re.findall(r'^drift_aware_pane_end_timestamp_seconds\{segment="([^"]+)"', page, re.MULTILINE))


def families(page: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))


@pytest.mark.timeout(240)
def test_every_role_shows_what_is_declared_and_promtool_has_nothing_to_say(
    kafka_broker: Broker, database_url: str, start_command: Callable[..., Command]
) -> None:
    worker, persist, act, serve, ingest, embed, canary = free_ports(7)
    places = {"bootstrap": kafka_broker.bootstrap, "database_url": database_url}
    start_command("worker", prometheus_port=worker, pane_seconds=1, allowed_lateness_seconds=0, **places)
    start_command("persist", "--prometheus-port", str(persist), **places)
    start_command("act", "--prometheus-port", str(act), **places)
    start_command("serve", "--port", str(serve), **places)
    start_command("ingest", "otlp", "--listen", f"127.0.0.1:{ingest}", **places)
    model = '{"kind": "local", "model": "none", "dimensions": 8}'
    section = f'{{"embedding": {model}, "apps": []}}'
    start_command("embed", "--prometheus-port", str(embed), embed=section, **places)
    # Nobody answers there.
    asked = {"base_url": "http://127.0.0.1:9", "model": "small"}
    start_command(
        *("canary", "--prometheus-port", str(canary)), canary__embedding=json.dumps(asked), **places
    )
    publish(kafka_broker, [interaction(number, ts=NOON + number * 100) for number in range(200)])
    publish(kafka_broker, b"drift")

    ports: dict[Role, int] = {
        "worker": worker,
        "persist": persist,
        "act": act,
        "serve": serve,
        "ingest": ingest,
        "embed": embed,
        "canary": canary,
    }
    left_out = 'drift_aware_embed_skipped_total{reason="other_app"} 200.0'
    wait_until(lambda: left_out in shown(embed), SECONDS, lambda: shown(embed))
    has_rows = 'drift_aware_sink_rows_total{table="interaction_log"} 200.0'
    wait_until(lambda: has_rows in shown(persist), SECONDS, lambda: shown(persist))
    has_segment = 'drift_aware_pane_end_timestamp_seconds{segment="all"}'
    wait_until(lambda: has_segment in shown(worker), SECONDS, lambda: shown(worker))
    assert 'reason="not_json",topic="drift.interactions.v1"} 1.0' in shown(worker)
    wait_until(lambda: "retrain_events_total 0.0" in shown(act), SECONDS, lambda: shown(act))
    wait_until(lambda: 'route="/metrics"' in shown(serve), SECONDS, lambda: shown(serve))
    wait_until(lambda: shown(ingest), SECONDS)
    no_answer = 'drift_aware_canary_silent_rounds{canary="embedding"}'
    wait_until(lambda: no_answer in shown(canary), SECONDS, lambda: shown(canary))
    assert set(ports) == set(get_args(Role))
    for role, port in ports.items():
        page = shown(port)
        assert families(page) == names(role), role
        assert checked("promtool", "check", "metrics", given=page) == "", role


@pytest.mark.timeout(240)
def test_of_two_workers_only_one_shows_a_segment(
    kafka_broker: Broker, start_command: Callable[..., Command]
) -> None:
    ports = free_ports(2)
    chosen = {"bootstrap": kafka_broker.bootstrap, "pane_seconds": 1, "allowed_lateness_seconds": 0}
    apps = [f"app{number}" for number in range(12)]
    wanted = {"all", *(f"app={app},model=gpt" for app in apps)}

    def round_of_events(begin: int) -> None:
        for number in range(5):
            ts = NOON + begin + number * 1000
            publish(kafka_broker, [interaction(place, ts=ts, app=app) for place, app in enumerate(apps)])

    first = start_command("worker", prometheus_port=ports[0], **chosen)
    round_of_events(0)
    wait_until(lambda: segments(shown(ports[0])) == wanted, SECONDS, first.shown)
    start_command("worker", prometheus_port=ports[1], **chosen)

    def is_shared() -> bool:
        return all("drift_aware_worker_ready 1.0" in shown(port) for port in ports)

    wait_until(is_shared, SECONDS, first.shown)
    round_of_events(60_000)

    def found() -> list[set[str]]:
        return [segments(shown(port)) for port in ports]

    wait_until(lambda: set.union(*found()) == wanted, SECONDS, lambda: str(found()))
    assert set.intersection(*found()) == set()
    assert all(found())
