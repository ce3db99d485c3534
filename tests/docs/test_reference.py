"""What is made from the code is what the code says, and leaves no field of it without a meaning."""

import re
from collections.abc import Iterator

import pytest

from drift_aware.schema.json_schemas import WIRE_TYPES
from drift_aware.schema.settings import PREFIX, Settings, _keys
from writers import configuration
from writers.attributes import meanings
from writers.configuration import Part
from writers.files import FILES, ROOT

PAGES = [name for name in FILES if name.endswith(".md")]


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_the_code_says(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == FILES[name](), "run: make schemas"


def _undescribed() -> Iterator[str]:
    for part in configuration.parts(Part("", Settings)):
        said = meanings(part.kind)
        for name, info in part.kind.model_fields.items():
            if name not in said and not configuration.is_section(info.annotation):
                yield f"{part.kind.__module__}.{part.kind.__qualname__}.{name}"
    for kind in WIRE_TYPES.values():
        yield from (
            f"{kind.__qualname__}.{name}" for name in kind.__struct_fields__ if name not in meanings(kind)
        )


def test_every_setting_and_every_field_on_the_wire_says_what_it_means() -> None:
    assert sorted(_undescribed()) == [], "say it under `Attributes:` in the docstring of the class"


def test_every_variable_of_a_setting_is_in_the_reference_and_no_other() -> None:
    text = (ROOT / "docs/reference/configuration.md").read_text()
    sections = {name.rpartition(".")[0] for name in _keys(Settings) if "." in name}
    known = {PREFIX + key.replace(".", "__").upper() for key in _keys(Settings) if key not in sections}
    assert set(re.findall(rf"`({PREFIX}\w+)`", text)) - {PREFIX} == known
