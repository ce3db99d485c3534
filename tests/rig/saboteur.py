"""A publisher whose every method raises, to see that nobody notices."""

from typing import Any, NoReturn

from drift_aware.producers.interface import EventPublisher
from drift_aware.producers.tally import Stats


class Saboteur(EventPublisher):
    """Raises from whatever is asked of it.

    Attributes:
        asked: how often it was.
    """

    def __init__(self) -> None:
        self.asked = 0

    def interaction(self, /, *unexpected: object, **fields: Any) -> NoReturn:
        self._raise()

    def embedding(self, vector: object = None, /, *unexpected: object, **fields: Any) -> NoReturn:
        self._raise()

    @property
    def stats(self) -> Stats:
        self._raise()

    def flush(self, timeout_seconds: float = 10.0) -> int:
        self._raise()

    def close(self, timeout_seconds: float = 5.0) -> None:
        self._raise()

    def _take(self, draft: object) -> None:
        self._raise()

    def _drop(self, reason: object, why: str) -> None:
        self._raise()

    def _raise(self) -> NoReturn:
        self.asked += 1
        raise RuntimeError("sabotage")
