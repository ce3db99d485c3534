"""What became of the events: counters, and one line of log a second at most."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from drift_aware.schema.errors import BadEvent
from drift_aware.schema.redaction import Changes

Reason = Literal[
    "queue_full",  # the application publishes faster than Kafka takes it, or Kafka is away
    "timeout",  # Kafka was away longer than message.timeout.ms
    "unknown_topic",  # the topic does not exist; run `drift-aware topics create`
    "forbidden",  # these credentials may not write to the topic
    "rejected",  # the broker, or librdkafka, refused it for another reason
    "bad_client",  # librdkafka does not accept the settings
    "bad_event",  # an unknown field, a wrong type, a missing value, text that is not Unicode
    "bad_vector",  # not a vector, or not of the dimension or type it claims
    "too_large",  # one event above the size of a record
    "closed",  # published after close
    "unsent",  # still waiting when close ran out of time
    "internal",  # a mistake in here; please report it
]

_LOG_SECONDS = 1.0


def reason_of(error: BadEvent) -> Reason:
    """Why an event was lost that could not be used."""
    match error.reason:
        case "bad_vector" | "too_large" as reason:
            return reason
        case _:
            return "bad_event"


class Stats(Struct, frozen=True):
    """Counts since the Publisher was made (in a forked child: since the fork).

    Attributes:
        delivered: events the broker has acknowledged.
        queued: events neither delivered nor dropped yet.
        clipped: texts that lost their end.
        dropped: events lost, by reason.
        redacted: what was replaced in texts, by kind.
        withheld: texts left out because the redaction failed on them; their events travelled without.
    """

    delivered: int
    queued: int
    clipped: int
    dropped: dict[str, int]
    redacted: dict[str, int] = {}
    withheld: int = 0


class Tally:
    """Counts; any thread may call.

    Args:
        log: where lost events are reported.
        clock: seconds, monotonic.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self.delivered = 0
        self.clipped = 0
        self.withheld = 0
        self._redacted: Counter[str] = Counter()
        self._log = log
        self._clock = clock
        # Reentrant, because a signal handler may publish in the middle of a count.
        self._lock = threading.RLock()
        self._dropped: Counter[Reason] = Counter()
        # One item for each event that found the queue full. An append needs no lock, and while Kafka is away
        # every call of the application ends here.
        self._overflow: deque[None] = deque()
        self._reported: Counter[Reason] = Counter()
        self._unreported_texts = 0
        self._why = ""
        self._logged_at = float("-inf")

    def drop(self, reason: Reason, events: int = 1, why: str = "") -> None:
        """Count lost events; ``why`` goes to the log, as the last of its kind before the next line."""
        with self._lock:
            self._dropped[reason] += events
            if why:
                self._why = why

    def overflow(self) -> None:
        """Count an event that found the queue full, as quickly as can be."""
        self._overflow.append(None)

    def change(self, changes: Changes) -> None:
        """Count what was done to the texts of an event; only the one thread that completes them calls it."""
        self.clipped += changes.clipped
        if changes.found:
            with self._lock:
                self._redacted.update(changes.found)
        if changes.withheld:
            self.withheld += changes.withheld
            with self._lock:
                self._unreported_texts += changes.withheld
                self._why = changes.why

    def stats(self, queued: int) -> Stats:
        """All counts."""
        with self._lock:
            redacted = dict(self._redacted)
        return Stats(self.delivered, queued, self.clipped, self.dropped, redacted, self.withheld)

    def note(self, why: str) -> None:
        """Remember what Kafka complains of, for the next line of log."""
        with self._lock:
            self._why = why

    @property
    def dropped(self) -> dict[str, int]:
        """Lost events by reason."""
        with self._lock:
            self._gather()
            return {str(reason): count for reason, count in self._dropped.items()}

    def report(self, even_now: bool = False) -> None:
        """Log what was lost or withheld since the last line, unless that was less than a second ago.

        Args:
            even_now: at the end, when there is no later.
        """
        with self._lock:
            self._gather()
            now = self._clock()
            unreported, texts = self._dropped - self._reported, self._unreported_texts
            if not (unreported or texts) or (now - self._logged_at < _LOG_SECONDS and not even_now):
                return
            counts = ", ".join(f"{reason} {count}" for reason, count in unreported.most_common())
            total, why = unreported.total(), self._why
            self._reported, self._unreported_texts = self._dropped.copy(), 0
            self._logged_at, self._why = now, ""
        with suppress(Exception):  # a handler of the application's may raise
            if total:
                self._log.warning("dropped %d events (%s)%s", total, counts, f": {why}" if why else "")
            if texts:
                self._log.warning("withheld %d texts%s", texts, f": {why}" if why and not total else "")

    def _gather(self) -> None:
        """Count what overflowed; hold the lock."""
        if found := len(self._overflow):
            for _ in range(found):
                self._overflow.popleft()
            self._dropped["queue_full"] += found
