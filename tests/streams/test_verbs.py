"""What a person at a terminal sees of the stream."""

import json
import signal
from collections.abc import Callable

import pytest

from rig.brokers import Broker
from rig.commands import Command
from rig.kafka import free_ports
from rig.services import wait_until
from rig_events import alert, publish_alerts

StartCommand = Callable[..., Command]


def test_alerts_shows_every_revision_once_though_it_was_sent_twice(
    broker: Broker, start_command: StartCommand
) -> None:
    first, second = (
        alert(1, summary="it drifts"),
        alert(1, revision=2, status="resolved", summary="calm again"),
    )
    publish_alerts(broker.bootstrap, [first, first, second, first])
    shown = start_command("alerts", "--json", bootstrap=broker.bootstrap)
    assert shown.wait() == 0
    assert [json.loads(line)["revision"] for line in shown.stdout.splitlines()] == [1, 2]
    for_people = start_command("alerts", bootstrap=broker.bootstrap)
    assert for_people.wait() == 0
    assert for_people.stdout.splitlines() == ["warning  firing   it drifts", "warning  resolved calm again"]


def test_follow_shows_what_comes_and_ends_with_ctrl_c(
    embedded_broker: Broker, start_command: StartCommand
) -> None:
    publish_alerts(embedded_broker.bootstrap, [alert(1)])
    followed = start_command("alerts", "--follow", "--json", bootstrap=embedded_broker.bootstrap)
    wait_until(lambda: followed.stdout.count("\n") == 1, 30, followed.shown)
    publish_alerts(embedded_broker.bootstrap, [alert(2)])
    wait_until(lambda: followed.stdout.count("\n") == 2, 30, followed.shown)
    followed.send(signal.SIGINT)
    assert followed.wait() == 0


def test_an_empty_broker_has_no_alerts_and_no_baselines(
    embedded_broker: Broker, start_command: StartCommand
) -> None:
    said = {"alerts": "no alerts\n", "baseline list": "no baselines yet\n"}
    for verb, text in said.items():
        command = start_command(*verb.split(), bootstrap=embedded_broker.bootstrap)
        assert command.wait() == 0
        assert command.stdout == text


@pytest.mark.parametrize("verb", ["status", "alerts", "baseline list", "baseline watch"])
def test_without_a_broker_every_verb_says_where_it_looked(verb: str, start_command: StartCommand) -> None:
    (port,) = free_ports(1)
    command = start_command(*verb.split(), bootstrap=f"127.0.0.1:{port}")
    assert command.wait() == 1
    assert f"127.0.0.1:{port}" in command.stderr.splitlines()[-1]
    assert "Traceback" not in command.stderr
