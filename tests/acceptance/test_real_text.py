"""The whole chain on real Kafka, real Postgres and real text: what drifts is found, and nothing else is.

The traffic is made of CLINC150 queries with their sentence embeddings and of real refusals; see
``rig.clinc`` for where they are read.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, LiteralString

import msgspec
import psycopg
import pytest

from drift_aware.producers import Publisher
from drift_aware.schema.alerts import Action, Alert
from drift_aware.schema.events import Embedding, Event, Feedback, Interaction
from drift_aware.schema.topics import ACTIONS, ALERTS, READINGS
from drift_aware.streams.reader import read_each
from rig.brokers import Broker
from rig.clinc import MODEL, Clinc, clinc, refusals
from rig.commands import Command
from rig.configuration import make_settings
from rig.services import wait_until

StartCommand = Callable[..., Command]

KNOWN_DOMAINS = ("banking", "home", "kitchen_and_dining", "travel", "work")
UNSEEN_DOMAIN = "credit_cards"
INTERACTIONS = 7000
CHANGE_AT = 4000
RATE = 100  # a second of event time
SEGMENTS = {"all", "app=assistant"}
ANSWERS = ("Sure, that is done.", "Here is what I found for you.", "You can do that in the settings.")
SETTINGS: dict[str, object] = {
    "pane_seconds": 1,
    "allowed_lateness_seconds": 2,
    "window_seconds": 20,
    "baseline__events": 3000,
    "baseline__feedback": 500,
    "segments": '["app"]',
}
SECONDS = 120.0


@dataclass(frozen=True)
class Mood:
    """How the traffic is: share of the unseen domain, share of refusals, mean rating."""

    unseen: float = 0.0
    refusals: float = 0.03
    rating: float = 4.2


CALM = Mood()
# The metric that must page, and what happens to the traffic; no other metric must.
DRIFTS = {
    "query_embedding": replace(CALM, unseen=0.7),
    "refusal_rate": replace(CALM, refusals=0.12),
    "feedback_mean": replace(CALM, rating=3.3),
}

# Real refusals are longer than the answers here.
MOVED_TOO = {"refusal_rate": {"response_length"}}


def traffic(clinc: Clinc, after: Mood, seed: int) -> Iterator[Event]:
    """Interactions, their embeddings and some feedback, the last one now."""
    random, declined = Random(seed), refusals()
    known = clinc.rows(KNOWN_DOMAINS)
    unseen = clinc.rows((UNSEEN_DOMAIN,))
    start = round(time.time() * 1000) - INTERACTIONS * 1000 // RATE
    for number in range(INTERACTIONS):
        mood = CALM if number < CHANGE_AT else after
        row = random.choice(unseen if random.random() < mood.unseen else known)
        ts, ident = start + number * 1000 // RATE, f"i{number}"
        answer = random.choice(declined if random.random() < mood.refusals else ANSWERS)
        yield Interaction(
            id=ident, ts=ts, app="assistant", user_query=clinc.texts[row], model_response=answer
        )
        yield Embedding(
            id=f"e{number}",
            ts=ts,
            interaction_id=ident,
            app="assistant",
            model=MODEL,
            vector=clinc.vectors[row].tobytes(),
            dtype="float16",
        )
        if random.random() < 0.3:
            score = min(5.0, max(1.0, float(round(random.gauss(mood.rating, 0.8)))))
            yield Feedback(interaction_id=ident, ts=ts, app="assistant", score=score)


class Chain:
    """All roles as processes on one broker and one database.

    Args:
        broker: real Kafka.
        database_url: real Postgres, migrated.
        start: how processes are started.
    """

    def __init__(self, broker: Broker, database_url: str, start: StartCommand) -> None:
        self._url = database_url
        self._settings = make_settings(broker.bootstrap)
        self._start = start
        self._bootstrap = broker.bootstrap
        self._roles = [
            start(*verb, bootstrap=broker.bootstrap, database_url=database_url, **SETTINGS)
            for verb in (("worker",), ("baseline", "watch"), ("persist",), ("act",))
        ]

    def publish(self, events: Sequence[Event]) -> None:
        """Publish all of them, and lose none."""
        with Publisher(self._bootstrap, max_queued_events=len(events)) as publisher:
            for event in events:
                publisher.publish(event)
            assert publisher.flush(60) == 0
            assert not publisher.dropped

    def status(self) -> dict[str, int]:
        """The totals of all traffic, as the command shows them."""
        command = self._start("status", "--json", bootstrap=self._bootstrap)
        assert command.wait() == 0
        totals: dict[str, int] = json.loads(command.stdout)["segments"]["all"]
        return totals

    def read_until(self) -> int:
        """The end of the last pane that has been closed in both segments, milliseconds."""
        ends = dict.fromkeys(SEGMENTS, 0)
        for record in read_each(self._settings, READINGS.name):
            reading = json.loads(record.value or b"")
            ends[reading["segment"]] = max(ends[reading["segment"]], reading["end"])
        return min(ends.values())

    def alerts(self) -> dict[str, Alert]:
        """Every alert on the topic, at its latest revision."""
        found: dict[str, Alert] = {}
        for record in read_each(self._settings, ALERTS.name):
            alert = msgspec.json.decode(record.value or b"", type=Alert)
            if alert.id not in found or found[alert.id].revision < alert.revision:
                found[alert.id] = alert
        return found

    def proposed(self) -> list[Action]:
        """Every action proposed on the topic."""
        records = read_each(self._settings, ACTIONS.name)
        actions = [msgspec.json.decode(record.value or b"", type=Action) for record in records]
        return [action for action in actions if action.status == "proposed"]

    def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        """What a query of the database answers."""
        with psycopg.connect(self._url) as connection:
            return connection.execute(query).fetchall()

    def shown(self) -> str:
        """What the roles have said."""
        return "\n".join(role.shown() for role in self._roles)


def counted(events: Sequence[Event]) -> dict[str, int]:
    """How many there are of each kind."""
    return {
        name: sum(isinstance(event, kind) for event in events)
        for name, kind in (("interactions", Interaction), ("embeddings", Embedding), ("feedback", Feedback))
    }


def run(chain: Chain, after: Mood, seed: int) -> list[Event]:
    """Publish, and wait until every pane is closed and everything is in Postgres; what was published."""
    events = list(traffic(clinc(), after, seed))
    chain.publish(events)
    last = max(event.ts for event in events if isinstance(event.ts, int))
    wait_until(lambda: chain.read_until() > last, SECONDS, chain.shown)
    wait_until(
        lambda: chain.rows("SELECT count(*) FROM interaction_log") == [(INTERACTIONS,)], SECONDS, chain.shown
    )
    return events


@pytest.fixture
def chain(kafka_broker: Broker, database_url: str, start_command: StartCommand) -> Chain:
    return Chain(kafka_broker, database_url, start_command)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("metric", DRIFTS)
def test_a_drift_is_alerted_on_recorded_once_and_answered_with_a_proposed_action(
    chain: Chain, metric: str
) -> None:
    events = run(chain, DRIFTS[metric], seed=11)

    paging = [alert for alert in chain.alerts().values() if alert.paging]
    assert {metric} <= {alert.metric for alert in paging} <= {metric} | MOVED_TOO.get(metric, set())
    assert {alert.segment for alert in paging if alert.metric == metric} == SEGMENTS
    for alert in paging:
        change = event_time(events, CHANGE_AT)
        assert change - 5_000 <= alert.onset <= change + 15_000
    wait_until(lambda: len(chain.rows("SELECT id FROM drift_events")) == len(chain.alerts()), SECONDS)
    assert sorted(row[0] for row in chain.rows("SELECT id FROM drift_events")) == sorted(chain.alerts())

    def answered() -> bool:
        return {action.alert_id for action in chain.proposed()} == {alert.id for alert in paging}

    wait_until(answered, SECONDS, chain.shown)
    ledger = chain.rows("SELECT id FROM action_log WHERE status = 'proposed'")
    assert sorted(row[0] for row in ledger) == sorted({action.id for action in chain.proposed()})
    assert all(action.dry_run for action in chain.proposed())
    assert {name: chain.status()[name] for name in counted(events)} == counted(events)


@pytest.mark.timeout(300)
def test_a_quiet_run_raises_nothing(chain: Chain) -> None:
    events = run(chain, CALM, seed=12)

    assert chain.alerts() == {}
    assert chain.rows("SELECT id FROM drift_events") == []
    assert chain.proposed() == []
    assert {name: chain.status()[name] for name in counted(events)} == counted(events)


def event_time(events: Sequence[Event], interaction: int) -> int:
    """When an interaction happened."""
    ts = next(
        event.ts for event in events if isinstance(event, Interaction) and event.id == f"i{interaction}"
    )
    assert isinstance(ts, int)
    return ts
