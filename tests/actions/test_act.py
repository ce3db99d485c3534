"""``act`` from alert to ledger to action record, with a crash at every step."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from drift_aware.actions import ledger
from drift_aware.actions.errors import UnknownAction
from drift_aware.actions.outbox import Outbox
from drift_aware.actions.policy import Decision, action_id
from drift_aware.actions.runner import Runner
from drift_aware.schema.alerts import Action, Alert
from drift_aware.schema.envelope import ROWS
from drift_aware.schema.settings import Actions
from drift_aware.schema.topics import ACTIONS, ALERTS
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.services import wait_until
from rig_events import NOON, alert, publish, publish_alerts

Start = Callable[..., Command]
HOUR = 3_600_000


def published(broker: Broker) -> list[Action]:
    """Every record of drift.actions.v1, oldest first in each partition."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test", "fetch.wait.max.ms": 50})
    found: list[Action] = []
    try:
        for part in range(broker.partitions):
            low, high = _bounds(consumer, TopicPartition(ACTIONS.name, part))
            consumer.assign([TopicPartition(ACTIONS.name, part, low)])
            while low < high:
                [message] = consumer.consume(1, 10)
                assert message.error() is None
                action = msgspec.json.decode(message.value() or b"", type=Action)
                assert message.key() == action.alert_id.encode()
                found.append(action)
                low += 1
    finally:
        consumer.close()
    return found


def _bounds(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    try:
        return consumer.get_watermark_offsets(partition, timeout=10)
    except KafkaException as error:
        # A partition made a moment ago may not have its leader yet.
        if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
            raise
        return 0, 0


def record(one: Alert) -> Record:
    return Record(ALERTS.name, 0, 0, msgspec.json.encode(one), ROWS)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


@pytest.fixture
def outbox(embedded_broker: Broker) -> Iterator[Outbox]:
    outbox = Outbox(make_settings(embedded_broker.bootstrap))
    yield outbox
    outbox.close()


def handle(connection: Connection, outbox: Outbox, *alerts: Alert, **settings: Any) -> None:
    with connection.transaction():
        Runner(Actions(**settings), outbox).handle(connection, [record(one) for one in alerts])


def stands(connection: Connection) -> dict[tuple[str, str], tuple[str, int]]:
    return {(a.alert_id, a.action): (a.status, a.revision) for a in ledger.actions(connection)}


def test_an_alert_becomes_ledger_rows_and_action_records(
    broker: Broker, database_url: str, start_command: Start
) -> None:
    process = start_command("act", bootstrap=broker.bootstrap, database_url=database_url)
    publish_alerts(broker.bootstrap, [alert(1), alert(1, status="resolved", revision=2)])
    wait_until(lambda: len(published(broker)) >= 2, 60, process.shown)
    assert process.stop() == 0
    tune, notify = sorted(published(broker), key=lambda action: action.action, reverse=True)
    assert (tune.id, tune.revision, tune.status) == (action_id("a1", "tune"), 1, "proposed")
    assert (tune.alert_id, tune.segment, tune.metric, tune.severity, tune.ts, tune.dry_run) == (
        ("a1", "app=shop,model=gpt", "refusal_rate", "warning", NOON, True)
    )
    assert (notify.action, notify.status) == ("notify", "proposed")
    listed = start_command("actions", "list", "--json", database_url=database_url)
    assert listed.wait() == 0
    assert {json.loads(line)["id"] for line in listed.stdout.splitlines()} == {tune.id, notify.id}
    shown = start_command("actions", "show", tune.id, "--json", database_url=database_url)
    assert shown.wait() == 0
    assert json.loads(shown.stdout)["alert"]["summary"] == "refusals rose from 3 % to 12 %"


def test_every_action_is_published_although_the_process_is_killed(
    broker: Broker, database_url: str, start_command: Start
) -> None:
    alerts = [alert(n, segment=f"app=a{n}") for n in range(400)]
    publish_alerts(broker.bootstrap, alerts)
    first = start_command("act", bootstrap=broker.bootstrap, database_url=database_url)

    def rows() -> int:
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT count(*) FROM action_log").fetchone()
        return int(row[0]) if row else 0

    wait_until(rows, 60, first.shown)
    first.kill()
    assert rows() < 800, "the kill came too late to test anything"
    second = start_command("act", bootstrap=broker.bootstrap, database_url=database_url)
    wait_until(lambda: len({action.id for action in published(broker)}) == 800, 60, second.shown)
    assert second.stop() == 0
    assert rows() == 800
    assert {action.revision for action in published(broker)} == {1}


def test_what_was_committed_and_not_published_is_published_by_the_next_start(
    embedded_broker: Broker, connection: Connection, outbox: Outbox
) -> None:
    # The process dies between the commit and the publishing.
    handle(connection, outbox, alert(1))
    assert published(embedded_broker) == []
    Runner(Actions(), outbox).prepare(connection)
    assert sorted(action.action for action in published(embedded_broker)) == ["notify", "tune"]
    Runner(Actions(), outbox).prepare(connection)
    assert len(published(embedded_broker)) == 2


def test_a_crash_between_publishing_and_marking_repeats_the_same_record(
    embedded_broker: Broker, connection: Connection, outbox: Outbox
) -> None:
    handle(connection, outbox, alert(1))
    with connection.transaction(force_rollback=True):
        outbox.publish(connection)
    outbox.publish(connection)
    records = published(embedded_broker)
    assert len(records) == 4
    assert {(action.id, action.revision) for action in records} == {
        (action_id("a1", "tune"), 1),
        (action_id("a1", "notify"), 1),
    }


def test_what_kafka_does_not_take_stays_in_the_outbox(
    connection: Connection, embedded_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr("drift_aware.actions.outbox.SEND_TIMEOUT_SECONDS", 0.2)
        nowhere = Outbox(make_settings("127.0.0.1:1"))
        handle(connection, nowhere, alert(1))
        assert nowhere.publish(connection) == 0
        nowhere.close()
    there = Outbox(make_settings(embedded_broker.bootstrap))
    assert there.publish(connection) == 2
    there.close()


def test_later_revisions_of_an_alert_lead_to_no_second_action(connection: Connection, outbox: Outbox) -> None:
    handle(connection, outbox, alert(1))
    handle(connection, outbox, alert(1, revision=2, severity="critical"))
    handle(connection, outbox, alert(1, revision=3, status="resolved"))
    assert stands(connection) == {("a1", "tune"): ("proposed", 1), ("a1", "notify"): ("proposed", 1)}


def test_an_alert_that_grows_serious_has_its_withheld_action_proposed(
    embedded_broker: Broker, connection: Connection, outbox: Outbox
) -> None:
    handle(connection, outbox, alert(1, severity="info"))
    outbox.publish(connection)
    assert stands(connection)["a1", "tune"] == ("withheld", 1)
    handle(connection, outbox, alert(1, severity="critical", revision=2))
    outbox.publish(connection)
    assert stands(connection)["a1", "tune"] == ("proposed", 2)
    handle(connection, outbox, alert(1, severity="info", revision=3))
    assert stands(connection)["a1", "tune"] == ("proposed", 2)
    steps = [(a.status, a.revision) for a in published(embedded_broker) if a.action == "tune"]
    assert steps == [("withheld", 1), ("proposed", 2)]


def test_a_second_alert_of_a_segment_is_cooled_down_also_within_one_batch(
    connection: Connection, outbox: Outbox
) -> None:
    handle(connection, outbox, alert(1), alert(2, ts=NOON + HOUR), alert(3, segment="app=other"))
    handle(connection, outbox, alert(4, ts=NOON + 167 * HOUR), alert(5, ts=NOON + 168 * HOUR))
    tunes = {key[0]: status for key, (status, _) in stands(connection).items() if key[1] == "tune"}
    assert tunes == {"a1": "proposed", "a2": "withheld", "a3": "proposed", "a4": "withheld", "a5": "proposed"}
    notifies = {status for key, (status, _) in stands(connection).items() if key[1] == "notify"}
    assert notifies == {"proposed"}


def test_what_was_withheld_starts_no_cooldown(connection: Connection, outbox: Outbox) -> None:
    handle(connection, outbox, alert(1), auto_trigger=False)
    handle(connection, outbox, alert(2))
    assert stands(connection)["a2", "tune"] == ("proposed", 1)


def test_dry_run_is_written_as_it_was_set(connection: Connection, outbox: Outbox) -> None:
    handle(connection, outbox, alert(1), dry_run=False)
    assert [action.dry_run for action in ledger.actions(connection)] == [False, False]


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[1]", b"{}", msgspec.json.encode(alert(1, ts=10**30))]
)
def test_an_alert_that_cannot_be_read_is_passed_over(
    connection: Connection, outbox: Outbox, value: bytes | None
) -> None:
    records = [Record(ALERTS.name, 0, 0, value, ROWS), record(alert(2))]
    with connection.transaction():
        Runner(Actions(), outbox).handle(connection, records)
    assert {alert_id for alert_id, _ in stands(connection)} == {"a2"}


def test_an_alert_with_nul_characters_is_entered_without_them(connection: Connection, outbox: Outbox) -> None:
    handle(connection, outbox, alert(1, examples=["a\x00"], segment="x\x00" * 10_000))
    [entry] = [ledger.find(connection, a.id) for a in ledger.actions(connection) if a.action == "tune"]
    assert entry.alert is not None
    assert entry.alert.examples == ["a"]
    assert entry.alert.segment == "x" * 10_000


def test_a_claim_is_won_once(connection: Connection) -> None:
    decision = Decision("tune", "proposed", "because")
    assert ledger.claim(connection, alert(1), decision, dry_run=True)
    assert not ledger.claim(connection, alert(1), decision, dry_run=True)


def test_the_ledger_can_be_asked_by_status(connection: Connection, outbox: Outbox) -> None:
    handle(connection, outbox, alert(1, severity="info"))
    assert [a.action for a in ledger.actions(connection, "withheld")] == ["tune"]
    assert [a.action for a in ledger.actions(connection, "proposed")] == ["notify"]
    assert ledger.actions(connection, "rejected") == []


def test_an_unknown_action_is_told_with_what_to_do(
    connection: Connection, database_url: str, start_command: Start
) -> None:
    with pytest.raises(UnknownAction, match="drift-aware actions list"):
        ledger.find(connection, "nowhere")
    process = start_command("actions", "show", "nowhere", database_url=database_url)
    assert process.wait() == 1
    assert len(process.stderr.splitlines()) == 1


def test_garbage_on_the_topic_does_not_stop_the_process(
    embedded_broker: Broker, database_url: str, start_command: Start
) -> None:
    publish(embedded_broker.bootstrap, ALERTS.name, [("k", b"\xff\x00"), ("k", b"{}")])
    publish_alerts(embedded_broker.bootstrap, [alert(1)])
    process = start_command("act", bootstrap=embedded_broker.bootstrap, database_url=database_url)
    wait_until(lambda: len(published(embedded_broker)) == 2, 60, process.shown)
    assert process.stop() == 0
