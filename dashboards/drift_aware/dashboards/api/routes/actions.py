"""The ledger of actions, and a way to ask for one."""

import time
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response

from drift_aware.actions import answers as persons
from drift_aware.actions import foreground, ledger
from drift_aware.actions import request as requests
from drift_aware.actions.ledger import Entry
from drift_aware.dashboards.api import examples, record
from drift_aware.dashboards.api.access import Caller, needs
from drift_aware.dashboards.api.answers import ActionPage
from drift_aware.dashboards.api.document import POST, READ, answer, answers
from drift_aware.dashboards.api.errors import NotFound
from drift_aware.dashboards.api.questions import ActionQuestion, ActionRequest, Answer, Name, Settlement
from drift_aware.dashboards.api.state import DatabaseOf, SettingsOf

router = APIRouter(tags=["actions"])
_reads = [Depends(needs("read"))]
_Id = Annotated[Name, Path(examples=[examples.ACTION.id])]
_Actor = Annotated[Caller, Depends(needs("act"))]
_Answer = Annotated[Answer, Body()]
_SILENT = Answer()
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
def show_action(database: DatabaseOf, action_id: _Id) -> Response:
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
    caller: _Actor,
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


@router.post(
    "/actions/{action_id}/approve",
    summary="Let an action be carried out",
    responses=answers(Entry, examples.APPROVED, 404, 409, *POST),
)
def approve(database: DatabaseOf, caller: _Actor, action_id: _Id, answered: _Answer = _SILENT) -> Response:
    """`drift-aware act` begins with it soon; of one that has failed, once more."""
    with database.writing() as connection:
        persons.approve(connection, action_id, caller.name, answered.note)
        return answer(ledger.find(connection, action_id))


@router.post(
    "/actions/{action_id}/reject",
    summary="Refuse an action that has not begun",
    responses=answers(Entry, examples.REJECTED, 404, 409, *POST),
)
def reject(database: DatabaseOf, caller: _Actor, action_id: _Id, answered: _Answer = _SILENT) -> Response:
    """It will never be carried out."""
    with database.writing() as connection:
        persons.reject(connection, action_id, caller.name, answered.note)
        return answer(ledger.find(connection, action_id))


@router.post(
    "/actions/{action_id}/settle",
    summary="Say whether a step of unknown outcome was done",
    responses=answers(Entry, examples.SETTLED, 404, 409, *POST),
)
def settle(database: DatabaseOf, caller: _Actor, action_id: _Id, found: Settlement) -> Response:
    """The action is carried on: with the step after it, or with the step again."""
    with database.writing() as connection:
        persons.settle(
            connection,
            action_id,
            found.step,
            caller.name,
            done=found.done,
            note=found.note,
            result=found.result,
        )
        return answer(ledger.find(connection, action_id))


@router.post(
    "/actions/{action_id}/rollback",
    summary="Take back what an action has done",
    responses=answers(Entry, examples.ROLLED_BACK, 404, 409, *POST),
)
def roll_back(settings: SettingsOf, caller: _Actor, action_id: _Id, answered: _Answer = _SILENT) -> Response:
    """Done before this is answered, by what carries such actions out in the settings of this server.

    Refused (409) while `actions.dry_run` is on, and if it cannot be taken back: it stands as before.
    """
    # It may take longer than a statement of the others may: not one of the connections they share.
    with foreground.record(settings) as connection:
        foreground.roll_back(settings, connection, action_id, caller.name, answered.note)
        return answer(ledger.find(connection, action_id))
