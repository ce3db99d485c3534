"""How the server is; open to everybody, so that machines can ask without a token."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from drift_aware.dashboards.api import examples
from drift_aware.dashboards.api.answers import Health, Ready
from drift_aware.dashboards.api.document import answer, answers
from drift_aware.dashboards.api.state import DatabaseOf
from drift_aware.sql import migrate
from drift_aware.sql.queries import QUERIES

router = APIRouter(tags=["service"])
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get(
    "/health", summary="Whether the server is well", responses=answers(Health, examples.HEALTH, 500, 503)
)
def health(database: DatabaseOf) -> Response:
    """200 if the database answers, else 503."""
    with database.reading() as connection:
        connection.execute(QUERIES["ping"])
    return answer(Health(alive=True, database=True))


@router.get(
    "/ready",
    summary="Whether requests can be answered",
    responses=answers(Ready, examples.READY, 500, 503),
)
def ready(database: DatabaseOf) -> Response:
    """200 if the database answers and has the schema of this release, else 503 that says what to do."""
    with database.reading() as connection:
        migrate.require_current(connection)
    return answer(Ready(ready=True))


@router.get("/metrics", summary="For Prometheus", responses=_TEXT)
def metrics(request: Request) -> Response:
    """How many requests were answered and how long they took, by route; what actions have cost."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
