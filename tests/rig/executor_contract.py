"""What every executor owes: each effect happens once, whichever moment its process dies at.

A test file makes a subclass of ``ExecutorContract`` that names the steps and gives an ``outside``: a world of
its own, in another process or in files, that notes each effect with its key, as often as it comes. Where no
answer can be lost, or where it is always found again, ``DyingContract`` is what there is to keep.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL
from typing import Any, ClassVar, Protocol

import pytest

from drift_aware.actions import answers, ledger
from drift_aware.actions.ledger import Entry
from drift_aware.actions.policy import Decision, action_id
from drift_aware.schema.alerts import ActionKind
from drift_aware.sql import store
from rig.services import wait_until
from rig_events import alert

POINTS = ("before row", "after row", "after effect", "after result")
ACTION_POINTS = ("taken", "before end", "after end")
_LEASE_SECONDS = 1.0
_PROCESS_SECONDS = 60


class Outside(Protocol):
    """Where the effects go.

    Attributes:
        maker: ``module:function`` from settings to the executor.
        settings: what it needs, sections as dicts.
    """

    maker: str
    settings: dict[str, Any]

    def effects(self) -> list[str]:
        """The key of every effect, as often as it happened."""


class Breaking(Outside, Protocol):
    """One whose answers can be lost."""

    def cut(self) -> None:
        """Let the next effect happen, and its answer be lost."""

    def hide(self) -> None:
        """Let nobody find out which effects there have been."""

    def appear(self) -> None:
        """End that."""


class Desk:
    """One approved action, and processes that carry it out."""

    def __init__(self, url: str, outside: Outside, kind: ActionKind) -> None:
        self.url, self.outside = url, outside
        self.id = action_id("a1", kind)
        with store.connect(url, "test") as connection:
            assert ledger.claim(connection, alert(1), Decision(kind, "proposed", "because"), dry_run=False)
            answers.approve(connection, self.id, "Ann")

    def entry(self) -> Entry:
        with store.connect(self.url, "test") as connection:
            return ledger.find(connection, self.id)

    def carry(self, die: tuple[str, str] | None = None, **actions: Any) -> "subprocess.CompletedProcess[str]":
        """Carry it out in a process; it has ended when this returns."""
        given = self.outside.settings
        section = {"dry_run": False, "lease_seconds": _LEASE_SECONDS} | given.get("actions", {}) | actions
        settings = given | {"database_url": self.url, "actions": section}
        plan = {"settings": settings, "maker": self.outside.maker, "id": self.id, "die": die}
        return subprocess.run(
            [sys.executable, "-m", "rig.carried", json.dumps(plan)],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=_PROCESS_SECONDS,
            check=False,
        )

    def resume(self) -> "subprocess.CompletedProcess[str]":
        """Carry it out again once its lease has run out; not, if it is over."""
        entry = self.entry()
        if entry.lease_until is not None:
            wait_until(lambda: self._is_free(), 30, "the lease runs out")
        return self.carry()

    def _is_free(self) -> bool:
        with store.connect(self.url, "test") as connection:
            row = connection.execute(
                "SELECT lease_until < now() FROM action_log WHERE id = %s", [self.id]
            ).fetchone()
        return bool(row and row[0])


class DyingContract:
    """Each effect happens once although the process dies.

    For the subclass: ``steps``, those of them whose effects are ``noted`` if not all, and ``outside``.
    """

    steps: ClassVar[Sequence[str]]
    noted: ClassVar[Sequence[str] | None] = None
    kind: ClassVar[ActionKind] = "tune"

    @pytest.fixture
    def desk(self, database_url: str, outside: Outside) -> Desk:
        return Desk(database_url, outside, self.kind)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "die" in metafunc.fixturenames:
            points = [(point, step) for step in self.steps for point in POINTS]
            points += [(point, "") for point in ACTION_POINTS]
            metafunc.parametrize("die", points, ids=lambda point: " ".join(point).strip().replace(" ", "-"))

    def test_each_effect_happens_once_when_nothing_dies(self, desk: Desk) -> None:
        ran = desk.carry()
        assert ran.stdout == "succeeded\n", ran.stderr
        self.assert_once(desk)

    def test_each_effect_happens_once_although_the_process_is_killed(
        self, desk: Desk, die: tuple[str, str]
    ) -> None:
        killed = desk.carry(die)
        assert killed.returncode == -SIGKILL, killed.stderr
        if die[0] != "after end":
            resumed = desk.resume()
            assert resumed.stdout == "succeeded\n", resumed.stderr
        self.assert_once(desk)

    def test_a_dry_run_has_no_effect(self, desk: Desk) -> None:
        ran = desk.carry(dry_run=True)
        assert ran.stdout == "succeeded\n", ran.stderr
        entry = desk.entry()
        assert entry.action.dry_run
        assert entry.action.reason.startswith("dry run: would ")
        assert entry.steps == []
        assert desk.outside.effects() == []

    def assert_once(self, desk: Desk) -> None:
        entry = desk.entry()
        assert entry.action.status == "succeeded"
        assert [(step.step, step.status) for step in entry.steps] == [(step, "done") for step in self.steps]
        noted = self.steps if self.noted is None else self.noted
        assert Counter(desk.outside.effects()) == Counter(
            step.key for step in entry.steps if step.step in noted
        )


class ExecutorContract(DyingContract):
    """And although answers are lost."""

    def test_an_answer_that_is_lost_is_found(self, desk: Desk, outside: Breaking) -> None:
        outside.cut()
        ran = desk.carry()
        assert ran.stdout == "succeeded\n", ran.stderr
        self.assert_once(desk)

    def test_what_nobody_can_find_waits_for_a_person_and_is_not_done_twice(
        self, desk: Desk, outside: Breaking
    ) -> None:
        outside.cut()
        outside.hide()
        ran = desk.carry()
        assert ran.stdout == "unknown\n", ran.stderr
        entry = desk.entry()
        [lost] = [step.step for step in entry.steps if step.status == "unknown"]
        assert entry.action.reason
        assert max(Counter(desk.outside.effects()).values()) == 1
        outside.appear()
        with store.connect(desk.url, "test") as connection:
            answers.settle(connection, desk.id, lost, "Ann", done=True)
        resumed = desk.resume()
        assert resumed.stdout == "succeeded\n", resumed.stderr
        self.assert_once(desk)
