r"""Does an answer refuse?

A refusal says so at its beginning, so only the head of an answer is read, and the patterns of ``phrases``
decide. A partial refusal, which declines and then helps with a part or with something else, is a refusal
too: its head says the same, and the person who asked did not get what was asked for.

Two implementations take the same decisions: one union of all patterns for ``re``, always there, and
Hyperscan, where it is installed, which scans the heads of a whole batch at once.

>>> is_refusal("I'm sorry, but I can't help with that.")
True
>>> is_refusal("Sorry for the wait! Here is the recipe you asked for.")
False
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

from drift_aware.streams.labels.phrases import REFUSALS

HEAD = 220
# Read first; blanks and decoration seldom eat more than the 36 characters to spare. Then up to _MOST.
_FIRST = 256
_MOST = 1024
_WORTH_A_SCAN = 8
_MARKS = " >#`_~\"'-\u201c\u201d\u2022"
_SPEAKERS = ("assistant:", "ai:", "answer:", "response:", "model:", "bot:")


def is_refusal(answer: str) -> bool:
    """Whether the answer declines to do what it was asked, wholly or in part."""
    return _refusals().search(head(answer)) is not None


@cache
def _refusals() -> re.Pattern[str]:
    """Made when first needed: it takes a quarter of a second, which most verbs need not wait for."""
    # Asking for a word's beginning once, not in each pattern, takes a seventh of the time.
    return re.compile(rf"\b(?:{'|'.join(REFUSALS)})")


def refusals(answers: Sequence[str]) -> list[bool]:
    """What ``is_refusal`` says of each answer; with Hyperscan, a batch costs a quarter of one by one."""
    heads = [head(answer) for answer in answers]
    # The automaton takes a second to build, which a few answers do not earn back.
    scan = quick() if len(heads) >= _WORTH_A_SCAN else None
    return (scan or plain)(heads)


def head(answer: str) -> str:
    """The first HEAD characters in lower case, without Markdown, quotes, a speaker's name or extra blanks."""
    folded = _fold(answer[:_FIRST])
    if len(folded) < HEAD and len(answer) > _FIRST:
        folded = _fold(answer[:_MOST])
    return folded[:HEAD]


def plain(heads: Sequence[str]) -> list[bool]:
    """Which heads refuse, by ``re``."""
    return [_refusals().search(each) is not None for each in heads]


@cache
def quick() -> Callable[[Sequence[str]], list[bool]] | None:
    """Which heads refuse, by Hyperscan; None where it is not installed or does not run on this processor."""
    if find_spec("hyperscan") is None:
        return None
    hyperscan = import_module("hyperscan")
    try:
        return _Hyperscan(hyperscan).scan
    except hyperscan.ArchitectureError:
        return None


class _Hyperscan:
    """All patterns as one automaton over heads joined by line breaks; no head holds one itself."""

    def __init__(self, hyperscan: Any) -> None:
        patterns = [_of_one_line(pattern).encode() for pattern in REFUSALS]
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(expressions=patterns, flags=hyperscan.HS_FLAG_MULTILINE)
        # Two scans at once may not share the scratch space.
        self._lock = Lock()

    def scan(self, heads: Sequence[str]) -> list[bool]:
        refused = [False] * len(heads)
        lines: list[str] = []
        ends: list[int] = []
        end = -1
        for row, line in enumerate(heads):
            if not line.isascii():
                # To Hyperscan a letter outside ASCII is two bytes and no \w.
                refused[row] = _refusals().search(line) is not None
                line = ""
            lines.append(line)
            end += len(line) + 1
            ends.append(end)
        hits: list[int] = []
        with self._lock:
            self._database.scan("\n".join(lines).encode(), _note, context=hits)
        for hit in hits:
            refused[bisect_left(ends, hit)] = True
        return refused


def _of_one_line(pattern: str) -> str:
    # Only the negated class could match across a line break; and Hyperscan takes no ^ inside a group.
    pattern = pattern.replace("[^.]", r"[^.\n]")
    return pattern if pattern.startswith("^") else rf"\b(?:{pattern})"


def _note(_pattern: int, _begin: int, end: int, _flags: int, hits: list[int]) -> None:
    hits.append(end)


def _fold(text: str) -> str:
    if not text.isascii():
        text = text.replace("\u2019", "'").replace("\u2018", "'")
    folded = " ".join(text.replace("*", "").split()).lower().lstrip(_MARKS)
    while folded.startswith(_SPEAKERS):
        folded = folded.partition(":")[2].lstrip(_MARKS)
    return folded
