"""docker-compose.yml and what belongs to it: valid, and true of the project as it is.

No Docker is needed, so none of this says that the images start; it says that every name used is a name that
exists.
"""

import importlib.util
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from drift_aware.schema.settings import ENVIRONMENT, PREFIX, Settings, _keys, load
from rig.commands import Command

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = {name: service for name, service in SERVICES.items() if service["image"] == "drift-aware"}
ONE_SHOT = {"topics", "migrate"}
CONFIGURATION = "/etc/drift-aware.yaml"


def _dependencies() -> Iterator[tuple[str, str, str]]:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            yield name, other, how["condition"]


def _variables(text: str) -> set[str]:
    return set(re.findall(r"\$\{(\w+)", text))


def test_it_is_valid_by_the_compose_specification() -> None:
    # Found without importing the package: its command line does not run beside the click that Faust pins.
    package = importlib.util.find_spec("check_jsonschema")
    assert package is not None
    assert package.origin is not None
    vendored = Path(package.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(COMPOSE)


@pytest.mark.parametrize("service", ROLES)
def test_every_command_is_one_the_command_line_has(
    service: str, start_command: Callable[..., Command]
) -> None:
    words: list[str] = ROLES[service]["command"]
    verb = words[: next((i for i, word in enumerate(words) if word.startswith("--")), len(words))]
    shown = start_command(*verb, "--help")
    assert shown.wait() == 0, shown.shown()
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[\w-]+", shown.stdout))


@pytest.mark.parametrize("service", ROLES)
def test_every_variable_of_a_role_is_a_setting(service: str) -> None:
    known = {PREFIX + key.replace(".", "__").upper() for key in _keys(Settings)} | set(ENVIRONMENT)
    assert set(ROLES[service]["environment"]) <= known


@pytest.mark.parametrize("service", ROLES)
def test_every_role_reads_the_configuration_that_is_mounted(service: str) -> None:
    words = ROLES[service]["command"]
    assert words[words.index("--config") + 1] == CONFIGURATION
    assert any(volume.split(":")[-2] == CONFIGURATION for volume in ROLES[service]["volumes"])


@pytest.mark.parametrize("configuration", ["dev", "prod"])
@pytest.mark.parametrize("service", SERVICES)
def test_every_mount_is_a_file_of_the_project_or_a_named_volume(service: str, configuration: str) -> None:
    for volume in SERVICES[service].get("volumes", ()):
        source = volume.replace("${DRIFT_CONFIG:-dev}", configuration).split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_no_service_waits_for_what_cannot_come() -> None:
    for name, other, condition in _dependencies():
        wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert condition == wanted, f"{name} waits for {other} to be {condition}"
        assert other in ONE_SHOT or "healthcheck" in SERVICES[other], f"{other} is never healthy"


def test_what_runs_once_is_not_restarted_and_the_rest_is() -> None:
    policies = {name: service["restart"] for name, service in SERVICES.items()}
    assert policies == {name: "no" if name in ONE_SHOT else "unless-stopped" for name in SERVICES}


def test_nothing_is_open_to_other_machines() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_not_everybody_needs_is_started_only_when_asked_for() -> None:
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "simulate": ["demo"],
        "ingest": ["otlp"],
        "embed": ["embed"],
        "canary": ["canary"],
    }


def test_every_image_but_our_own_has_a_version() -> None:
    images = [service["image"] for service in SERVICES.values() if service["image"] != "drift-aware"]
    assert all(re.search(r":\D*\d", image) for image in images)


def test_the_example_environment_names_what_can_be_set_and_nothing_else() -> None:
    named = set(_examples())
    used = _variables((ROOT / "docker-compose.yml").read_text())
    assert {name for name in named if not name.startswith(PREFIX)} == used | set(ENVIRONMENT)


def test_the_settings_in_the_example_environment_are_known_and_their_values_possible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in _examples().items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    assert load().kafka.security_protocol == "SASL_SSL"


def _examples() -> dict[str, str]:
    return dict(re.findall(r"^# ([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_the_image_is_made_of_files_that_exist_and_an_extra_that_exists() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    sources = {source for group in copied for source in group}
    assert all((ROOT / source).exists() for source in sources)
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().split()
        if line.startswith("!")
    }
    assert kept == sources
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [extra] = re.findall(r"'\.\[(\w+)\]'", "\n".join(lines))
    assert extra in project["optional-dependencies"]
    assert 'ENTRYPOINT ["drift-aware"]' in lines
    assert "drift-aware" in project["scripts"]


def test_prometheus_scrapes_every_role_that_serves_metrics() -> None:
    found = set(_scraped(yaml.safe_load((ROOT / "prometheus.yml").read_text())["scrape_configs"]))
    serving = {
        (name, 8080 if name == "serve" else 9108)
        for name, service in ROLES.items()
        if "healthcheck" in service
    }
    assert found == serving | {("localhost", 9090), ("alertmanager", 9093)}
    assert {name for name, _ in serving} == {
        "worker",
        "persist",
        "act",
        "serve",
        "ingest",
        "embed",
        "canary",
    }


def test_a_role_that_was_not_started_is_no_target_that_is_down() -> None:
    jobs = yaml.safe_load((ROOT / "prometheus.yml").read_text())["scrape_configs"]
    looked_up = {name for job in jobs for each in job.get("dns_sd_configs", ()) for name in each["names"]}
    assert {"ingest", "embed", "canary"} <= looked_up


def _scraped(jobs: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    for job in jobs:
        for discovery in job.get("dns_sd_configs", ()):
            yield from ((name, discovery["port"]) for name in discovery["names"])
        for static in job.get("static_configs", ()):
            for target in static["targets"]:
                name, _, port = target.partition(":")
                yield name, int(port)


def test_prometheus_finds_its_rules_and_its_alertmanager_where_they_are_mounted() -> None:
    configuration = yaml.safe_load((ROOT / "prometheus.yml").read_text())
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["prometheus"]["volumes"])
    [rules] = configuration["rule_files"]
    # Of this folder the same path leads to the same files as of the folder in the container.
    assert mounts["./prometheus.yml"] == "/etc/prometheus/prometheus.yml"
    folder = rules.rpartition("/")[0]
    assert mounts[f"./{folder}"] == f"/etc/prometheus/{folder}"
    assert list(ROOT.glob(rules))
    [manager] = configuration["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert "./dashboards/alertmanager:/etc/alertmanager:ro" in SERVICES["alertmanager"]["volumes"]


def test_grafana_reads_from_the_prometheus_of_the_network_and_the_mounted_folder() -> None:
    provisioning = ROOT / "dashboards" / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["uid"] == "drift-aware-prometheus"
    [provider] = yaml.safe_load((provisioning / "dashboards" / "drift-aware.yaml").read_text())["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
