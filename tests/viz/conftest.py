"""What the tests in a browser share: the browser, and pages that nothing may have gone wrong in."""

import pytest
from browser import Tab, chromium

from wengert.viz import _page


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser, tmp_path):
    """Opens the page of a model; afterwards nothing may have gone wrong and nothing been fetched."""
    tabs = []

    def open_page(model, **options):
        path = tmp_path / f"page{len(tabs)}.html"
        path.write_text(_page.html(model), encoding="utf-8")
        tabs.append(Tab(browser, path, **options))
        assert tabs[-1].requests == [path.as_uri()]
        return tabs[-1]

    yield open_page
    for tab in tabs:
        assert not tab.errors and len(tab.requests) == 1
        tab.tab.close()
