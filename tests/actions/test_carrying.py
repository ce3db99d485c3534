"""Actions are carried out so that each effect happens once, whatever dies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig import commanded
from rig.executor_contract import ExecutorContract
from rig.letters import STEPS, Box


class TestThreeSteps(ExecutorContract):
    """Of effects on a server in another process."""

    steps = STEPS

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Iterator[Box]:
        box = Box(tmp_path)
        yield box
        box.close()


class Folder:
    """What a program has done (``rig.executor_contract.Outside``)."""

    maker = "drift_aware.actions.executors.command:make"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.settings: dict[str, Any] = {"actions": {"command": commanded.section(folder)}}

    def effects(self) -> list[str]:
        lines = self._folder / "lines"
        return lines.read_text().split() if lines.exists() else []

    def cut(self) -> None:
        (self._folder / "cut").touch()

    def hide(self) -> None:
        (self._folder / "hidden").touch()

    def appear(self) -> None:
        (self._folder / "hidden").unlink()


class TestCommand(ExecutorContract):
    """Of effects that a program of the user's own has."""

    steps = ("run",)

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Folder:
        return Folder(tmp_path)
