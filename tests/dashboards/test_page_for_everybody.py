"""The page can be used by everybody: with a keyboard, a screen reader, a telephone, a thousand segments."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from drift_aware.schema.alerts import Reading, Readings
from rig import drifting
from rig.api import Persisted
from rig.browser import NARROW, WIDE, Visit

See = Callable[..., Visit]
ROUTES = {
    "overview": "#/",
    "segment": f"#/segments/{drifting.SHOP}",
    "alert": "#/alerts/refusals-shop",
    "actions": "#/actions",
    "action": "#/actions/tune-of-yesterday",
}
SEGMENTS = 1000
# What is in the window, and a few beside it.
MOST_ROWS = 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_part_of_it_has_a_serious_barrier_or_is_wider_than_the_window(
    visit: See, open_url: str, drifting_shop: int, scheme: str, width: int
) -> None:
    somebody = visit(open_url, width=width, scheme=scheme)
    for name, place in ROUTES.items():
        page = somebody.go(place)
        if name == "overview":
            page.locator("summary").click()
        assert somebody.grave() == [], name
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        somebody.keep(f"{name}-{width}-{scheme}")
    assert somebody.complaints == []


def test_the_question_for_a_token_has_no_barrier(visit: See, open_url: str) -> None:
    somebody = visit(open_url)
    page = somebody.go()
    page.get_by_role("button", name="Token").click()
    assert somebody.grave() == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Token")).to_be_focused()


def test_a_thumb_hits_what_it_aims_at(visit: See, open_url: str, drifting_shop: int) -> None:
    page = visit(open_url, width=NARROW).go()
    sizes = page.evaluate(
        """[...document.querySelectorAll("button, input, summary, nav a, .rows a")]
            .filter((each) => each.checkVisibility())
            .map((each) => [each.textContent || each.id, each.getBoundingClientRect()])
            .map(([name, box]) => [name, box.width, box.height])"""
    )
    assert len(sizes) > 8
    assert [each for each in sizes if each[1] < 24 or each[2] < 24] == []


def test_a_keyboard_reaches_everything_and_is_caught_nowhere(
    visit: See, open_url: str, drifting_shop: int
) -> None:
    page = visit(open_url).go()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    reached = list(walk(page))
    for wanted in ("Overview", "Token", "Approve", "Reject", drifting.SHOP, "All actions"):
        assert any(wanted in each for each in reached), (wanted, reached)


def walk(page: Page) -> list[str]:
    """Press Tab until the focus is back outside the page; the names of what had it, all of it visibly."""
    names: list[str] = []
    while len(names) < 200:
        found = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (at === document.body) return null;
                const style = getComputedStyle(at);
                const shown = style.outlineStyle !== "none" && at.getBoundingClientRect().height > 0;
                return [at.textContent || at.id, shown];
            }"""
        )
        if found is None:
            return names
        assert found[1], f"nothing shows that {found[0]!r} has the focus"
        names.append(found[0])
        page.keyboard.press("Tab")
    raise AssertionError(f"the focus does not leave the page: {names[-5:]}")


def test_whoever_goes_to_another_part_begins_at_its_heading(
    visit: See, open_url: str, drifting_shop: int
) -> None:
    page = visit(open_url).go()
    page.get_by_role("link", name="Actions", exact=True).click()
    expect(page.get_by_role("heading", name="Actions", level=1)).to_be_focused()


@pytest.fixture
def thousand(persisted: Persisted, calm_shop: int) -> int:
    """A thousand segments, all calm."""
    reading = Reading(metric="refusal_rate", detector="shift", state="ok", events=500, current=0.03)
    persisted.readings(
        Readings(
            segment=f"app=tenant-{number:04}",
            start=calm_shop - 10_000,
            end=calm_shop,
            totals={"interaction": 50},
            readings=[reading],
        )
        for number in range(SEGMENTS)
    )
    return calm_shop


def test_of_a_thousand_segments_only_those_in_sight_are_in_the_page(
    visit: See, open_url: str, thousand: int, record_testsuite_property: Callable[[str, object], None]
) -> None:
    page = visit(open_url).go()
    rows = page.locator(".rows li")
    last = page.locator(".rows a", has_text="app=tenant-0999")
    expect(rows.first).to_have_attribute("aria-setsize", str(SEGMENTS + 4))
    assert rows.count() <= MOST_ROWS
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    record_testsuite_property("milliseconds_to_first_paint", round(paint))

    page.locator(".segments").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
    expect(last).to_be_visible()
    assert rows.count() <= MOST_ROWS

    page.get_by_label("Filter by name or state").fill("tenant-0500 calm")
    expect(rows).to_have_count(1)
    expect(page.locator(".many")).to_have_text(f"1 of {SEGMENTS + 4:,} segments")
    page.get_by_label("Filter by name or state").fill("drifting")
    expect(rows).to_have_count(0)
