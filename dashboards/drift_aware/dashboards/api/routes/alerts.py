"""Alerts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from drift_aware.dashboards.api import examples, record
from drift_aware.dashboards.api.access import needs
from drift_aware.dashboards.api.answers import AlertPage, AlertWithActions
from drift_aware.dashboards.api.document import READ, answer, answers
from drift_aware.dashboards.api.questions import AlertQuestion, Name
from drift_aware.dashboards.api.state import DatabaseOf

router = APIRouter(tags=["alerts"], dependencies=[Depends(needs("read"))])


@router.get(
    "/alerts", summary="Alerts, latest onset first", responses=answers(AlertPage, examples.ALERTS, *READ)
)
def list_alerts(database: DatabaseOf, question: Annotated[AlertQuestion, Query()]) -> Response:
    """Each alert stands here once, at its latest revision."""
    with database.reading() as connection:
        return answer(record.alerts(connection, question))


@router.get(
    "/alerts/{alert_id}",
    summary="One alert and what it has led to",
    responses=answers(AlertWithActions, examples.ALERT_WITH_ACTIONS, 404, *READ),
)
def show_alert(
    database: DatabaseOf, alert_id: Annotated[Name, Path(examples=[examples.ALERT.id])]
) -> Response:
    """The whole alert as it was published, and its actions, oldest first."""
    with database.reading() as connection:
        return answer(record.alert(connection, alert_id))
