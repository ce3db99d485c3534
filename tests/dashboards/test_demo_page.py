"""The page of a demo: found in the server's log, opened once, its token kept to itself."""

import json
from pathlib import Path

import pytest

from drift_aware.dashboards import demo_page
from drift_aware.dashboards.demo_page import DemoPage
from drift_aware.schema.api import Token, fingerprint

_SERVING = json.dumps({"event": "serving", "host": "127.0.0.1", "port": 4711})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "serve.log"
    file.touch()
    return file


def test_it_is_opened_once_when_the_server_has_said_where_it_is(log: Path, tmp_path: Path) -> None:
    opened: list[str] = []
    page = DemoPage(log, tmp_path / "page.url", opened.append)
    page.look()
    log.write_text(f'{{"event": "another"}}\n{_SERVING[:-9]}')
    page.look()
    assert (page.address, opened) == (None, [])
    log.write_text(f'{{"event": "another"}}\n{_SERVING}\n')
    page.look()
    page.look()
    assert opened == [page.address]
    assert page.address is not None
    assert page.address.startswith("http://127.0.0.1:4711/#token=")
    assert (tmp_path / "page.url").read_text() == f"{page.address}\n"
    assert (tmp_path / "page.url").stat().st_mode & 0o077 == 0


def test_the_server_is_given_the_digest_of_a_token_that_may_decide(log: Path, tmp_path: Path) -> None:
    page = DemoPage(log, tmp_path / "page.url", None)
    log.write_text(f"{_SERVING}\n")
    page.look()
    assert page.address is not None
    secret = page.address.partition("#token=")[2]
    [entry] = [Token(**each) for each in json.loads(page.tokens)]
    assert entry.digest() == fingerprint(secret)
    assert entry.scopes == ["read", "act"]
    assert secret not in page.tokens


def test_a_machine_without_a_screen_opens_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    assert demo_page.browser() is None
    monkeypatch.setenv("DISPLAY", ":0")
    assert demo_page.browser() is not None
