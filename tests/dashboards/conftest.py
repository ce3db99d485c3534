import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig import drifting
from rig.api import TOKENS, Persisted, client, make_app
from rig.commands import Command
from rig.serving import address

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from rig.browser import Visit

Serve = Callable[..., Command]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


@pytest.fixture
def persisted(connection: Connection) -> Persisted:
    """What writes to the test's database."""
    return Persisted(connection)


@pytest.fixture
def api(database_url: str) -> Iterator[TestClient]:
    """A client with a token that may read, of the API on the test's database."""
    with client(make_app(database_url)) as found:
        yield found


@pytest.fixture
def free_port() -> int:
    """A port nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real browser, of this module alone: another that ran an event loop beside it would be disturbed."""
    from rig.browser import chromium

    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Callable[..., "Visit"]]:
    """Somebody looks at the page of a server: ``visit(url, width=375)``."""
    from rig.browser import Visit

    visits: list[Visit] = []

    def look(url: str, **window: object) -> Visit:
        visits.append(Visit(browser, url, **window))  # type: ignore[arg-type]
        return visits[-1]

    yield look
    for one in visits:
        one.close()


@pytest.fixture
def serve(start_command: Serve, database_url: str) -> Serve:
    """Starts ``serve`` on the test's database with TOKENS, unless others are given."""

    def start(*arguments: str, tokens: object = TOKENS) -> Command:
        words = arguments or ("--port", "0")
        values = {"api__tokens": json.dumps(tokens), "actions__dry_run": "false"}
        return start_command("serve", *words, database_url=database_url, **values)

    return start


@pytest.fixture
def open_url(serve: Serve) -> str:
    """A server without tokens: whoever is at this machine may look."""
    return address(serve(tokens=[]))


@pytest.fixture
def drifting_shop(persisted: Persisted, connection: Connection) -> int:
    """A database in which a shop's assistant refuses more and more; the time up to which it is known."""
    now = int(time.time() * 1000)
    persisted.make_partitions()
    drifting.fill(persisted, connection, now)
    return now


@pytest.fixture
def calm_shop(persisted: Persisted) -> int:
    """A database in which all is well; the time up to which it is known."""
    now = int(time.time() * 1000)
    persisted.make_partitions()
    drifting.calm(persisted, now)
    return now
