"""Somebody decides about an action on the page, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from drift_aware.actions import ledger
from drift_aware.sql.store import Connection
from rig.api import ACTOR, READER, Persisted
from rig.browser import Visit
from rig.commands import Command
from rig.serving import address
from rig_events import alert

See = Callable[..., Visit]
_TUNING = "tune-refusals-shop"


@pytest.fixture
def url(serve: Callable[..., Command], drifting_shop: int) -> str:
    """A server that asks for tokens, on a database where a tuning waits for approval."""
    return address(serve())


def give(page: Page, token: str) -> None:
    """Answer the question for a token."""
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Use it").click()


def test_a_token_in_the_address_lets_somebody_in_and_is_gone_from_it_at_once(
    visit: See, url: str, connection: Connection
) -> None:
    somebody = visit(url)
    page = somebody.go(f"#token={ACTOR}")
    assert page.url == f"{url}/#/"
    page.get_by_label("Note").fill("before Monday")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator('.action[data-status="approved"]')).to_have_count(1)
    entry = ledger.find(connection, _TUNING)
    assert (entry.action.status, entry.approved_by) == ("approved", "actor")
    assert "before Monday" in entry.action.reason
    assert ACTOR not in page.evaluate(
        "JSON.stringify([location.href, document.body.innerHTML, history.state])"
    )
    page.reload()
    somebody.shown()
    assert somebody.complaints == []


def test_a_token_may_also_come_into_the_address_of_a_page_that_is_open(visit: See, url: str) -> None:
    page = visit(url).go(f"#token={READER}")
    page.evaluate("(token) => { location.hash = `token=${token}` }", ACTOR)
    expect(page).to_have_url(f"{url}/#/")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator('.action[data-status="approved"]')).to_have_count(1)


def test_an_action_can_be_rejected(visit: See, url: str, connection: Connection) -> None:
    page = visit(url).go(f"#token={ACTOR}")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator('.action[data-status="rejected"]')).to_have_count(1)
    assert ledger.find(connection, _TUNING).action.status == "rejected"


def test_without_a_token_it_is_asked_for_and_a_wrong_one_is_refused_plainly(visit: See, url: str) -> None:
    page = visit(url).page
    page.goto(url)
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("Send a token")
    give(page, "a-token-nobody-knows")
    expect(asked).to_contain_text("This token is not known")
    give(page, READER)
    expect(asked).to_be_hidden()
    expect(page.locator(".verdict h1")).to_contain_text("drift")
    expect(asked).to_be_hidden()
    expect(page.locator("#link")).to_have_text("live")


def test_a_token_that_may_only_read_approves_nothing_and_one_that_may_act_takes_its_place(
    visit: See, url: str, connection: Connection
) -> None:
    page = visit(url).go(f"#token={READER}")
    page.get_by_role("button", name="Approve").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("does not have the scope act")
    asked.get_by_role("button", name="Cancel").click()
    expect(page.locator(".said")).to_have_text("Not done: this token does not have the scope act.")
    assert ledger.find(connection, _TUNING).action.status == "proposed"
    page.get_by_role("button", name="Approve").click()
    give(page, ACTOR)
    expect(page.locator('.action[data-status="approved"]')).to_have_count(1)
    assert ledger.find(connection, _TUNING).approved_by == "actor"


def test_without_tokens_nobody_changes_anything_and_the_page_says_so(
    visit: See, open_url: str, drifting_shop: int, connection: Connection
) -> None:
    page = visit(open_url).go()
    page.get_by_role("button", name="Approve").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("Nothing is changed without a token")
    asked.get_by_role("button", name="Cancel").click()
    expect(page.locator(".said")).to_contain_text("Not done: nothing is changed without a token")
    assert ledger.find(connection, _TUNING).action.status == "proposed"


def test_who_comes_second_is_told_that_somebody_has_decided(
    visit: See, url: str, connection: Connection
) -> None:
    page = visit(url).go(f"#token={ACTOR}")
    # It has asked twice, when it was opened and when the stream began; from now on it learns nothing new.
    page.wait_for_selector('main[data-shown]:not([data-shown="1"])')
    page.route("**/live/**", lambda route: route.abort())
    ledger.move(connection, _TUNING, "rejected", reason="rejected by Bob")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".said")).to_contain_text("was rejected: rejected by Bob")


def test_a_note_that_is_being_written_stays_while_the_page_goes_on(
    visit: See, url: str, persisted: Persisted, drifting_shop: int
) -> None:
    page = visit(url).go(f"#token={ACTOR}")
    note = page.get_by_label("Note")
    note.press_sequentially("half a ")
    persisted.alerts([alert(7, ts=drifting_shop, onset=drifting_shop)])
    expect(page.locator(".drifts").first.locator("li")).to_have_count(3)
    note.press_sequentially("thought")
    expect(note).to_have_value("half a thought")
    expect(note).to_be_focused()
