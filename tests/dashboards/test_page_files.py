"""The files of the page, as the server sends them."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from drift_aware.dashboards.api.routes.page import ASSETS
from rig.api import client, make_app

# What a telephone on a train loads before it sees anything.
MOST_BYTES = 300_000
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}
# Each makes markup or code of a text, which may be a user's.
_DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
)
OURS = [name for name in ASSETS if name.endswith(".js") and name != "uplot.js"]


@pytest.fixture
def nobody() -> TestClient:
    """Somebody without a token, at a server that asks for one and has no database."""
    with client(make_app("postgresql://127.0.0.1:1/none"), headers={}) as found:
        return found


def test_the_page_needs_no_token_and_no_database(nobody: TestClient) -> None:
    answer = nobody.get("/")
    assert answer.status_code == 200
    assert answer.text.startswith("<!doctype html>")
    assert nobody.get("/live/overview").status_code == 401


@pytest.mark.parametrize("name", ASSETS)
def test_every_file_has_its_type_and_a_policy_and_is_sent_once(nobody: TestClient, name: str) -> None:
    answer = nobody.get(f"/page/{name}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == _TYPES[name.rpartition(".")[2]]
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    )
    again = nobody.get(f"/page/{name}", headers={"If-None-Match": f'"other", W/{answer.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert nobody.get(f"/page/{name}", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "none.js",
        "../api/app.py",
        "..%2fapi%2fapp.py",
        "%2e%2e/verbs.py",
        "page/main.js",
        "/etc/passwd",
        "main.js%00",
    ],
)
def test_no_name_reaches_another_file(nobody: TestClient, path: str) -> None:
    assert nobody.get(f"/page/{path}").status_code == 404


def test_all_of_it_together_is_light() -> None:
    assert sum(len(asset.content) for asset in ASSETS.values()) < MOST_BYTES


def test_every_file_is_there_and_nothing_comes_from_elsewhere() -> None:
    texts = {name: asset.content.decode() for name, asset in ASSETS.items()}
    for name in OURS:
        imported = re.findall(r'^import .*?from "\./(.+?)";$|^} from "\./(.+?)";$', texts[name], re.MULTILINE)
        assert {one or other for one, other in imported} <= set(ASSETS), name
    named = re.findall(r'(?:src|href)="page/(.+?)"', texts["index.html"])
    assert set(named) <= set(ASSETS)
    assert "main.js" in named
    for name in (*OURS, "index.html", "style.css"):
        assert set(re.findall(r"https?://[^\s\"]+", texts[name])) <= {"http://www.w3.org/2000/svg"}, name


@pytest.mark.parametrize("name", OURS)
def test_no_text_becomes_markup_or_code(name: str) -> None:
    assert not _DANGEROUS.search(ASSETS[name].content.decode())


def test_a_library_that_is_sent_along_comes_with_its_licence() -> None:
    assert b"uPlot" in ASSETS["uplot.js"].content
    assert b"MIT License" in ASSETS["uplot.LICENSE"].content


def test_every_file_of_ours_says_first_what_it_is_for() -> None:
    folder = Path(__file__).parents[2] / "dashboards/drift_aware/dashboards/page"
    assert {file.name for file in folder.iterdir()} == set(ASSETS)
    assert all(ASSETS[name].content.startswith(b"/** ") for name in OURS)
