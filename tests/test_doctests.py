"""Every example in a docstring says what happens."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WITH_EXAMPLES = sorted(
    ".".join(file.relative_to(portion.parent).with_suffix("").parts).removesuffix(".__init__")
    for portion in ROOT.glob("*/drift_aware")
    for file in portion.rglob("*.py")
    if ">>> " in file.read_text()
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_true(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module), report=True)
    assert tried
    assert not failed
