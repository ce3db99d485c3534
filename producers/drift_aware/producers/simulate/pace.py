"""When the events of a simulation leave: in their own time, or as fast as they are taken."""

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Event as Flag

from drift_aware.schema.events import Event, Interaction, milliseconds

_STEP_SECONDS = 0.02
# Looking at the queue costs more than an event; so only now and then.
_LOOK_EVERY = 100


def limited(events: Iterable[Event], interactions: int | None) -> Iterator[Event]:
    """The events of so many interactions, or all of them."""
    seen = 0
    for event in events:
        if isinstance(event, Interaction):
            if seen == interactions:
                return
            seen += 1
        yield event


def in_their_time(
    events: Iterable[Event],
    stop: Flag,
    now_ms: Callable[[], float] = lambda: time.time() * 1000,
) -> Iterator[Event]:
    """Each event when the clock has come to its ``ts``; ends when told to stop."""
    for event in events:
        while milliseconds(event.ts) > now_ms():
            if stop.wait(_STEP_SECONDS):
                return
        if stop.is_set():
            return
        yield event


def as_they_are_taken(
    events: Iterable[Event], stop: Flag, queued: Callable[[], int], most: int
) -> Iterator[Event]:
    """Each event at once, but never more than about ``most`` of them waiting; ends when told to stop."""
    for number, event in enumerate(events):
        while number % _LOOK_EVERY == 0 and queued() > most - _LOOK_EVERY:
            if stop.wait(_STEP_SECONDS):
                return
        if stop.is_set():
            return
        yield event
