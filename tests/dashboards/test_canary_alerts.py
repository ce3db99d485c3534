"""Alerts of the canary, which have no readings behind them, on the API, the page and in a message."""

from collections.abc import Callable
from itertools import islice

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import expect

from drift_aware.actions.executors.notify.story import Story
from drift_aware.schema.alerts import Alert
from drift_aware.schema.canaries import CanaryId
from drift_aware.schema.events import Embedding, Evaluation
from rig import stories
from rig.api import Persisted
from rig.browser import Visit
from rig.canaries import LEARN, MODELS, asked
from rig_events import embedding, evaluation, readings

SAID = {
    "answers": "golden prompts are answered differently since 2026-03-01 17:00 UTC",
    "embedding": "12 of 12 fixed strings have moved since 2026-03-01 17:00 UTC",
}


def fired(which: CanaryId) -> Alert:
    """What an endpoint that was swapped has brought about."""
    endpoint = asked(which)
    for found in [*islice(MODELS[which](2), LEARN), *islice(MODELS[which](3, "other"), 2)]:
        endpoint.go(found)
    assert endpoint.canary.alert is not None
    return endpoint.canary.alert


@pytest.fixture
def alerts(persisted: Persisted) -> dict[CanaryId, Alert]:
    found: dict[CanaryId, Alert] = {which: fired(which) for which in MODELS}
    persisted.readings([readings()])
    persisted.alerts(found.values())
    return found


def test_the_api_tells_them_like_any_other(api: TestClient, alerts: dict[CanaryId, Alert]) -> None:
    for alert in alerts.values():
        told = api.get(f"/alerts/{alert.id}").json()["alert"]
        assert (told["metric"], told["summary"]) == (alert.metric, alert.summary)
        assert api.get(f"/live/alerts/{alert.id}").status_code == 200
    assert len(api.get("/alerts", params={"metric": "canary_embedding"}).json()["items"]) == 1
    overview = api.get("/live/overview")
    assert overview.status_code == 200
    assert {each["metric"] for each in overview.json()["firing"]} == {"canary_answers", "canary_embedding"}
    assert api.get("/live/series", params={"segment": "all", "hours": 24}).status_code == 200


def test_the_api_shows_their_events_marked(api: TestClient, persisted: Persisted) -> None:
    persisted.events("evaluation", [evaluation(1), evaluation(2, canary=True)])
    persisted.events("embedding", [embedding(1), embedding(2, canary=True)])
    for kind in (Evaluation, Embedding):
        items = api.get("/events", params={"kind": kind.__name__.lower()}).json()["items"]
        assert [each.get("canary", False) for each in items] == [True, False]


def test_the_page_tells_them_like_any_other(
    visit: Callable[..., Visit], open_url: str, alerts: dict[CanaryId, Alert]
) -> None:
    somebody = visit(open_url)
    page = somebody.go()
    expect(page.locator(".verdict h1")).to_have_text("A provider's model has changed.")
    for which, alert in alerts.items():
        page = somebody.go(f"#/alerts/{alert.id}")
        expect(page.locator("main")).to_contain_text(SAID[which])
    assert somebody.complaints == []


@pytest.mark.parametrize("which", MODELS)
def test_a_message_tells_them_like_any_other(which: CanaryId) -> None:
    told = Story(lead="a1", alerts=[fired(which)], actions=[], page_url=stories.PAGE)
    assert SAID[which] in told.summary
    assert told.title.endswith(f"canary_{which} in all")
    [row] = told.rows
    assert row[1] == f"canary_{which}"
