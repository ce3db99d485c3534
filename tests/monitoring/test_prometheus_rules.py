"""Prometheus and Alertmanager are told nothing wrong, and every alert fires when it should and only then."""

import re
from collections import defaultdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from scipy.stats import poisson

from rig.monitoring import checked

ROOT = Path(__file__).parents[2]
RULE_FILES = sorted((ROOT / "dashboards" / "prometheus").glob("*.yml"))
TEST_FILES = sorted((Path(__file__).parent / "rules").glob("*.yml"))
ALERTMANAGER = ROOT / "dashboards" / "alertmanager" / "alertmanager.yml"
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
RULES: list[dict[str, Any]] = [
    rule
    for file in RULE_FILES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


def test_prometheus_takes_its_configuration_with_all_rules() -> None:
    said = checked("promtool", "check", "config", ROOT / "prometheus.yml")
    assert f"{len(RULE_FILES)} rule files found" in said


@pytest.mark.parametrize("file", RULE_FILES, ids=lambda file: file.stem)
def test_promtool_finds_nothing_to_say_about_the_rules(file: Path) -> None:
    checked("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    checked("promtool", "test", "rules", file)


def test_of_every_alert_both_sides_are_tested() -> None:
    assert {file.name for file in TEST_FILES} == {file.name for file in RULE_FILES}
    sides: defaultdict[str, set[bool]] = defaultdict(set)
    for file in TEST_FILES:
        for case in yaml.safe_load(file.read_text())["tests"]:
            for test in case["alert_rule_test"]:
                sides[test["alertname"]].add(bool(test["exp_alerts"]))
    assert sides == {name: {True, False} for name in ALERTS}


def test_recording_rules_are_named_by_level_metric_and_operation() -> None:
    recorded = [rule["record"] for rule in RULES if "record" in rule]
    assert recorded
    assert all(re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", name) for name in recorded)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert rule["labels"]["service"] == "drift-aware"
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"


def test_there_is_a_runbook_for_every_alert_and_none_for_others() -> None:
    assert re.findall(r"^### (\w+)$", RUNBOOKS, re.MULTILINE) == [
        rule
        for file in ("drift", "worker", "record", "actions")
        for group in yaml.safe_load((ROOT / "dashboards" / "prometheus" / f"{file}.yml").read_text())[
            "groups"
        ]
        for rule in (each["alert"] for each in group["rules"] if "alert" in each)
    ]


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_says_what_it_means_how_to_see_it_what_to_do_and_when_not_to(name: str) -> None:
    section = RUNBOOKS.split(f"### {name}\n", 1)[1].split("\n##", 1)[0]
    for part in ("**Means.**", "```console", "**Do.**", "**Ignore**"):
        assert part in section


def _commands() -> list[str]:
    blocks = re.findall(r"```console[^\n]*\n(.*?)```", RUNBOOKS, re.DOTALL)
    code = [*blocks, *re.findall(r"`([^`\n]+)`", RUNBOOKS)]
    return sorted({line for block in code for line in block.splitlines() if line.startswith("drift-aware ")})


@pytest.mark.parametrize("line", _commands())
def test_every_command_of_a_runbook_exists(line: str, command_line: Any) -> None:
    words, command = line.split()[1:], command_line
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.fixture(scope="module")
def command_line() -> Any:
    app = typer.Typer()
    for entry in entry_points(group="drift_aware.verbs"):
        entry.load()(app)
    return typer.main.get_command(app)


def test_alertmanager_takes_its_configuration() -> None:
    said = checked("amtool", "check-config", ALERTMANAGER)
    assert "SUCCESS" in said


def test_alertmanager_has_no_secret_in_its_configuration_and_silences_drift_while_nothing_is_read() -> None:
    configuration = yaml.safe_load(ALERTMANAGER.read_text())
    secrets = re.findall(
        r"^\s*(?:- )?(\w*(?:url|key|password|token|secret)\w*):", ALERTMANAGER.read_text(), re.MULTILINE
    )
    assert secrets
    assert all(name.endswith("_file") for name in secrets)
    [blind] = [
        rule for rule in configuration["inhibit_rules"] if rule["target_matchers"] == ['component="drift"']
    ]
    [names] = re.findall(r'alertname=~"(.+)"', blind["source_matchers"][0])
    assert set(names.split("|")) <= set(ALERTS)
    assert {name for name, rule in ALERTS.items() if rule["labels"]["component"] == "drift"} == {
        "EmbeddingDrift",
        "RefusalRateHigh",
        "ToxicityRateHigh",
        "AccuracyDropped",
    }


def test_the_budget_alert_is_seldom_chance() -> None:
    # From one false alarm in ten years to ten a day; the number of a week is an integer.
    promised = np.geomspace(7 / 3650, 70, 2000)
    line = promised + 3 * np.sqrt(promised) + 1
    assert float(np.max(poisson.sf(np.floor(line), promised))) < 1 / 200
    assert "3 * sqrt(" in ALERTS["FalseAlarmBudgetExhausted"]["expr"]
