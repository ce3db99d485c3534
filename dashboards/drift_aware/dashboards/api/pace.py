"""How often somebody may ask: a bucket of tokens for each of them, which fills at a steady rate."""

import time
from collections.abc import Callable


class Pace:
    """Lets through a minute's worth at once, and then as many as come back.

    Args:
        per_minute: how many requests; also how many may come at once.
        clock: monotonic seconds.

    >>> seconds = iter([0.0, 0.0, 0.0, 30.0])
    >>> pace = Pace(2, lambda: next(seconds))
    >>> [pace.wait("a") for _ in range(4)]
    [0.0, 0.0, 30.0, 0.0]
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._per_second = float(per_minute), per_minute / 60
        self._now = clock
        # Who, to how many are left and when that was so; names come from the settings, so they are few.
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, who: str) -> float:
        """Seconds until the next request may come; 0 counts this one and lets it through."""
        now = self._now()
        left, since = self._buckets.get(who, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        allowed = left >= 1
        self._buckets[who] = (left - allowed, now)
        return 0.0 if allowed else (1 - left) / self._per_second
