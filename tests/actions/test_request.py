"""Actions asked for by hand: the cooldown of all actions, once for each key, one at a time."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from drift_aware.actions import answers, ledger
from drift_aware.actions.errors import CoolingDown, KeyReused
from drift_aware.actions.ledger import Entry
from drift_aware.actions.outbox import Outbox
from drift_aware.actions.request import Request, propose
from drift_aware.actions.runner import Runner
from drift_aware.schema.alerts import Action
from drift_aware.schema.settings import Actions
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig.brokers import Broker
from rig.configuration import make_settings
from rig_events import NOON, alert

HOUR = 3_600_000
WISH = Request("tune", "all", "answers got worse", "ops", key="k")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def ask(connection: Connection, now_ms: int = NOON, **changes: Any) -> tuple[Entry, bool]:
    return propose(connection, replace(WISH, **changes), Actions(cooldown_hours=24), now_ms)


def test_a_request_becomes_a_proposed_action_that_says_who_asked(connection: Connection) -> None:
    entry, new = ask(connection)
    assert new
    assert entry.alert is None
    assert entry.published_revision == 0
    action = entry.action
    assert (action.action, action.status, action.segment, action.ts, action.dry_run) == (
        ("tune", "proposed", "all", NOON, True)
    )
    assert action.reason == "asked for by ops: answers got worse"
    assert ledger.find(connection, action.id) == entry


def test_the_outbox_publishes_it_like_any_other(connection: Connection, embedded_broker: Broker) -> None:
    ask(connection)
    outbox = Outbox(make_settings(embedded_broker.bootstrap))
    assert outbox.publish(connection) == 1
    outbox.close()
    [action] = ledger.actions(connection)
    assert ledger.find(connection, action.id).published_revision == 1


def test_a_key_leads_to_one_action_however_often_it_comes(connection: Connection) -> None:
    first, _ = ask(connection)
    again, new = ask(connection, now_ms=NOON + 5)
    assert not new
    assert again == first
    assert len(ledger.actions(connection)) == 1


def test_a_key_of_somebody_else_is_another_key(connection: Connection) -> None:
    ask(connection)
    _, new = ask(connection, by="dev", force=True)
    assert new


@pytest.mark.parametrize("change", [{"reason": "another"}, {"segment": "app=shop"}])
def test_a_key_is_not_good_for_another_request(connection: Connection, change: dict[str, Any]) -> None:
    ask(connection)
    with pytest.raises(KeyReused):
        ask(connection, **change)
    assert len(ledger.actions(connection)) == 1


def test_within_the_cooldown_it_is_refused_unless_forced(connection: Connection) -> None:
    ask(connection, key="1")
    with pytest.raises(CoolingDown, match=r"the last tune of this segment is 3\.0 h ago"):
        ask(connection, NOON + 3 * HOUR, key="2")
    assert ask(connection, NOON + 3 * HOUR, key="2", segment="app=shop")[1]
    assert ask(connection, NOON + 3 * HOUR, key="2b", force=True)[1]
    assert ask(connection, NOON + 27 * HOUR, key="3")[1]
    assert len(ledger.actions(connection)) == 4


def test_what_was_refused_may_be_asked_again_with_its_key(connection: Connection) -> None:
    ask(connection, key="1")
    with pytest.raises(CoolingDown):
        ask(connection, key="2")
    assert ask(connection, key="2", force=True)[1]


def test_actions_of_alerts_and_by_hand_cool_each_other_down(connection: Connection) -> None:
    runner = Runner(Actions(cooldown_hours=24), None)  # type: ignore[arg-type]

    def standing(alert_id: str) -> dict[str, str]:
        return {a.action: a.status for a in ledger.actions(connection) if a.alert_id == alert_id}

    with connection.transaction():
        runner._answer(connection, alert(1))
    with pytest.raises(CoolingDown):
        ask(connection, segment=alert(1).segment)
    ask(connection, segment="app=other")
    with connection.transaction():
        runner._answer(connection, alert(2, segment="app=other", ts=NOON + HOUR))
    assert standing("a2") == {"tune": "withheld", "notify": "proposed"}


@pytest.mark.parametrize("keys", [("1", "2", "3", "4"), ("k", "k", "k", "k"), (None, None, None, None)])
def test_of_requests_at_the_same_moment_one_is_entered(
    connection: Connection, database_url: str, keys: tuple[str | None, ...]
) -> None:
    entered: list[Action] = []
    start = threading.Barrier(len(keys))

    def one(key: str | None) -> None:
        with store.connect(database_url, "test") as mine:
            start.wait(30)
            try:
                entry, new = ask(mine, key=key)
            except CoolingDown:
                return
            if new:
                entered.append(entry.action)

    threads = [threading.Thread(target=one, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ledger.actions(connection) == entered
    assert len(entered) == 1


def test_one_that_nobody_answers_expires_and_is_no_reason_to_wait(connection: Connection) -> None:
    entry, _ = ask(connection, key="1")
    assert entry.expires_at is not None
    assert (entry.expires_at - entry.created_at).total_seconds() == 72 * 3600
    connection.execute("UPDATE action_log SET expires_at = now() - interval '1 minute'")
    assert answers.expire(connection) == 1
    assert ask(connection, key="2")[1]
