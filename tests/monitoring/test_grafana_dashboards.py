"""The dashboards: readable by Grafana's own types, and every question asked of a metric that exists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import dashboard as grafana

from drift_aware.schema.metrics import VOCABULARY
from rig.monitoring import checked

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dashboards" / "grafana").rglob("*.json"))
BOARDS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text()) for file in FILES}
SOURCE = {"type": "prometheus", "uid": "drift-aware-prometheus"}
RULES = [
    rule
    for file in sorted((ROOT / "dashboards" / "prometheus").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
# What Prometheus makes by itself.
_OWN = {"up", "ALERTS"}
_WORDS = {"and", "or", "unless", "bool", "offset", "group_left", "group_right"}


def _known() -> set[str]:
    declared = [metric for each in VOCABULARY for metric in each.declared()]
    suffixes = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    shown = {metric.name + suffix for metric in declared for suffix in suffixes[metric.kind]}
    return shown | {rule["record"] for rule in RULES if "record" in rule} | _OWN


def metrics_of(expression: str) -> set[str]:
    """The names of metrics in a PromQL expression.

    >>> sorted(metrics_of('sum by (a) (rate(b_total{c="d"}[5m])) > on (e) f:g:sum offset 1h'))
    ['b_total', 'f:g:sum']
    """
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', "", expression)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    found = re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)
    return set(found) - _WORDS


def _expressions() -> Iterator[tuple[str, str]]:
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            yield from ((f"{name}: {panel['title']}", each["expr"]) for each in panel["targets"])
        yield from ((f"{name}: {each['name']}", each["expr"]) for each in board["annotations"]["list"])


def test_there_are_the_two_dashboards() -> None:
    assert set(BOARDS) == {"drift-monitoring", "operations"}


@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_own_types_read_a_dashboard(name: str) -> None:
    read = grafana.Dashboard.from_json(BOARDS[name])
    assert read.uid == f"drift-aware-{name}"
    assert len(read.panels or []) == len(BOARDS[name]["panels"])


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_says_which_question_it_answers(name: str) -> None:
    for panel in BOARDS[name]["panels"]:
        assert "?" in panel["description"], panel["title"]
        assert panel["targets"]


@pytest.mark.parametrize("name", BOARDS)
def test_everything_is_asked_of_the_source_that_is_provisioned(name: str) -> None:
    board = BOARDS[name]
    askers = [*board["panels"], *board["annotations"]["list"], *board["templating"]["list"]]
    askers += [target for panel in board["panels"] for target in panel["targets"]]
    assert all(each["datasource"] == SOURCE for each in askers)
    assert "${DS" not in json.dumps(board)


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_ids_of_their_own_and_do_not_cover_each_other(name: str) -> None:
    panels = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize(("where", "expression"), list(_expressions()))
def test_every_metric_that_is_asked_for_exists(where: str, expression: str) -> None:
    asked = metrics_of(expression)
    assert asked, where
    assert asked <= _known(), where


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_of_a_rule_exists(rule: dict[str, Any]) -> None:
    asked = metrics_of(rule["expr"])
    assert asked
    assert asked <= _known()


def test_a_segment_is_chosen_from_those_that_have_series() -> None:
    [variable] = BOARDS["drift-monitoring"]["templating"]["list"]
    [(metric, label)] = re.findall(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
    assert metric in _known()
    assert label == variable["name"] == "segment"


def test_the_dashboard_of_drift_shows_what_people_look_for() -> None:
    titles = {panel["title"] for panel in BOARDS["drift-monitoring"]["panels"]}
    assert titles >= {
        "Overall drift",
        "Drift breakdown",
        "Accuracy",
        "Refusals and toxicity",
        "API cost",
        "Retraining events",
    }
    asked = {metric for where, each in _expressions() if "retrain" in where for metric in metrics_of(each)}
    assert asked == {"retrain_events_total"}


def test_every_expression_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"expression:number_{number}", "expr": each.replace("$segment", "all")}
        for number, (_, each) in enumerate(_expressions())
    ]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.dump({"groups": [{"name": "expressions", "rules": rules}]}))
    assert f"{len(rules)} rules found" in checked("promtool", "check", "rules", "--lint=none", file)
