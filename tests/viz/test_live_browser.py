"""The page of a training run in a real browser: it reads itself again, pauses, and is quiet when the run is over."""

import time

import pytest

from wengert.viz import Live


def wait(tab, script, seconds=15):
    from playwright.sync_api import Error

    end = time.monotonic() + seconds
    while True:
        try:
            if tab.evaluate(script):
                return
        except Error:  # between two pages
            pass
        assert time.monotonic() < end, f"waited {seconds} s for {script}"
        time.sleep(0.02)


def opened(browser, path, scheme="light"):
    tab = browser.new_page(viewport={"width": 1100, "height": 800}, color_scheme=scheme)
    tab.errors, tab.asked = [], []
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.on("console", lambda m: tab.errors.append(m.text) if m.type == "error" else None)
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.clock.install()  # the page's time passes when a test says so
    tab.goto(path.as_uri())
    return tab


def pass_time(tab, seconds=1.5):
    tab.clock.run_for(int(1000 * seconds))


def test_it_follows_the_run_pauses_and_ends(browser, tmp_path):
    path = tmp_path / "run.html"
    with Live(path, every=0, terminal=False, title="<i>run</i>") as live:
        live(1.0, **{"<b>bold</b>": 2.0})
        tab = opened(browser, path)
        assert "step 1" in tab.inner_text("header") and tab.inner_text("h1") == "<i>run</i>"
        assert tab.locator("b", has_text="bold").count() == 0
        live(0.5)
        pass_time(tab)
        wait(tab, "document.querySelector('header').innerText.includes('step 2')")
        tab.click("#pause")
        assert tab.inner_text("#pause") == "Go on" and tab.get_attribute("#pause", "aria-pressed") == "true"
        live(0.25)
        pass_time(tab)
        assert "step 2" in tab.inner_text("header")
        tab.reload()
        assert tab.inner_text("#pause") == "Go on"  # the choice stays
        tab.click("#pause")
        live(0.125)
        pass_time(tab)
        wait(tab, "document.querySelector('header').innerText.includes('step 4')")
    pass_time(tab)
    wait(tab, "document.getElementById('status').innerText === 'finished'")
    assert not tab.is_visible("#pause")
    seen = len(tab.asked)
    pass_time(tab)
    assert len(tab.asked) == seen and not tab.errors
    assert {url.partition(":")[0] for url in tab.asked} == {"file"}
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1100])
def test_it_is_legible(browser, tmp_path, scheme, width):
    """Text and paper differ in both colour schemes, and nothing is wider than the window."""
    path = tmp_path / "run.html"
    with Live(path, every=0, terminal=False) as live:
        for k in range(50):
            live(1 / (k + 1), accuracy=k / 50)
    tab = opened(browser, path, scheme)
    tab.set_viewport_size({"width": width, "height": 800})
    light = "c => { const [r, g, b] = c.match(/\\d+/g).map(Number); return 0.3 * r + 0.6 * g + 0.1 * b; }"
    style = "getComputedStyle(document.body)"
    ink, paper = tab.evaluate(f"({light})({style}.color)"), tab.evaluate(f"({light})({style}.backgroundColor)")
    assert abs(ink - paper) > 150 and (paper > 128) == (scheme == "light")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator(".chart svg polyline").count() == 2 and not tab.errors
    tab.close()
