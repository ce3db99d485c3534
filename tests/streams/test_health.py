"""When the worker is alive, when it is ready, and that it says so over HTTP."""

import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from drift_aware.schema.errors import SettingsError
from drift_aware.streams.health import Answer, Health, serve
from drift_aware.streams.worker import LEAVE_SECONDS, WATCH_SECONDS, leave_in_time
from rig.kafka import free_ports
from rig.services import wait_until


class Worker:
    """What is asked of a worker, as a test wants it."""

    def __init__(self) -> None:
        self.ready, self.loop_age, self.standing = True, 0.1, 0.0
        self.recovery: object = (1, 100)
        self.now = 0.0

    def health(self) -> Health:
        return Health(self, lambda: self.now)


def test_a_worker_whose_loop_turns_and_whose_positions_move_is_alive() -> None:
    worker = Worker()
    assert worker.health().alive() == Answer(
        True, {"alive": True, "reason": None, "loop_seconds": 0.1, "standing_seconds": 0.0}
    )


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [({"loop_age": 16.0}, "the loop has not turned for 16 s"), ({"standing": 46.0}, "stands still for 46 s")],
)
def test_a_loop_that_hangs_or_a_position_that_does_not_move_is_not_alive(
    trouble: dict[str, float], reason: str
) -> None:
    worker = Worker()
    vars(worker).update(trouble)
    good, said = worker.health().alive()
    assert (good, said["alive"]) == (False, False)
    assert reason in said["reason"]


def test_a_recovery_is_alive_as_long_as_it_goes_forward() -> None:
    worker = Worker()
    worker.ready = False
    health = worker.health()
    answers = []
    for now, left in ((0, 100), (100, 90), (200, 80), (319, 80), (321, 80), (330, 70)):
        worker.now, worker.recovery = now, (1, left)
        answers.append(health.alive().good)
    assert answers == [True, True, True, True, False, True]
    assert not health.ready().good


def test_both_are_answered_over_http_beside_the_metrics() -> None:
    (port,) = free_ports(1)
    worker, registry = Worker(), CollectorRegistry()
    Counter("things", "Some.", registry=registry).inc()
    serve(port, registry, worker.health())

    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    assert get("/health")[0] == 200
    assert get("/ready?verbose")[0] == 200
    assert "things_total 1.0" in get("/metrics")[1]
    assert get("/secrets")[0] == 404
    worker.ready, worker.loop_age = False, 99.0
    status, body = get("/ready")
    assert (status, json.loads(body)) == (
        503,
        {"ready": False, "reason": "recovering, or being rebalanced"},
    )
    worker.ready = True
    assert get("/health")[0] == 503
    with pytest.raises(SettingsError, match="PROMETHEUS_PORT"):
        serve(port, registry, worker.health())


class Waits(Collector):
    """Has an answer of megabytes, but not before the one who asked has gone."""

    def __init__(self) -> None:
        self.asked, self.gone = threading.Event(), threading.Event()

    def collect(self) -> Iterator[Metric]:
        self.asked.set()
        assert self.gone.wait(10)
        long = GaugeMetricFamily("long", "Very.", labels=["number"])
        for number in range(50_000):
            long.add_metric([f"{number:064}"], number)
        yield long

    def describe(self) -> list[Metric]:
        return []


def test_one_who_asks_and_goes_away_leaves_no_trace_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    registry, waits = CollectorRegistry(), Waits()
    registry.register(waits)
    serve(port, registry, Worker().health())
    before = set(threading.enumerate())
    with socket.create_connection(("127.0.0.1", port)) as asking:
        asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert waits.asked.wait(10)
        # Closed so, it answers whatever still comes with a reset.
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    waits.gone.set()
    wait_until(lambda: set(threading.enumerate()) <= before, 10, "the end of the answer")
    assert capfd.readouterr().err == ""


def test_a_worker_that_was_told_to_stop_and_hangs_is_ended() -> None:
    told = iter([False, False, True])
    slept: list[float] = []
    reasons: list[str] = []
    leave_in_time(lambda: next(told), reasons.append, slept.append)
    assert slept == [WATCH_SECONDS, WATCH_SECONDS, LEAVE_SECONDS]
    assert reasons == ["it was told to stop 25 s ago, and has not ended"]
