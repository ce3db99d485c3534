"""Actions that somebody asks for by hand: the same ledger, the same cooldown, the same life, no alert.

A request takes a place of its day, and is not refused one: who asks is limited by who approves.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4, uuid5

from drift_aware.actions import ledger
from drift_aware.actions.errors import CoolingDown, KeyReused, UnknownAction
from drift_aware.actions.ledger import Entry
from drift_aware.actions.policy import action_id, cooling
from drift_aware.schema.alerts import Action, ActionKind
from drift_aware.schema.settings import Actions
from drift_aware.sql.store import Connection

# Never changed: a key must lead to the same action on any machine and in any release.
_KEYS = UUID("0b3a51f5-3f3c-5ad8-9a0d-5c9e0f6f2a77")
# What stands in the ledger where an alert's metric would.
METRIC = "by_hand"


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for.

    Attributes:
        by: who, as the ledger shall know them.
        key: equal for repetitions of one request; None makes every request another.
        force: whether the cooldown does not matter.
    """

    action: ActionKind
    segment: str
    reason: str
    by: str
    key: str | None = None
    force: bool = False


def propose(connection: Connection, request: Request, settings: Actions, now_ms: int) -> tuple[Entry, bool]:
    """Enter what is asked for, in a transaction of its own, and whether it is new.

    Args:
        connection: in autocommit mode.
        request: what is asked for.
        settings: the section ``actions``.
        now_ms: the time.

    Raises:
        CoolingDown: the segment has had such an action too short a time ago; nothing is entered.
        KeyReused: the key has been used, by the same person, for something else.
    """
    origin = uuid4() if request.key is None else uuid5(_KEYS, f"{request.by}/{request.key}")
    # Stands where the alert's id would, so that requests and alerts are told apart.
    alert_id = f"request/{origin}"
    entry_id = action_id(alert_id, request.action)
    reason = f"asked for by {request.by}: {request.reason}"
    with connection.transaction():
        ledger.decide_alone(connection)
        if (earlier := _found(connection, entry_id)) is not None:
            _require_same(earlier, request.segment, reason)
            return earlier, False
        past = ledger.past(connection, request.segment, now_ms, besides=alert_id)[request.action]
        against = cooling(request.action, now_ms, settings.cooldown_hours, past.last)
        if against is not None and not request.force:
            raise CoolingDown(f"{against}; ask with force to propose it anyway")
        action = Action(
            id=entry_id,
            revision=1,
            action=request.action,
            status="proposed",
            alert_id=alert_id,
            segment=request.segment,
            metric=METRIC,
            severity="info",
            ts=now_ms,
            dry_run=settings.dry_run,
            reason=reason,
        )
        ledger.enter(connection, action, None, expires_hours=settings.expires_hours)
        return ledger.find(connection, entry_id), True


def _found(connection: Connection, entry_id: str) -> Entry | None:
    try:
        return ledger.find(connection, entry_id)
    except UnknownAction:
        return None


def _require_same(entry: Entry, segment: str, reason: str) -> None:
    if (entry.action.segment, entry.action.reason) != (segment, reason):
        raise KeyReused("this key was used for another request; take a new key for a new request")
