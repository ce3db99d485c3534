"""The pages of the documentation as what they show: blocks of code, in their order."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSOLE = ("console", "bash")
_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# A variable, before a command, as in PORT=9000 drift-aware serve.
_VARIABLE = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
# What stands before a command that another program is to run.
_CARRIERS = ("--", "exec")
_BETWEEN = re.compile(r"&&|\|\||[|;]")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    What stands behind the language says how it is used: ``not-run`` with a ``reason``, where this machine
    lacks what it needs; ``file=NAME``, if the reader is told to save it.

    Attributes:
        language: the first word; empty if there is none.
        line: of the page, of its fence.
    """

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def runs(self) -> bool:
        """Whether it can be used on this machine."""
        return "not-run" not in self.words

    def said(self, name: str) -> str | None:
        """The value of a word as in ``file=app.py``."""
        found = (word.partition("=") for word in self.words)
        return next((value for key, equals, value in found if equals and key == name), None)

    def commands(self) -> list[str]:
        """Its commands, one a line unless a line ends with a backslash; without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pages() -> dict[str, Path]:
    """Every page by its name from the root of the project, but those made from the code."""
    below = [page for folder in ("docs", "examples") for page in sorted((ROOT / folder).rglob("*.md"))]
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *below]
    return {str(page.relative_to(ROOT)): page for page in found if page.parent != ROOT / "docs" / "reference"}


def blocks(text: str) -> list[Block]:
    r"""The blocks of a page.

    >>> blocks("A\n\n```console not-run reason='no Docker'\ndocker ps\n```\n")
    [Block(language='console', words=('not-run', 'reason=no Docker'), text='docker ps\n', line=3)]
    """
    found = []
    assert text.count("```") == 2 * len(_FENCE.findall(text)), "fences begin and end at the margin"
    for match in _FENCE.finditer(text):
        language, *words = shlex.split(match[1]) or [""]
        found.append(Block(language, tuple(words), match[2], text.count("\n", 0, match.start()) + 1))
    return found


def calls(command: str) -> list[list[str]]:
    """The words of each call of ``drift-aware`` in a line, without the name.

    >>> calls("export A=1 && drift-aware topics create && PORT=1 drift-aware serve --host '0.0.0.0'  # all")
    [['topics', 'create'], ['serve', '--host', '0.0.0.0']]
    >>> calls("docker compose exec serve drift-aware check"), calls("pip install drift-aware")
    ([['check']], [])
    >>> calls("kubectl create namespace drift-aware"), calls("kubectl exec deploy/serve -- drift-aware check")
    ([], [['check']])
    """
    found = []
    for part in _BETWEEN.split(_plain(command)):
        words = shlex.split(part, comments=True)
        while words and _VARIABLE.fullmatch(words[0]):
            words.pop(0)
        carried = next((words[words.index(word) :] for word in _CARRIERS if word in words), words)
        if "drift-aware" in carried and (carried is not words or words[0] == "drift-aware"):
            found.append(carried[carried.index("drift-aware") + 1 :])
    return found


def _plain(command: str) -> str:
    """The command with what the shell would put in as one word."""
    return re.sub(r"\$\([^)]*\)", "X", command)
