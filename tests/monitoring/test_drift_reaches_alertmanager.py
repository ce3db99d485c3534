"""A drift becomes an alert that somebody sees: worker, Prometheus and Alertmanager as processes."""

import json
import re
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rig.brokers import Broker
from rig.commands import Command
from rig.kafka import free_ports
from rig.monitoring import alertmanager, log_of, prometheus
from rig.services import wait_until

ROOT = Path(__file__).parents[2]
MANAGER = ROOT / "dashboards" / "alertmanager" / "alertmanager.yml"
SECONDS = 150.0


def impatient(folder: Path, worker_port: int, manager_port: int) -> Path:
    """The project's Prometheus with every interval a second, and targets on this machine."""
    configuration = yaml.safe_load((ROOT / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = ["rules/*.yml"]
    configuration["alerting"]["alertmanagers"] = [
        {"static_configs": [{"targets": [f"127.0.0.1:{manager_port}"]}]}
    ]
    configuration["scrape_configs"] = [
        {
            "job_name": "drift-aware-worker",
            "static_configs": [{"targets": [f"127.0.0.1:{worker_port}"]}],
        }
    ]
    (folder / "rules").mkdir()
    for file in (ROOT / "dashboards" / "prometheus").glob("*.yml"):
        text = re.sub(r"^(\s+for:) \S+$", r"\1 2s", file.read_text(), flags=re.MULTILINE)
        (folder / "rules" / file.name).write_text(text)
    path = folder / "prometheus.yml"
    path.write_text(yaml.dump(configuration))
    return path


def asked(url: str, body: object = None) -> Any:
    """What a server answers; None as long as it does not."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"true")
    except OSError:
        return None


def firing(url: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Name and segment to the alerts that Alertmanager has."""
    return {
        (each["labels"]["alertname"], each["labels"].get("segment", "")): each
        for each in asked(f"{url}/api/v2/alerts") or ()
    }


@pytest.mark.timeout(400)
def test_a_drift_becomes_an_alert_in_alertmanager(
    kafka_broker: Broker, start_command: Callable[..., Command], tmp_path: Path
) -> None:
    worker_port, prometheus_port, manager_port = free_ports(3)
    chosen = {
        "bootstrap": kafka_broker.bootstrap,
        "pane_seconds": 1,
        "allowed_lateness_seconds": 1,
        "window_seconds": 10,
        "baseline__events": 600,
    }
    worker = start_command("worker", prometheus_port=worker_port, **chosen)
    start_command("baseline", "watch", **chosen)
    story = start_command("simulate", "--rate", "100", "--change-at", "2500", "--explicit-labels", **chosen)
    configuration = impatient(tmp_path, worker_port, manager_port)
    with (
        alertmanager(tmp_path, MANAGER, manager_port) as manager,
        prometheus(tmp_path, configuration, prometheus_port) as server,
    ):

        def told() -> str:
            logs = [log_of(tmp_path, program) for program in ("prometheus", "alertmanager")]
            return "\n".join([str(asked(f"{server}/api/v1/alerts")), *logs, worker.shown(), story.shown()])

        def has(name: str) -> Callable[[], dict[str, Any] | None]:
            return lambda: firing(manager).get((name, "all"))

        moved = wait_until(has("EmbeddingDrift"), SECONDS, told)
        refused = wait_until(has("RefusalRateHigh"), SECONDS, told)
    assert moved is not None
    assert moved["annotations"]["summary"] == "People ask something else in all"
    assert moved["labels"]["severity"] == "warning"
    assert moved["status"]["state"] == "active"
    assert refused is not None
    assert re.match(r"[\d.]+% of the answers refuse", refused["annotations"]["description"])


def test_while_the_worker_lags_alertmanager_holds_drift_back_and_nothing_else(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    now = datetime.now(UTC)
    until = (now + timedelta(minutes=5)).isoformat()

    def alert(name: str, **labels: str) -> dict[str, Any]:
        named = {"alertname": name, "service": "drift-aware", **labels}
        return {"labels": named, "startsAt": now.isoformat(), "endsAt": until}

    sent = [
        alert("EmbeddingDrift", component="drift", severity="warning", segment="all"),
        alert("DeadLetters", component="worker", severity="warning"),
    ]
    with alertmanager(tmp_path, MANAGER, port) as manager:
        wait_until(lambda: asked(f"{manager}/api/v2/status"), 30, lambda: log_of(tmp_path, "alertmanager"))

        def held() -> dict[str, bool]:
            return {name: bool(each["status"]["inhibitedBy"]) for (name, _), each in firing(manager).items()}

        asked(f"{manager}/api/v2/alerts", sent)
        wait_until(lambda: held() == {"EmbeddingDrift": False, "DeadLetters": False}, 30, lambda: str(held()))
        asked(f"{manager}/api/v2/alerts", [alert("WorkerLag", component="worker", severity="warning")])
        wanted = {"EmbeddingDrift": True, "DeadLetters": False, "WorkerLag": False}
        wait_until(lambda: held() == wanted, 30, lambda: str(held()))
