"""The live table gives its name to another, and gets it back; old ones are removed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psycopg
import stamina
import structlog

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.reindexing import collection
from drift_aware.actions.reindexing.collection import Kind
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Swapping:
    """How patient a swap is: readers wait behind each attempt for ``lock_seconds`` at most."""

    lock_seconds: float
    attempts: int

    def swap_in(self, connection: Connection, action_id: str, kind: Kind) -> None:
        """Give the name ``documents`` to an action's table; nothing happens if it has it.

        What other sources have written to the live table meanwhile comes along.
        """

        def once() -> None:
            with connection.transaction():
                self._limit(connection)
                live = collection.lock_live(connection)
                index = collection.find(connection, action_id)
                assert index is not None
                if index.status == "live":
                    return
                if index.status != "building":
                    raise ActionFailed("a later reindex has taken its place")
                collection.carry(connection, index.table, kind, index.created_at)
                _exchange(connection, live, "kept", index.n, previous=live)

        self._patiently(once)

    def swap_back(self, connection: Connection, action_id: str) -> int | None:
        """Give the name back to what had it before; its number, or None if the action's is not live.

        Raises:
            ActionFailed: it has been removed.
        """

        def once() -> int | None:
            with connection.transaction():
                self._limit(connection)
                live = collection.lock_live(connection)
                index = collection.find(connection, action_id)
                if index is None or index.n != live:
                    return None
                if index.previous is None:
                    raise ActionFailed("nothing was there before; there is no way back")
                _exchange(connection, live, "undone", index.previous, previous=None)
                return index.previous

        return self._patiently(once)

    def remove_outdated(self, connection: Connection) -> None:
        """Drop tables that nobody goes back to; what is in use is left for the next time."""
        for (n,) in connection.execute(QUERIES["outdated_indexes"]).fetchall():
            self.remove(connection, n)

    def remove(self, connection: Connection, n: int) -> None:
        """Drop a table that is not live, unless it is in use."""
        try:
            with connection.transaction():
                self._limit(connection)
                connection.execute(QUERIES["drop_collection"].format(table=collection.numbered(n)))
                connection.execute(QUERIES["retire_index"], {"n": n, "status": "removed"})
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist) as error:
            log.warning("an old collection stays", table=f"documents_{n}", error=type(error).__name__)

    def _limit(self, connection: Connection) -> None:
        collection.set_local(connection, "lock_timeout", f"{round(1000 * self.lock_seconds)}ms")

    def _patiently(self, once: Callable[[], T]) -> T:
        busy = psycopg.errors.LockNotAvailable
        try:
            for attempt in stamina.retry_context(on=busy, attempts=self.attempts, timeout=None):
                with attempt:
                    return once()
        except busy:
            raise ActionFailed(
                f"documents was in use by long transactions {self.attempts} times; end them, or swap later"
            ) from None
        raise AssertionError("the last attempt returns or raises")


def _exchange(connection: Connection, live: int, status: str, n: int, previous: int | None) -> None:
    connection.execute(
        QUERIES["rename_documents"].format(table=collection.LIVE, name=collection.numbered(live))
    )
    connection.execute(QUERIES["rename_documents"].format(table=collection.numbered(n), name=collection.LIVE))
    connection.execute(QUERIES["retire_index"], {"n": live, "status": status})
    connection.execute(QUERIES["enthrone_index"], {"n": n, "previous": previous})
