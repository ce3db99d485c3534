"""The demo as a person and a script start it."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from rig.configuration import environment
from rig.services import wait_until

pytestmark = pytest.mark.postgres

_SCRIPT = Path(sys.executable).with_name("drift-aware")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demo runs."""
    place = tmp_path / "desk"
    place.mkdir()
    return place


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Its TMPDIR; short, because a Unix socket in it must not have a long path."""
    with tempfile.TemporaryDirectory(prefix="demo-") as place:
        Path(place).chmod(0o755)  # PostgreSQL runs as another user when we are root
        yield Path(place)


class Demo:
    """A demo that runs."""

    def __init__(self, folder: Path, temporary: Path, arguments: tuple[str, ...]) -> None:
        self._stdout = (folder.parent / "stdout").open("w+b")
        self._stderr = (folder.parent / "stderr").open("w+b")
        self.process = subprocess.Popen(
            [str(_SCRIPT), "demo", *arguments],
            cwd=folder,
            env=environment() | {"TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
        )

    def said(self) -> str:
        return Path(self._stdout.name).read_text() + Path(self._stderr.name).read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout, as far as they are whole."""
        whole, _, _ = Path(self._stdout.name).read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        self._stdout.close()
        self._stderr.close()


def processes_in(folder: Path) -> list[str]:
    """The command lines of processes that work in a folder or below."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").resolve().is_relative_to(folder):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def start(folder: Path, temporary: Path) -> Iterator[Callable[..., Demo]]:
    """Starts a demo; it is over when the test is."""
    demos: list[Demo] = []

    def begin(*arguments: str) -> Demo:
        demos.append(Demo(folder, temporary, arguments))
        return demos[-1]

    yield begin
    for demo in demos:
        demo.close()


def page_of(demo: Demo, folder: Path) -> tuple[str, str]:
    """Where the page of a demo is, and the token for it."""
    file = folder / ".drift-aware" / "page.url"
    address = wait_until(lambda: file.exists() and file.read_text().strip(), 120, demo.said)
    assert address
    url, _, token = str(address).partition("#token=")
    return url, token


@pytest.mark.timeout(180)
def test_the_demo_serves_its_page_to_whoever_has_the_token_of_its_own(
    folder: Path, start: Callable[..., Demo]
) -> None:
    demo = start("--json")
    url, token = page_of(demo, folder)
    assert (folder / ".drift-aware" / "page.url").stat().st_mode & 0o077 == 0
    shown = wait_until(lambda: fetched(url), 60, demo.said)
    assert shown.startswith("<!doctype html>")
    overview = json.loads(wait_until(lambda: fetched(f"{url}live/overview", token), 60, demo.said))
    assert overview["may"] == {"read": True, "act": True}
    assert fetched(f"{url}live/overview") == ""
    # Its log says where it is, and not with what.
    assert url in demo.said()
    assert token not in demo.said()


def fetched(url: str, token: str | None = None) -> str:
    """What is answered; empty if nothing is."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


@pytest.mark.timeout(300)
def test_the_demo_finds_the_drift_and_tells_each_alert_once(start: Callable[..., Demo]) -> None:
    demo = start("--no-browser", "--json")
    wait_until(
        lambda: {"refusal_rate", "query_embedding"} <= {alert["metric"] for alert in demo.lines()},
        240,
        demo.said,
    )
    alerts = demo.lines()
    assert {alert["status"] for alert in alerts} == {"firing"}
    assert len({(alert["id"], alert["revision"]) for alert in alerts}) == len(alerts)


@pytest.mark.timeout(180)
def test_a_demo_of_some_seconds_ends_by_itself_and_leaves_only_its_folder(
    folder: Path, temporary: Path, start: Callable[..., Demo]
) -> None:
    demo = start("--seconds", "10", "--no-browser", "--json")
    assert demo.process.wait(120) == 0, demo.said()
    assert [each.name for each in folder.iterdir()] == [".drift-aware"]
    assert processes_in(folder) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.timeout(300)
def test_what_the_demo_approves_is_carried_out_and_its_receipt_says_that_it_has_helped(
    start: Callable[..., Demo],
) -> None:
    demo = start("--approve", "--json")

    def tuned() -> list[dict[str, Any]]:
        return [
            line for line in demo.lines() if line.get("action") == "tune" and line["status"] == "verified"
        ]

    wait_until(tuned, 240, demo.said)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0, demo.said()
    receipt = tuned()[0]["receipt"]
    assert receipt["verdict"] == "helped"
    assert receipt["e_value"] >= 100
    # Of steps that follow each other at once only the last may be published.
    assert {"succeeded", "verified"} <= {
        line["status"] for line in demo.lines() if line.get("action") == "tune"
    }


@pytest.mark.timeout(120)
def test_ctrl_c_ends_the_demo_and_all_its_processes(
    folder: Path, temporary: Path, start: Callable[..., Demo]
) -> None:
    demo = start("--json")
    wait_until(lambda: len(processes_in(folder)) > 5, 60, demo.said)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0, demo.said()
    assert processes_in(folder) == []
    assert list(temporary.iterdir()) == []


def test_the_demo_touches_no_folder_that_is_not_its_own(
    folder: Path, temporary: Path, start: Callable[..., Demo]
) -> None:
    (folder / ".drift-aware").mkdir()
    (folder / ".drift-aware" / "thesis.txt").write_text("mine")
    demo = start("--json")
    assert demo.process.wait(60) == 2
    assert "is not a demo's folder" in demo.said()
    assert (folder / ".drift-aware" / "thesis.txt").read_text() == "mine"


def test_an_unknown_scenario_names_those_there_are(
    folder: Path, temporary: Path, start: Callable[..., Demo]
) -> None:
    demo = start("--scenario", "earthquake")
    assert demo.process.wait(60) == 2
    assert "refusal-creep" in demo.said()
    assert list(folder.iterdir()) == []
