"""HTTP requests of the channels: tried again where that helps, and silent about addresses and keys."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property

import httpx2
import stamina

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.notify_settings import Notify

# A service that asks for a longer pause is asked again later, not waited for.
LONGEST_PAUSE_SECONDS = 30.0
# Nothing has left when these are raised.
_BEFORE = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

# Headers of one attempt, made anew for each: a signature holds the time.
Headers = Callable[[bytes], Mapping[str, str]]


class Busy(Unreachable):
    """A service does not answer, or asks to be left alone for a while.

    Attributes:
        pause_seconds: how long, if it said so.
    """

    def __init__(self, message: str, pause_seconds: float | None = None) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


class Wire:
    """Sends requests for one channel. Opens no socket before the first.

    Args:
        name: of the service, for messages.
        advice: what to look at when it refuses a request.
        settings: the section ``notify``.
        repeatable: whether the service makes one message of the same request sent twice.
    """

    def __init__(self, name: str, advice: str, settings: Notify, *, repeatable: bool) -> None:
        self._name, self._advice, self._settings, self._repeatable = name, advice, settings, repeatable

    @cached_property
    def _client(self) -> httpx2.Client:
        return httpx2.Client(timeout=self._settings.timeout_seconds)

    def send(
        self, url: str, body: bytes, headers: Headers, method: str = "POST", *, repeatable: bool | None = None
    ) -> httpx2.Response:
        """Send a request until it is answered with 2xx.

        Args:
            url: never shown.
            body: of the request.
            headers: made of the body for every attempt.
            method: of the request.
            repeatable: other than the service's, for one request.

        Raises:
            ActionFailed: refused; trying again does not help.
            Unreachable: no answer, or too busy, at every attempt.
            Unknown: the connection broke after the request had left, and it is not repeatable.
        """
        again = self._repeatable if repeatable is None else repeatable
        for attempt in stamina.retry_context(
            _pause, attempts=self._settings.attempts, timeout=None, wait_initial=0.5, wait_max=8.0
        ):
            with attempt:
                return self._once(url, body, headers, method, again=again)
        raise AssertionError("a retry context ends by returning or raising")

    def _once(self, url: str, body: bytes, headers: Headers, method: str, *, again: bool) -> httpx2.Response:
        given = {"Content-Type": "application/json", **headers(body)}
        try:
            answer = self._client.request(method, url, content=body, headers=given)
        except _BEFORE as error:
            raise Busy(f"{self._name} does not answer ({type(error).__name__}); {self._advice}") from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            raise ActionFailed(f"{self._name}: the address is none; {self._advice}") from None
        except (httpx2.RequestError, httpx2.StreamError) as error:
            broke = f"the connection to {self._name} broke before its answer ({type(error).__name__})"
            if again:
                raise Busy(f"{broke}; look at its state") from None
            raise Unknown(f"{broke}; look whether the message is there") from None
        return self._judged(answer)

    def _judged(self, answer: httpx2.Response) -> httpx2.Response:
        status = answer.status_code
        if answer.is_success:
            return answer
        if status == httpx2.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            pause = pause_seconds(answer.headers.get("Retry-After"), time.time())
            raise Busy(f"{self._name} is busy (HTTP {status}); it is asked again later", pause)
        raise ActionFailed(f"{self._name} refuses the message (HTTP {status}); {self._advice}")


def pause_seconds(header: str | None, now: float) -> float | None:
    """The seconds in a ``Retry-After``, which is a number or a date; None if it is neither.

    >>> pause_seconds("7", 0), pause_seconds("Thu, 01 Jan 1970 00:01:00 GMT", 20), pause_seconds("soon", 0)
    (7.0, 40.0, None)
    """
    if header is None:
        return None
    try:
        pause = float(header)
    except ValueError:
        try:
            until = parsedate_to_datetime(header)
        except ValueError:
            return None
        # A date without a zone is UTC as well (RFC 9110).
        pause = (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - now
    return max(pause, 0.0) if math.isfinite(pause) else None


def timestamp(seconds: float) -> str:
    """A time as JSON carries it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _pause(error: Exception) -> bool | float:
    """Whether to try again, and after how long; stamina knows what to do where none is said."""
    if not isinstance(error, Busy):
        return False
    if error.pause_seconds is None:
        return True
    return error.pause_seconds if error.pause_seconds <= LONGEST_PAUSE_SECONDS else False
