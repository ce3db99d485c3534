"""A program of the user's own as an executor: what its ends mean."""

import sys
from pathlib import Path
from typing import Any

import pytest

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job
from drift_aware.actions.executors.command import CommandExecutor, make
from drift_aware.actions.policy import action_id
from drift_aware.schema.action_settings import Command
from drift_aware.schema.alerts import Action
from rig.configuration import make_settings
from rig_events import alert

ONE = alert(1)


def no_connection() -> Any:
    raise AssertionError("a command needs no connection of ours")


class Bill:
    """What was asked for and what was paid."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.paid: list[float] = []

    def job(self) -> Job:
        action = Action(
            id=action_id("a1", "tune"),
            revision=3,
            action="tune",
            status="running",
            alert_id=ONE.id,
            segment=ONE.segment,
            metric=ONE.metric,
            severity=ONE.severity,
            ts=ONE.ts,
            dry_run=False,
            reason="because",
        )
        return Job(
            action=action,
            alert=ONE,
            results={},
            connect=no_connection,
            spend=lambda usd, _: self.asked.append(usd),
            spent=lambda usd, _: self.paid.append(usd),
            progress=lambda *_: None,
        )


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def executor(script: str = "", **more: Any) -> CommandExecutor:
    return CommandExecutor(Command(kind="tune", run=python(script), **more))


def test_the_program_is_told_everything_and_its_object_is_the_result() -> None:
    script = (
        "import json, os, sys; told = json.load(sys.stdin);"
        "print(json.dumps([told['alert']['metric'], told['action']['id'], os.environ['IDEMPOTENCY_KEY']]))"
    )
    job = Bill().job()
    expected = f'["refusal_rate", "{job.action.id}", "{job.key("run")}"]'
    assert executor(script).do("run", job) == {"printed": expected}
    assert executor('print(\'{"job_id": "ft-1"}\')').do("run", job) == {"job_id": "ft-1"}
    assert executor("print('\\xff')").do("run", job)["printed"]


def test_what_it_costs_is_reserved_before_and_booked_after() -> None:
    bill = Bill()
    executor("print('{\"cost_usd\": 0.5}')", most_usd=2.0).do("run", bill.job())
    assert (bill.asked, bill.paid) == ([2.0], [0.5])


def test_a_program_that_says_it_failed_has_failed() -> None:
    full = "import sys; print('one\\nthe disk is full', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ActionFailed, match="exit code 3: the disk is full"):
        executor(full).do("run", Bill().job())


def test_a_program_that_does_not_end_or_is_killed_may_have_had_its_effect() -> None:
    with pytest.raises(Unknown, match=r"has not ended in 0\.2 s"):
        executor("import threading; threading.Event().wait()", timeout_seconds=0.2).do("run", Bill().job())
    with pytest.raises(Unknown, match="ended by signal 9"):
        executor("import os; os.kill(os.getpid(), 9)").do("run", Bill().job())


def test_a_program_that_is_not_there_is_told_before_anything_happens(tmp_path: Path) -> None:
    absent = CommandExecutor(Command(kind="tune", run=[str(tmp_path / "absent")]))
    with pytest.raises(ActionFailed, match=r"cannot start .*absent: No such file"):
        absent.do("run", Bill().job())


def test_looking_gives_the_result_or_nothing_or_that_nobody_can_tell() -> None:
    job = Bill().job()
    assert executor(find=python('print(\'{"job_id": "ft-1"}\')')).find("run", job) == {"job_id": "ft-1"}
    assert executor(find=python("raise SystemExit(1)")).find("run", job) is None
    with pytest.raises(Unknown, match="ended with 2: busy"):
        executor(find=python("import sys; print('busy', file=sys.stderr); sys.exit(2)")).find("run", job)
    with pytest.raises(Unknown, match=r"set actions\.command\.find"):
        executor().find("run", job)


def test_what_cannot_be_taken_back_says_what_is_missing() -> None:
    job = Bill().job()
    with pytest.raises(ActionFailed, match=r"set actions\.command\.undo"):
        executor().undo(job)
    with pytest.raises(ActionFailed, match="ended with 1"):
        executor(undo=python("raise SystemExit(1)")).undo(job)
    assert executor(undo=python("")).undo(job).endswith("has taken it back")


def test_it_plans_in_a_sentence_and_expects_the_metric_to_go_back_unless_it_only_tells() -> None:
    assert executor().plan(Bill().job()) == f"run {sys.executable}"
    effect = executor().expected(ONE)
    assert effect is not None
    assert (effect.metric, effect.direction) == (ONE.metric, "down")
    tells = CommandExecutor(Command(kind="notify", run=["true"]))
    assert tells.expected(ONE) is None


def test_without_a_section_there_is_no_executor() -> None:
    assert make(make_settings()) is None
