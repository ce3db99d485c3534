"""Carries one action out in a process of its own, which can be told where to die.

Usage: ``python -m rig.carried PLAN``, with a plan as ``rig.executor_contract`` writes it.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from drift_aware.actions import ledger, steps
from drift_aware.actions.carrying import Carrier
from drift_aware.actions.executor import Executor
from drift_aware.actions.leases import claimant
from drift_aware.schema import logs
from drift_aware.schema.settings import Settings
from drift_aware.sql import store

Hook = Callable[[str, str], None]


def main(plan: dict[str, Any]) -> None:
    logs.configure("INFO")
    settings = Settings(**plan["settings"])
    module, _, maker = plan["maker"].partition(":")
    executor: Executor = getattr(importlib.import_module(module), maker)(settings)

    def reach(point: str, step: str) -> None:
        if [point, step] == plan["die"]:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(executor, reach)
    url = settings.require_database_url()
    with store.connect(url, "test") as connection:
        mine = claimant(ledger.me(), executor.kind, settings.actions)
        mine.take(connection, plan["id"])
        reach("taken", "")
        carrier = Carrier(executor, mine, settings.actions, connection, lambda: store.connect(url, "test"))
        print(carrier.carry(plan["id"]).status)  # noqa: T201 - for who started it


def _watch(executor: Any, reach: Hook) -> None:
    begin: Any = steps.begin
    end: Any = steps.end
    do, move = executor.do, ledger.move

    def begun(connection: Any, action_id: str, step: str, *rest: Any) -> None:
        reach("before row", step)
        begin(connection, action_id, step, *rest)
        reach("after row", step)

    def done(step: str, job: Any) -> Any:
        result = do(step, job)
        reach("after effect", step)
        return result

    def ended(connection: Any, action_id: str, step: str, *rest: Any) -> None:
        end(connection, action_id, step, *rest)
        reach("after result", step)

    def moved(*arguments: Any, **changes: Any) -> Any:
        reach("before end", "")
        found = move(*arguments, **changes)
        reach("after end", "")
        return found

    replaced: Any = steps
    replaced.begin, replaced.end = begun, ended
    executor.do, ledger.move = done, moved


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
