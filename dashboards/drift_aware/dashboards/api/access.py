"""Who may ask for what.

With tokens configured, every request but those for health, metrics and the document needs one. Without any,
whoever can reach 127.0.0.1 may read, and nobody may change anything.
"""

import hmac
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from drift_aware.dashboards.api.errors import Forbidden, TooMany, Unauthorized
from drift_aware.dashboards.api.pace import Pace
from drift_aware.schema.api import Scope, Token, fingerprint
from drift_aware.schema.errors import SettingsError

_NOBODY = "anonymous"
_LOCAL = "localhost"
_bearer = HTTPBearer(
    scheme_name="token",
    description="A token of the setting `api.tokens`; `drift-aware token` makes one.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may."""

    name: str
    scopes: frozenset[Scope]


class Access:
    """The tokens.

    Args:
        tokens: of the settings.

    Raises:
        SettingsError: one has no value.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._callers = [(token.digest(), Caller(token.name, frozenset(token.scopes))) for token in tokens]

    @property
    def open(self) -> bool:
        """Whether there are no tokens, so that reading needs none."""
        return not self._callers

    def admit(self, token: str | None, scope: Scope) -> Caller:
        """Who holds the token.

        Raises:
            Unauthorized: it is missing or not known.
            Forbidden: it does not have the scope.
        """
        if self.open and scope == "read":
            return Caller(_NOBODY, frozenset())
        if self.open:
            raise _unauthorized("nothing is changed without a token, and none is set: drift-aware token")
        if token is None:
            raise _unauthorized("send a token, as in `Authorization: Bearer …`")
        caller = self._holder(fingerprint(token))
        if caller is None:
            raise _unauthorized("this token is not known", ' error="invalid_token"')
        if scope not in caller.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise Forbidden(f"this token does not have the scope {scope}", {"WWW-Authenticate": challenge})
        return caller

    def _holder(self, digest: bytes) -> Caller | None:
        """Every token is compared, each in constant time, so the time tells nothing of the tokens."""
        found = None
        for known, caller in self._callers:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def _unauthorized(message: str, more: str = "") -> Unauthorized:
    return Unauthorized(message, {"WWW-Authenticate": f"Bearer{more}"})


def needs(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """The dependency of a route that asks for a scope; those that send a body are also counted."""

    async def admitted(request: Request, credentials: Credentials) -> Caller:
        access: Access = request.app.state.access
        if access.open:
            _require_local(request.url.hostname)
        caller = access.admit(credentials.credentials if credentials else None, scope)
        request.state.caller = caller.name
        if request.method == "POST":
            pace: Pace = request.app.state.pace
            if wait := pace.wait(caller.name):
                seconds = str(math.ceil(wait))
                raise TooMany(f"too many requests, go on in {seconds} s", {"Retry-After": seconds})
        return caller

    return admitted


def _require_local(host: str | None) -> None:
    """A page on the web can have its own name resolve to 127.0.0.1; the name it sends gives it away."""
    if host is None or not _local(host):
        raise Forbidden("without tokens only requests to localhost are answered; set api.tokens")


def _local(host: str) -> bool:
    if host == _LOCAL:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe(access: Access, host: str) -> None:
    """Make sure that a server that asks for no tokens is not reachable from other machines.

    Raises:
        SettingsError: it would be.
    """
    if access.open and not _local(host):
        raise SettingsError(
            f"without tokens the API listens on 127.0.0.1 only, not on {host}; set api.tokens, and make one "
            "with: drift-aware token"
        )
