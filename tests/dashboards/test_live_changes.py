"""The stream that says when to look again."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import psycopg
import pytest
from fastapi.testclient import TestClient

from drift_aware.actions import answers, ledger
from drift_aware.dashboards.live.changes import MOST_LISTENERS, Changes, Versions, versions
from drift_aware.schema import wire_examples
from drift_aware.sql.store import Connection
from rig.api import READS, TOKENS, Persisted, client, make_app
from rig.commands import Command
from rig.services import wait_until
from rig.serving import address, status
from rig_events import NOON, alert, readings


class Desk:
    """A record that stands where it is told to, and fails while it is told to."""

    def __init__(self) -> None:
        self.at = Versions(1, 1, None)
        self.broken = False
        self.looks = 0

    def look(self) -> Versions:
        self.looks += 1
        if self.broken:
            raise psycopg.OperationalError("away")
        return self.at


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def following(stream: AsyncIterator[bytes], name: bytes = b"event: changed") -> Any:
    """The data of the next event of the stream."""
    async with asyncio.timeout(30):
        async for piece in stream:
            if piece.startswith(name):
                return json.loads(piece.partition(b"data: ")[2])
    raise AssertionError("the stream has ended")


def told(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(desk.at)
    return found


def test_a_listener_is_told_at_once_and_after_every_change(desk: Desk) -> None:
    async def listen() -> None:
        changes = Changes(desk.look, poll_seconds=0.001)
        stream = changes.stream()
        assert await anext(stream) == b"retry: 2000\n\n"
        assert await following(stream) == told(desk)
        desk.at = Versions(2, 1, NOON)
        assert await following(stream) == told(desk)
        await stream.aclose()

    asyncio.run(listen())


def test_one_look_serves_all_and_nobody_looks_for_nobody(desk: Desk) -> None:
    async def listen() -> None:
        changes = Changes(desk.look, poll_seconds=60)
        streams = [changes.stream() for _ in range(20)]
        for stream in streams:
            assert await following(stream) == told(desk)
        assert (desk.looks, changes.listeners) == (1, 20)
        for stream in streams:
            await stream.aclose()
        assert changes.listeners == 0
        # Whoever comes later is told of now, not of then.
        desk.at = Versions(5, 5, None)
        later = changes.stream()
        assert await following(later) == told(desk)
        assert desk.looks == 2
        await later.aclose()

    asyncio.run(listen())


def test_a_quiet_stream_gives_signs_of_life(desk: Desk) -> None:
    async def listen() -> None:
        changes = Changes(desk.look, poll_seconds=60, heartbeat_seconds=0.001)
        stream = changes.stream()
        assert await following(stream) == told(desk)
        assert await anext(stream) == b": still here\n\n"
        await stream.aclose()

    asyncio.run(listen())


def test_a_database_that_is_away_is_waited_for(desk: Desk) -> None:
    async def listen() -> None:
        changes = Changes(desk.look, poll_seconds=0.001, heartbeat_seconds=0.001)
        stream = changes.stream()
        await following(stream)
        desk.broken, before = True, desk.looks
        while desk.looks < before + 3:
            assert await anext(stream) == b": still here\n\n"
        desk.at, desk.broken = Versions(9, 9, None), False
        assert await following(stream) == told(desk)
        await stream.aclose()

    asyncio.run(listen())


def test_closing_ends_every_stream_and_those_that_begin_later(desk: Desk) -> None:
    async def listen() -> None:
        changes = Changes(desk.look, poll_seconds=60)
        streams = [changes.stream() for _ in range(3)]
        for stream in streams:
            await following(stream)
        changes.close()
        async with asyncio.timeout(30):
            assert [[piece async for piece in stream] for stream in streams] == [[], [], []]
            assert [piece async for piece in changes.stream()] == [b"retry: 2000\n\n"]
        assert changes.listeners == 0

    asyncio.run(listen())


def test_every_kind_of_change_is_one(persisted: Persisted, connection: Connection) -> None:
    seen = [versions(connection)]

    def changed() -> set[str]:
        seen.append(versions(connection))
        before, after = (msgspec.to_builtins(each) for each in seen[-2:])
        return {name for name in after if after[name] != before[name]}

    assert seen[0] == Versions(0, 0, None)
    persisted.alerts([alert(1), alert(2)])
    assert changed() == {"alerts"}
    persisted.alerts([alert(1)])
    assert changed() == set()
    persisted.alerts([alert(1, revision=2, status="resolved")])
    assert changed() == {"alerts"}
    with connection.transaction():
        ledger.enter(connection, wire_examples.ACTION, wire_examples.ALERT, expires_hours=72)
    assert changed() == {"actions"}
    with connection.transaction():
        answers.approve(connection, wire_examples.ACTION.id, "ops", "")
    assert changed() == {"actions"}
    persisted.readings([readings(NOON)])
    assert changed() == {"panes"}
    persisted.readings([readings(NOON, segment="app=shop")])
    assert changed() == set()


def test_a_change_that_began_earlier_and_ended_later_is_seen(
    persisted: Persisted, connection: Connection, database_url: str
) -> None:
    persisted.alerts([alert(1)])
    with psycopg.connect(database_url) as slow:
        slow.execute("UPDATE drift_events SET revision = 2, updated_at = now() WHERE id = 'a1'")
        persisted.alerts([alert(2)])
        before = versions(connection)
    assert versions(connection).alerts != before.alerts


def test_more_than_there_are_places_for_are_told_to_come_back(database_url: str) -> None:
    app = make_app(database_url)
    app.state.changes = Changes(Desk().look, most=0)
    with client(app) as api:
        answer = api.get("/live/events")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert answer.json()["detail"] == "as many listen as there are places for"


def test_listening_needs_a_token_like_reading(api: TestClient) -> None:
    assert api.get("/live/events", headers={"Authorization": ""}).status_code == 401


class Listener:
    """A connection to the stream of a server."""

    def __init__(self, url: str) -> None:
        self.answer = urlopen(Request(f"{url}/live/events", headers=READS), timeout=60)

    def changed(self) -> Any:
        """The data of the next event; None at the end of the stream."""
        for line in self.answer:
            if line.startswith(b"data: "):
                return json.loads(line.removeprefix(b"data: "))
        return None


@pytest.fixture
def serving(start_command: Callable[..., Command], database_url: str) -> Command:
    return start_command(
        "serve", "--port", "0", database_url=database_url, api__tokens=json.dumps(TOKENS), log_level="DEBUG"
    )


def test_a_server_tells_of_a_row_that_is_committed_and_ends_its_streams_when_it_ends(
    serving: Command, persisted: Persisted
) -> None:
    url = address(serving)
    one, other = Listener(url), Listener(url)
    assert one.answer.headers["Content-Type"].startswith("text/event-stream")
    assert one.changed() == other.changed() == {"alerts": 0, "actions": 0, "panes": None}
    persisted.alerts([alert(1)])
    first = one.changed()
    assert first["alerts"] != 0
    assert other.changed() == first
    other.answer.close()
    persisted.alerts([alert(2)])
    assert one.changed()["alerts"] != first["alerts"]
    serving.send(signal.SIGTERM)
    assert one.changed() is None
    assert serving.wait() == 0
    # Not cut off when the time for what is being answered was over.
    assert "Cancel" not in serving.stderr


def test_a_listener_that_goes_away_frees_its_place_and_none_holds_a_connection_to_the_database(
    serving: Command, connection: Connection
) -> None:
    url = address(serving)
    listeners = [Listener(url) for _ in range(MOST_LISTENERS)]
    for listener in listeners:
        assert listener.changed() is not None
    assert status(f"{url}/live/events", READS) == 503
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drift-aware serve'"
    assert connection.execute(sessions + " AND datname = current_database()").fetchone() == (1,)
    for listener in listeners:
        listener.answer.close()
    wait_until(lambda: status(f"{url}/live/events", READS) == 200, 60, serving.shown)
    assert serving.stop() == 0
