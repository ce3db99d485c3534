import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema.errors import BadEvent
from drift_aware.sql import cells
from drift_aware.sql.cells import Tally


@given(st.text())
def test_a_text_loses_its_nul_characters_and_nothing_else(value: str) -> None:
    tally = Tally()
    assert cells.text(value, tally) == value.replace("\x00", "")
    assert tally["nul_removed"] == ("\x00" in value)


def test_a_long_text_is_clipped_and_counted() -> None:
    tally = Tally()
    assert len(cells.text("x" * 2_000_000, tally) or "") == cells.MAX_TEXT_CHARACTERS
    assert len(cells.name("x" * 501, tally) or "") == cells.MAX_NAME_CHARACTERS
    assert cells.text("x" * 100_000, tally) == "x" * 100_000
    assert tally == {"clipped": 2}


@given(st.integers())
def test_an_integer_is_kept_if_it_fits_bigint(value: int) -> None:
    tally = Tally()
    fits = abs(value) < 2**63
    assert cells.integer(value, tally) == (value if fits else None)
    assert tally["out_of_range"] == (not fits)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json)
def test_a_document_keeps_its_shape_and_holds_no_nul(value: object) -> None:
    cleaned = cells.document(value, Tally())
    assert "\\x00" not in repr(cleaned)
    assert cells.document(cleaned, tally := Tally()) == cleaned
    assert not tally
    if "\x00" not in str(value) and "\\x00" not in repr(value):
        assert cleaned == value


@given(st.integers(1, 253_402_300_799_999))
def test_a_moment_is_exact_to_the_millisecond(milliseconds: int) -> None:
    moment = cells.moment(milliseconds)
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 == pytest.approx(
        milliseconds, abs=0.01
    )


@pytest.mark.parametrize("milliseconds", [10**30, -(10**30), 253_402_300_800_000])
def test_what_is_no_time_is_refused(milliseconds: int) -> None:
    with pytest.raises(BadEvent):
        cells.moment(milliseconds)


@given(st.lists(st.floats(-60_000, 60_000, width=16), min_size=1, max_size=50))
def test_float16_vectors_are_kept_to_the_bit(numbers: list[float]) -> None:
    vector = np.array(numbers, "<f2")
    assert cells.half_vector(vector.tobytes(), "float16").to_numpy().tobytes() == vector.tobytes()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
def test_a_vector_that_is_not_finite_as_float16_is_refused(bad: float) -> None:
    with pytest.raises(BadEvent) as caught:
        cells.half_vector(np.array([0, bad], "<f4").tobytes(), "float32")
    assert caught.value.reason == "not_finite"
