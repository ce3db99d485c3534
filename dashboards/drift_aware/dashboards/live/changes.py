"""What has changed in the record, told to everybody who listens: one look at it for all of them.

A look takes a thread and a connection only while it lasts, and there are looks only as long as somebody
listens. What is told is where things stand, not what has happened: whoever was away is told the latest and
has missed nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import psycopg
import structlog
from anyio import CapacityLimiter, to_thread
from msgspec import Struct

from drift_aware.schema.errors import DriftAwareError
from drift_aware.schema.segments import ALL
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
# A listener holds a connection to the server, and little else.
MOST_LISTENERS = 100
RETRY_MS = 2000

_log = structlog.get_logger(__name__)


class Versions(Struct, frozen=True):
    """Where the record stands.

    Attributes:
        alerts, actions: another number whenever one of them has changed; not in any order.
        panes: event time up to which panes are known, milliseconds; None without any.
    """

    alerts: int
    actions: int
    panes: int | None


def versions(connection: Connection) -> Versions:
    """Where the record stands now."""
    row = connection.execute(QUERIES["live_versions"], {"segment": ALL}).fetchone()
    assert row is not None
    alerts, actions, panes = row
    return Versions(alerts or 0, actions or 0, panes)


class Changes:
    """See the module.

    Args:
        look: where the record stands now; called on a thread.
        poll_seconds: between one look and the next.
        heartbeat_seconds: after so long without a change a listener is sent a sign of life.
        most: so many may listen at once.
    """

    def __init__(
        self,
        look: Callable[[], Versions],
        poll_seconds: float = POLL_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        most: int = MOST_LISTENERS,
    ) -> None:
        self._look, self._poll, self._heartbeat, self._most = look, poll_seconds, heartbeat_seconds, most
        self._listeners: set[asyncio.Event] = set()
        self._latest: Versions | None = None
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def full(self) -> bool:
        """Whether nobody else may listen."""
        return self.listeners >= self._most

    def close(self) -> None:
        """End every stream at once, and those that begin from now on."""
        self._closed = True
        self._wake()

    async def stream(self) -> AsyncGenerator[bytes]:
        """What a listener is sent: where things stand, at once and whenever that has changed."""
        yield f"retry: {RETRY_MS}\n\n".encode()
        async with self._listening() as news:
            told: Versions | None = None
            while True:
                if self._latest is not None and self._latest != told:
                    told = self._latest
                    yield b"event: changed\ndata: " + msgspec.json.encode(told) + b"\n\n"
                if self._closed:
                    return
                if not await _set_within(news, self._heartbeat):
                    yield b": still here\n\n"
                news.clear()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Event]:
        """A place among the listeners; the first brings the looking about, and the last ends it."""
        news = asyncio.Event()
        self._listeners.add(news)
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking(), name="changes")
        try:
            yield news
        finally:
            self._listeners.discard(news)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = self._latest = None

    async def _keep_looking(self) -> None:
        limiter = CapacityLimiter(1)
        failing = False
        while not self._closed:
            try:
                found = await to_thread.run_sync(self._look, limiter=limiter)
            except (psycopg.Error, DriftAwareError) as error:
                if not failing:
                    _log.warning("changes cannot be read, trying again", cause=type(error).__name__)
                failing = True
            else:
                failing = False
                if found != self._latest:
                    self._latest = found
                    self._wake()
            await asyncio.sleep(self._poll)

    def _wake(self) -> None:
        for news in self._listeners:
            news.set()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
