"""The ledger of actions: rows of ``action_log``, one per action, at its latest revision.

What persons do about it is in ``answers``, what a process may do that carries an action out in ``leases``.
Every change of status is one update that names the statuses it may follow (``life``), so whoever comes second
changes nothing and is told where the action stands.
"""

import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from drift_aware.actions import life
from drift_aware.actions.errors import OutOfTurn, UnknownAction
from drift_aware.actions.policy import Decision, Past, Rival, action_id
from drift_aware.actions.rules import SEVERITIES
from drift_aware.actions.steps import Step, steps
from drift_aware.schema.alerts import Action, ActionKind, ActionStatus, Alert, Effect
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

Receipt = Mapping[str, str | float | int | bool | None]


@dataclass(frozen=True)
class Entry:
    """An action with the alert it answers and what only the ledger knows.

    Attributes:
        auto: whether its rule lets it be carried out without anybody's approval.
        claimed_by: the process that last changed it.
        lease_until: until then it is that process's to carry out or to take back.
        steps: those that have begun, oldest first.
    """

    action: Action
    alert: Alert
    claimed_by: str
    published_revision: int
    created_at: datetime
    updated_at: datetime
    auto: bool
    expires_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    lease_until: datetime | None
    cost_usd: float
    undone_at: datetime | None
    steps: list[Step] = field(default_factory=list)

    @property
    def stands(self) -> str:
        """Where it stands, as the end of a sentence."""
        return life.stands(
            self.action.status,
            id=self.action.id,
            reason=self.action.reason,
            worker=self.claimed_by,
            approved_by=self.approved_by,
            approved_at=self.approved_at,
        )


@cache
def me() -> str:
    """This process, by a name that no other has had: containers share process ids, and names of hosts."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def decide_alone(connection: Connection) -> None:
    """Until the end of the transaction nobody else decides what follows from alerts."""
    connection.execute(QUERIES["lock_decisions"])


def past(connection: Connection, alert: Alert) -> dict[ActionKind, Past]:
    """What was done before about drifts like this one, by kind of action; the alert's own do not count.

    Raises:
        BadEvent: the alert's time is none.
    """
    given = {
        "segment": alert.segment,
        "alert_id": alert.id,
        "ts": moment(alert.ts),
        "idle": list(life.IDLE),
        "severities": list(SEVERITIES),
    }
    found: dict[ActionKind, Past] = {}
    for kind, last, today, rival, *impact in connection.execute(QUERIES["past_actions"], given):
        weakest = Rival(rival, (int(impact[0]), int(impact[1]), float(impact[2]))) if rival else None
        found[kind] = Past(last, today, weakest)
    return found


def claim(connection: Connection, alert: Alert, decision: Decision, *, dry_run: bool) -> bool:
    """Enter a decision; False if the action is there already and nothing about it changes.

    Raises:
        BadEvent: the alert's time is none.
    """
    cursor = connection.execute(
        QUERIES["claim_action"],
        {
            "id": action_id(alert.id, decision.action),
            "revision": 1,
            "action": decision.action,
            "status": decision.status,
            "alert_id": alert.id,
            "segment": alert.segment,
            "metric": alert.metric,
            "severity": alert.severity,
            "ts": moment(alert.ts),
            "dry_run": dry_run,
            "reason": decision.reason,
            "alert": Jsonb(msgspec.to_builtins(alert)),
            "claimed_by": me(),
            "auto": decision.auto,
            "score": decision.score,
            "expires_hours": decision.expires_hours,
        },
    )
    if cursor.rowcount != 1:
        return False
    if decision.displaces is not None:
        _change(connection, decision.displaces, "withheld", reason=f"its place goes to {alert.segment}")
    return True


def move(
    connection: Connection,
    action_id: str,
    status: ActionStatus,
    *,
    holder: str | None = None,
    real: bool = False,
    **changes: Any,
) -> Action:
    """Let an action take a status that may follow the one it has.

    Args:
        connection: to the record.
        action_id: which.
        status: the new one.
        holder: who has the lease; without, nobody may have it.
        real: refuse a dry run.
        **changes: ``reason``, ``approved_by``, ``receipt`` or ``dry_run``; None leaves what is.

    Raises:
        UnknownAction: there is none of that id.
        OutOfTurn: it stands elsewhere, or is somebody else's.
    """
    if not _change(connection, action_id, status, holder=holder, real=real, **changes):
        raise out_of_turn(connection, action_id, real=real)
    return find(connection, action_id).action


def _change(
    connection: Connection,
    action_id: str,
    status: ActionStatus,
    *,
    holder: str | None = None,
    real: bool = False,
    reason: str | None = None,
    approved_by: str | None = None,
    receipt: Receipt | None = None,
    dry_run: bool | None = None,
) -> bool:
    given = {
        "id": action_id,
        "status": status,
        "before": life.before(status),
        "holder": holder,
        "me": holder or me(),
        "real": real,
        "reason": reason,
        "approved_by": approved_by,
        "receipt": Jsonb(dict(receipt)) if receipt is not None else None,
        "dry_run": dry_run,
    }
    return connection.execute(QUERIES["move_action"], given).rowcount == 1


def out_of_turn(connection: Connection, action_id: str, *, real: bool = False) -> OutOfTurn:
    """The error that says where an action stands.

    Raises:
        UnknownAction: there is none of that id.
    """
    entry = find(connection, action_id)
    if real and entry.action.dry_run and entry.action.status == "succeeded":
        return OutOfTurn(f"action {action_id} was a dry run; nothing has been done")
    return OutOfTurn(f"action {action_id} {entry.stands}")


def unpublished(connection: Connection, limit: int) -> list[Action]:
    """Up to ``limit`` actions whose latest revision is still to be published, locked for this transaction."""
    return _actions(connection, "unpublished_actions", {"limit": limit})


def mark_published(connection: Connection, action: Action) -> None:
    """Note that Kafka has this revision."""
    connection.execute(QUERIES["mark_published"], {"id": action.id, "revision": action.revision})


def actions(connection: Connection, status: ActionStatus | None = None, limit: int = 1000) -> list[Action]:
    """The ledger, latest first; with a status only those."""
    return _actions(connection, "list_actions", {"status": status, "limit": limit})


def find(connection: Connection, action_id: str) -> Entry:
    """One action.

    Raises:
        UnknownAction: there is none of that id.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(QUERIES["find_action"], {"id": action_id}).fetchone()
    if row is None:
        raise UnknownAction(f"no action {action_id}; drift-aware actions list shows those there are")
    action = _action({name: row.pop(name) for name in Action.__struct_fields__})
    alert = msgspec.convert(row.pop("alert"), Alert)
    return Entry(action=action, alert=alert, steps=steps(connection, action_id), **row)


def _actions(connection: Connection, query: str, parameters: dict[str, Any]) -> list[Action]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_action(row) for row in cursor.execute(QUERIES[query], parameters)]


def _action(row: dict[str, Any]) -> Action:
    expected = row.pop("expected")
    return Action(**row, expected=msgspec.convert(expected, Effect | None))
