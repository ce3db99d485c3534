"""How many partitions each topic has, asked from the broker now and then."""

import time
from collections.abc import Callable

from drift_aware.schema.errors import Unreachable

_REFRESH_SECONDS = 300.0
_RETRY_SECONDS = 5.0


class Partitions:
    """Remembers the answers; only the background thread calls.

    Args:
        ask: the number of partitions of a topic, None if the broker knows no such topic; raises Unreachable
            if there is no broker to ask. May take a second.
        clock: seconds, monotonic.
    """

    def __init__(self, ask: Callable[[str], int | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._counts: dict[str, int | None] = {}
        self._ask_at: dict[str, float] = {}
        self._away_until = float("-inf")

    def count(self, topic: str) -> int | None:
        """The last number known; None if there never was one."""
        now = self._clock()
        if now >= self._ask_at.get(topic, now) and now >= self._away_until:
            self._refresh(topic)
        return self._counts.get(topic)

    def forget(self, topic: str) -> None:
        """Ask again: the broker says that the number is wrong."""
        self._counts.pop(topic, None)
        self._ask_at.pop(topic, None)

    def _refresh(self, topic: str) -> None:
        try:
            answer = self._ask(topic)
        except Unreachable:
            # For all topics: waiting in vain for each of them in turn would leave no time to send.
            self._away_until = self._clock() + _RETRY_SECONDS
            return
        if answer is not None:
            self._counts[topic] = answer
        self._ask_at[topic] = self._clock() + (_RETRY_SECONDS if answer is None else _REFRESH_SECONDS)
