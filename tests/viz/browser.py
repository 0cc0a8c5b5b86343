"""A real browser for tests of pages: Chromium of the system, driven by playwright. Tests skip where one is missing."""

import os
import time
from contextlib import contextmanager
from shutil import which

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@contextmanager
def chromium():
    """A browser without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pages are opened with playwright: pip install it")
    if CHROMIUM is None:
        pytest.skip("pages are opened in Chromium: install it, or name it in CHROMIUM")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A page in the browser. `errors` and `requests` fill as it runs."""

    def __init__(self, browser, path, scheme="light", width=1400, height=820, **options):
        self.tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        self.errors, self.requests = [], []
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.tab.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.emulate_media(reduced_motion="reduce")
        self.tab.goto(path.as_uri())
        self.wait("page.opened > 0")

    def run(self, script, argument=None):
        """The value of a script's expression or function."""
        return self.tab.evaluate(script, argument)

    def wait(self, script, seconds=10):
        """Waits until an expression is true. (The page's policy forbids what the driver's own waiting does.)"""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"waited {seconds} s for {script}"
            time.sleep(0.02)

    def settle(self):
        """Waits until what was asked for is painted."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector):
        return self.tab.inner_text(selector)

    def middle(self, item):
        """Where an item of the first view is on the screen: its middle, in the upper box."""
        return self.run(
            """i => { const v = page.view, b = v.box(i), r = v.canvas.getBoundingClientRect();
                return [r.left + v.dx + (b.x + b.w / 2) * v.zoom, r.top + v.dy + (b.y + b.h / 4) * v.zoom]; }""",
            item,
        )

    def click(self, item):
        self.tab.mouse.click(*self.middle(item))
        self.settle()

    def cell(self, title):
        """The number of the cell with a title."""
        found = self.run(
            "t => { for (let i = 0; i < page.view.graph.n; i++) if (page.view.graph.title_(i) === t) return i; }",
            title,
        )
        assert found is not None, title
        return found
