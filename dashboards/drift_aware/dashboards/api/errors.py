"""What a request is declined for, below the project's tree.

DriftAwareError
└── Declined           a request is answered with a problem; nothing is wrong with the server
    ├── Unauthorized       no token, or one that is not known (401)
    ├── Forbidden          the token does not have the scope, or the request comes from elsewhere (403)
    ├── NotFound           there is nothing of that name (404)
    ├── TooMany            more requests than the token may send (429)
    └── Full               as many are connected as there are places for (503)
"""

from collections.abc import Mapping

from drift_aware.schema.errors import DriftAwareError


class Declined(DriftAwareError):
    """A request is answered with a problem.

    Attributes:
        headers: sent beside it.
    """

    status = 400

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = dict(headers or {})


class Unauthorized(Declined):
    """No token, or one that is not known."""

    status = 401


class Forbidden(Declined):
    """The token does not have the scope, or the request comes from elsewhere."""

    status = 403


class NotFound(Declined):
    """There is nothing of that name."""

    status = 404


class TooMany(Declined):
    """More requests than the token may send."""

    status = 429


class Full(Declined):
    """As many are connected as there are places for."""

    status = 503
