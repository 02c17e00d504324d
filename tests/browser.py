"""A real browser for the tests of pages: Chromium, driven by Playwright, and axe-core, which looks for barriers.

`bash .ci/browser` installs the three. Without one of them a test that takes the fixture `visit` is skipped, and says
why. A test opens a page and then asks what a reader would notice:

    page = visit(path, width=320, dark=True)
    page.press("Tab")                       everything that Playwright's Page has
    assert not page.errors and not page.requests and not page.sticking_out() and not page.violations()
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = Path(__file__).parents[1] / ".browser" / "node_modules" / "axe-core" / "axe.min.js"
INSTALL = "`bash .ci/browser` installs it"

STICKING_OUT = """() => [...document.body.querySelectorAll("*")].filter(element => {
  const box = element.getBoundingClientRect();
  if (!box.width || !box.height || box.right <= innerWidth + 1 && box.left >= -1) return false;
  for (let around = element; around; around = around.parentElement)
    if (/auto|scroll/.test(getComputedStyle(around).overflowX)) return false;
  return true;
}).map(element => element.outerHTML.slice(0, 120))"""
"""Elements that reach beyond the window's left or right edge, unless something around them can be scrolled."""


class Visited:
    """A page in a window, and what happened in it since it was opened. What else is asked is Playwright's `Page`."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page = page
        self.errors: list[str] = []
        """What the console complained about, and exceptions of the page's script."""
        self.requests: list[str] = []
        """Addresses that the page asked for, beyond its own file and data in it."""
        page.on("console", self._note_complaint)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_request)
        self.address = path.resolve().as_uri()
        page.goto(self.address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def _note_complaint(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.errors.append(said.text)

    def _note_request(self, request: Any) -> None:
        if request.url.partition("#")[0] != self.address and not request.url.startswith("data:"):
            self.requests.append(request.url)

    def sticking_out(self) -> list[str]:
        """The start of each element that the window cuts off on its left or right, with no way to scroll to it."""
        return self.page.evaluate(STICKING_OUT)

    def violations(self) -> list[str]:
        """What axe-core finds, a line each: the rule, what it asks for, and the first element that breaks it."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("async () => (await axe.run()).violations")
        return [f"{rule['id']}: {rule['help']}: {rule['nodes'][0]['html'][:200]}" for rule in found]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running Chromium, or a skip that says what is missing."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip(f"no Chromium on this machine; {INSTALL}")
    if not AXE.is_file():
        pytest.skip(f"no axe-core in .browser; {INSTALL}")
    playwright = pytest.importorskip("playwright.sync_api", reason=f"no Playwright; {INSTALL}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visited]]:
    """visit(path, width=1000, dark=False, script=True, still=False): the page of a file in a window of its own.

    still: as for a reader who has asked the system for less motion.
    """
    contexts = []

    def opened(
        path: Path, *, width: int = 1000, dark: bool = False, script: bool = True, still: bool = False
    ) -> Visited:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
            java_script_enabled=script,
        )
        contexts.append(context)
        return Visited(context.new_page(), path)

    yield opened
    for context in contexts:
        context.close()
