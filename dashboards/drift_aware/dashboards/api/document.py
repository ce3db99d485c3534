"""The OpenAPI document: what each route answers, from the types it answers with."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from drift_aware.actions.ledger import Entry
from drift_aware.dashboards.api import problems
from drift_aware.dashboards.api.answers import (
    ActionPage,
    AlertPage,
    AlertWithActions,
    EventPage,
    Health,
    Metrics,
    Problem,
    Ready,
    Segments,
)
from drift_aware.dashboards.check import DriftCheck
from drift_aware.dashboards.live.atlas import EmbeddingMap
from drift_aware.dashboards.live.changes import Versions
from drift_aware.dashboards.live.evidence import AlertStory
from drift_aware.dashboards.live.overview import Overview
from drift_aware.dashboards.live.series import Series
from drift_aware.dashboards.overview import DriftSummary

TITLE = "Drift-Aware"
DESCRIPTION = """What drifts in an LLM application, since when, and what is proposed to be done about it.

Times are milliseconds since 1970-01-01 UTC unless a field says otherwise. Lists come in pages: `next` is the
cursor to ask for the next one with. Whatever goes wrong is answered as `application/problem+json` (RFC 9457).
"""
_TYPES: tuple[Any, ...] = (
    Problem,
    Health,
    Ready,
    AlertPage,
    AlertWithActions,
    ActionPage,
    Entry,
    EventPage,
    Segments,
    DriftCheck,
    Metrics,
    DriftSummary,
    Overview,
    Series,
    AlertStory,
    EmbeddingMap,
    Versions,
)
_found, _COMPONENTS = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
_SCHEMAS: Mapping[Any, dict[str, Any]] = dict(zip(_TYPES, _found, strict=True))

_NULL = {"type": "null"}

# What each status means here, in the words of an answer to it.
_PROBLEMS: Mapping[int, str] = {
    401: "send a token, as in `Authorization: Bearer …`",
    403: "this token does not have the scope act",
    404: "there is no alert 8d1e07",
    408: "the body did not come within 10 s",
    409: "the last tune of this segment is 3.2 h ago, the setting actions.cooldown_hours is 168; "
    "ask with force to propose it anyway",
    413: "the body is larger than 64000 bytes",
    422: "query.limit: Input should be less than or equal to 200",
    429: "too many requests, go on in 2 s",
    500: "something is wrong in the server; its log says what",
    503: "the database does not answer; the server's log says why",
}
_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "How to authenticate."},
    403: {"WWW-Authenticate": "The scope that is needed."},
    429: {"Retry-After": "Seconds to wait."},
    503: {"Retry-After": "Seconds to wait."},
}
# What any route that reads the database may answer, and what one with a body may.
READ = (401, 403, 422, 500, 503)
POST = (*READ, 408, 413, 429)


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of one of the types above."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def answers(kind: Any, example: Any, *statuses: int, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route.

    Args:
        kind: the type of its answer.
        example: one.
        statuses: of the problems it may answer with.
        status: of its answer.
    """
    body = {"schema": _SCHEMAS[kind], "example": msgspec.to_builtins(example)}
    good = {"description": HTTPStatus(status).phrase, "content": {"application/json": body}}
    return {status: good, **{code: _problem(code) for code in statuses}}


def stream(event: str, kind: Any, example: Any, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that answers with server-sent events, all of one name.

    Args:
        event: the name.
        kind: the type of their data.
        example: of the data.
        statuses: of the problems it may answer with.
    """
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": _SCHEMAS[kind]}
    each = {
        "type": "object",
        "description": "Each event; before OpenAPI 3.2 there is no place for what describes a stream.",
        "properties": {"event": {"const": event}, "data": data},
        "required": ["event", "data"],
    }
    body = {"schema": each, "example": {"event": event, "data": msgspec.json.encode(example).decode()}}
    good = {"description": HTTPStatus.OK.phrase, "content": {"text/event-stream": body}}
    return {200: good, **{code: _problem(code) for code in statuses}}


def _problem(status: int) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    example = Problem(phrase, status, _PROBLEMS[status], "urn:uuid:6a5c2b1e-7f0d-4a53-9b0e-1f2a3b4c5d6e")
    body = {"schema": _SCHEMAS[Problem], "example": msgspec.to_builtins(example)}
    return {
        "description": phrase,
        "content": {problems.MEDIA_TYPE: body},
        "headers": {
            name: {"description": says, "schema": {"type": "string"}}
            for name, says in _HEADERS.get(status, {}).items()
        },
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=TITLE,
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        document["components"].setdefault("schemas", {}).update(_COMPONENTS)
        _clear_nulls(document)
        app.openapi_schema = document
    return app.openapi_schema


def _clear_nulls(document: dict[str, Any]) -> None:
    """A parameter is left out or has a value; there is no way to write null into an address."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                if schema.get("anyOf", [])[1:] == [_NULL]:
                    parameter["schema"] = schema.pop("anyOf")[0] | schema
