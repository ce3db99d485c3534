"""A source is idle when nothing has come for longer than a pane can wait; idle ones hold nothing back."""

from drift_aware.schema.topics import FEEDBACK
from drift_aware.streams.worker import Silence
from rig.configuration import make_settings

WAITS = 40.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def silence(clock: Clock) -> Silence:
    return Silence(make_settings(pane_seconds=10, allowed_lateness_seconds=30), clock)


def test_a_source_is_silent_when_nothing_has_come_for_longer_than_a_pane_waits() -> None:
    clock = Clock()
    heard, since = silence(clock), clock.now
    clock.now += WAITS
    heard.noted(FEEDBACK.name, 0)
    clock.now += WAITS
    assert not heard.lasts(FEEDBACK.name, 0, since)
    assert not heard.lasts(FEEDBACK.name, 1, clock.now)
    clock.now += 1
    assert heard.lasts(FEEDBACK.name, 0, since)


def test_a_source_that_was_just_taken_over_is_not_silent_yet() -> None:
    clock = Clock()
    heard = silence(clock)
    heard.noted(FEEDBACK.name, 0)
    clock.now += 10 * WAITS
    taken_over = clock.now
    assert not heard.lasts(FEEDBACK.name, 0, taken_over)
    assert not heard.lasts(FEEDBACK.name, 1, taken_over)
    clock.now += WAITS + 1
    assert heard.lasts(FEEDBACK.name, 0, taken_over)
