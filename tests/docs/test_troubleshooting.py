"""The messages that docs/troubleshooting.md quotes are those that the code prints."""

import ast
import re
from collections.abc import Iterator

import pytest

from rig.pages import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
COMMANDS = ("drift-aware ", "pip ", "dlq ")
# Single words and names of metrics or settings are no messages; nor is a piece that any text could hold.
_LEAST_WORDS, _LEAST_CHARACTERS = 3, 5


def _quoted() -> list[str]:
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"`([^`\n]+)`", prose)
    return [text for text in found if len(text.split()) >= _LEAST_WORDS and not text.startswith(COMMANDS)]


def _literals() -> Iterator[str]:
    for file in ROOT.glob("*/drift_aware/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


CODE = "\n".join(_literals())


@pytest.mark.parametrize("message", _quoted())
def test_a_message_is_made_of_what_the_code_says(message: str) -> None:
    pieces = [piece.strip(" :") for piece in message.split("…")]
    telling = [piece for piece in pieces if len(piece) >= _LEAST_CHARACTERS]
    assert telling, "nothing to recognise it by"
    for piece in telling:
        assert piece in CODE, piece


def test_enough_is_quoted_for_the_test_above_to_mean_something() -> None:
    assert len(_quoted()) >= 20


def test_a_message_that_the_code_does_not_print_is_not_found() -> None:
    assert "the worker has had enough of it" not in CODE
