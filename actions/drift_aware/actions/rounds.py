"""Work beside the reading of alerts: done again and again, on a connection and in a thread of its own."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg
import structlog

from drift_aware.actions.carrying import PASSING
from drift_aware.actions.errors import LeaseLost, OutOfTurn
from drift_aware.schema.backoff import backoff
from drift_aware.sql.store import Connection

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Rounds(ABC):
    """Goes round until it is stopped.

    Args:
        name: of the thread, and in the log.
        connect: opens its connection.
        pause_seconds: between two rounds, if the first found nothing to do.
    """

    def __init__(
        self, name: str, connect: Callable[[], AbstractContextManager[Connection]], pause_seconds: float
    ) -> None:
        self.name, self._connect, self._pause_seconds = name, connect, pause_seconds
        self._failures = 0

    @abstractmethod
    def once(self, connection: Connection, stopping: Callable[[], bool] = lambda: False) -> bool:
        """One round; whether there is more to do at once.

        Args:
            connection: in autocommit mode.
            stopping: asked between two pieces of work.
        """

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; Postgres not answering is waited out."""
        while not stop.is_set():
            try:
                with self._connect() as connection:
                    while not stop.is_set():
                        if not self.once(connection, stop.is_set):
                            stop.wait(self._pause_seconds)
                        self._failures = 0
            except (LeaseLost, OutOfTurn) as error:
                log.warning("action left to another", error=str(error))
            except (*PASSING, psycopg.Error) as error:
                self._wait(stop, error)

    def _wait(self, stop: threading.Event, error: Exception) -> None:
        delay = backoff(self._failures, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        self._failures += 1
        log.warning("trying again", work=self.name, cause=type(error).__name__)
        stop.wait(delay)
