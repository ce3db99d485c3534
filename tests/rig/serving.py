"""A running ``drift-aware serve``: what it logs, where it is, what it answers."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from rig.commands import Command
from rig.services import wait_until


def logged(process: Command, event: str) -> list[dict[str, Any]]:
    """What it has logged of one name."""
    lines = [json.loads(line) for line in process.stderr.splitlines()]
    return [line for line in lines if line["event"] == event]


def address(process: Command) -> str:
    """Where it answers, once it does."""
    [serving] = wait_until(lambda: logged(process, "serving"), 60, process.shown)
    url = f"http://127.0.0.1:{serving['port']}"
    wait_until(lambda: status(f"{url}/health") is not None, 60, process.shown)
    return url


def status(url: str, headers: dict[str, str] | None = None) -> int | None:
    """What it answers with; None if nobody answers."""
    try:
        with urlopen(Request(url, headers=headers or {}), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return None
