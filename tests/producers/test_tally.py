"""Counters of lost events, and their log."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from drift_aware.producers.tally import Tally, reason_of
from drift_aware.schema.errors import BadEvent


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(clock: Clock) -> Tally:
    return Tally(logging.getLogger("tally"), clock)


def test_a_line_a_second_at_most_and_no_loss_goes_unsaid(
    tally: Tally, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        tally.drop("queue_full")
        tally.report()
        clock.now += 0.01
    clock.now += 1.0
    tally.report()
    lines = [record.getMessage() for record in caplog.records]
    assert 10 <= len(lines) <= 12
    assert sum(int(line.split()[1]) for line in lines) == 1000


def test_nothing_lost_nothing_logged(tally: Tally, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    tally.note("the broker is down")
    for _ in range(10):
        tally.report()
        clock.now += 10
    assert caplog.records == []


def test_the_line_says_how_many_by_reason_and_why(tally: Tally, caplog: pytest.LogCaptureFixture) -> None:
    tally.drop("timeout", 3, "Message timed out")
    tally.drop("too_large")
    tally.report()
    assert caplog.messages == ["dropped 4 events (timeout 3, too_large 1): Message timed out"]


def test_the_last_line_does_not_wait(tally: Tally, caplog: pytest.LogCaptureFixture) -> None:
    tally.drop("timeout")
    tally.report()
    tally.drop("unsent")
    tally.report(even_now=True)
    assert len(caplog.messages) == 2


def test_threads_do_not_lose_counts(tally: Tally) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tally.drop("closed"), range(4000)))
    assert tally.dropped == {"closed": 4000}


def test_reasons_of_bad_events_are_those_of_the_vocabulary() -> None:
    assert reason_of(BadEvent("bad_vector", "")) == "bad_vector"
    assert reason_of(BadEvent("too_large", "")) == "too_large"
    assert reason_of(BadEvent("bad_timestamp", "")) == "bad_event"


def test_what_overflows_is_counted_once_whoever_looks_meanwhile(tally: Tally) -> None:
    def overflow() -> None:
        for _ in range(5_000):
            tally.overflow()

    def look() -> None:
        for _ in range(200):
            tally.report()
            assert tally.dropped.get("queue_full", 0) <= 20_001

    tally.drop("queue_full")
    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(job) for job in (overflow, look) * 4]
    for job in jobs:
        job.result()
    assert tally.dropped == {"queue_full": 20_001}
