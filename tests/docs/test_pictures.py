"""Pictures can be read: by people in light and dark, by machines, and by whoever hears them."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from rig.pages import ROOT

PICTURES = sorted((ROOT / "docs" / "images").glob("*.svg"))
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_says_what_it_shows(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    named = {root.find(f"{_SVG}{kind}").get("id") for kind in ("title", "desc")}  # type: ignore[union-attr]
    assert set((root.get("aria-labelledby") or "").split()) == named
    assert root.get("role") == "img"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_has_its_text_as_text_and_colours_for_a_dark_page(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    assert list(root.iter(f"{_SVG}text"))
    assert not list(root.iter(f"{_SVG}image"))
    [style] = root.iter(f"{_SVG}style")
    assert "prefers-color-scheme: dark" in (style.text or "")


def test_every_picture_is_shown_by_a_page() -> None:
    text = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    assert PICTURES
    assert all(f"images/{picture.name}" in text for picture in PICTURES)
