"""``act``: alerts in, ledger rows and action records out."""

from collections.abc import Sequence

import msgspec
import structlog

from drift_aware.actions import ledger
from drift_aware.actions.outbox import Outbox
from drift_aware.actions.policy import decide
from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import Alert
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.topics import ALERTS
from drift_aware.sql import batch, cells
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record

NAME = "act"
TOPICS = (ALERTS,)

log = structlog.get_logger(__name__)


class Runner:
    """The work of ``act`` (sql.work.Work).

    Rows are written in the transaction that moves the position; the outbox publishes them after it.
    """

    def __init__(self, settings: Actions, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox

    def prepare(self, connection: Connection) -> None:
        """Publish what is in the outbox: of the batch before, or left over from a crash."""
        self._outbox.publish(connection)

    def handle(self, connection: Connection, records: Sequence[Record]) -> None:
        """Decide about each alert and enter the decisions."""
        ledger.decide_alone(connection)
        for record in records:
            try:
                self._answer(connection, _alert(record))
            except BadEvent as error:
                where = f"{record.topic}/{record.partition}@{record.offset}"
                log.warning("alert skipped", record=where, reason=error.reason, error=str(error))

    def committed(self) -> None:
        """Nothing: the outbox is next."""

    def _answer(self, connection: Connection, alert: Alert) -> None:
        # One alert at a time: the second of a batch has to see what the first has led to.
        for decision in decide(alert, self._settings, ledger.past(connection, alert)):
            if ledger.claim(connection, alert, decision, dry_run=self._settings.dry_run):
                log.info("action " + decision.status, action=decision.action, alert=alert.id)


def _alert(record: Record) -> Alert:
    """The alert in a record, without the characters Postgres cannot hold."""
    whole = msgspec.to_builtins(batch.read_alert(record))
    return msgspec.convert(cells.document(whole, cells.Tally()), Alert)
