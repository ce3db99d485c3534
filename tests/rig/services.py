"""What to do when a machine lacks something a test needs, and how to wait for what it has."""

import os
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

import pytest

_POLL_SECONDS = 0.02
T = TypeVar("T")


def missing(what: str) -> NoReturn:
    """Skip the test at a desk; fail it in CI, where a skip would pass for a success."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def wait_until(
    condition: Callable[[], T], timeout_seconds: float = 30.0, message: str | Callable[[], str] = ""
) -> T:
    """The first true value of ``condition``.

    Args:
        condition: asked again and again; what it raises is not caught.
        timeout_seconds: how long to ask.
        message: what was waited for, or a callable that says how far it got.

    Raises:
        AssertionError: it never became true.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            said = message() if callable(message) else message
            raise AssertionError(f"not within {timeout_seconds:g} s: {said or condition}; last: {value!r}")
        time.sleep(_POLL_SECONDS)
    return value
