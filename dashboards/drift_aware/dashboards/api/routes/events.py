"""What the application published."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from drift_aware.dashboards.api import examples, record
from drift_aware.dashboards.api.access import needs
from drift_aware.dashboards.api.answers import EventPage
from drift_aware.dashboards.api.document import READ, answer, answers
from drift_aware.dashboards.api.questions import EventQuestion
from drift_aware.dashboards.api.state import DatabaseOf

router = APIRouter(tags=["events"], dependencies=[Depends(needs("read"))])


@router.get("/events", summary="Events, latest first", responses=answers(EventPage, examples.EVENTS, *READ))
def list_events(database: DatabaseOf, question: Annotated[EventQuestion, Query()]) -> Response:
    """Events as they were published; what is written meanwhile makes no page skip or repeat one.

    The items, one a line, are what `drift-aware replay` reads.
    """
    with database.reading() as connection:
        return answer(record.events(connection, question))
