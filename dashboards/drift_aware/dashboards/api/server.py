"""The server process: a socket of ours, uvicorn on it, until a signal ends it."""

import socket

import structlog
import uvicorn

from drift_aware.dashboards.api.access import require_safe
from drift_aware.dashboards.api.app import create
from drift_aware.dashboards.live.changes import Changes
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.settings import Settings

# Longer than common load balancers keep an idle connection, or they would send into one that we close.
_KEEP_ALIVE_SECONDS = 65
# A request ends sooner by its statement timeout; what is still open then is cut off.
_GRACE_SECONDS = 10
# Beyond this 503 is answered at once; each waits for a connection to the database anyway.
_MOST_CONNECTIONS = 500

_log = structlog.get_logger(__name__)


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; what is being answered then is finished.

    Raises:
        SettingsError: the address cannot be had, or must not be without tokens.
    """
    app = create(settings)
    require_safe(app.state.access, host)
    with _listening(host, port) as listener:
        where = listener.getsockname()
        _log.info("serving", host=where[0], port=where[1], tokens=len(settings.api.tokens))
        config = uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever is in front of us is not known, so what it says of clients is not believed.
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        _Server(config, app.state.changes).run(sockets=[listener])
    _log.info("stopped")


class _Server(uvicorn.Server):
    """Ends the streams that would never end before it waits for what is being answered."""

    def __init__(self, config: uvicorn.Config, changes: Changes) -> None:
        super().__init__(config)
        self._changes = changes

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._changes.close()
        await super().shutdown(sockets)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; set PORT and api.host"
        ) from None
