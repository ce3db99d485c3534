import socket

import pytest


@pytest.fixture
def free_port() -> int:
    """A port nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
