"""What persons, and the clock, answer to what is proposed and done.

Each function is one change of status; who comes too late is told where the action stands (``OutOfTurn``), and
nothing is changed. The connection is in autocommit mode, or inside a transaction of the caller's.
"""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from drift_aware.actions import life
from drift_aware.actions.errors import OutOfTurn
from drift_aware.actions.ledger import Receipt, find, me, move
from drift_aware.actions.life import Verdict
from drift_aware.schema.alerts import Action
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection


def approve(connection: Connection, action_id: str, by: str, note: str = "") -> Action:
    """A person wants it carried out; of one that has failed: once more.

    Raises:
        UnknownAction: there is none of that id.
        OutOfTurn: it is not waiting for this.
    """
    expire(connection)
    reason = f"approved by {by}: {note}" if note else None
    return move(connection, action_id, "approved", reason=reason, approved_by=by)


def reject(connection: Connection, action_id: str, by: str, note: str = "") -> Action:
    """A person does not want it, and so it will never be carried out.

    Raises:
        UnknownAction: there is none of that id.
        OutOfTurn: it has begun, or is over.
    """
    expire(connection)
    return move(connection, action_id, "rejected", reason=f"rejected by {by}" + (f": {note}" if note else ""))


def expire(connection: Connection) -> int:
    """End the proposals that nobody has answered in time; how many those were."""
    return connection.execute(
        QUERIES["expire_actions"], {"reason": "nobody answered in time", "before": life.before("expired")}
    ).rowcount


def settle(
    connection: Connection,
    action_id: str,
    step: str,
    by: str,
    *,
    done: bool,
    note: str = "",
    result: Mapping[str, Any] | None = None,
) -> Action:
    """A person has looked whether a step of unknown outcome has had its effect; the action is carried on.

    Args:
        connection: in autocommit mode.
        action_id: of an action that is ``unknown``.
        step: of those it has.
        by: who looked.
        done: whether the effect is there; if not, the step is done again.
        note: goes into the reason.
        result: what the step gave, if later steps need it.

    Raises:
        UnknownAction: there is none of that id.
        OutOfTurn: it has no such step, or its outcome is known.
    """
    given = {
        "action_id": action_id,
        "step": step,
        "done": done,
        "by": by,
        "result": Jsonb(dict(result or {})) if done else None,
        "me": me(),
        "reason": f"{by} says that {step} was {'' if done else 'not '}done" + (f": {note}" if note else ""),
    }
    with connection.transaction():
        moved = connection.execute(QUERIES["settle_action"], given).rowcount
        if not moved or not connection.execute(QUERIES["settle_step"], given).rowcount:
            raise _unsettled(connection, action_id, step)
    return find(connection, action_id).action


def _unsettled(connection: Connection, action_id: str, step: str) -> OutOfTurn:
    entry = find(connection, action_id)
    open_steps = [each.step for each in entry.steps if each.status == "unknown"]
    if not open_steps:
        return OutOfTurn(f"action {action_id} {entry.stands}; it has no step of unknown outcome")
    return OutOfTurn(f"not {step}: of unknown outcome is {', '.join(open_steps)}")


def verify(connection: Connection, action_id: str, verdict: Verdict, receipt: Receipt) -> Action:
    """Enter whether an action has helped.

    Args:
        connection: in autocommit mode, or inside the transaction that reads what was measured.
        action_id: of an action that has succeeded, and not as a dry run.
        verdict: stands in the receipt as ``verdict``.
        receipt: what was measured; added to what stands there.

    Raises:
        UnknownAction: there is none of that id.
        OutOfTurn: it has not been carried out, or the verdict is there.
    """
    return move(connection, action_id, "verified", receipt={**receipt, "verdict": verdict}, real=True)
