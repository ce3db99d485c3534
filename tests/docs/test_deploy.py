"""What deploy/ holds is valid and true of the project as it is. Nothing of it is started here."""

import json
import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from drift_aware.schema import cli
from drift_aware.schema.settings import load
from drift_aware.streams.worker import LEAVE_SECONDS
from rig.pages import ROOT, calls
from writers import commands

DEPLOY = ROOT / "deploy"
KUBERNETES = json.loads((ROOT / "tests" / "specifications" / "kubernetes-1.34.json").read_text())
DEFINITIONS = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Job": "io.k8s.api.batch.v1.Job",
    "Service": "io.k8s.api.core.v1.Service",
}
KUSTOMIZATION = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
# Those that not everybody needs are started by whoever does.
ROLES = {"worker", "baseline", "persist", "act", "serve"}
OPTIONAL = {"ingest", "embed", "canary"}
MANIFESTS: list[dict[str, Any]] = [
    manifest
    for name in (*KUSTOMIZATION["resources"], *(f"{role}.yaml" for role in sorted(OPTIONAL)))
    for manifest in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
]
DEPLOYMENTS = {
    manifest["metadata"]["name"].removeprefix("drift-aware-"): manifest["spec"]["template"]["spec"]
    for manifest in MANIFESTS
    if manifest["kind"] == "Deployment"
}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROCFILE = dict(line.split(": ", 1) for line in (DEPLOY / "Procfile").read_text().splitlines())
KNOWN = {tuple(verb.split()[1:]): function for verb, function in commands.verbs(cli.application())}


def _started() -> Iterator[tuple[str, list[str]]]:
    """Where something is started, and with what words behind ``drift-aware``."""
    for manifest in MANIFESTS:
        spec = manifest["spec"].get("template", {}).get("spec", {})
        for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
            yield f"kubernetes {container['name']}", [str(word) for word in container["args"]]
    for unit in UNITS:
        for words in _starts(unit):
            yield unit.stem, words
    for name, command in PROCFILE.items():
        for words in calls(command):
            yield f"Procfile {name}", words


def _starts(unit: Path) -> list[list[str]]:
    lines = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    found = [shlex.split(line) for line in lines]
    assert all(words[0] == "/opt/drift-aware/venv/bin/drift-aware" for words in found)
    return [words[1:] for words in found]


def _verb(words: list[str]) -> tuple[str, ...]:
    return next(verb for verb in KNOWN if tuple(words[: len(verb)]) == verb)


STARTED = list(_started())


@pytest.mark.parametrize(("where", "words"), STARTED, ids=[f"{where} {words[0]}" for where, words in STARTED])
def test_every_command_is_one_the_command_line_has(where: str, words: list[str]) -> None:
    options = {word for word in words if word.startswith("--")}
    assert options <= commands.options(KNOWN[_verb(words)])


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["metadata"]["name"])
def test_a_manifest_is_valid_by_the_schema_of_its_kind(manifest: dict[str, Any]) -> None:
    schema = KUBERNETES | {"$ref": f"#/$defs/{DEFINITIONS[manifest['kind']]}"}
    jsonschema.Draft202012Validator(schema).validate(manifest)


def test_the_schema_of_kubernetes_refuses_a_misspelt_field() -> None:
    spoilt = json.loads(json.dumps(next(each for each in MANIFESTS if each["kind"] == "Deployment")))
    spoilt["spec"]["template"]["spec"]["terminationGraceSeconds"] = 40
    schema = KUBERNETES | {"$ref": f"#/$defs/{DEFINITIONS['Deployment']}"}
    assert not jsonschema.Draft202012Validator(schema).is_valid(spoilt)


def test_every_way_of_deploying_starts_every_role() -> None:
    assert set(DEPLOYMENTS) == ROLES | OPTIONAL
    assert {name.removesuffix(".yaml") for name in KUSTOMIZATION["resources"]} == ROLES | {"setup"}
    assert {unit.stem.removeprefix("drift-aware-") for unit in UNITS} == ROLES | OPTIONAL | {"setup"}
    assert set(PROCFILE) == ROLES - {"serve"} | {"web", "release"}
    [target] = (DEPLOY / "systemd").glob("*.target")
    assert set(re.findall(r"drift-aware-(\w+)\.service", target.read_text())) == ROLES


@pytest.mark.parametrize("role", DEPLOYMENTS)
def test_kubernetes_leaves_a_role_more_time_than_the_worker_needs_to_leave(role: str) -> None:
    assert DEPLOYMENTS[role]["terminationGracePeriodSeconds"] > LEAVE_SECONDS


def test_no_service_becomes_a_variable_that_looks_like_a_setting() -> None:
    pods = [
        *DEPLOYMENTS.values(),
        *(each["spec"]["template"]["spec"] for each in MANIFESTS if each["kind"] == "Job"),
    ]
    assert len(pods) == len(ROLES | OPTIONAL) + 1
    assert all(pod["enableServiceLinks"] is False for pod in pods)


@pytest.mark.parametrize("role", DEPLOYMENTS)
def test_kubernetes_mounts_the_settings_where_the_role_reads_them(role: str) -> None:
    [container] = DEPLOYMENTS[role]["containers"]
    file = Path(container["args"][container["args"].index("--config") + 1])
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    [volume] = [each for each in DEPLOYMENTS[role]["volumes"] if each["name"] == mounted[str(file.parent)]]
    [generated] = KUSTOMIZATION["configMapGenerator"]
    assert volume["configMap"]["name"] == generated["name"]
    assert generated["files"] == [file.name]


def test_the_probes_ask_what_the_role_answers() -> None:
    [worker], [serve] = (DEPLOYMENTS[role]["containers"] for role in ("worker", "serve"))
    assert worker["livenessProbe"]["httpGet"]["path"] == "/health"
    assert worker["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert serve["readinessProbe"]["httpGet"]["path"] == "/ready"
    for role in ("worker", "persist", "act", "serve", *OPTIONAL):
        [container] = DEPLOYMENTS[role]["containers"]
        [port] = [each for each in container["ports"] if each["name"] == "http"]
        words = container["args"]
        option = next((word for word in ("--prometheus-port", "--port") if word in words), None)
        said = words[words.index(option) + 1] if option else str(load().prometheus_port)
        assert str(port["containerPort"]) == said


def test_the_settings_for_kubernetes_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "a-token-of-some-length")
    settings = load(DEPLOY / "kubernetes" / "drift-aware.yaml")
    assert settings.api.tokens[0].digest()


def test_units_of_one_machine_do_not_share_a_port() -> None:
    said = [words for unit in UNITS for words in _starts(unit) if "--prometheus-port" in words]
    ports = [int(words[words.index("--prometheus-port") + 1]) for words in said]
    settings = load()
    assert len({*ports, settings.prometheus_port, settings.api.port}) == len(ports) + 2


def test_spans_are_taken_where_the_service_sends_them() -> None:
    [service] = [each for each in MANIFESTS if each["metadata"]["name"] == "drift-aware-ingest"][1:]
    [container] = DEPLOYMENTS["ingest"]["containers"]
    [offered] = service["spec"]["ports"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listens = container["args"][container["args"].index("--listen") + 1]
    assert listens == f"0.0.0.0:{ports[offered['targetPort']]}"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_starts_a_role_again_and_leaves_it_time(unit: Path) -> None:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit)
    service = parser["Service"]
    if unit.stem == "drift-aware-setup":
        assert service["Type"] == "oneshot"
        return
    assert service["Restart"] == "always"
    assert int(service["TimeoutStopSec"]) > LEAVE_SECONDS


def test_the_page_about_platforms_shows_the_procfile() -> None:
    page = (ROOT / "docs" / "howto" / "platforms.md").read_text()
    assert f"```text file=Procfile\n{(DEPLOY / 'Procfile').read_text()}```" in page
