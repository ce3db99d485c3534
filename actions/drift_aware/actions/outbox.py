"""Sends what the ledger has to ``drift.actions.v1``.

The row is committed first and published afterwards, so a crash in between leaves it marked as unpublished
and the next start sends it. A crash after sending and before marking sends it twice, with the same id and
revision: readers keep the highest revision of an id anyway.
"""

import msgspec
import structlog
from confluent_kafka import KafkaError, Message, Producer

from drift_aware.actions import ledger
from drift_aware.schema.alerts import Action
from drift_aware.schema.envelope import ROWS
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ACTIONS
from drift_aware.sql.store import Connection

# What Kafka has not taken by then stays in the outbox; the rows are locked meanwhile.
SEND_TIMEOUT_SECONDS = 5.0
MAX_ACTIONS = 200

log = structlog.get_logger(__name__)


class Outbox:
    """A producer for the actions of the ledger."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer(
            settings.kafka.client()
            | {
                "client.id": "drift-aware-act",
                "enable.idempotence": True,
                # The partitioner of the Java clients: one key, one partition, whoever publishes.
                "partitioner": "murmur2_random",
                "message.timeout.ms": int(SEND_TIMEOUT_SECONDS * 1000),
                "linger.ms": 0,
                "log_level": 2,  # what is not delivered is logged below
            }
        )

    def publish(self, connection: Connection) -> int:
        """Send what is unpublished; how many Kafka took. What it did not take is for the next call."""
        taken: list[Action] = []
        with connection.transaction():
            waiting = ledger.unpublished(connection, MAX_ACTIONS)
            for action in waiting:
                self._send(action, taken)
            if waiting:
                self._producer.flush(SEND_TIMEOUT_SECONDS + 1)
            for action in taken:
                ledger.mark_published(connection, action)
        return len(taken)

    def _send(self, action: Action, taken: list[Action]) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                taken.append(action)
            else:
                log.warning("action not published yet", id=action.id, error=error.str())

        self._producer.produce(
            ACTIONS.name,
            key=action.alert_id.encode(),
            value=msgspec.json.encode(action),
            headers={"content-type": ROWS},
            on_delivery=delivered,
        )

    def close(self) -> None:
        """Drop what is still under way; the ledger knows it was not confirmed."""
        self._producer.purge()
        self._producer.flush(1)
