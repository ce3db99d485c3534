"""Whose an action is while it is carried out: a lease on its row, which runs out with its holder.

A lease is taken by one update of one row, so of two workers one wins. Its holder extends it; once it has run
out, another may take it, and the first can change neither the action nor its steps any more.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg
import structlog
from psycopg.types.json import Jsonb

from drift_aware.actions import ledger, life
from drift_aware.actions.rules import SEVERITIES
from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import ActionKind, Effect
from drift_aware.schema.errors import Unreachable
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# Three chances to extend a lease before it runs out.
_BEATS = 3

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Claimant:
    """A worker that wants actions of one kind.

    Attributes:
        worker: a name that nobody else has.
        auto: whether it may begin what its rule lets go without approval.
        lease_seconds: for how long it takes them.
    """

    worker: str
    kind: ActionKind
    auto: bool
    lease_seconds: float

    def next(self, connection: Connection, *, quiet: bool = False) -> str | None:
        """Take the weightiest action there is to begin or to go on with; its id.

        Args:
            connection: in autocommit mode.
            quiet: begin nothing but messages about what is critical.
        """
        given = self._given() | {"kind": self.kind, "quiet": quiet, "severities": list(SEVERITIES)}
        row = connection.execute(QUERIES["claim_next_action"], given).fetchone()
        return None if row is None else str(row[0])

    def take(self, connection: Connection, action_id: str) -> None:
        """Take this one.

        Raises:
            UnknownAction: there is none of that id.
            OutOfTurn: it is not waiting to be carried out, or another does it.
        """
        self._require(connection, "claim_one_action", action_id)

    def take_back(self, connection: Connection, action_id: str) -> None:
        """Take this one, to roll it back; its status stays until that is done.

        Raises:
            UnknownAction: there is none of that id.
            OutOfTurn: there is nothing to take back, or another works on it.
        """
        self._require(connection, "claim_rollback", action_id, before=life.before("rolled_back"))

    def _require(self, connection: Connection, query: str, action_id: str, **more: Any) -> None:
        if not connection.execute(QUERIES[query], self._given() | {"id": action_id} | more).rowcount:
            raise ledger.out_of_turn(connection, action_id, real=True)

    def _given(self) -> dict[str, Any]:
        return {"worker": self.worker, "lease": self.lease_seconds, "auto": self.auto}

    def expect(self, connection: Connection, action_id: str, effect: Effect) -> None:
        """Note what the action is to bring about."""
        given = {"id": action_id, "worker": self.worker, "expected": Jsonb(msgspec.to_builtins(effect))}
        connection.execute(QUERIES["expect_effect"], given)

    def release(self, connection: Connection, action_id: str) -> None:
        """Let another go on with it at once."""
        connection.execute(QUERIES["release_action"], {"id": action_id, "worker": self.worker})


def claimant(worker: str, kind: ActionKind, settings: Actions) -> Claimant:
    """A worker for one kind of actions; messages need nobody's approval."""
    auto = kind == "notify" or not settings.require_approval
    return Claimant(worker, kind, auto, settings.lease_seconds)


class Heartbeat:
    """Extends a lease as long as the block lasts, whatever that waits for, on a connection of its own."""

    def __init__(
        self, connect: Callable[[], AbstractContextManager[Connection]], claimant: Claimant, action_id: str
    ) -> None:
        self._connect, self._claimant, self._id = connect, claimant, action_id
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of {action_id}", daemon=True)

    def _beat(self) -> None:
        while not self._over.is_set():
            try:
                with self._connect() as connection:
                    self._extend(connection)
                    return
            except (Unreachable, psycopg.Error) as error:
                # If it runs out meanwhile, and another takes it, the next statement of its holder is refused.
                log.warning("lease not extended", id=self._id, cause=type(error).__name__)
                self._over.wait(self._claimant.lease_seconds / _BEATS)

    def _extend(self, connection: Connection) -> None:
        given = {"id": self._id, "worker": self._claimant.worker, "lease": self._claimant.lease_seconds}
        while not self._over.wait(self._claimant.lease_seconds / _BEATS):
            if connection.execute(QUERIES["extend_lease"], given).rowcount != 1:
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
