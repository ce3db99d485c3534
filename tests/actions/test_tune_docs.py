"""What the documents show can be used as it stands."""

import re
from pathlib import Path

import pytest

from drift_aware.actions import safety
from drift_aware.actions.tune import executor
from drift_aware.schema.settings import load

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["tune.md", "policies.md"])
def test_the_settings_shown_are_settings(page: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "settings.yaml").write_text(block)
        settings = load(tmp_path / "settings.yaml")
        assert executor.make(settings).steps
        assert safety.make(settings).steps
