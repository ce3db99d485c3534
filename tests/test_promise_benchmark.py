"""The benchmark of the promise: its traffic, how it counts pages, and that a run goes on where it was."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detect.cases import NAMES, FleetRow, LifeRow, MoveRow, Row, cases, play
from detect.episodes import DRIFTING, Episode, LifeCase, MoveCase
from detect.fleet import Fleet, FleetCase, Page, Watched, pages_of, summary_of
from detect.journal import Journal
from detect.tables import fleet_table, life_table, move_table, poisson_interval, tables
from detect.traffic import DAY_MS, RATES, Counted, Traffic, arrivals, draw, tallies, zipf

SMALL = Traffic(first=2, last=4, days=3, events_per_day=4_000.0)


def test_segments_arrive_evenly_and_only_then_have_events() -> None:
    arrival = arrivals(SMALL)
    assert arrival.tolist() == [0, 0, DAY_MS, 2 * DAY_MS]
    for tally in tallies(SMALL, seed=1):
        assert not tally.events[arrival > tally.start].any()
        assert (tally.hits <= tally.events[:, None]).all()


def test_the_busiest_segment_has_the_first_share_of_zipf() -> None:
    shares = zipf(3)
    assert math.isclose(shares.sum(), 1)
    assert math.isclose(shares[0], 3 * shares[2])


@pytest.mark.parametrize("counted", ["every event", "first turns", "every turn"])
def test_a_rate_is_what_it_should_be_however_it_is_counted(counted: Counted) -> None:
    rng = np.random.default_rng(3)
    events, hits = draw(rng, np.full(5_000, 50.0), np.tile(RATES, (5_000, 1)), counted)
    assert hits.sum(axis=0) / events.sum() == pytest.approx(RATES, rel=0.15)
    assert events.mean() == pytest.approx(10 if counted == "first turns" else 50, rel=0.05)


def test_every_turn_counted_scatters_more_than_chance_and_first_turns_do_not() -> None:
    scatter = {}
    kinds: tuple[Counted, ...] = ("first turns", "every turn")
    for counted in kinds:
        rng = np.random.default_rng(5)
        events, hits = draw(rng, np.full(1_000, 500.0), np.tile(RATES, (1_000, 1)), counted)
        excess = (hits - events[:, None] * RATES) ** 2 / (events[:, None] * RATES * (1 - np.array(RATES)))
        scatter[counted] = excess[:, -1].mean()
    assert scatter["first turns"] == pytest.approx(1, abs=0.2)
    assert scatter["every turn"] > 2


def test_a_monitor_that_keeps_firing_is_one_page() -> None:
    watched = Watched("s", DAY_MS, hourly=False, chosen=[DRIFTING])
    pages: list[Page] = []
    for index in range(60):
        hits = np.full(len(RATES), 30 if index < 40 else 300)
        start, end = index * 3_600_000, (index + 1) * 3_600_000
        pages += watched.update(start, end, summary_of(1_000, hits), granted_ms=float(end) * len(RATES))
    assert [page.metric for page in pages] == [DRIFTING]
    assert watched.fired == {DRIFTING: True}


def test_the_monitors_of_a_fleet_are_granted_no_more_than_the_time_that_passed() -> None:
    fleet = Fleet(SMALL.last, 1.0, hourly=False)
    for tally in tallies(SMALL, seed=2):
        fleet.update(tally)
    granted = sum(each.granted for each in fleet.books.accounts.values())
    assert 0 < granted <= tally.end


def test_the_same_case_has_the_same_pages() -> None:
    case = FleetCase("small", 1_000.0, seed=4, traffic=SMALL)
    pages = pages_of(case)
    assert pages
    assert pages == pages_of(case)


def test_a_large_drift_is_one_page_and_is_resolved() -> None:
    row = play(LifeCase(4.0, monitors=1, seed=0, episodes=1, calm_days=5, drift_days=2))
    assert isinstance(row, LifeRow)
    (episode,) = row.episodes
    assert (episode.pages, episode.resolved_early) == (1, 0)
    assert episode.found is not None
    assert episode.found < 3
    assert episode.resolved is not None
    assert episode.resolved < 48


def test_a_change_of_one_busy_segment_is_found_in_that_segment() -> None:
    row = play(MoveCase(0, 200_000.0, seed=0, segments=4, factor=3.0, learning_days=3, days=2))
    assert isinstance(row, MoveRow)
    found = row.delays["customer=0"]
    assert found is not None
    assert found < 1


def test_the_interval_of_a_count_is_garwoods() -> None:
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=1e-3)


def test_pages_over_promised_leave_out_the_skipped_days() -> None:
    case = FleetCase("s", 10.0, 0, Traffic(days=31), skipped_days=1)
    table = fleet_table([FleetRow(case, [Page("all", 0, DAY_MS), Page("a", 0, 2 * DAY_MS)])])
    assert "| s | 10 | 30 | 1 | 0 | 1.0 | **0.10** (0.00-0.56) |" in table


def test_a_drift_that_was_never_found_is_said_to_be_so() -> None:
    missed = life_table([LifeRow(LifeCase(1.15, 1, 0), [Episode()])])
    assert "| 1 | 1.15 | 1 | 0 % | - |" in missed
    assert "not found" in move_table([MoveRow(MoveCase(0, 1e5, 0), {"customer=0": None, "all": None})])
    assert tables([]) == ""


def test_a_run_that_was_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    case = MoveCase(0, 50_000.0, seed=0, segments=2, factor=4.0, learning_days=1, days=1)
    journal: Journal[Row] = Journal(path, Row)
    rows = list(journal.played(play, [case], jobs=1))
    with path.open("ab") as file:
        file.write(b'\n{"type":"move","case":{"mov')
    assert journal.kept() == rows
    again = msgspec.structs.replace(case, seed=1)
    list(journal.played(play, [again], jobs=1))
    assert [row.case for row in journal.kept()] == [case, again]


@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run_is_a_small_part_of_a_whole_one(name: str) -> None:
    quick = cases(name, quick=True)
    assert 0 < len(quick) < len(cases(name, quick=False))
    assert len(set(quick)) == len(quick)
