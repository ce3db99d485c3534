"""The catalogue of baselines, ``drift.baselines.v1``: who is compared with what."""

import threading
from collections.abc import Callable

import msgspec
import structlog

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import BASELINES
from drift_aware.streams import reader
from drift_aware.streams.stage import Input

_log = structlog.get_logger(__name__)
_baseline = msgspec.json.Decoder(Baseline).decode

RETRY_SECONDS = 5.0
# How long a start waits for the baselines that are there; embeddings counted before are not scored.
PATIENCE_SECONDS = 60.0


def baselines(settings: Settings) -> list[Baseline]:
    """The baselines in force, one for each family of each segment.

    Raises:
        Unreachable: the broker does not answer.
    """
    latest = reader.read_all(settings, BASELINES.name)
    return [_baseline(value) for value in latest.values() if value is not None]


class Follower:
    """Tells of every baseline there is and of every new one, from a thread of its own.

    Args:
        settings: where the broker is.
        seen: told of each, from that thread.
    """

    def __init__(self, settings: Settings, seen: Callable[[Baseline], None]) -> None:
        self._settings, self._seen = settings, seen
        self._stop, self._at_end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="baselines", daemon=True)

    def start(self) -> None:
        """Begin, and wait until those that are there have been told."""
        self._thread.start()
        if not self._at_end.wait(PATIENCE_SECONDS):
            _log.warning("baselines are slow to read; embeddings are not scored until they are there")

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                reader.follow(self._settings, BASELINES.name, self._stop, self._take, self._at_end)
            except Unreachable as error:
                _log.warning("baselines cannot be read, trying again", error=str(error))
                self._stop.wait(RETRY_SECONDS)

    def _take(self, record: Input) -> None:
        if record.value is None:
            return
        try:
            self._seen(_baseline(record.value))
        except msgspec.DecodeError as error:
            _log.warning("a baseline cannot be read", offset=record.offset, error=str(error))
