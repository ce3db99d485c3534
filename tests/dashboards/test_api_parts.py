"""What stands around the routes, without a server: bodies and pace."""

import asyncio
import math
from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from drift_aware.dashboards.api.bodies import Bodies
from drift_aware.dashboards.api.pace import Pace

Message = MutableMapping[str, Any]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(await Request(scope, receive).body())(scope, receive, send)


def answered(pieces: Sequence[bytes], end: str = "complete", **limits: Any) -> tuple[int, bytes] | None:
    """Status and body of the answer to a body that comes in pieces, declares no length, and then ends so."""
    waiting: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if end == "complete":
        waiting.append({"type": "http.request", "body": b"", "more_body": False})
    elif end == "disconnect":
        waiting.append({"type": "http.disconnect"})
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Bodies(echo, **limits)({"type": "http", "headers": [], "state": {}}, receive, send))
    return (sent[0]["status"], sent[1]["body"]) if sent else None


@given(st.lists(st.binary(max_size=20), max_size=10), st.integers(0, 100))
def test_a_body_passes_unchanged_or_not_at_all(pieces: list[bytes], most: int) -> None:
    body = b"".join(pieces)
    found = answered(pieces, most=most)
    assert found is not None
    assert found[0] == (200 if len(body) <= most else 413)
    assert found[0] == 413 or found[1] == body


def test_a_body_that_does_not_end_is_not_waited_for() -> None:
    found = answered([b"{"], end="never", seconds=0.01)
    assert found is not None
    assert found[0] == 408


def test_half_a_body_of_a_client_that_went_away_is_not_passed_on() -> None:
    assert answered([b"{}"], end="disconnect") is None


@given(st.integers(1, 100), st.lists(st.floats(0, 120), min_size=1, max_size=200))
def test_nobody_gets_more_than_the_rate_and_a_minute_at_once(per_minute: int, pauses: list[float]) -> None:
    now = [0.0]
    pace = Pace(per_minute, lambda: now[0])
    passed = 0
    for pause in pauses:
        now[0] += pause
        passed += pace.wait("a") == 0
        assert passed <= per_minute * (1 + now[0] / 60) + 1e-6


@given(st.integers(1, 100), st.integers(0, 300))
def test_whoever_waits_as_long_as_told_passes(per_minute: int, before: int) -> None:
    now = [0.0]
    pace = Pace(per_minute, lambda: now[0])
    for _ in range(before):
        pace.wait("a")
    wait = pace.wait("a")
    assert (wait == 0) == (before < per_minute)
    now[0] += math.ceil(wait)
    assert wait == 0 or pace.wait("a") == 0


@pytest.mark.parametrize("per_minute", [1, 30])
def test_callers_do_not_share(per_minute: int) -> None:
    pace = Pace(per_minute, lambda: 0.0)
    assert [pace.wait("a") == 0 for _ in range(per_minute + 1)] == [True] * per_minute + [False]
    assert pace.wait("b") == 0
