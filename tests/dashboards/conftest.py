import socket
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig.api import Persisted, client, make_app


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
