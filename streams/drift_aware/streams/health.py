"""Whether the worker is alive and whether it is ready, over HTTP, beside its metrics.

``GET /health`` answers 200 while the loop turns and positions move as long as there is something to read, and
while a recovery goes forward; a supervisor should start the process again after a few 503. ``GET /ready``
answers 200 when the worker has its partitions, has recovered them, and no rebalance is under way.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from http.server import ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple, Protocol

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import MetricsHandler

from drift_aware.schema.errors import SettingsError

LOOP_SECONDS = 15.0
STANDING_SECONDS = 45.0
RECOVERY_SECONDS = 120.0

_json = msgspec.json.Encoder().encode


class Watched(Protocol):
    """What is asked, from another thread than the worker's own."""

    @property
    def ready(self) -> bool:
        """Whether every stage has recovered and no rebalance is under way."""

    @property
    def loop_age(self) -> float:
        """Seconds since the loop last turned."""

    @property
    def standing(self) -> float:
        """For how many seconds a partition with unread records has stood still, at most."""

    @property
    def recovery(self) -> object:
        """How far a recovery is; it differs whenever it has gone forward."""


class Answer(NamedTuple):
    """What is said, and whether it is good news."""

    good: bool
    said: dict[str, Any]


class Health:
    """The two questions.

    Args:
        watched: the worker.
        clock: monotonic seconds.
    """

    def __init__(self, watched: Watched, clock: Callable[[], float] = time.monotonic) -> None:
        self._watched, self._now = watched, clock
        self._lock = Lock()
        self._recovery: object = None
        self._since = clock()

    def alive(self) -> Answer:
        """``GET /health``."""
        watched = self._watched
        if not watched.ready:
            stalled = self._stalled()
            reason = None if stalled < RECOVERY_SECONDS else f"recovery stands still for {stalled:.0f} s"
            return Answer(reason is None, {"alive": reason is None, "reason": reason})
        loop, standing = watched.loop_age, watched.standing
        reason = None
        if loop > LOOP_SECONDS:
            reason = f"the loop has not turned for {loop:.0f} s"
        elif standing > STANDING_SECONDS:
            reason = f"a partition with unread records stands still for {standing:.0f} s"
        numbers = {"loop_seconds": round(loop, 3), "standing_seconds": round(standing, 3)}
        return Answer(reason is None, {"alive": reason is None, "reason": reason, **numbers})

    def ready(self) -> Answer:
        """``GET /ready``."""
        good = self._watched.ready
        return Answer(good, {"ready": good, "reason": None if good else "recovering, or being rebalanced"})

    def _stalled(self) -> float:
        """For how long a recovery has not gone forward, as far as these questions have seen."""
        with self._lock:
            now, recovery = self._now(), self._watched.recovery
            if recovery != self._recovery:
                self._recovery, self._since = recovery, now
            return now - self._since


def serve(port: int, registry: CollectorRegistry, health: Health) -> None:
    """Answer on a port, from a thread of its own, until the process ends; 0 answers nowhere.

    Raises:
        SettingsError: the port is taken.
    """
    if not port:
        return
    answers = {"/health": health.alive, "/ready": health.ready}

    class Handler(MetricsHandler.factory(registry)):  # type: ignore[misc]
        def do_GET(self) -> None:  # noqa: N802
            # Who goes away before the answer is no error of ours, and no trace in our log.
            with suppress(ConnectionError):
                self._answer(self.path.partition("?")[0])

        def _answer(self, path: str) -> None:
            if path in answers:
                self._say(answers[path]())
            elif path in ("/", "/metrics"):
                super().do_GET()
            else:
                self.send_error(404, "there are /metrics, /health and /ready")

        def _say(self, answer: Answer) -> None:
            body = _json(answer.said)
            self.send_response(200 if answer.good else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except OSError as error:
        raise SettingsError(f"no metrics on port {port}: {error.strerror}; set PROMETHEUS_PORT") from None
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="health", daemon=True).start()
