"""What has moved, from the sums of days."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from drift_aware.dashboards.api import examples, record
from drift_aware.dashboards.api.access import needs
from drift_aware.dashboards.api.answers import Metrics, Segments
from drift_aware.dashboards.api.document import POST, READ, answer, answers
from drift_aware.dashboards.api.questions import CheckRequest, MetricsQuestion
from drift_aware.dashboards.api.state import DatabaseOf, SettingsOf
from drift_aware.dashboards.check import DriftCheck, drift_check, drift_metrics
from drift_aware.dashboards.overview import DriftSummary, drift_summary

router = APIRouter(tags=["drift"], dependencies=[Depends(needs("read"))])


@router.get(
    "/segments", summary="The parts of the traffic", responses=answers(Segments, examples.SEGMENTS, *READ)
)
def list_segments(database: DatabaseOf) -> Response:
    """Every segment with what was counted in it; `all` is the whole."""
    with database.reading() as connection:
        return answer(record.segments(connection))


@router.post(
    "/drift/check",
    summary="The last days against as many before them",
    responses=answers(DriftCheck, examples.CHECK, *POST),
)
def check_drift(database: DatabaseOf, settings: SettingsOf, asked: CheckRequest) -> Response:
    """Compares two windows of UTC days by what was counted in them; changes nothing.

    With too few events it says so in `state`, and there are no numbers.
    """
    with database.reading() as connection:
        found = drift_check(connection, asked.window_days, asked.segment, limits=settings.limits)
    return answer(found)


@router.get(
    "/drift/metrics",
    summary="Day by day",
    responses=answers(Metrics, examples.METRICS, *READ),
)
def drift_by_day(
    database: DatabaseOf, settings: SettingsOf, question: Annotated[MetricsQuestion, Query()]
) -> Response:
    """One entry for each UTC day, oldest first, also for those without events."""
    with database.reading() as connection:
        days = drift_metrics(connection, question.days, question.segment, limits=settings.limits)
    return answer(Metrics(question.segment, days))


@router.get(
    "/drift/summary",
    summary="Every segment at a glance",
    responses=answers(DriftSummary, examples.SUMMARY, *READ),
)
def summarise_drift(database: DatabaseOf) -> Response:
    """Open alerts, the rates of the latest day, and how much there was."""
    with database.reading() as connection:
        return answer(drift_summary(connection))
