"""How far a long job is: a bar on a terminal, a line in the log now and then otherwise."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

EVERY_SECONDS = 10.0

_log = structlog.get_logger(__name__)


class Advance:
    """One job, as a context manager; both forms go to stderr.

    Args:
        what: the job, as in `replaying`.
        clock: monotonic seconds.
        console: where a bar would be; it is drawn only on a terminal.
    """

    def __init__(
        self, what: str, clock: Callable[[], float] = time.monotonic, console: Console | None = None
    ) -> None:
        self._what, self._now = what, clock
        self._console = console or Console(file=sys.stderr)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._told = clock()

    def __enter__(self) -> "Advance":
        if self._console.is_terminal:
            columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")
            self._bar = Progress(*columns, TimeRemainingColumn(), console=self._console, transient=True)
            self._task = self._bar.add_task(self._what, total=None)
            self._bar.start()
        self._told = self._now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def reach(self, done: int, total: int | None) -> None:
        """So much is done now, of so much in all; None if nobody knows. Cheap enough for every step."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif self._now() - self._told >= EVERY_SECONDS:
            self._told = self._now()
            percent = round(100 * done / total) if total else None
            _log.info(self._what, done=done, of=total, percent=percent)
