"""Times, ratings and correctness as the events say them."""

import contextlib
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Evaluation, Feedback, correctness, milliseconds, rating

moments = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - bounds are naive
offsets = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.integers(100_000_000_000, 253_402_300_799_999))
def test_milliseconds_stay_what_they_are(ts: int) -> None:
    assert milliseconds(ts) == ts


@given(st.integers(1, 99_999_999_999))
def test_a_smaller_number_is_seconds(ts: int) -> None:
    assert milliseconds(ts) == ts * 1000


@given(moments, offsets)
def test_a_written_time_means_the_same_moment_in_every_zone(moment: datetime, zone: timezone) -> None:
    utc = moment.replace(tzinfo=UTC)
    assert milliseconds(utc.astimezone(zone).isoformat()) == round(utc.timestamp() * 1000)


def test_a_written_time_of_the_early_seventies_is_not_taken_for_seconds() -> None:
    assert milliseconds("1971-01-01T00:00:00Z") == 31_536_000_000


@pytest.mark.parametrize("ts", [0, -1, 1e300, math.nan, math.inf, 10**400, "", "now", "2023-11-14T00:00:00"])
def test_what_is_no_time_is_refused_with_a_short_message(ts: float | str) -> None:
    with pytest.raises(BadEvent) as caught:
        milliseconds(ts)
    assert caught.value.reason == "bad_timestamp"
    assert len(str(caught.value)) < 200


@given(st.text())
def test_any_text_is_a_time_or_refused(ts: str) -> None:
    with contextlib.suppress(BadEvent):
        assert milliseconds(ts) > 0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"expected": "a"}, None),
        ({"expected": "a", "predicted": "a"}, True),
        ({"expected": "a", "predicted": "b"}, False),
        ({"expected": "a", "predicted": "b", "correct": True}, True),
        ({"correct": False}, False),
    ],
)
def test_an_answer_is_right_if_said_so_or_as_expected(fields: dict[str, str], expected: bool | None) -> None:
    assert correctness(Evaluation(eval_set="s", run_id="r", ts=1, **fields)) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, None), ({"thumbs": "up"}, 5.0), ({"thumbs": "down"}, 1.0), ({"score": 2.5, "thumbs": "up"}, 2.5)],
)
def test_a_thumb_is_the_end_of_the_scale(fields: dict[str, str], expected: float | None) -> None:
    assert rating(Feedback(interaction_id="1", ts=1, **fields)) == expected  # type: ignore[arg-type]
