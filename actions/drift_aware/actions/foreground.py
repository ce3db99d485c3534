"""Carries one action out, or takes one back, here and now, because a person says so."""

from collections.abc import Callable

from drift_aware.actions import ledger
from drift_aware.actions.carrying import Carrier
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.installed import installed
from drift_aware.actions.leases import claimant
from drift_aware.schema.alerts import Action
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from drift_aware.sql.store import Connection


def record(settings: Settings) -> Connection:
    """A connection of one's own to the ledger."""
    return store.connect(settings.require_database_url(), "actions")


def carrier(
    settings: Settings, connection: Connection, action_id: str, stopping: Callable[[], bool] = lambda: False
) -> Carrier:
    """What carries out actions of this one's kind.

    Raises:
        UnknownAction: there is none of that id.
        SettingsError: nothing that is installed carries out its kind.
    """
    kind = ledger.find(connection, action_id).action.action
    executor = installed(settings).get(kind)
    if executor is None:
        raise SettingsError(
            f"nothing installed carries out {kind}; see docs/actions.md, or set actions.command"
        )
    mine = claimant(ledger.me(), kind, settings.actions)
    return Carrier(executor, mine, settings.actions, connection, lambda: record(settings), stopping=stopping)


def roll_back(settings: Settings, connection: Connection, action_id: str, by: str, note: str = "") -> Action:
    """Take back what an action has done.

    Args:
        settings: all of them.
        connection: in autocommit mode.
        action_id: which.
        by: who says so.
        note: why.

    Raises:
        UnknownAction: there is none of that id.
        OutOfTurn: there is nothing to take back, or another works on it.
        ActionFailed: it cannot be taken back; the action stands as before.
        LeaseLost: another goes on with it.
        SettingsError: nothing that is installed carries out its kind.
    """
    ledger.find(connection, action_id)
    if settings.actions.dry_run:
        raise ActionFailed("nothing is taken back while actions.dry_run is on")
    back = carrier(settings, connection, action_id)
    back.claimant.take_back(connection, action_id)
    back.undo(action_id, by, note)
    return ledger.find(connection, action_id).action
