"""``act`` and ``actions`` as processes: two at once, stopped in the middle, offline in a dry run."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from drift_aware.actions import answers, ledger
from drift_aware.actions.policy import Decision, action_id
from drift_aware.schema.alerts import Action
from drift_aware.schema.topics import ACTIONS
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig import commanded
from rig.brokers import Broker
from rig.commands import Command
from rig.records import records
from rig.services import wait_until
from rig_events import alert, publish_alerts

Start = Callable[..., Command]
TUNE = action_id("a1", "tune")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def real(folder: Path, **more: Any) -> dict[str, Any]:
    """Settings with which the command carries out what is proposed."""
    return {
        "actions__dry_run": False,
        "actions__require_approval": False,
        "actions__max_per_day": 1000,
        "actions__lease_seconds": 2,
        "actions__budget_usd_per_day": 1000,
        "actions__command": json.dumps(commanded.section(folder)),
    } | more


def lines(folder: Path) -> list[str]:
    file = folder / "lines"
    return file.read_text().split() if file.exists() else []


def statuses(url: str) -> Counter[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT status FROM action_log WHERE action = 'tune'").fetchall()
    return Counter(status for (status,) in rows)


def published(broker: Broker) -> dict[str, Action]:
    """Every action on the topic at its highest revision."""
    found: dict[str, Action] = {}
    for record in records(broker.bootstrap, ACTIONS.name):
        action = msgspec.json.decode(record.value, type=Action)
        if action.id not in found or found[action.id].revision < action.revision:
            found[action.id] = action
    return found


def propose(connection: Connection, *, dry_run: bool = False) -> None:
    ledger.claim(connection, alert(1), Decision("tune", "proposed", "because"), dry_run=dry_run)


def test_two_processes_at_once_carry_each_action_out_once(
    embedded_broker: Broker, database_url: str, start_command: Start, folder: Path
) -> None:
    number = 20
    where = {"bootstrap": embedded_broker.bootstrap, "database_url": database_url}
    both = [start_command("act", **where, **real(folder)) for _ in range(2)]
    publish_alerts(embedded_broker.bootstrap, [alert(n, segment=f"app=a{n}") for n in range(number)])
    wait_until(lambda: statuses(database_url)["succeeded"] == number, 90, both[0].shown)
    assert len(lines(folder)) == len(set(lines(folder))) == number

    def told() -> bool:
        found = [action for action in published(embedded_broker).values() if action.action == "tune"]
        return [action.status for action in found] == ["succeeded"] * number

    wait_until(told, 60, both[1].shown)
    assert [process.stop() for process in both] == [0, 0]


def test_alerts_are_read_while_an_action_is_carried_out_and_a_stop_leaves_its_step_to_be_found(
    embedded_broker: Broker, database_url: str, start_command: Start, folder: Path
) -> None:
    where = {"bootstrap": embedded_broker.bootstrap, "database_url": database_url}
    gate = folder / "gate"
    os.mkfifo(gate)
    first = start_command("act", **where, **real(folder))
    publish_alerts(embedded_broker.bootstrap, [alert(1)])
    wait_until(lambda: len(lines(folder)) == 1, 60, first.shown)
    publish_alerts(embedded_broker.bootstrap, [alert(2, segment="app=other")])
    wait_until(lambda: statuses(database_url) == Counter(running=1, proposed=1), 60, first.shown)
    assert first.stop() == 0
    assert statuses(database_url) == Counter(running=1, proposed=1)
    # The program the first process started is still there; its effect is, too.
    with gate.open("wb"):
        gate.unlink()
    second = start_command("act", **where, **real(folder))
    wait_until(lambda: statuses(database_url)["succeeded"] == 2, 60, second.shown)
    assert second.stop() == 0
    assert len(lines(folder)) == len(set(lines(folder))) == 2


def test_a_person_approves_runs_looks_at_and_takes_back_an_action(
    connection: Connection, database_url: str, start_command: Start, folder: Path
) -> None:
    propose(connection)

    def actions(*arguments: str) -> Command:
        command = start_command(
            "actions",
            *arguments,
            database_url=database_url,
            **real(folder, actions__require_approval=True),
        )
        command.wait()
        return command

    early = actions("run", TUNE)
    assert (early.exit_code, len(early.stderr.splitlines())) == (1, 1)
    assert "is only proposed; approve it first" in early.stderr
    approved = actions("approve", TUNE, "--by", "Ann", "--note", "go", "--json")
    assert json.loads(approved.stdout)["reason"] == "approved by Ann: go"
    ran = actions("run", TUNE)
    assert (ran.exit_code, ran.stdout) == (0, f"tune {TUNE} succeeded: approved by Ann: go\n")
    before = ledger.find(connection, TUNE)
    again = actions("approve", TUNE)
    assert (again.exit_code, again.stderr) == (1, f"drift-aware: action {TUNE} has been carried out\n")
    assert ledger.find(connection, TUNE) == before
    shown = actions("show", TUNE).stdout
    assert "approved  by Ann" in shown
    assert "step      run: done" in shown
    assert "cost      0.2500 USD" in shown
    back = actions("rollback", TUNE, "--by", "Ann", "--note", "too dear", "--json")
    assert json.loads(back.stdout)["status"] == "rolled_back"
    assert json.loads(back.stdout)["reason"].startswith("rolled back by Ann (too dear): ")
    assert lines(folder) == []


def test_a_person_rejects_an_action(connection: Connection, database_url: str, start_command: Start) -> None:
    propose(connection)
    rejected = start_command("actions", "reject", TUNE, "--by", "Bob", database_url=database_url)
    assert rejected.wait() == 0
    assert rejected.stdout == f"tune {TUNE} rejected: rejected by Bob\n"


def test_a_person_settles_what_nobody_could_tell(
    connection: Connection, database_url: str, start_command: Start, folder: Path
) -> None:
    propose(connection)
    answers.approve(connection, TUNE, "Ann")
    (folder / "cut").touch()
    (folder / "hidden").touch()
    lost = start_command("actions", "run", TUNE, database_url=database_url, **real(folder))
    assert lost.wait() == 1
    assert "unknown: actions.command.find ended with 2" in lost.stdout
    settled = start_command("actions", "settle", TUNE, "run", "--done", database_url=database_url)
    assert settled.wait() == 0, settled.stderr
    ran = start_command("actions", "run", TUNE, database_url=database_url, **real(folder))
    assert ran.wait() == 0, ran.stderr
    assert len(lines(folder)) == 1


def test_what_nothing_carries_out_is_told_with_what_to_do(
    connection: Connection, database_url: str, start_command: Start
) -> None:
    ledger.claim(connection, alert(1), Decision("tune", "proposed", "because"), dry_run=False)
    answers.approve(connection, TUNE, "Ann")
    named = {"actions__executors": json.dumps({"tune": "nobody"})}
    ran = start_command("actions", "run", TUNE, database_url=database_url, **named)
    assert ran.wait() == 2
    assert "no executor nobody for tune" in ran.stderr


_OFFLINE = """
import pathlib, socket, subprocess
def refuse(*arguments, **named):
    pathlib.Path({leaks!r}).open("a").write("leak\\n")
    raise OSError("offline")
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = socket.create_connection = subprocess.Popen.__init__ = refuse
"""


@pytest.mark.parametrize(("dry_run", "leaks"), [(True, 0), (False, 1)])
def test_nothing_leaves_in_a_dry_run(
    connection: Connection,
    database_url: str,
    start_command: Start,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    dry_run: bool,
    leaks: int,
) -> None:
    found = folder / "leaks"
    (folder / "sitecustomize.py").write_text(_OFFLINE.format(leaks=str(found)))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    propose(connection, dry_run=dry_run)
    answers.approve(connection, TUNE, "Ann")
    ran = start_command("actions", "run", TUNE, database_url=database_url, **real(folder))
    assert ran.wait() == (1 if leaks else 0), ran.stderr
    assert len(found.read_text().splitlines() if found.exists() else []) == leaks
    assert ledger.find(connection, TUNE).action.dry_run is dry_run
