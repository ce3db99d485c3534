"""The ledger of actions, and a way to ask for one."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from drift_aware.actions import ledger
from drift_aware.actions import request as requests
from drift_aware.actions.ledger import Entry
from drift_aware.dashboards.api import examples, record
from drift_aware.dashboards.api.access import Caller, needs
from drift_aware.dashboards.api.answers import ActionPage
from drift_aware.dashboards.api.document import POST, READ, answer, answers
from drift_aware.dashboards.api.errors import NotFound
from drift_aware.dashboards.api.questions import ActionQuestion, ActionRequest, Name
from drift_aware.dashboards.api.state import DatabaseOf, SettingsOf

router = APIRouter(tags=["actions"])
_reads = [Depends(needs("read"))]
_REPEATED = answers(Entry, examples.REQUESTED)[200] | {"description": "Proposed before, with the same key"}


@router.get(
    "/actions",
    summary="Actions, latest first",
    dependencies=_reads,
    responses=answers(ActionPage, examples.ACTIONS, *READ),
)
def list_actions(database: DatabaseOf, question: Annotated[ActionQuestion, Query()]) -> Response:
    """Each action stands here once, at its latest revision, in the order in which they were entered."""
    with database.reading() as connection:
        return answer(record.actions(connection, question))


@router.get(
    "/actions/{action_id}",
    summary="One action and the alert it answers",
    dependencies=_reads,
    responses=answers(Entry, examples.ENTRY, 404, *READ),
)
def show_action(
    database: DatabaseOf, action_id: Annotated[Name, Path(examples=[examples.ACTION.id])]
) -> Response:
    """`alert` is null if somebody asked for the action."""
    with database.reading() as connection:
        return answer(ledger.find(connection, action_id))


@router.post(
    "/drift/trigger-finetuning",
    status_code=201,
    summary="Propose a tuning run",
    responses=answers(Entry, examples.REQUESTED, 404, 409, *POST, status=201) | {200: _REPEATED},
)
def trigger_finetuning(
    database: DatabaseOf,
    settings: SettingsOf,
    caller: Annotated[Caller, Depends(needs("act"))],
    wish: ActionRequest,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=r"^[!-~]{1,200}$",
            max_length=200,
            description="A repetition with the same key answers with the action of the first request.",
        ),
    ] = None,
) -> Response:
    """Enters a `tune` action in the ledger, to be approved like any other; nothing is carried out.

    Within `actions.cooldown_hours` of the segment's last one it is refused (409), unless `force` is true.
    """
    asked = requests.Request("tune", wish.segment, wish.reason, caller.name, idempotency_key, wish.force)
    with database.writing() as connection:
        if not record.known(connection, wish.segment):
            raise NotFound(f"there is no segment {wish.segment}; GET /segments shows those there are")
        entry, new = requests.propose(connection, asked, settings.actions, int(time.time() * 1000))
    return answer(entry, 201 if new else 200, {"Location": f"/actions/{entry.action.id}"})
