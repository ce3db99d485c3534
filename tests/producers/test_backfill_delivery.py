"""What a file's events do when Kafka takes them, when it does not, and when nobody wants to wait."""

import threading
from collections.abc import Iterator, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers import Publisher
from drift_aware.producers.backfill import delivery as module
from drift_aware.producers.backfill.backfilling import Backfilling, Counts
from drift_aware.producers.backfill.delivery import Delivery
from drift_aware.producers.backfill.mapping import Shape
from drift_aware.producers.backfill.rows import Row, Unreadable
from drift_aware.producers.drafts import Completion
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import Event, Interaction
from rig_events import NOON, interaction


class Wire:
    """A publisher that delivers when it is flushed, up to a number of events; then it is away, or drops."""

    def __init__(self, takes: int, drops: bool = False) -> None:
        self.now = 0.0
        self.arrived: list[str] = []
        self.most = 0
        self.dropped: dict[str, int] = {}
        self._waiting: list[str] = []
        self._takes, self._drops = takes, drops

    def publish(self, event: Event) -> None:
        assert isinstance(event, Interaction)
        self._waiting.append(event.id)
        self.most = max(self.most, len(self._waiting))

    def flush(self, timeout_seconds: float) -> int:
        room = self._takes - len(self.arrived)
        self.arrived += self._waiting[:room]
        self._waiting = self._waiting[room:]
        if self._waiting and self._drops:
            self.dropped["timeout"] = len(self._waiting)
            self._waiting = []
        if self._waiting:
            self.now += timeout_seconds
        return len(self._waiting)


class Table:
    """Rows of which some are none."""

    columns: Sequence[str] | None = None

    def __init__(self, bad: Sequence[bool], stop_at: int | None, stop: threading.Event) -> None:
        self._bad, self._stop_at, self._stop = bad, stop_at, stop

    def rows(self) -> Iterator[Row | Unreadable]:
        for number, bad in enumerate(self._bad, 1):
            if number == self._stop_at:
                self._stop.set()
            yield Unreadable(number, "", "bad") if bad else Row(number, {"id": f"i{number}", "ts": NOON})

    def progress(self) -> tuple[int, int | None]:
        return 0, None


def deliver(wire: Wire, stop: threading.Event, rate: float | None = None) -> Delivery:
    return Delivery(cast(Publisher, wire), stop, rate, clock=lambda: wire.now)


@given(
    st.lists(st.booleans(), max_size=60),
    st.integers(1, 70),
    st.integers(0, 70),
    st.booleans(),
    st.none() | st.integers(1, 60),
)
def test_all_before_the_line_that_is_told_has_arrived_and_after_an_interruption_nothing_else(
    bad: list[bool], begin: int, takes: int, drops: bool, stop_at: int | None
) -> None:
    stop, wire, counts = threading.Event(), Wire(takes, drops), Counts()
    work = Backfilling(Shape("interaction"), Completion({}, 100), lambda *_: None, counts)
    failed = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_EVENTS", 7)
        try:
            work.run(Table(bad, stop_at, stop), deliver(wire, stop), stop, begin)
        except Unreachable:
            failed = True
    good = [number for number, is_bad in enumerate(bad, 1) if not is_bad and number >= begin]
    following = len(bad) + 1 if counts.next_line is None else counts.next_line
    before = [f"i{number}" for number in good if number < following]
    assert wire.arrived[: len(before)] == before
    assert failed or wire.arrived == before
    assert wire.most <= 7
    assert (counts.next_line is None) == (not failed and not stop.is_set())
    assert counts.rejected == sum(bad[begin - 1 : following - 1]) or failed


def test_kafka_is_waited_for_as_long_as_its_records_live_and_not_longer() -> None:
    wire = Wire(0)
    delivery = deliver(wire, threading.Event())
    delivery.send(interaction(1), 1)
    with pytest.raises(Unreachable, match="1 events have not arrived"):
        delivery.settle(2)
    assert 60 < wire.now < 90
    assert delivery.settled == 1


def test_whoever_interrupts_does_not_wait_long() -> None:
    stop, wire = threading.Event(), Wire(0)
    stop.set()
    delivery = deliver(wire, stop)
    delivery.send(interaction(1), 1)
    with pytest.raises(Unreachable):
        delivery.settle(2)
    assert wire.now < 15


def test_what_kafka_drops_ends_it_with_the_reason() -> None:
    delivery = deliver(Wire(0, drops=True), threading.Event())
    delivery.send(interaction(1), 1)
    with pytest.raises(Unreachable, match="1 x timeout"):
        delivery.settle(2)


def test_large_events_do_not_wait_for_many() -> None:
    wire = Wire(100)
    delivery = deliver(wire, threading.Event())
    for number in range(1, 41):
        delivery.send(interaction(number, user_query="x" * 800_000), number)
    assert wire.most < 25
    assert 1 < delivery.settled <= 40


def test_events_leave_at_the_rate_that_is_asked_for() -> None:
    wire = Wire(100)

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            wire.now += timeout or 0
            return False

    delivery = deliver(wire, Waiting(), rate=20)
    for number in range(1, 41):
        delivery.send(interaction(number), number)
    assert wire.now == pytest.approx(39 / 20)
