"""Calls over HTTP, tried again where that may help."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2
import msgspec
import stamina

from drift_aware.actions.errors import ActionFailed, Declined

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_REFUSED = {401, 403}
# Of what was sent, as a text that is too long.
_DECLINED = {400, 413, 422}
# Nothing was asked yet when these come.
_BEFORE = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_LONGEST_WAIT_SECONDS = 300.0
_WAIT_SECONDS = 30.0
_SHOWN_CHARACTERS = 200

T = TypeVar("T")


class Passing(Exception):
    """Trouble that may pass.

    Attributes:
        wait_seconds: how long the other side asks for; None if it does not say.
        answered_maybe: the other side may have done what was asked.
    """

    def __init__(self, said: str, wait_seconds: float | None = None, *, answered_maybe: bool = False) -> None:
        super().__init__(said)
        self.wait_seconds = wait_seconds
        self.answered_maybe = answered_maybe


def patiently(call: Callable[[], T], attempts: int, what: str) -> T:
    """What ``call`` gives, trying again after ``Passing``.

    Raises:
        ActionFailed: it did not pass; begins with ``what``.
    """
    try:
        for attempt in stamina.retry_context(
            on=_pause, attempts=attempts, timeout=None, wait_initial=0.5, wait_max=_WAIT_SECONDS
        ):
            with attempt:
                return call()
    except Passing as trouble:
        raise ActionFailed(f"{what}: {trouble}, {attempts} times; try again later") from None
    raise AssertionError("the last attempt returns or raises")


def send(client: httpx2.Client, request: httpx2.Request, what: str, secret: str | None) -> httpx2.Response:
    """One call; the answer is of status 200 and has been read to its end.

    Raises:
        Passing: another attempt may help.
        Declined: something else might be taken.
        ActionFailed: nothing will; shows nothing of ``secret``.
    """
    try:
        response = client.send(request)
    except httpx2.TransportError as error:
        said = type(error).__name__
        raise Passing(f"no answer ({said})", answered_maybe=not isinstance(error, _BEFORE)) from None
    except httpx2.HTTPError as error:
        raise Passing(f"broken answer ({type(error).__name__})", answered_maybe=True) from None
    if response.status_code in _AGAIN:
        raise Passing(f"status {response.status_code}", asked_pause(response.headers.get("retry-after")))
    if response.status_code in _REFUSED:
        raise ActionFailed(f"{what}: the key is not accepted (status {response.status_code}); check it")
    if response.status_code in _DECLINED:
        raise Declined(f"{what}: status {response.status_code}{_reason(response, secret)}")
    if response.status_code != httpx2.codes.OK:
        raise ActionFailed(f"{what}: status {response.status_code}{_reason(response, secret)}")
    return response


def asked_pause(header: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """The seconds of a Retry-After header, which has seconds or a date; None if it says nothing.

    >>> asked_pause("7"), asked_pause("soon"), asked_pause("-3")
    (7.0, None, 0.0)
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - now()).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None


def _pause(error: Exception) -> bool | float:
    if not isinstance(error, Passing):
        return False
    return True if error.wait_seconds is None else error.wait_seconds


class _Wrong(msgspec.Struct):
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Wrong


def _reason(response: httpx2.Response, secret: str | None) -> str:
    """What an API shaped as OpenAI's says is wrong; nothing else of the body is shown."""
    try:
        said = " ".join(msgspec.json.decode(response.content, type=_Refusal).error.message.split())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if secret:
        said = said.replace(secret, "***")
    return f": {said[:_SHOWN_CHARACTERS]}" if said else ""
