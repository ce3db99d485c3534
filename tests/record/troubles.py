"""What goes wrong while the record is written, as data: the same for the same seed."""

from dataclasses import dataclass
from random import Random
from typing import Literal

Trouble = Literal["kill", "join", "leave", "restart", "cut"]


@dataclass(frozen=True)
class Step:
    """One thing that goes wrong.

    Attributes:
        at: once this share of the events is in the record; publishing goes on meanwhile.
        what: kill a process; let one join or leave in order; restart the database in order, or cut its power.
        which: the number of the process, modulo how many there are.
    """

    at: float
    what: Trouble
    which: int


def steps(seed: int) -> list[Step]:
    """Three kills, a second process that comes and goes, and both ways of a database to stop, shuffled."""
    random = Random(seed)
    troubles: list[Trouble] = ["kill", "kill", "kill", "leave", "restart", "cut"]
    random.shuffle(troubles)
    # A second one is there from the beginning of most of it, so that what dies is one of two.
    troubles.insert(random.randrange(2), "join")
    times = sorted(random.uniform(0.05, 0.85) for _ in troubles)
    return [Step(at, what, random.randrange(6)) for at, what in zip(times, troubles, strict=True)]
