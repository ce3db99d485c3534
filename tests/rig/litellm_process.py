"""LiteLLM in a process of its own: what it leaves open, event loops and connections, would fail other tests.

Reads a JSON object from each line, calls LiteLLM so, and writes what was published. If there is a Kafka, the
logger is that of the environment, as in the proxy.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import litellm
import msgspec
from litellm.router import Router

from drift_aware.producers import MemoryPublisher
from drift_aware.producers.integrations import litellm as ours
from drift_aware.producers.integrations.litellm import DriftAwareLogger
from rig.saboteur import Saboteur

_PATIENCE_SECONDS = 20.0


async def _streamed(asked: dict[str, Any]) -> list[Any]:
    return [chunk async for chunk in await litellm.acompletion(stream=True, **asked)]


def _routed(asked: dict[str, Any]) -> Any:
    """By a router with two groups, of which one stands in for the other."""
    where = {name: asked[name] for name in ("api_base", "api_key", "max_retries")}
    groups = [
        {"model_name": name, "litellm_params": {"model": model, **where}}
        for name, model in (("chat", "openai/gpt-4o"), ("spare", "openai/gpt-4o-mini"))
    ]
    router = Router(model_list=groups, fallbacks=[{"chat": ["spare"]}])
    return router.completion(model="chat", messages=asked["messages"])


def _ways(runner: asyncio.Runner) -> dict[str, Callable[[dict[str, Any]], Any]]:
    return {
        "at once": lambda asked: litellm.completion(**asked),
        "streamed": lambda asked: list(litellm.completion(stream=True, **asked))[-1],
        "asynchronous": lambda asked: runner.run(litellm.acompletion(**asked)),
        "asynchronous and streamed": lambda asked: runner.run(_streamed(asked))[-1],
        "by a router": _routed,
        "text": lambda asked: litellm.text_completion(**asked),
        "embedding": lambda asked: litellm.embedding(**asked),
        "asynchronous embedding": lambda asked: runner.run(litellm.aembedding(**asked)),
    }


def main() -> None:
    with asyncio.Runner() as runner:
        ways = _ways(runner)
        for line in sys.stdin:
            told = _tell(json.loads(line), ways, runner)
            print(json.dumps(told), flush=True)  # noqa: T201 - this is the answer


def _tell(step: dict[str, Any], ways: dict[str, Any], runner: asyncio.Runner) -> dict[str, Any]:
    logger = _logger(step)
    publisher: Any = logger._publisher
    litellm.callbacks = [logger]
    told: dict[str, Any] = {"id": None, "raised": None}
    try:
        with _set(step["litellm"]):
            try:
                told["id"] = getattr(ways[step["way"]](step["asked"]), "id", None)
            except Exception as error:  # noqa: BLE001 - the test asks which
                told["raised"] = type(error).__name__
            # LiteLLM may tell of a call when the next one has begun.
            own = told["id"] if step["expected"] == 1 else None
            _wait(lambda: _heard(publisher, own) >= step["expected"], runner)
    finally:
        callbacks: Any = litellm.logging_callback_manager
        callbacks._reset_all_callbacks()
    events = [msgspec.to_builtins(event) for event in _events(publisher, own)]
    return told | {"seen": _seen(publisher), "events": events}


def _logger(step: dict[str, Any]) -> DriftAwareLogger:
    if "KAFKA_BOOTSTRAP_SERVERS" in os.environ:
        return ours.from_environment
    kind = _Twice if step["twice"] else DriftAwareLogger
    return kind(Saboteur() if step["sabotage"] else MemoryPublisher(app="shop"), **step["logger"])


class _Twice(DriftAwareLogger):
    """Hears everything twice, as of some failures in the proxy."""

    def log_failure_event(self, *given: Any, **named: Any) -> None:
        for _ in range(2):
            super().log_failure_event(*given, **named)


def _seen(publisher: Any) -> int:
    return publisher.asked if isinstance(publisher, Saboteur) else publisher.stats.delivered


def _events(publisher: Any, own: str | None) -> list[Any]:
    """Those with that id; all if there is none."""
    return [event for event in getattr(publisher, "events", []) if own in (None, event.id)]


def _heard(publisher: Any, own: str | None) -> int:
    return len(_events(publisher, own)) if hasattr(publisher, "events") else _seen(publisher)


def _wait(condition: Callable[[], bool], runner: asyncio.Runner) -> None:
    """LiteLLM tells its callbacks from threads and from tasks of the event loop."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        runner.run(asyncio.sleep(0.01))


@contextmanager
def _set(values: dict[str, Any]) -> Iterator[None]:
    before = {name: getattr(litellm, name) for name in values}
    try:
        for name, value in values.items():
            setattr(litellm, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(litellm, name, value)


if __name__ == "__main__":
    main()
