"""Carries out what waits, beside the process's other work: for each kind of action a thread and a connection.

So a message does not wait for hours of fine-tuning, and none of it holds up the reading of alerts.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import structlog
from rich.console import Console

from drift_aware.actions import answers, ledger, quiet
from drift_aware.actions.carrying import Carrier
from drift_aware.actions.executor import Executor
from drift_aware.actions.leases import Claimant, claimant
from drift_aware.actions.rounds import Rounds
from drift_aware.schema.alerts import ActionKind
from drift_aware.schema.progress import Advance
from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

LOOK_SECONDS = 1.0
# What has not come to the end of its step by then is looked for by the next start.
GRACE_SECONDS = 8.0

log = structlog.get_logger(__name__)


class Lane(Rounds):
    """Carries out the actions of one kind, the weightiest first, one after the other.

    Args:
        settings: all of them.
        executor: of the kind.
        now: the time of day, for the quiet hours.
    """

    def __init__(
        self,
        settings: Settings,
        executor: Executor,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._actions, self._executor, self._now = settings.actions, executor, now
        name = f"act {executor.kind}"
        super().__init__(name, partial(store.connect, settings.require_database_url(), name), LOOK_SECONDS)
        self._claimant: Claimant = claimant(ledger.me(), executor.kind, settings.actions)

    def once(self, connection: Connection, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Carry out the action that comes first; False if none waits."""
        answers.expire(connection)
        hours = self._actions.quiet_hours
        still = quiet.is_quiet(hours, self._now())
        action_id = self._claimant.next(connection, quiet=still)
        if action_id is None:
            if still and hours is not None:
                given = {"kind": self._claimant.kind, "auto": self._claimant.auto, "note": quiet.note(hours)}
                connection.execute(QUERIES["put_off_actions"], given)
            return False
        plain = partial(Advance, console=Console(stderr=True, force_terminal=False))
        carrier = Carrier(
            self._executor, self._claimant, self._actions, connection, self._connect, plain, stopping
        )
        carrier.carry(action_id)
        return True


@contextmanager
def lanes(
    settings: Settings, executors: Mapping[ActionKind, Executor], stop: threading.Event, *beside: Rounds
) -> Iterator[list[BaseException]]:
    """One lane for each executor, as long as the block lasts; what ends a lane ends the process.

    Args:
        settings: all of them.
        executors: by kind.
        stop: ends them all.
        *beside: what else is done, each in a thread of its own.

    Yields:
        What a lane has ended of; it is for the caller to raise.
    """
    ended: list[BaseException] = []

    def work(lane: Rounds) -> None:
        try:
            lane.run(stop)
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            ended.append(error)
            stop.set()

    log.info("carrying out", kinds=sorted(executors), dry_run=settings.actions.dry_run)
    threads = [
        threading.Thread(target=work, args=[each], name=each.name, daemon=True)
        for each in (*(Lane(settings, executor) for executor in executors.values()), *beside)
    ]
    for thread in threads:
        thread.start()
    try:
        yield ended
    finally:
        stop.set()
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
