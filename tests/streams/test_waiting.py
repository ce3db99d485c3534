"""Panes that wait for a baseline: bounded in number, and the same whatever is lost and done again."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from drift_aware.streams.summary import Summary, merge
from drift_aware.streams.waiting import MOST, Stretch, StretchRow, Waiting

PANE_MS = 10
times = st.lists(st.integers(0, 3000), unique=True, max_size=400).map(
    lambda found: [PANE_MS * each for each in sorted(found)]
)


def pane(start: int) -> Stretch:
    return Stretch(start, start + PANE_MS, Summary({"events": 1 + start}), float(start))


def waiting(starts: list[int]) -> Waiting:
    made = Waiting(PANE_MS, {})
    for start in starts:
        made.add(pane(start))
    return made


def write(table: dict[int, StretchRow], changed: list[tuple[int, StretchRow | None]]) -> None:
    """New rows first, as the stage does."""
    for at, row in changed:
        if row is None:
            table.pop(at, None)
        else:
            table[at] = row


def changes(made: Waiting) -> list[tuple[int, StretchRow | None]]:
    rows = [(at, made.row(at)) for at in sorted(made.changed)]
    made.changed.clear()
    return sorted(rows, key=lambda each: each[1] is None)


def test_few_panes_wait_as_they_are() -> None:
    assert list(waiting([50, 70, 80])) == [pane(50), pane(70), pane(80)]


def test_many_panes_are_put_together_by_their_times() -> None:
    starts = [PANE_MS * each for each in range(MOST + 1)]
    assert [(each.start, each.end) for each in waiting(starts)][:2] == [(0, 20), (20, 40)]
    assert [(each.start, each.end) for each in waiting(starts)][-1] == (1200, 1210)


@given(times)
def test_there_are_never_too_many_and_nothing_is_lost(starts: list[int]) -> None:
    found = list(waiting(starts))
    assert len(found) <= MOST
    assert merge(each.summary for each in found) == merge(pane(start)[2] for start in starts)
    assert all(first.end <= second.start for first, second in pairwise(found))


@given(times, st.integers(0, 400), st.integers(0, 400), st.integers(0, 100), st.integers(0, 100))
def test_a_crash_between_any_two_rows_and_a_second_one_leave_no_trace(
    starts: list[int], written: int, lost: int, percent: int, percent_again: int
) -> None:
    table: dict[int, StretchRow] = {}
    made = waiting(starts[:written])
    write(table, changes(made))
    for kept in (percent, percent_again):
        made = Waiting(PANE_MS, table)
        for start in starts[written : written + lost]:
            made.add(pane(start))
        rows = changes(made)
        write(table, rows[: len(rows) * kept // 100])
    made = Waiting(PANE_MS, table)
    for start in starts[written:]:
        made.add(pane(start))
    assert list(made) == list(waiting(starts))
    write(table, changes(made))
    assert list(Waiting(PANE_MS, table)) == list(made)
    assert set(table) == {at for at in table if made.row(at) is not None}


def test_what_is_cleared_leaves_no_rows() -> None:
    table: dict[int, StretchRow] = {}
    made = waiting([PANE_MS * each for each in range(MOST + 5)])
    write(table, changes(made))
    made.clear()
    write(table, changes(made))
    assert table == {}
    assert list(made) == []
