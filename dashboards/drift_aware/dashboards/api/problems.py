"""What went wrong, as application/problem+json (RFC 9457): never a stack trace, an address or a password."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from drift_aware.actions.errors import (
    ActionFailed,
    CoolingDown,
    KeyReused,
    LeaseLost,
    OutOfTurn,
    UnknownAction,
)
from drift_aware.dashboards.api.answers import Fault, Problem
from drift_aware.dashboards.api.errors import Declined
from drift_aware.schema.errors import SettingsError, Unreachable
from drift_aware.sql.errors import MigrationError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
# Of a body that is wrong a thousand times over, so much is told.
_MOST_FAULTS = 20
_SHOWN_CHARACTERS = 100
# The database was made by another release, or not at all.
_UNMIGRATED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)
# What passes, or what a person has to put right in the database; anything else is a mistake of ours.
_TROUBLE: tuple[type[Exception], ...] = (
    Unreachable,
    MigrationError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.errors.InsufficientPrivilege,
    *_UNMIGRATED,
)
# What an action cannot be asked for as things stand, with what this server is set up to do.
_CONFLICTS = (CoolingDown, KeyReused, OutOfTurn, LeaseLost, ActionFailed, SettingsError)

_log = structlog.get_logger(__name__)


def problem(
    scope: Scope,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Fault] = (),
) -> Response:
    """The answer to a request that is not answered."""
    request = scope.get("state", {}).get("request", "")
    body = Problem(HTTPStatus(status).phrase, status, detail, f"urn:uuid:{request}", list(errors))
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


def register(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    app.add_exception_handler(Declined, _declined)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unreadable)
    for kind in _TROUBLE:
        app.add_exception_handler(kind, _database)
    app.add_exception_handler(UnknownAction, _unknown)
    for conflict in _CONFLICTS:
        app.add_exception_handler(conflict, _conflict)


async def _declined(request: Request, error: Exception) -> Response:
    assert isinstance(error, Declined)
    return problem(request.scope, error.status, str(error), error.headers)


async def _unknown(request: Request, error: Exception) -> Response:
    return problem(request.scope, 404, str(error))


async def _conflict(request: Request, error: Exception) -> Response:
    return problem(request.scope, 409, str(error))


async def _http(request: Request, error: Exception) -> Response:
    """Of the framework: no such path, no such method, or a body that is not even text."""
    assert isinstance(error, HTTPException)
    if error.status_code == 400:
        return problem(request.scope, 422, "body: not JSON in UTF-8, or nested too deep")
    return problem(request.scope, error.status_code, str(error.detail), error.headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    """Says where and what; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    faults = [Fault(_where(fault["loc"]), fault["msg"]) for fault in error.errors()[:_MOST_FAULTS]]
    detail = "; ".join(f"{fault.where}: {fault.message}" for fault in faults[:3])
    return problem(request.scope, 422, detail, errors=faults)


def _where(path: Sequence[Any]) -> str:
    """A place in the request. It may hold names from it, of any length, and half of a surrogate pair."""
    text = ".".join(str(part) for part in path)[:_SHOWN_CHARACTERS]
    return text.encode(errors="replace").decode()


async def _database(request: Request, error: Exception) -> Response:
    _log.warning("no answer from the database", cause=type(error).__name__, error=_line(error))
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return problem(request.scope, 503, trouble(error), headers)


def trouble(error: Exception) -> str:
    """What is wrong with the database and what to do, in words of our own: its own may hold addresses."""
    if isinstance(error, MigrationError):
        return str(error)
    if isinstance(error, _UNMIGRATED):
        return "the database does not have the schema of this release; run: drift-aware db migrate"
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "the database took too long; ask for less, for instance a shorter time"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "the user of DATABASE_URL has not the rights this needs"
    return "the database does not answer; the server's log says why"


def _line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else ""
