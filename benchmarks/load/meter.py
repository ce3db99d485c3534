"""What a process has used, and what that is for each event. Linux only; of the standard library alone.

Contenders import this in environments of their own, where little else is installed.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

# Before this share of the events is through, a contender still warms up.
WARM = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Mark(NamedTuple):
    """Where a process stood at a moment.

    Attributes:
        events: how many it had read.
        cpu: seconds of processor time, user and system, of all its threads since it began.
        wall: seconds on the monotonic clock.
        resident: bytes of memory.
    """

    events: int
    cpu: float
    wall: float
    resident: int


class TooFew(Exception):
    """There were too few events to measure; the message says how many."""


class Cost(NamedTuple):
    """What reading took between two marks.

    Attributes:
        micros: microseconds of processor time an event.
        rate: events a second by the clock on the wall.
        resident: bytes of memory at the second mark.
    """

    micros: float
    rate: float
    resident: int


def cost(warm: Mark, end: Mark) -> Cost:
    """What the events between two marks took.

    >>> cost(Mark(100, 1.0, 10.0, 5), Mark(1_100, 1.01, 10.5, 7))
    Cost(micros=10.0, rate=2000.0, resident=7)

    Raises:
        TooFew: all was read between two looks.
    """
    events = end.events - warm.events
    if not events:
        raise TooFew(f"{end.events:,} events were read between two looks; measure with more")
    micros = round((end.cpu - warm.cpu) * 1e6 / events, 3)
    return Cost(micros, round(events / (end.wall - warm.wall), 1), end.resident)


def cpu_seconds(stat: str) -> float:
    """Processor time of a process from its ``/proc/PID/stat``.

    >>> cpu_seconds("7 (a) b) S 1 1 1 0 -1 4 9 0 0 0 250 50 0 0 20") * os.sysconf("SC_CLK_TCK")
    300.0
    """
    # The name in brackets may hold anything, so the fields are counted from its end.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def mark_of(pid: int, events: int) -> Mark:
    """Where another process stands."""
    proc = Path("/proc") / str(pid)
    return Mark(
        events, cpu_seconds((proc / "stat").read_text()), time.monotonic(), resident_bytes(proc / "statm")
    )


def resident_bytes(statm: Path) -> int:
    """Memory of a process from its ``/proc/PID/statm``."""
    return int(statm.read_text().split()[1]) * _PAGE


class Meter:
    """Counts the events of the process it is in; writes a mark when it is warm, and at the end.

    Args:
        events: how many will come, many more than at once.
    """

    def __init__(self, events: int) -> None:
        self.events = 0
        self._all = events
        self._due = [round(events * WARM), events]

    def add(self, events: int) -> None:
        """So many more are through."""
        self.events += events
        if self._due and self.events >= self._due[0]:
            del self._due[0]
            used = resource.getrusage(resource.RUSAGE_SELF)
            memory = resident_bytes(Path("/proc/self/statm"))
            mark = Mark(self.events, used.ru_utime + used.ru_stime, time.monotonic(), memory)
            print(written(mark), flush=True)

    @property
    def done(self) -> bool:
        """Whether all are through."""
        return self.events >= self._all


def written(mark: Mark) -> str:
    """A mark as a line of a contender's output."""
    return "mark " + json.dumps(mark)


def read(line: str) -> Mark | None:
    """The mark on a line, if it is one.

    >>> read(written(Mark(1, 2.0, 3.0, 4))), read("something else")
    (Mark(events=1, cpu=2.0, wall=3.0, resident=4), None)
    """
    word, _, rest = line.partition(" ")
    return Mark(*json.loads(rest)) if word == "mark" else None


def task() -> dict[str, object]:
    """What this process was told to do: the JSON object in its first argument."""
    told: dict[str, object] = json.loads(sys.argv[1])
    return told
