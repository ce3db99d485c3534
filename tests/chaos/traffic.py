"""What an application publishes in a scenario: the same events for the same seed."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from drift_aware.schema.events import Event
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES
from drift_aware.streams.wire import partition_of
from rig_events import NOON, embedding, evaluation, feedback, interaction

SPACING_MS = 50
_OPEN_SESSIONS = 30
_SESSION_EVENTS = 6
# The part of the events in which the application drifts, so that alerts open and resolve.
_DRIFT = 0.35, 0.6


@dataclass
class Traffic:
    """Events of all four kinds, several segments and sessions, in the order of their times.

    Attributes:
        events: what is published while things go wrong.
        closing: one event for every source, so late that all panes before it close.
        until: the panes that begin before this event time are closed by them.
    """

    events: list[Event]
    closing: list[Event]
    until: int


@dataclass
class _Sessions:
    """A few sessions at a time; each has a handful of events and gives way to the next."""

    random: Random
    begun: int = 0
    left: dict[str, int] = field(default_factory=dict)

    def one(self) -> str | None:
        if self.random.random() < 0.3:
            return None
        if len(self.left) < _OPEN_SESSIONS:
            self.begun += 1
            self.left[f"s{self.begun}"] = self.random.randint(1, 2 * _SESSION_EVENTS)
        name = self.random.choice(list(self.left))
        self.left[name] -= 1
        if not self.left[name]:
            del self.left[name]
        return name


def traffic(settings: Settings, count: int, seed: int) -> Traffic:
    """So many events."""
    random = Random(seed)
    sessions = _Sessions(random)
    begin, end = (round(share * count) for share in _DRIFT)
    events = [
        _event(random, number, sessions.one(), drifting=begin <= number < end) for number in range(count)
    ]
    until = _time(count) - _time(count) % (settings.pane_seconds * 1000) + settings.pane_seconds * 1000
    return Traffic(events, _closing(settings, until), until)


def _time(number: int) -> int:
    return NOON + number * SPACING_MS


def _event(random: Random, number: int, session: str | None, drifting: bool) -> Event:
    chosen = random.random()
    about: dict[str, Any] = {
        "ts": _time(number),
        "app": random.choice(["shop", "desk"]),
        "model": random.choice(["large", "small", None]),
        "tenant": None,
        "prompt_version": None,
    }
    if chosen < 0.8:
        answered = {
            "refusal": random.random() < (0.4 if drifting else 0.03),
            "toxicity": 0.9 if random.random() < 0.005 else 0.1,
            "error": "timeout" if random.random() < (0.15 if drifting else 0.01) else None,
            "latency_ms": random.expovariate(1 / 400),
        }
        return interaction(number, **about, **answered, session_id=session)
    if chosen < 0.86:
        return embedding(number, **about, session_id=session)
    if chosen < 0.95:
        happy = not drifting or random.random() < 0.3
        said = {"score": 4.0 if happy else 2.0, "thumbs": "up" if happy else "down", "task_success": happy}
        return _replaced(feedback(number), **about, **said, session_id=session)
    correct = random.random() < 0.9
    return _replaced(evaluation(number), **about, run_id=f"r{number // 500}", correct=correct)


def _closing(settings: Settings, until: int) -> list[Event]:
    ts = until + (settings.pane_seconds + settings.allowed_lateness_seconds) * 1000
    made: list[Event] = []
    for partition in range(settings.kafka.partitions):
        name = next(f"end{n}" for n in range(10_000) if _is_on(f"end{n}", partition, settings))
        mine: dict[str, Any] = {"ts": ts, "session_id": name}
        made += [interaction(-1, **mine), embedding(0, **mine), _replaced(feedback(0), **mine)]
        made.append(_replaced(evaluation(0), ts=ts, run_id=name))
    assert len(made) == len(SOURCES) * settings.kafka.partitions
    return made


def _is_on(key: str, partition: int, settings: Settings) -> bool:
    return partition_of(key, settings.kafka.partitions) == partition


def _replaced(event: Event, **fields: Any) -> Event:
    return msgspec.structs.replace(event, **fields)
