"""What every request leaves behind: a line in the log, a count, and headers on its answer."""

import time
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drift_aware.dashboards.api.problems import problem
from drift_aware.schema.metrics import ApiMetrics

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SHOWN_CHARACTERS = 200
# Asked every few seconds by machines, or a page that is open; in the log only for those who look for it.
_ROUTINE = ("/health", "/ready", "/metrics", "/live/overview", "/live/series")
HEADERS = {
    # Answers are data; a page that is served from here one day brings a policy of its own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_log = structlog.get_logger(__name__)


class Journal:
    """Around everything else, so that what goes wrong anywhere is answered and written down.

    Args:
        app: what comes after it.
        metrics: where to count.
    """

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request"] = str(uuid4())
        started, status = time.perf_counter(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                self._enter(scope, status, time.perf_counter() - started)
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception:
            _log.exception("a request failed", request=scope["state"]["request"])
            if status:
                raise
            answer = problem(scope, 500, "something is wrong in the server; its log says what")
            await answer(scope, receive, sent)

    def _enter(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        level = _log.debug if route in _ROUTINE and status < 500 else _log.info
        level(
            "request",
            method=method,
            path=scope["path"][:_SHOWN_CHARACTERS],
            status=status,
            ms=round(1000 * seconds, 1),
            caller=scope["state"].get("caller"),
            client=(scope.get("client") or (None,))[0],
            request=scope["state"]["request"],
        )
