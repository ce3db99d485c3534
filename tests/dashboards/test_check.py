"""What is answered from the days in the record, on a real database."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from drift_aware.dashboards.check import DriftCheck, drift_check, drift_metrics
from drift_aware.dashboards.overview import SegmentSummary, drift_summary
from drift_aware.schema.alerts import Alert, DaySums, Reading
from drift_aware.schema.settings import Limits
from drift_aware.sql import rows
from drift_aware.sql.queries import QUERIES
from drift_aware.streams.summary import Summary
from rig_events import alert, readings

TODAY = date(2026, 3, 15)
LIMITS = Limits(min_samples=100)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def graded(events: int, correct: int) -> Summary:
    return Summary({"events": events, "graded": events, "correct": correct})


def put(
    connection: psycopg.Connection[Any],
    ago: int,
    summary: Summary,
    segment: str = "all",
    family: str = "evaluation",
) -> None:
    """Write what a family had in a day, so many days ago."""
    day = datetime.combine(TODAY - timedelta(days=ago), time(0), UTC)
    begin = round(day.timestamp() * 1000)
    sums = DaySums(
        segment=segment,
        family=family,
        day=begin,
        until=begin + 23 * 3_600_000,
        events=summary.events,
        sums=msgspec.msgpack.encode(summary.pack()),
    )
    connection.execute(QUERIES["upsert_day_sums"], rows.day_row(sums, Counter()))


def put_alert(connection: psycopg.Connection[Any], each: Alert) -> None:
    connection.execute(QUERIES["upsert_drift_event"], rows.alert_row(each, Counter()))


def put_readings(connection: psycopg.Connection[Any], start: int, *each: Reading) -> None:
    pane = readings(start, readings=list(each))
    connection.execute(QUERIES["upsert_pane_totals"], rows.totals_row(pane, Counter()))
    for row in rows.reading_rows(pane, Counter()):
        connection.execute(QUERIES["upsert_drift_metric"], row)


def test_an_empty_record_says_so(connection: psycopg.Connection[Any]) -> None:
    check = drift_check(connection, 7, today=TODAY)
    assert (check.state, check.severity, check.until, check.measures) == (
        "not enough events",
        "none",
        None,
        [],
    )
    assert check.message == "no metric has 100 events in both windows"
    assert (check.current.events, check.baseline.events) == (0, 0)
    assert [(day.events, day.state) for day in drift_metrics(connection, 3, today=TODAY)] == [
        ({}, "not enough events")
    ] * 3
    assert drift_summary(connection, TODAY).segments == []


def test_today_is_the_last_day_of_the_window_and_nothing_older_than_both_counts(
    connection: psycopg.Connection[Any],
) -> None:
    for ago in range(-1, 20):
        put(connection, ago, graded(1 << (ago + 1), 0))
    check = drift_check(connection, 7, today=TODAY)
    assert (check.current.start, check.current.end) == (date(2026, 3, 9), TODAY)
    assert (check.baseline.start, check.baseline.end) == (date(2026, 3, 2), date(2026, 3, 8))
    assert check.current.events == sum(1 << (ago + 1) for ago in range(7))
    assert check.baseline.families == {"evaluation": sum(1 << (ago + 1) for ago in range(7, 14))}
    assert check.until == datetime(2026, 3, 15, 23, tzinfo=UTC)
    assert drift_check(connection, 1, today=TODAY).baseline.events == 4


def test_a_check_is_of_one_segment_and_comes_as_json(connection: psycopg.Connection[Any]) -> None:
    put(connection, 0, graded(400, 280))
    put(connection, 7, graded(400, 360))
    put(connection, 0, graded(400, 0), segment="app=shop")
    check = drift_check(connection, 7, today=TODAY, limits=LIMITS)
    assert (check.accuracy, check.baseline_accuracy, check.severity) == (0.7, 0.9, "critical")
    assert check.message is None
    assert msgspec.json.decode(msgspec.json.encode(check), type=DriftCheck) == check
    assert drift_check(connection, 7, "app=shop", TODAY, LIMITS).state == "not enough events"


@pytest.mark.parametrize("days", [0, -1, 4000])
def test_a_window_that_is_none_is_refused(connection: psycopg.Connection[Any], days: int) -> None:
    with pytest.raises(ValueError, match="ask for 1 to 3,660"):
        drift_check(connection, days, today=TODAY)
    with pytest.raises(ValueError, match="ask for 1 to 3,660"):
        drift_metrics(connection, days, today=TODAY)


def test_every_day_is_compared_with_the_week_before_it(connection: psycopg.Connection[Any]) -> None:
    for ago in range(2, 12):
        put(connection, ago, graded(200, 180))
    put(connection, 1, graded(200, 100))
    *_, before, fallen, today = drift_metrics(connection, 10, today=TODAY, limits=LIMITS)
    assert (before.day, before.values, before.severity) == (date(2026, 3, 13), {"accuracy": 0.9}, "none")
    assert (fallen.values, fallen.accuracy_score, fallen.severity) == ({"accuracy": 0.5}, 1.0, "critical")
    assert (today.day, today.events, today.state) == (TODAY, {}, "not enough events")


def test_the_summary_shows_every_segment_with_what_it_had_and_what_fires(
    connection: psycopg.Connection[Any],
) -> None:
    put(connection, 0, graded(10, 9), segment="app=shop")
    put(connection, 0, graded(10, 9))
    put(connection, 6, graded(30, 3))
    put(connection, 7, graded(500, 0))
    put(connection, 2, graded(4, 1), segment="app=quiet")
    put(connection, 9, graded(4, 1), segment="app=gone")
    put_alert(connection, alert(1, segment="all", severity="critical"))
    put_alert(connection, alert(2, segment="all", severity="critical"))
    put_alert(connection, alert(3, segment="all", severity="info", status="resolved"))
    put_alert(connection, alert(4, segment="app=gone", severity="info"))
    calm = Reading(metric="accuracy", detector="drop", state="ok", events=5)
    firing = Reading(metric="refusal_rate", detector="shift", state="firing", events=5, fired=True)
    put_readings(connection, 1_773_500_000_000, firing, calm)
    put_readings(connection, 1_773_500_010_000, firing, calm, msgspec.structs.replace(calm, detector="adwin"))
    whole, gone, quiet, shop = drift_summary(connection, TODAY).segments
    assert (whole.segment, gone.segment, quiet.segment, shop.segment) == (
        "all",
        "app=gone",
        "app=quiet",
        "app=shop",
    )
    assert whole.open_alerts == {"critical": 2}
    assert (whole.events_today, whole.events_week) == ({"evaluation": 10}, {"evaluation": 40})
    assert (whole.latest_day, whole.values) == (TODAY, {"accuracy": 0.9})
    assert (whole.readings, whole.firing) == ({"firing": 1, "ok": 2}, ["refusal_rate"])
    assert whole.readings_until == datetime.fromtimestamp(1_773_500_020, UTC)
    assert gone == SegmentSummary(segment="app=gone", open_alerts={"info": 1})
    assert (quiet.latest_day, quiet.events_today) == (date(2026, 3, 13), {})


def test_today_is_the_present_day_unless_another_is_named(connection: psycopg.Connection[Any]) -> None:
    def now() -> date:
        return datetime.now(UTC).date()

    before = now()
    shown = {drift_check(connection, 1).current.end, drift_metrics(connection, 1)[0].day}
    assert before <= min(shown | {drift_summary(connection).today}) <= now()
