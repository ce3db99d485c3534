"""What the page for people shows, and when it has to look again."""

import time
from functools import cache
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from drift_aware.dashboards.api import examples
from drift_aware.dashboards.api.access import Caller, needs
from drift_aware.dashboards.api.document import READ, answer, answers, stream
from drift_aware.dashboards.api.errors import Full
from drift_aware.dashboards.api.questions import MapQuestion, Name, SeriesQuestion
from drift_aware.dashboards.api.state import ChangesOf, DatabaseOf, SettingsOf
from drift_aware.dashboards.live import atlas, evidence, overview, series
from drift_aware.dashboards.live.atlas import EmbeddingMap
from drift_aware.dashboards.live.changes import Versions
from drift_aware.dashboards.live.evidence import AlertStory
from drift_aware.dashboards.live.overview import May, Overview
from drift_aware.dashboards.live.series import Series

router = APIRouter(prefix="/live", tags=["live"])
_Reader = Annotated[Caller, Depends(needs("read"))]
_reads = [Depends(needs("read"))]
_RETRY_SECONDS = 10


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


@cache
def _release() -> str:
    return version("drift-aware")


@router.get(
    "/overview", summary="Everything at a glance", responses=answers(Overview, examples.OVERVIEW, *READ)
)
def show_overview(database: DatabaseOf, settings: SettingsOf, caller: _Reader) -> Response:
    """Whether anything drifts, how fast events come, and what waits for a person."""
    may = May(read=True, act="act" in caller.scopes)
    with database.reading() as connection:
        return answer(overview.overview(connection, settings, may, _release(), int(time.time() * 1000)))


@router.get(
    "/series",
    summary="One segment over time",
    dependencies=_reads,
    responses=answers(Series, examples.SERIES, *READ),
)
def show_series(
    database: DatabaseOf, settings: SettingsOf, question: Annotated[SeriesQuestion, Query()]
) -> Response:
    """Each metric beside its baseline and what its detectors made of it, in at most `points` stretches.

    Of a stretch `current` is the mean by events, `baseline` the mean, and `score` the largest.
    """
    asked = question.segment, question.hours, question.points
    with database.reading() as connection:
        return answer(series.series(connection, settings, *asked))


@router.get(
    "/alerts/{alert_id}",
    summary="One alert with what shows it",
    dependencies=_reads,
    responses=answers(AlertStory, examples.ALERT_STORY, 404, *READ),
)
def show_story(
    database: DatabaseOf,
    settings: SettingsOf,
    alert_id: Annotated[Name, Path(examples=[examples.ALERT.id])],
) -> Response:
    """The alert, what it has led to, what its detector saw around the onset, and up to ten interactions."""
    with database.reading() as connection:
        return answer(evidence.story(connection, settings, alert_id))


@router.get(
    "/map",
    summary="Where embeddings lie among those of the baseline",
    dependencies=_reads,
    responses=answers(EmbeddingMap, examples.MAP, 404, *READ),
)
def show_map(database: DatabaseOf, question: Annotated[MapQuestion, Query()]) -> Response:
    """The baseline's clusters on the two axes along which they differ most, and vectors of the last day.

    Distances on two axes are less than those there are; `explained` says how much is seen.
    """
    with database.reading() as connection:
        return answer(atlas.draw(connection, question.segment, question.family))


@router.get(
    "/events",
    summary="When to look again",
    dependencies=_reads,
    response_class=EventStream,
    responses=stream("changed", Versions, examples.VERSIONS, *READ),
)
async def follow_changes(changes: ChangesOf) -> Response:
    """An endless `text/event-stream`: `changed` at once, and whenever an alert, an action or a pane has.

    Its data say where the record stands; `alerts` and `actions` are other numbers after a change, in no
    order. A comment line comes every 15 s. With 100 listeners the next is told 503.
    """
    if changes.full:
        raise Full("as many listen as there are places for", {"Retry-After": str(_RETRY_SECONDS)})
    return EventStream(changes.stream())
