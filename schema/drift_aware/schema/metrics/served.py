"""How a role without a server of its own answers Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from drift_aware.schema.errors import SettingsError


@contextmanager
def served(port: int, registry: CollectorRegistry) -> Iterator[None]:
    """Answer Prometheus on ``port`` inside the block; 0 serves nothing.

    Raises:
        SettingsError: the port cannot be had.
    """
    if port == 0:
        yield
        return
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise SettingsError(f"cannot serve metrics on port {port}: {error.strerror}") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
