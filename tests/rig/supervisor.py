"""Worker processes that are started again when they die, as a supervisor does in production."""

import signal
from collections import Counter
from collections.abc import Callable

from rig.commands import Command
from rig.services import wait_until

# What a supervisor must be ready for: the worker stopped to stay exact, or was killed.
UNSAFE = 3
_STARTS_AGAIN = (UNSAFE, -signal.SIGKILL)
# A worker that is started while the broker is away says so and stops.
_UNREACHABLE = 1
_LEAVE_SECONDS = 60.0


class Supervisor:
    """Keeps workers running; wait with its ``wait``.

    Args:
        start: starts one worker.

    Attributes:
        ends: how often a worker ended with which exit code.
        broker_was_away: a worker that started in the meantime may have given up.
    """

    def __init__(self, start: Callable[[], Command]) -> None:
        self._start = start
        self._running: list[Command] = []
        self.ends: Counter[int] = Counter()
        self.broker_was_away = False

    def __len__(self) -> int:
        return len(self._running)

    def __getitem__(self, which: int) -> Command:
        return self._running[which % len(self._running)]

    def join(self) -> None:
        """One worker more."""
        self._running.append(self._start())

    def leave(self, which: int) -> None:
        """Send a worker away in order."""
        leaving = self[which]
        self._running.remove(leaving)
        leaving.send(signal.SIGTERM)
        self.wait(
            lambda: leaving.exit_code is not None,
            _LEAVE_SECONDS,
            lambda: f"a worker leaves: {leaving.shown()}",
        )
        # One that has not yet begun to listen to signals ends by it; what it had not done is done by others.
        assert leaving.exit_code in (0, -signal.SIGTERM, *self._forgiven()), leaving.shown()

    def tend(self) -> None:
        """Start again what has died.

        Raises:
            AssertionError: a worker has ended for a reason that a supervisor must not hide.
        """
        for place, worker in enumerate(self._running):
            code = worker.exit_code
            if code is not None:
                assert code in self._forgiven(), worker.shown()
                self.ends[code] += 1
                self._running[place] = self._start()

    def wait(
        self, condition: Callable[[], bool], timeout_seconds: float, what: str | Callable[[], str]
    ) -> None:
        """``wait_until``, and start again meanwhile what dies."""

        def asked() -> bool:
            self.tend()
            return condition()

        def message() -> str:
            return f"{what() if callable(what) else what}\n{self.shown()}"

        wait_until(asked, timeout_seconds, message)

    def shown(self) -> str:
        """What the workers that run now have said."""
        return "\n".join([f"ends: {dict(self.ends)}", *(worker.shown() for worker in self._running)])

    def _forgiven(self) -> tuple[int, ...]:
        return (*_STARTS_AGAIN, _UNREACHABLE) if self.broker_was_away else _STARTS_AGAIN
