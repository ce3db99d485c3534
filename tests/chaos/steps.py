"""Scenarios as data: what goes wrong, and after which share of the events."""

from dataclasses import dataclass
from random import Random
from typing import Literal

Trouble = Literal["kill", "join", "leave", "broker", "reject", "poison", "freeze"]


@dataclass(frozen=True)
class Step:
    """One thing that goes wrong.

    Attributes:
        at: once this share of the events is counted; publishing goes on meanwhile.
        what: kill, freeze or send away a worker; let one join; kill the broker; have it reject what is
            written to a changelog; publish bad records.
        which: the number of the worker or of the changelog, modulo how many there are.
        quiet: nothing comes while it goes wrong, and all that came before is counted.
    """

    at: float
    what: Trouble
    which: int = 0
    quiet: bool = False


@dataclass(frozen=True)
class Scenario:
    """Steps in order, with the number of workers at the beginning."""

    name: str
    workers: int
    steps: tuple[Step, ...]


def scenario(name: str, seed: int) -> Scenario:
    """The steps of a scenario; their times and choices come from the seed."""
    random = Random(f"{name} {seed}")
    workers, troubles = (random.randint(1, 2), _mixed(random)) if name == MIXED else _TROUBLES[name]
    times = sorted(random.uniform(0.05, 0.6) for _ in troubles)
    quiet = name == QUIET
    steps = [Step(at, what, random.randrange(6), quiet) for at, what in zip(times, troubles, strict=True)]
    return Scenario(name, workers, tuple(steps))


def _mixed(random: Random) -> list[Trouble]:
    """Any of them; a broker that is away takes long, so at most once."""
    often: list[Trouble] = ["kill", "kill", "join", "join", "leave", "reject", "poison", "freeze"]
    troubles = random.choices(often, k=5)
    if random.random() < 0.5:
        troubles.append("broker")
    random.shuffle(troubles)
    return troubles


MIXED, QUIET = "mixed", "restarts while nothing comes"
_TROUBLES: dict[str, tuple[int, list[Trouble]]] = {
    "killed five times": (1, ["kill"] * 5),
    "workers join and leave": (1, ["join", "leave", "join", "join", "leave", "leave"]),
    "one of two is killed": (2, ["kill"]),
    "the broker is away": (1, ["broker"]),
    "rejected writes": (1, ["reject"]),
    "poison": (1, ["poison", "poison"]),
    "frozen longer than the session": (2, ["freeze"]),
    QUIET: (1, ["kill", "leave"]),
}
NAMES = (*_TROUBLES, MIXED)
