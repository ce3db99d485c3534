"""The ledger of actions: rows of ``action_log``, one per action, at its latest revision."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from drift_aware.actions.errors import UnknownAction
from drift_aware.actions.policy import Decision, action_id
from drift_aware.schema.alerts import Action, ActionKind, ActionStatus, Alert
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection


@dataclass(frozen=True)
class Entry:
    """An action with the alert it answers, None if somebody asked for it, and what only the ledger knows."""

    action: Action
    alert: Alert | None
    claimed_by: str
    published_revision: int
    created_at: datetime
    updated_at: datetime


def lock(connection: Connection, segment: str) -> None:
    """Let nobody else decide about a segment until this transaction ends."""
    connection.execute(QUERIES["lock_actions"], {"segment": segment})


def last_actions(connection: Connection, segment: str, besides: str) -> dict[ActionKind, int]:
    """Kind to event time in milliseconds of the segment's last action that was not withheld.

    Args:
        connection: in a transaction that holds the segment's lock.
        segment: its name.
        besides: an alert whose own actions do not count.
    """
    rows = connection.execute(QUERIES["last_actions"], {"segment": segment, "alert_id": besides}).fetchall()
    return dict(rows)


def claim(connection: Connection, alert: Alert, decision: Decision, *, dry_run: bool) -> bool:
    """Enter a decision; False if the action is there already and nothing about it changes.

    Raises:
        BadEvent: the alert's time is none.
    """
    action = Action(
        id=action_id(alert.id, decision.action),
        revision=1,
        action=decision.action,
        status=decision.status,
        alert_id=alert.id,
        segment=alert.segment,
        metric=alert.metric,
        severity=alert.severity,
        ts=alert.ts,
        dry_run=dry_run,
        reason=decision.reason,
    )
    return enter(connection, action, alert)


def enter(connection: Connection, action: Action, alert: Alert | None = None) -> bool:
    """Enter an action at its first revision, as ``claim`` does.

    Args:
        connection: in a transaction.
        action: proposed or withheld.
        alert: what it answers; None if somebody asked for it.
    """
    parameters = msgspec.structs.asdict(action) | {
        "ts": moment(action.ts),
        "alert": Jsonb(msgspec.to_builtins(alert)),
        "claimed_by": f"{socket.gethostname()}:{os.getpid()}",
    }
    return connection.execute(QUERIES["claim_action"], parameters).rowcount == 1


def unpublished(connection: Connection, limit: int) -> list[Action]:
    """Up to ``limit`` actions whose latest revision is still to be published, locked for this transaction."""
    return _actions(connection, "unpublished_actions", {"limit": limit})


def mark_published(connection: Connection, action: Action) -> None:
    """Note that Kafka has this revision."""
    connection.execute(QUERIES["mark_published"], {"id": action.id, "revision": action.revision})


def actions(connection: Connection, status: ActionStatus | None = None, limit: int = 1000) -> list[Action]:
    """The ledger, latest first; with a status only those."""
    return _actions(connection, "list_actions", {"status": status, "limit": limit})


def answers(connection: Connection, alert_id: str) -> list[Action]:
    """What an alert has led to, oldest first."""
    return _actions(connection, "actions_of_alert", {"alert_id": alert_id})


def find(connection: Connection, action_id: str) -> Entry:
    """One action.

    Raises:
        UnknownAction: there is none of that id.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(QUERIES["find_action"], {"id": action_id}).fetchone()
    if row is None:
        raise UnknownAction(f"no action {action_id}; drift-aware actions list shows those there are")
    rest: dict[str, Any] = {
        name: row.pop(name) for name in ("claimed_by", "published_revision", "created_at", "updated_at")
    }
    return Entry(alert=msgspec.convert(row.pop("alert"), Alert | None), action=Action(**row), **rest)


def _actions(connection: Connection, query: str, parameters: dict[str, Any]) -> list[Action]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [Action(**row) for row in cursor.execute(QUERIES[query], parameters)]
