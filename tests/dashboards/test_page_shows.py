"""What somebody sees who opens the page, in a real browser."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from drift_aware.schema.alerts import Reading
from drift_aware.streams.evidence import Floats
from rig import drifting
from rig.api import Persisted
from rig.browser import Visit
from rig_events import alert, baseline, embedding, interaction, readings

See = Callable[..., Visit]
DIM = 16
FAMILY = f"embedding/query/small/{DIM}"


def test_the_overview_says_what_drifts_since_when_and_what_is_being_done(
    visit: See, open_url: str, drifting_shop: int
) -> None:
    somebody = visit(open_url)
    page = somebody.go()
    verdict = page.locator(".verdict")
    expect(verdict.locator("h1")).to_have_text("2 of 5 segments drift.")
    expect(verdict).to_contain_text(
        f"Worst: The refusal rate in {drifting.SHOP} is at 12.0 %, against 4.0 %, since"
    )
    expect(verdict).to_contain_text("A tuning waits for approval; people were told.")
    expect(page.locator(".drifts").first.locator("li")).to_have_count(2)
    expect(page.get_by_role("button", name="Approve")).to_have_count(1)
    expect(page.locator(".facts")).to_contain_text("events/s")
    assert somebody.complaints == []
    assert len(somebody.hosts) == 1
    somebody.keep("overview")


def test_texts_of_users_are_shown_as_texts(visit: See, open_url: str, drifting_shop: int) -> None:
    somebody = visit(open_url)
    page = somebody.go("#/alerts/refusals-shop")
    expect(page.locator(".words")).to_contain_text(drifting.EVIL)
    expect(page.locator(".examples")).to_contain_text(drifting.EVIL)
    assert page.locator("img").count() == 0
    assert page.title() == "Alert · Drift-Aware"
    assert somebody.complaints == []


def test_an_alert_has_its_sentence_its_parts_that_add_up_its_examples_and_its_actions(
    visit: See, open_url: str, drifting_shop: int
) -> None:
    somebody = visit(open_url)
    page = somebody.go("#/alerts/refusals-shop")
    expect(page.locator("h1")).to_contain_text("The refusal rate in app=shop,model=gpt-4o is at 12.0 %")
    shares = page.locator(".contributions td:nth-child(2)").all_inner_texts()
    assert shares == ["1.5", "0.3", "1.8"]
    examples = page.locator(".examples > li")
    expect(examples).to_have_count(3)
    expect(examples.nth(2)).to_contain_text("withheld")
    expect(page.locator(".action")).to_have_count(2)
    expect(page.locator(".chart")).to_have_count(1)
    somebody.keep("alert")


def test_a_segment_has_a_question_over_every_chart_and_one_time_under_all_of_them(
    visit: See, open_url: str, drifting_shop: int
) -> None:
    somebody = visit(open_url)
    page = somebody.go(f"#/segments/{drifting.SHOP}?hours=6")
    questions = page.locator("figure h2").all_inner_texts()
    assert questions[0] == "Does it refuse more often?"
    assert len(questions) == 4
    assert all(question.endswith("?") for question in questions)
    first = page.locator("figure").first.locator(".reading")
    expect(first).to_contain_text(
        re.compile(r"Now: \d+\.\d %, against 4\.0 % \(usual: \d\.\d % to \d\.\d %\)")
    )
    # The cursor of one chart is the cursor of all.
    page.locator("figure").first.locator(".u-over").first.hover(position={"x": 60, "y": 40})
    for reading in page.locator(".reading").all():
        expect(reading).to_contain_text(re.compile(r"^\d\d:\d\d|^\w+ \d+, \d\d:\d\d"))
    assert somebody.complaints == []
    somebody.keep("segment")


def test_the_cursor_of_a_chart_follows_the_arrow_keys(visit: See, open_url: str, drifting_shop: int) -> None:
    page = visit(open_url).go("#/segments/all?hours=6")
    page.locator(".chart").first.focus()
    page.keyboard.press("ArrowLeft")
    last = page.locator(".reading").first.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".reading").first).not_to_have_text(last)


def test_actions_are_a_record_with_receipts(visit: See, open_url: str, drifting_shop: int) -> None:
    somebody = visit(open_url)
    page = somebody.go("#/actions")
    expect(page.locator(".action")).to_have_count(3)
    helped = page.locator(".action", has_text="it helped")
    expect(helped).to_contain_text("went from 9.0 % to 4.1 % (95 %: 3.6 % to 4.7 %)")
    somebody.keep("actions")
    helped.get_by_role("link", name="Tune the model").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Tune the model: {drifting.SHOP}")
    expect(page.locator("main")).to_contain_text("No step of it has begun.")
    assert somebody.complaints == []


def test_an_installation_that_has_seen_nothing_says_how_to_begin(visit: See, open_url: str) -> None:
    somebody = visit(open_url)
    page = somebody.go()
    expect(page.locator("h1")).to_have_text("No data yet.")
    expect(page.locator(".beginning")).to_contain_text("publisher.interaction(")
    assert somebody.complaints == []


def test_a_calm_installation_is_a_calm_page(visit: See, open_url: str, calm_shop: int) -> None:
    page = visit(open_url).go()
    expect(page.locator("h1")).to_have_text("Nothing drifts.")
    expect(page.locator(".drifts").first).to_be_hidden()


def test_what_is_not_there_is_said_in_the_words_of_the_server(visit: See, open_url: str) -> None:
    somebody = visit(open_url)
    somebody.page.goto(f"{open_url}/#/alerts/none")
    expect(somebody.page.get_by_role("alert")).to_contain_text("There is no alert none")


def test_an_alert_is_shown_as_soon_as_it_is_committed(
    visit: See,
    open_url: str,
    calm_shop: int,
    persisted: Persisted,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    somebody = visit(open_url)
    page = somebody.go()
    expect(page.locator("#link")).to_have_text("live")
    # Only the stream may bring it: of itself the page asks after fifteen seconds, which do not pass.
    asked = somebody.asked("/live/overview")
    begun = page.evaluate("performance.now()")
    persisted.alerts([alert(9, segment="all", detector="shift", ts=calm_shop, onset=calm_shop)])
    expect(page.locator(".drifts").first.locator("li")).to_have_count(1)
    record_testsuite_property("milliseconds_until_shown", round(page.evaluate("performance.now()") - begun))
    expect(page.locator("h1")).to_have_text("All traffic drifts.")
    assert somebody.asked("/live/overview") - asked <= 2


def test_the_map_shows_where_the_new_questions_lie_and_says_it_in_words(
    visit: See, open_url: str, persisted: Persisted
) -> None:
    rng = np.random.default_rng(5)
    topics = np.eye(DIM)[:3]

    def about(topic: int, number: int) -> Floats:
        found: Floats = topics[topic] + rng.normal(0, 0.05, (number, DIM))
        return found

    persisted.baselines([baseline(np.concatenate([about(0, 900), about(1, 300)]), family=FAMILY)])
    seen = Reading(metric="query_embedding", detector="shift", state="ok", events=100, current=0.1)
    persisted.readings([readings(readings=[seen])])
    vectors = np.concatenate([about(0, 300), about(2, 200)]).astype("<f2")
    asked = ["cancel my flight"] * 300 + ["file my tax"] * 200
    persisted.events("interaction", [interaction(n, user_query=text) for n, text in enumerate(asked)])
    persisted.events(
        "embedding", [embedding(n, dim=DIM, vector=row.tobytes()) for n, row in enumerate(vectors)]
    )

    somebody = visit(open_url)
    page = somebody.go("#/segments/all")
    drawn = page.locator(".map svg")
    expect(drawn).to_have_attribute("aria-label", re.compile(r"^(39|4\d)\.\d % of the recent ones are far"))
    expect(drawn.locator("circle")).not_to_have_count(0)
    assert (drawn.locator(".dots.new").get_attribute("d") or "").count("M") == pytest.approx(200, abs=10)
    expect(page.locator(".map table")).to_contain_text("cancel")
    assert somebody.complaints == []
    assert somebody.grave() == []
    somebody.keep("map")
