"""Sends completed events and knows up to where all of them have arrived.

The Publisher drops rather than waits, because an application must not notice it. A file can wait: after every
few thousand events the queue is emptied before the next are taken, so it is never full, and up to there
everything has arrived.
"""

import time
from collections.abc import Callable
from threading import Event as Flag

from drift_aware.producers.packing import encoded
from drift_aware.producers.publisher import Publisher
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import Event

MOST_EVENTS = 10_000
MOST_BYTES = 16_000_000
# Kafka may be away for so long; then the work ends, to be gone on with later.
TIMEOUT_MS = 60_000
# Beyond the timeout of a record, after which it is either delivered or dropped.
_PATIENCE_SECONDS = TIMEOUT_MS / 1000 + 15
_HASTE_SECONDS = 10.0
_STEP_SECONDS = 0.5


class Delivery:
    """Hands events to a publisher.

    Args:
        publisher: with room for ``MOST_EVENTS`` events.
        stop: when it is set, nobody waits for Kafka for long.
        rate: events a second at most; None for no limit.
        clock: seconds, monotonic.

    Attributes:
        settled: the number of the row to go on with; the events of all before it have arrived.
    """

    def __init__(
        self,
        publisher: Publisher,
        stop: Flag,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settled = 1
        self._publisher = publisher
        self._stop = stop
        self._rate = rate
        self._clock = clock
        self._begun = clock()
        self._sent = self._waiting = self._bytes = 0

    def send(self, event: Event, number: int) -> None:
        """Send the event of row ``number``.

        Raises:
            Unreachable: Kafka does not take what was sent.
        """
        size = encoded(event)[1]
        if self._waiting == MOST_EVENTS or self._bytes + size > MOST_BYTES:
            self.settle(number)
        self._pace()
        self._publisher.publish(event)
        self._sent += 1
        self._waiting += 1
        self._bytes += size

    def settle(self, following: int) -> None:
        """Wait until all has arrived; ``following`` is the number of the row to go on with.

        Raises:
            Unreachable: it has not.
        """
        deadline = self._clock() + _PATIENCE_SECONDS
        while left := self._publisher.flush(_STEP_SECONDS):
            if self._stop.is_set():
                deadline = min(deadline, self._clock() + _HASTE_SECONDS)
            if self._clock() > deadline:
                raise Unreachable(f"{left} events have not arrived, and Kafka does not answer")
        if dropped := self._publisher.dropped:
            told = ", ".join(f"{count} x {reason}" for reason, count in dropped.items())
            raise Unreachable(f"Kafka did not take events: {told}")
        self.settled = following
        self._waiting = self._bytes = 0

    def _pace(self) -> None:
        if self._rate is not None:
            ahead = self._begun + self._sent / self._rate - self._clock()
            if ahead > 0:
                self._stop.wait(ahead)
