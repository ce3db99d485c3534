"""A worker that stood still for longer than its session: others may have its partitions by now."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import Consumer, Producer

from drift_aware.streams import cursor
from drift_aware.streams.cursor import Positions

SESSION_SECONDS = 6.0


class Stopped(Exception):
    pass


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(cursor, "_standing_time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Table:
    """Without a row; it has recovered when the test says so."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def on_recover(self, recovered: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.recovered = recovered


@pytest.fixture
def positions(clock: Clock) -> Positions:
    """Of an app that has nothing yet."""

    def stop(why: str) -> None:
        raise Stopped(why)

    app = SimpleNamespace(
        sensors=SimpleNamespace(add=lambda _: None),
        transport=SimpleNamespace(),
        conf=SimpleNamespace(broker_session_timeout=SESSION_SECONDS),
        consumer=SimpleNamespace(assignment=set),
    )
    return Positions(app, stop)


@pytest.fixture
def recovered(positions: Positions) -> Positions:
    """Once the first recovery has ended."""
    table = Table()
    stage: Any = SimpleNamespace(forget=lambda: None)
    positions.add(stage, table, ["numbers"], lambda *_: None)
    asyncio.run(table.recovered())
    return positions


def test_it_stops_in_the_middle_of_a_rebalance_too(recovered: Positions, clock: Clock) -> None:
    recovered.forget()
    clock.now += SESSION_SECONDS - 1
    recovered.beat()
    clock.now += SESSION_SECONDS + 1
    with pytest.raises(Stopped, match="stood still"):
        recovered.beat()


def test_a_long_first_recovery_is_no_standstill(positions: Positions, clock: Clock) -> None:
    positions.beat()
    clock.now += 10 * SESSION_SECONDS
    positions.refuse_after_standstill()
    positions.beat()
    positions.refuse_after_standstill()


def test_it_beats_as_long_as_it_reads_whether_or_not_timers_run(
    recovered: Positions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust starts an app's timers some time after its recovery: ten seconds, on a busy machine."""
    made = recovered.app.transport.Consumer
    consumer = made.__new__(made)

    async def start(self: object) -> None:
        del self

    monkeypatch.setattr(Consumer, "on_start", start)
    monkeypatch.setattr(Consumer, "should_stop", False)
    monkeypatch.setattr(cursor, "BEAT_SECONDS", 0.0)

    async def reads() -> None:
        await consumer.on_start()
        for _ in range(20):
            clock.now += SESSION_SECONDS - 1
            beaten = recovered.loop_age
            while recovered.loop_age == beaten:
                await asyncio.sleep(0)

    asyncio.run(reads())
    assert recovered.loop_age == 0


def test_what_waits_to_be_sent_is_not_sent_any_more(
    recovered: Positions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    async def send(node: int, batches: object) -> None:
        sent.append(node)

    made: Any = SimpleNamespace(_sender=SimpleNamespace(_send_produce_req=send))
    monkeypatch.setattr(Producer, "_new_producer", lambda *_: made)
    producer = recovered.app.transport.Producer
    sender = producer._new_producer(producer.__new__(producer))._sender
    asyncio.run(sender._send_produce_req(1, {}))
    clock.now += SESSION_SECONDS + 1
    with pytest.raises(Stopped, match="stood still"):
        asyncio.run(sender._send_produce_req(2, {}))
    assert sent == [1]
