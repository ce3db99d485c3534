"""A worker that stood still for longer than its session: others may have its partitions by now."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import Producer

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


@pytest.fixture
def positions(clock: Clock) -> Positions:
    """Of an app that rebalances: no stage is ready."""

    def stop(why: str) -> None:
        raise Stopped(why)

    app = SimpleNamespace(
        sensors=SimpleNamespace(add=lambda _: None),
        transport=SimpleNamespace(),
        conf=SimpleNamespace(broker_session_timeout=SESSION_SECONDS),
    )
    return Positions(app, stop)


def test_it_stops_in_the_middle_of_a_rebalance_too(positions: Positions, clock: Clock) -> None:
    positions.beat()
    clock.now += SESSION_SECONDS - 1
    positions.beat()
    clock.now += SESSION_SECONDS + 1
    with pytest.raises(Stopped, match="stood still"):
        positions.beat()


def test_a_long_first_recovery_is_no_standstill(positions: Positions, clock: Clock) -> None:
    clock.now += 10 * SESSION_SECONDS  # nothing beats before the worker has started
    positions.refuse_after_standstill()
    positions.beat()
    positions.refuse_after_standstill()


def test_what_waits_to_be_sent_is_not_sent_any_more(
    positions: Positions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    async def send(node: int, batches: object) -> None:
        sent.append(node)

    made: Any = SimpleNamespace(_sender=SimpleNamespace(_send_produce_req=send))
    monkeypatch.setattr(Producer, "_new_producer", lambda *_: made)
    producer = positions.app.transport.Producer
    sender = producer._new_producer(producer.__new__(producer))._sender
    positions.beat()
    asyncio.run(sender._send_produce_req(1, {}))
    clock.now += SESSION_SECONDS + 1
    with pytest.raises(Stopped, match="stood still"):
        asyncio.run(sender._send_produce_req(2, {}))
    assert sent == [1]
