"""Which deployments and drifts the benchmark of the promise simulates, and what came of each."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from detect.episodes import Episode, LifeCase, MoveCase, delays_of, life_of
from detect.fleet import FleetCase, Page, pages_of
from detect.traffic import Traffic

Case = FleetCase | LifeCase | MoveCase
# How many deployments for each number of pages promised.
Seeds = Mapping[float, int]
NAMES = ("fleet", "season", "conversations", "lifecycle")

CALM = "calm, every segment alike"
OWN = "calm, segments with rates of their own (within e^±0.5)"
SEASON = "±20 % over the day, hours told apart"
ONE_BASELINE = "±20 % over the day, one baseline for all hours"
FIRST_TURNS = "conversations, first turns counted"
EVERY_TURN = "conversations, every turn counted"

_FACTORS = (1.15, 1.3, 1.5, 2.0, 3.0, 4.0)
# The fewer pages are promised, the more deployments it takes to see any.
_SEEDS = {1.0: 4, 10.0: 1, 100.0: 1}
_FEWER = {1.0: 3, 10.0: 1}
_MANY = {100.0: 1}
_TEN = {10.0: 1}


class FleetRow(msgspec.Struct, tag="fleet"):
    """The false pages of a deployment."""

    case: FleetCase
    pages: list[Page]


class LifeRow(msgspec.Struct, tag="life"):
    """What was said of drifts that come and go."""

    case: LifeCase
    episodes: list[Episode]


class MoveRow(msgspec.Struct, tag="move"):
    """Hours until a change was found, by segment."""

    case: MoveCase
    delays: dict[str, float | None]


Row = FleetRow | LifeRow | MoveRow


def play(case: Case) -> Row:
    """Simulate a case: seconds for drifts, minutes for a whole deployment."""
    match case:
        case FleetCase():
            return FleetRow(case, pages_of(case))
        case LifeCase():
            return LifeRow(case, life_of(case))
        case MoveCase():
            return MoveRow(case, delays_of(case))


def cases(name: str, quick: bool) -> list[Case]:
    """The cases of one of ``NAMES``."""
    if name == "lifecycle":
        return [*_moves(quick), *_lives(quick)]
    if quick:
        return list(_fleets_of(name, Traffic(first=20, last=50, days=30), _TEN, {}))
    return list(_fleets_of(name, Traffic(), _SEEDS if name == "fleet" else _FEWER, _MANY))


def _fleets_of(name: str, traffic: Traffic, seeds: Seeds, brief: Seeds) -> Iterator[FleetCase]:
    """The deployments of a name, and one for contrast; a month is enough where there are many pages."""
    month = replace(traffic, days=30)
    match name:
        case "fleet":
            yield from _fleets(CALM, seeds, traffic)
            yield from _fleets(OWN, _TEN, replace(month, spread=0.5))
        case "season":
            for times, long in ((seeds, traffic), (brief, month)):
                yield from _fleets(SEASON, times, replace(long, swing=0.2), hourly=True, skipped_days=1)
            yield from _fleets(ONE_BASELINE, _TEN, replace(month, swing=0.2), skipped_days=1)
        case _:
            for times, long in ((seeds, traffic), (brief, month)):
                yield from _fleets(FIRST_TURNS, times, replace(long, counted="first turns"))
            yield from _fleets(EVERY_TURN, _TEN, replace(month, counted="every turn"))


def _fleets(
    scenario: str, seeds: Seeds, traffic: Traffic, hourly: bool = False, skipped_days: int = 0
) -> Iterator[FleetCase]:
    for promised, number in seeds.items():
        for seed in range(number):
            yield FleetCase(scenario, promised, seed, traffic, hourly, skipped_days)


def _lives(quick: bool) -> Iterator[LifeCase]:
    for factor in (1.3, 2.0) if quick else _FACTORS:
        for monitors in (1, 800):
            for seed in range(2 if quick else 10):
                yield LifeCase(factor, monitors, seed)


def _moves(quick: bool) -> Iterator[MoveCase]:
    for events_per_day in (330_000.0,) if quick else (50_000.0, 330_000.0):
        for moved in (None, 0, 49, 99):
            for seed in range(1 if quick else 5 if moved is None else 15):
                yield MoveCase(moved, events_per_day, seed)
