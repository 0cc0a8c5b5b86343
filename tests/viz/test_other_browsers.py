"""Pages in Firefox and WebKit: they open and draw, and the mouse, a finger and the keyboard do what they do in Chromium."""

import pytest
from test_browser import chain, network, product
from test_static import training_step
from webdriver import BROWSERS

from wengert.viz import _page
from wengert.viz._build import build

LEFT, RIGHT, HOME = "\ue012", "\ue014", "\ue011"


@pytest.fixture(scope="module", params=BROWSERS)
def session(request):
    with BROWSERS[request.param]() as found:
        yield found


@pytest.fixture
def visit(session, tmp_path):
    def open_page(model):
        path = tmp_path / "page.html"
        path.write_text(_page.html(model), encoding="utf-8")
        session.open(path)
        return session

    return open_page


COLOURS = """(() => { page.view.stale = true; page.view.paint();
    const c = page.view.canvas, p = page.view.context.getImageData(0, 0, c.width, c.height).data, seen = new Set();
    for (let k = 0; k < p.length; k += 4) seen.add(p[k] << 16 | p[k + 1] << 8 | p[k + 2]);
    return seen.size; })()"""
MIDDLE = """(() => { const v = page.view, r = v.canvas.getBoundingClientRect();
    for (let i = 0; i < v.graph.n; i++) if (v.graph.title_(i) === arguments[0]) {
        const b = v.box(i);
        return [r.left + v.dx + (b.x + b.w / 2) * v.zoom, r.top + v.dy + (b.y + b.h / 4) * v.zoom];
    } })()"""


@pytest.mark.parametrize("make", [product, lambda: network(12), lambda: build(training_step()[0])])
def test_it_opens_and_draws(visit, make):
    tab = visit(make())
    assert tab.run(COLOURS) > 20, "boxes, texts and edges"
    assert len(tab.screenshot()) > 10_000


def test_keys_step(visit):
    tab = visit(product())
    tab.keys(HOME)
    assert tab.text("#step") == "start of 7 steps"
    tab.keys(RIGHT, RIGHT, RIGHT, RIGHT)
    assert tab.text("#step") == "4 of 7 · backward · ∂q = -4"
    tab.keys(LEFT)
    assert tab.run("page.shared.step") == 3


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_a_click_chooses(visit, kind):
    tab = visit(product())
    tab.click(*tab.run(MIDDLE, "q"), kind)
    tab.wait("page.view.selected")
    assert tab.text("#node h2") == "q" and "grad input = g" in tab.text("#node")


def test_search_opens_what_hides_a_node(visit):
    tab = visit(chain(300))
    tab.keys("/", *"tanh")
    assert tab.text("#hits") == "300 found"
    tab.keys("\ue007")
    assert tab.text("#hits") == "1 of 300"
    assert tab.run("page.view.seen[page.view.selected.cell] === page.view.selected.cell")
