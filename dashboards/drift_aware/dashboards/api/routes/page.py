"""The page for people: files, the same for everybody, so without a token; what they show needs one."""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from drift_aware.dashboards.api.errors import NotFound

router = APIRouter(include_in_schema=False)

_START = "index.html"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
# Everything from this server, nothing inline: a text that were taken for markup could still run nothing.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Asset(NamedTuple):
    """A file of the page, and what is sent beside it."""

    content: bytes
    headers: Mapping[str, str]


def _asset(name: str, content: bytes) -> Asset:
    headers = {
        "Content-Type": _MEDIA_TYPES[name[name.rindex(".") :]],
        "Content-Security-Policy": _POLICY,
        # Asked for again each time, so that no page of an older release meets newer answers.
        "Cache-Control": "no-cache",
        "ETag": f'"{sha256(content).hexdigest()[:32]}"',
    }
    return Asset(content, headers)


# Read once: whatever name a request has, it reaches no file.
ASSETS: Mapping[str, Asset] = {
    file.name: _asset(file.name, file.read_bytes())
    for file in files("drift_aware.dashboards").joinpath("page").iterdir()
}


@router.get("/")
async def start(request: Request) -> Response:
    """The page."""
    return _sent(request, _START)


@router.get("/page/{name}")
async def asset(request: Request, name: str) -> Response:
    """A file that it needs."""
    return _sent(request, name)


def _sent(request: Request, name: str) -> Response:
    found = ASSETS.get(name)
    if found is None:
        raise NotFound("the page has no such file")
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if found.headers["ETag"] in known:
        return Response(status_code=304, headers=dict(found.headers))
    return Response(found.content, headers=dict(found.headers))
