"""A real browser for tests of the page: the Chromium of this machine, and what one sees with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from rig.services import missing

WIDE, NARROW = 1440, 375
_HEIGHT = 900
# Longer than anything takes on a machine that does other things as well.
PATIENCE_MS = 60_000
_GRAVE = ("serious", "critical")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser; each visit is a person of its own in it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        missing("no Chromium: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """Somebody who looks at the page.

    Args:
        browser: theirs.
        url: of the server.
        width: of the window, in pixels.
        scheme: light or dark.
    """

    def __init__(self, browser: Browser, url: str, width: int = WIDE, scheme: str = "light") -> None:
        size = {"width": width, "height": _HEIGHT}
        self.url = url
        self._context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        self._context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.answers: list[tuple[str, int]] = []
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self._hear("error", str(error)))
        self.page.on("response", self._note)

    def go(self, place: str = "#/") -> Page:
        """Open a part of the page, and wait until it shows something."""
        self.page.goto(f"{self.url}/{place}")
        return self.shown()

    def shown(self) -> Page:
        """Wait until the page shows what the server has told it."""
        self.page.wait_for_selector("main[data-shown]")
        return self.page

    def asked(self, path: str) -> int:
        """How often the server has answered a request for a path so far."""
        return sum(1 for asked, _ in self.answers if asked == path)

    @property
    def hosts(self) -> set[str]:
        """Where everything on the page came from."""
        return {urlsplit(entry).netloc for entry in self._entries()} | {urlsplit(self.page.url).netloc}

    def grave(self) -> list[str]:
        """What keeps people from using the page, as axe-core finds it."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {[node['target'] for node in each['nodes']]}"
            for each in found
            if each["impact"] in _GRAVE
        ]

    def keep(self, name: str) -> None:
        """Leave a picture of it in the folder that ARTIFACTS names, if any."""
        if folder := os.environ.get("ARTIFACTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def close(self) -> None:
        """Go away."""
        self._context.close()

    def _entries(self) -> list[str]:
        names: list[str] = self.page.evaluate(
            "performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        return names

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _note(self, response: Response) -> None:
        self.answers.append((urlsplit(response.url).path, response.status))
