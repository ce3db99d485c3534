"""Whatever goes wrong, the counts, the alerts and what every segment remembers are those of a clean pass.

``make chaos`` runs every scenario with ``CHAOS_RUNS`` seeds and more events. A failure is repeated with the
seed in the name of the test: ``CHAOS_SEED=7 CHAOS_RUNS=1 make chaos ARGS="-k mixed"``.
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from chaos.comparison import Outcome, buried, clean_pass, differences, observed, plain_counts
from chaos.run import Run, seldom
from chaos.steps import NAMES, scenario
from chaos.traffic import Traffic, traffic
from drift_aware.schema.events import KINDS, Event
from drift_aware.schema.settings import Settings
from drift_aware.streams.labels import label
from drift_aware.streams.replay import Unused, read, replay
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.kafka import KafkaServer
from rig.supervisor import Supervisor

StartCommand = Callable[..., Command]
EVENTS = int(os.environ.get("CHAOS_EVENTS", "18000"))
FIRST = int(os.environ.get("CHAOS_SEED", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("CHAOS_RUNS", "1")))
# Enough for a watchdog and a restart on a busy machine. Less than it takes until all sources are idle, which
# would close the last pane too.
SECONDS = 150.0
# Panes close soon, so that alerts are raised, and lost, in the middle of the trouble.
VALUES = {
    "pane_seconds": 10,
    "allowed_lateness_seconds": 160,
    "window_seconds": 240,
    "baseline__events": EVENTS // 8,
    "baseline__feedback": 200,
    "baseline__evaluations": 200,
    "limits__min_samples": 50,
}


def config(bootstrap: str = "nowhere:1") -> Settings:
    """The settings of ``VALUES``."""
    nested: dict[str, Any] = {}
    for name, value in VALUES.items():
        section, _, rest = name.partition("__")
        nested[section] = {**nested.get(section, {}), rest: value} if rest else value
    return make_settings(bootstrap, **nested)


@cache
def story(seed: int) -> Traffic:
    return traffic(config(), EVENTS, seed)


def test_a_clean_pass_counts_what_was_published_and_raises_what_a_replay_raises() -> None:
    published = [*story(1).events, *story(1).closing]
    wanted = clean_pass(config(), story(1).events, story(1).closing)
    for segment, counts in plain_counts(published).items():
        assert {kind: wanted.totals[segment][kind] for kind in counts} == counts
    assert {alert.status for alert in wanted.latest.values()} == {"firing", "resolved"}
    assert replayed(published).latest == wanted.latest


def replayed(published: list[Event]) -> Outcome:
    """The alerts that a replay raises before the file is over, when the last pane closes too."""
    over = []

    def lines() -> Iterator[bytes]:
        for event in published:
            yield msgspec.json.encode(msgspec.to_builtins(event) | {"type": KINDS[type(event)]})
        over.append(True)

    outcome, unused = Outcome(), Unused(lambda number, why: pytest.fail(f"line {number}: {why}"))
    for raised in replay(config(), read(lines(), unused), label, unused):
        if not over:
            outcome.add_alert(msgspec.json.encode(raised.alert))
    return outcome


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_lost_or_counted_twice(
    name: str,
    seed: int,
    kafka_broker: Broker,
    kafka_server: KafkaServer,
    start_command: StartCommand,
    record_property: Callable[[str, object], None],
) -> None:
    settings, chosen = config(kafka_broker.bootstrap), scenario(name, seed)
    supervisor = Supervisor(lambda: start_command("worker", bootstrap=kafka_broker.bootstrap, **VALUES))
    run = Run(settings, kafka_server, supervisor, story(seed))
    record_property("scenario", str(chosen))
    run.go(chosen)

    wanted = clean_pass(settings, run.published, story(seed).closing)
    exact = seldom(lambda: not differences(wanted, observed(settings)))
    supervisor.wait(exact, SECONDS, lambda: "\n".join(differences(wanted, observed(settings))))
    while len(supervisor):
        supervisor.leave(0)
    found = observed(settings)
    assert differences(wanted, found) == []
    assert buried(settings) == run.buried
    status = start_command("status", "--json", bootstrap=kafka_broker.bootstrap)
    assert status.wait() == 0
    assert json.loads(status.stdout)["segments"] == wanted.totals
    missing = len(wanted.readings) - len(found.readings)
    record_property("ends", dict(supervisor.ends))
    record_property("readings missing", missing)
    record_property("sent again", found.resent)
