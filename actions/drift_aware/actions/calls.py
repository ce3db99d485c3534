"""Calls to providers: patient where a repetition does no harm, and honest where it might.

A call that asks is repeated after any trouble. One that changes something is repeated only if the provider
cannot have acted on it: no connection, or a 429. After anything else in between, nobody can tell.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
import stamina

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.schema.errors import Unreachable

ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 60.0
_SHOWN_CHARACTERS = 200
_BUSY, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 429, 401, 403, 404

T = TypeVar("T")


class NotThere(ActionFailed):
    """The provider knows nothing under that address."""


class _Again(Exception):
    """A try that may be repeated, after so many seconds if the provider says so."""

    def __init__(self, why: str, wait_seconds: float | None = None) -> None:
        super().__init__(why)
        self.wait_seconds = wait_seconds


class Api:
    """An API that speaks JSON, for as long as the ``with`` block runs.

    Args:
        base_url: its address.
        key: sent as a bearer token, and never shown.
        timeout_seconds: for each try.
    """

    def __init__(self, base_url: str, key: str | None, timeout_seconds: float) -> None:
        self._url, self._key = base_url, key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(headers=headers, timeout=timeout_seconds)
        self._host = httpx2.URL(base_url).host

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Ask for something.

        Raises:
            Unreachable: no usable answer, after several tries.
            NotThere: a 404.
            ActionFailed: refused otherwise.
        """
        return self._patiently(lambda: self._once("GET", path, repeatable=True, params=dict(params or {})))

    def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST something that has no effect but its answer; raises as ``get`` does."""
        return self._patiently(lambda: self._once("POST", path, repeatable=True, json=dict(body)))

    def act(self, path: str, key: str, **content: Any) -> dict[str, Any]:
        """POST something that has an effect.

        Args:
            path: behind the base address.
            key: goes along as the header Idempotency-Key.
            **content: the body as httpx takes it: ``json``, or ``data`` and ``files``.

        Raises:
            Unknown: it broke where nobody can tell whether it has had its effect.
            Unreachable: no connection after several tries; there is no effect.
            ActionFailed: refused.
        """
        headers = {"Idempotency-Key": key}
        return self._patiently(lambda: self._once("POST", path, repeatable=False, headers=headers, **content))

    def _patiently(self, call: Callable[[], T]) -> T:
        try:
            for attempt in stamina.retry_context(
                on=backoff, attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=10.0
            ):
                with attempt:
                    return call()
        except _Again as trouble:
            raise Unreachable(
                f"{self._host} gives no usable answer ({trouble}); nothing is lost, it is tried again later"
            ) from None
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, path: str, *, repeatable: bool, **request: Any) -> dict[str, Any]:
        try:
            answer = self._client.request(method, self._url + path, **request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _Again(type(error).__name__) from None
        except httpx2.RequestError as error:
            raise self._torn(type(error).__name__, repeatable=repeatable) from None
        if answer.status_code == _BUSY:
            raise _Again("429", retry_after(answer.headers.get("retry-after"), datetime.now(UTC)))
        if answer.status_code >= 500:
            raise self._torn(str(answer.status_code), repeatable=repeatable)
        if not answer.is_success:
            raise self._refused(method, path, answer)
        found = _read(answer)
        if not isinstance(found, dict):
            raise self._torn("no JSON object", repeatable=repeatable)
        return found

    def _torn(self, why: str, *, repeatable: bool) -> Exception:
        if repeatable:
            return _Again(why)
        return Unknown(f"{self._host} gave no usable answer ({why}), and may have acted all the same")

    def _refused(self, method: str, path: str, answer: httpx2.Response) -> ActionFailed:
        status = answer.status_code
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            return ActionFailed(f"{self._host} refuses {method} {path} with {status}; check the API key")
        kind = NotThere if status == _NOT_FOUND else ActionFailed
        return kind(f"{self._host} refuses {method} {path} with {status}{self._said(answer)}")

    def _said(self, answer: httpx2.Response) -> str:
        found = _read(answer)
        error = found.get("error") if isinstance(found, dict) else None
        text = error.get("message") if isinstance(error, dict) else error
        if not isinstance(text, str):
            return ""
        line = " ".join(text.split())
        return ": " + (line.replace(self._key, "***") if self._key else line)[:_SHOWN_CHARACTERS]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()


def backoff(error: Exception) -> bool | float:
    """Whether to try again, and after how many seconds if the provider has said so."""
    if not isinstance(error, _Again):
        return False
    if error.wait_seconds is None:
        return True
    return min(error.wait_seconds, LONGEST_WAIT_SECONDS)


def retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds that the header Retry-After asks for; None if it says nothing.

    >>> retry_after("3", datetime.now(UTC)), retry_after("soon", datetime.now(UTC))
    (3.0, None)
    >>> retry_after("Sun, 01 Mar 2026 12:00:05 GMT", datetime(2026, 3, 1, 12, tzinfo=UTC))
    5.0
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _read(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None
