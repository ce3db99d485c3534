"""An application that goes on publishing, in a thread of its own, while things go wrong."""

import threading
import time
from collections.abc import Sequence
from typing import Self

from drift_aware.producers import Publisher
from drift_aware.schema.events import Event

_STEP = 50
# Well below what the Publisher holds: an outage must slow the application down, not make it lose events.
_MOST_QUEUED = 6_000
_DELIVERED_SECONDS = 120.0


class Publication:
    """Publishes events in order, as far as it is allowed to.

    Args:
        bootstrap: of the broker.
        events: what to publish.
        per_second: how many, at most.
    """

    def __init__(self, bootstrap: str, events: Sequence[Event], per_second: int) -> None:
        # Longer than any outage of a scenario.
        client = {"message.timeout.ms": 300_000}
        self._publisher = Publisher(bootstrap, client=client, linger_ms=20)
        self._events, self._interval = events, _STEP / per_second
        self._allowed = 0
        self._handed_over = 0
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="application", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()
        self._publisher.close(0)

    @property
    def at_rest(self) -> bool:
        """Whether all that is allowed is delivered; none of it may be lost on the way."""
        stats = self._publisher.stats
        assert stats.dropped == {}, stats.dropped
        return (
            self._handed_over >= self._allowed and not stats.queued and stats.delivered == self._handed_over
        )

    @property
    def delivered(self) -> int:
        """How many events the broker has taken."""
        assert self._publisher.dropped == {}, self._publisher.dropped
        return self._publisher.stats.delivered

    @property
    def allowed(self) -> int:
        """How many events may be published so far."""
        return self._allowed

    def allow(self, count: int) -> None:
        """Go on until so many events are published."""
        with self._changed:
            self._allowed = max(self._allowed, min(count, len(self._events)))
            self._changed.notify_all()

    def send(self, events: Sequence[Event]) -> None:
        """Publish more, after all others."""
        assert self.at_rest
        for event in events:
            self._publisher.publish(event)
        assert self._publisher.flush(_DELIVERED_SECONDS) == 0
        assert self._publisher.stats.delivered == self._handed_over + len(events), self._publisher.stats

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            with self._changed:
                while not self._over and self._handed_over >= self._allowed:
                    self._changed.wait()
                    due = time.monotonic()
                late = self._publisher.queued > _MOST_QUEUED
                due = max(due, time.monotonic() - 1) + self._interval
                self._changed.wait_for(lambda: self._over, due - time.monotonic())
                if self._over:
                    return
                end = self._handed_over if late else min(self._handed_over + _STEP, self._allowed)
            for event in self._events[self._handed_over : end]:
                self._publisher.publish(event)
            self._handed_over = end
