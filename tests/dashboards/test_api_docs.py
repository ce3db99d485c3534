"""What docs/api.md shows works as it stands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from fastapi.testclient import TestClient

from drift_aware.actions import ledger
from drift_aware.dashboards.api import examples
from drift_aware.schema.settings import load
from drift_aware.sql.store import Connection
from rig.api import client, make_app

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
CURLS = re.findall(r"^curl .*$", TEXT, re.MULTILINE)
VARIABLES = dict(re.findall(r"(API|TOKEN|ACTION)=(\S+)", TEXT))


@pytest.fixture
def api(database_url: str, connection: Connection) -> Iterator[TestClient]:
    proposed = msgspec.structs.replace(examples.ACTION, id=VARIABLES["ACTION"])
    ledger.enter(connection, proposed, examples.ALERT, expires_hours=72)
    tokens = [{"name": "docs", "token": VARIABLES["TOKEN"], "scopes": ["read", "act"]}]
    with client(make_app(database_url, tokens=tokens), {}) as found:
        yield found


@pytest.mark.parametrize("line", CURLS, ids=lambda line: re.findall(r"\$API(\S*?)[\"?]", line)[0])
def test_a_request_of_the_document_is_answered(api: TestClient, line: str) -> None:
    for name, value in VARIABLES.items():
        line = line.replace(f"${name}", value)
    headers: dict[str, str] = {}
    url, body, words = "", None, iter(shlex.split(line)[1:])
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        else:
            url = word
    address = urlsplit(url)
    assert f"{address.scheme}://{address.netloc}" == VARIABLES["API"]
    path = f"{address.path}?{address.query}"
    answer = api.request("POST" if body else "GET", path, content=body, headers=headers)
    assert answer.status_code == (201 if "trigger" in path else 200), answer.text


def test_the_settings_of_the_document_can_be_loaded(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "settings.yaml"
    file.write_text(block)
    settings = load(file)
    assert [token.name for token in settings.api.tokens] == ["dashboard", "ops"]


def test_every_status_an_operation_may_answer_is_explained() -> None:
    document = make_app("postgresql://localhost/none").openapi()
    answered = {
        status
        for path in document["paths"].values()
        for operation in path.values()
        for status in operation["responses"]
    }
    explained = set(re.findall(r"\b[45]\d\d\b", TEXT))
    assert {status for status in answered if status >= "400"} - {"500"} <= explained
