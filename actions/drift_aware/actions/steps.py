"""The steps of an action: rows of ``action_step``, there before a step begins.

Only who holds the action's lease can begin and end a step: each statement locks the action's row and looks
whose it is, so a process that lost the lease without noticing changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from drift_aware.actions.errors import LeaseLost
from drift_aware.sql import cells
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

StepStatus = Literal["started", "done", "failed", "unknown"]

# The step in which an action is taken back; no executor may call one of its own so.
UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Step:
    """A step that has begun.

    Attributes:
        key: the idempotency key that was sent along.
        result: what it gave, once it is done.
        settled_by: who has said whether it was done, if nobody could tell.
    """

    step: str
    status: StepStatus
    key: str
    result: dict[str, Any] | None
    cost_usd: float
    worker: str
    settled_by: str | None
    started_at: datetime
    ended_at: datetime | None


def steps(connection: Connection, action_id: str) -> list[Step]:
    """The steps of an action that have begun, oldest first."""
    with connection.cursor(row_factory=class_row(Step)) as cursor:
        return cursor.execute(QUERIES["list_steps"], {"action_id": action_id}).fetchall()


def begin(connection: Connection, action_id: str, step: str, key: str, worker: str) -> None:
    """Note that a step begins, before it does.

    Raises:
        LeaseLost: the action is not this worker's, or the step is done.
    """
    given = {"action_id": action_id, "step": step, "key": key, "worker": worker}
    _hold(connection.execute(QUERIES["begin_step"], given).rowcount, action_id)


def end(
    connection: Connection, action_id: str, step: str, worker: str, status: StepStatus, result: Any = None
) -> None:
    """Note how a step has ended, and what it gave.

    Raises:
        LeaseLost: the action is not this worker's any more.
    """
    kept = cells.document(msgspec.to_builtins(result), cells.Tally())
    given = {
        "action_id": action_id,
        "step": step,
        "worker": worker,
        "status": status,
        "result": None if kept is None else Jsonb(kept),
    }
    _hold(connection.execute(QUERIES["end_step"], given).rowcount, action_id)


def _hold(changed: int, action_id: str) -> None:
    if changed != 1:
        raise LeaseLost(f"another process carries out action {action_id} now; it is left to that")
