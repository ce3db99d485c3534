"""Sends what the ledgers have to ``drift.actions.v1`` and ``drift.policies.v1``.

The row is committed first and published afterwards, so a crash in between leaves it marked as unpublished
and the next start sends it. A crash after sending and before marking sends it twice, with the same id and
revision: readers keep the highest revision of an id anyway.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import structlog
from confluent_kafka import KafkaError, Message, Producer

from drift_aware.actions import ledger, policies
from drift_aware.schema.alerts import Action
from drift_aware.schema.envelope import ROWS
from drift_aware.schema.policies import Policy
from drift_aware.schema.producing import EXACT
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ACTIONS, POLICIES, Topic
from drift_aware.sql.store import Connection

# What Kafka has not taken by then stays in the outbox; the rows are locked meanwhile.
SEND_TIMEOUT_SECONDS = 5.0
MAX_ACTIONS = 200

T = TypeVar("T", Action, Policy)

log = structlog.get_logger(__name__)


class Outbox:
    """A producer for the actions and the policies."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer(
            settings.kafka.client()
            | EXACT
            | {
                "client.id": "drift-aware-act",
                "message.timeout.ms": int(SEND_TIMEOUT_SECONDS * 1000),
                "linger.ms": 0,
                "log_level": 2,  # what is not delivered is logged below
            }
        )

    def publish(self, connection: Connection) -> int:
        """Send what is unpublished; how much Kafka took. What it did not take is for the next call."""
        return self._publish_actions(connection) + self._publish_policies(connection)

    def _publish_actions(self, connection: Connection) -> int:
        taken: list[Action] = []
        with connection.transaction():
            waiting = ledger.unpublished(connection, MAX_ACTIONS)
            for action in waiting:
                self._send(ACTIONS, action.alert_id, action, taken.append)
            self._flush(bool(waiting))
            for action in taken:
                ledger.mark_published(connection, action)
        return len(taken)

    def _publish_policies(self, connection: Connection) -> int:
        taken: list[Policy] = []
        with connection.transaction():
            waiting = policies.unpublished(connection, MAX_ACTIONS)
            for policy in waiting:
                self._send(POLICIES, policy.app, policy, taken.append)
            self._flush(bool(waiting))
            for policy in taken:
                policies.mark_published(connection, policy)
        return len(taken)

    def _send(self, topic: Topic, key: str, value: T, took: Callable[[T], None]) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                took(value)
            else:
                log.warning("not published yet", topic=topic.name, key=key, error=error.str())

        self._producer.produce(
            topic.name,
            key=key.encode(),
            value=msgspec.json.encode(value),
            headers={"content-type": ROWS},
            on_delivery=delivered,
        )

    def _flush(self, sent: bool) -> None:
        if sent:
            self._producer.flush(SEND_TIMEOUT_SECONDS + 1)

    def close(self) -> None:
        """Drop what is still under way; the ledger knows it was not confirmed."""
        self._producer.purge()
        self._producer.flush(1)
