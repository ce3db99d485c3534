"""A page that is not true is found out."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig import telling
from rig.pages import blocks
from rig.shell import Shell
from rig.telling import Story

Tell = Callable[[str], None]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tell]:
    """Tells a page of a few lines, without services."""
    monkeypatch.setattr(telling, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(telling, "LASTING", (["sleeps"], ["ends"]))
    folder, programs = tmp_path / "desk", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    program = programs / "drift-aware"
    program.write_text('#!/bin/sh\n[ "$1" = sleeps ] && { trap "exit $2" TERM; sleep 60 & wait; }\nexit 0\n')
    program.chmod(0o755)
    shell = Shell(folder, {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"})
    story = Story(shell, folder, "", {"example.org": "here"}, "given = 1")

    def tell_all(page: str) -> None:
        for block in blocks(page):
            story.tell(block)
        story.end()

    yield tell_all
    shell.kill()


@pytest.mark.parametrize(
    "page",
    [
        "```console\nfalse\n```\n",
        "```console\ntrue | false | true\n```\n",
        "```console\necho one\n```\n\n```output\ntwo\n```\n",
        "```console\necho one two\n```\n\n```output\ntwo…one\n```\n",
        "```console\ndrift-aware sleeps 1\n```\n",
        "```console\ndrift-aware ends\nsleep 0.3\n```\n",
        "```python\nassert given == 2\n```\n",
        "```yaml\nfalse_alarm: 1 per 30d\n```\n",
        "```toml\n[project\n```\n",
        "```json\n{]\n```\n",
        "```fortran\nPRINT *, 1\n```\n",
    ],
)
def test_what_is_wrong_fails(tell: Tell, page: str) -> None:
    with pytest.raises(Exception, match=r".+"):
        tell(page)


@pytest.mark.parametrize(
    "page",
    [
        "```console\nexport A=1\n# nothing\ntest $A = 1\n```\n",
        "```console\necho one two three\n```\n\n```output\none…three\n```\n",
        "```text file=a/b.txt\nat example.org\n```\n\n```console\ngrep here a/b.txt\n```\n",
        "```console\ndrift-aware sleeps 0\ndrift-aware status\n```\n",
        "```python\nassert given == 1\n```\n",
        "```yaml\nfalse_alarms: 1 per 30d\n```\n",
    ],
)
def test_what_is_right_passes(tell: Tell, page: str) -> None:
    tell(page)


def test_a_fence_that_is_indented_is_not_overlooked() -> None:
    with pytest.raises(AssertionError, match="margin"):
        blocks("1. Do\n\n   ```console\n   false\n   ```\n")
