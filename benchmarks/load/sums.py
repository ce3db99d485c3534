"""What the other frameworks add up: the same counts and sums, by segment and ten seconds of event time.

Numpy, msgspec and our own decoder alone, because their environments hold nothing else of ours. Unlike the
worker they count each event once, under its segment, keep no histograms and no examples, and take vectors as
they are.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drift_aware.schema.envelope import content_type, decode
from drift_aware.schema.events import Embedding, Event, Interaction, Kind

PANE_MS = 10_000
# Segment, time in milliseconds, number of events, sums of them.
Part = tuple[str, int, int, NDArray[np.float64]]


def events(kind: Kind, value: bytes, headers: Iterable[tuple[str, bytes | None]] | None) -> list[Event]:
    """The events of a record."""
    return decode(kind, value, content_type(headers)).events


def part(event: Any) -> Part:
    """One event as a part of a sum."""
    return event.app, event.ts, 1, numbers(event)


def numbers(event: Event) -> NDArray[np.float64]:
    """What is added up of an event: its vector, or its rates and amounts."""
    if isinstance(event, Embedding):
        assert isinstance(event.vector, bytes)
        return np.frombuffer(event.vector, "<f2").astype(np.float64)
    assert isinstance(event, Interaction)
    return np.array(
        [
            event.refusal or 0,
            event.toxicity or 0.0,
            (event.toxicity or 0.0) >= 0.5,
            bool(event.error),
            len(event.model_response or ""),
            event.latency_ms or 0.0,
            event.input_tokens or 0,
            event.output_tokens or 0,
            event.cost_usd or 0.0,
        ],
        np.float64,
    )


def presummed(found: list[Event]) -> Iterator[Part]:
    """A record's events added up by hand, as one would who needs speed: a part for each segment and pane."""
    members: dict[tuple[str, int], list[Any]] = {}
    for event in found:
        assert isinstance(event.ts, int)
        members.setdefault((event.app or "", event.ts // PANE_MS), []).append(event)
    for (segment, _), group in members.items():
        if isinstance(group[0], Embedding):
            joined = np.frombuffer(b"".join(event.vector for event in group), "<f2")
            total = joined.reshape(len(group), -1).sum(axis=0, dtype=np.float64)
        else:
            total = np.sum([numbers(event) for event in group], axis=0)
        yield segment, group[0].ts, len(group), total


def parts(kind: Kind, value: bytes, headers: Any, by_hand: bool) -> list[Part]:
    """What a record adds to the sums, event by event or added up."""
    found = events(kind, value, headers)
    return list(presummed(found)) if by_hand else [part(event) for event in found]
