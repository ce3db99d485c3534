"""The detector of docs/detectors.md plugs in as it says there."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.settings import load
from drift_aware.streams import detectors
from drift_aware.streams.labels import label
from drift_aware.streams.replay import Unused, read, replay
from rig.pages import ROOT, blocks
from rig_events import NOON

BLOCKS = blocks((ROOT / "docs" / "detectors.md").read_text())


def block(language: str) -> str:
    """The first block of the page in a language."""
    return next(block.text for block in BLOCKS if block.language == language)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's package as an installer leaves it; and a configuration that names the detector."""
    project = tomllib.loads(block("toml"))["project"]
    information = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    entries = [
        f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in each.items())
        for group, each in project["entry-points"].items()
    ]
    (information / "entry_points.txt").write_text("\n".join(entries))
    (tmp_path / "slow.py").write_text(block("python"))
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(block("yaml")) | {"segments": []}))
    monkeypatch.syspath_prepend(tmp_path)
    detectors._plugins.cache_clear()
    yield file
    detectors._plugins.cache_clear()


def test_it_alerts_while_latency_is_above_its_ceiling_and_then_says_it_is_over(installed: Path) -> None:
    slow = range(1500, 2500)
    events = [
        {
            "type": "interaction",
            "id": f"i{n}",
            "ts": NOON + 1000 * n,
            "latency_ms": 3500 if n in slow else 900,
        }
        for n in range(4500)
    ]
    unused = Unused(lambda number, why: None)
    lines = read([json.dumps(event).encode() for event in events], unused)
    found = replay(load(installed), lines, label, unused)
    alerts = [each.alert for each in found if each.alert.detector == "slow"]
    assert (unused.bad, unused.late) == (0, 0)
    assert [(alert.status, alert.severity, alert.segment) for alert in alerts] == [
        ("firing", "info", "all"),
        ("firing", "warning", "all"),
        ("resolved", "warning", "all"),
    ]
    assert alerts[0].summary.startswith("The latency in all traffic is at 2")
    assert len({alert.id for alert in alerts}) == 1


def test_a_detector_that_nobody_has_installed_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(block("yaml"))
    with pytest.raises(SettingsError, match="no such detector; there are shift, limit"):
        load(file)
