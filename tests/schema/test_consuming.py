"""What every consumer that counts records has in common: which come next, and what to say of a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema import consuming
from drift_aware.schema.consuming import Partition
from drift_aware.schema.errors import RecordsLost

Place = tuple[Partition, int]

HELD = ("t", 0)


@given(polls=st.lists(st.lists(st.integers(0, 20), max_size=8).map(sorted), max_size=6))
def test_every_offset_comes_once_and_in_order_whatever_is_polled_twice(polls: list[list[int]]) -> None:
    expected = {HELD: 3}
    taken: list[int] = []
    for poll in polls:
        records: list[Place] = [(HELD, offset) for offset in poll]
        found, following = consuming.fresh(records, expected, lambda record: record)
        expected |= following
        taken += [offset for _, offset in found]
    assert taken == sorted(set(taken))
    assert set(taken) <= {offset for poll in polls for offset in poll if offset >= 3}
    assert expected[HELD] == (taken[-1] + 1 if taken else 3)


def test_records_of_a_partition_that_is_gone_are_left_out() -> None:
    records: list[Place] = [(("t", 1), 7), (HELD, 7)]
    assert consuming.fresh(records, {HELD: 0}, lambda record: record) == ([(HELD, 7)], {HELD: 8})


def test_a_gap_is_refused_with_what_to_do_and_allowed_with_what_was_left_out() -> None:
    with pytest.raises(RecordsLost, match=r"offset 5 of t/0, but Kafka has 9 to 12; .*--skip-lost"):
        consuming.gap("persist", HELD, 5, 9, 12, skip=False)
    said = consuming.gap("persist", HELD, 5, 9, 12, skip=True)
    assert said.endswith("Kafka has 9 to 12; going on at 9")
