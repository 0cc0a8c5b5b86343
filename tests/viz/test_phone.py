"""Pages on a phone: a narrow window, and fingers instead of a mouse."""

import pytest
from browser import Tab
from test_browser import network, product
from test_static import training_step

from wengert.viz import _page
from wengert.viz._build import build

PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}
GRAPHS = {"three nodes": product, "a network": network, "two pictures": lambda: build(training_step()[0])}


@pytest.fixture
def visit(browser, tmp_path):
    def open_page(model):
        path = tmp_path / "page.html"
        path.write_text(_page.html(model), encoding="utf-8")
        return Tab(browser, path, **PHONE)

    return open_page


class Fingers:
    """Fingers on the screen; the driver itself knows taps only."""

    def __init__(self, tab):
        self.tab = tab
        self.session = tab.tab.context.new_cdp_session(tab.tab)

    def send(self, kind, points):
        points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def move(self, start, end, steps=6):
        """Each finger goes from its start to its end."""
        self.send("touchStart", start)
        for n in range(1, steps + 1):
            ends = zip(start, end, strict=True)
            self.send("touchMove", [(a + (c - a) * n / steps, b + (d - b) * n / steps) for (a, b), (c, d) in ends])
        self.send("touchEnd", [])
        self.tab.settle()


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_is_wider_than_the_screen(visit, name):
    tab = visit(GRAPHS[name]())
    assert tab.run("document.documentElement.scrollWidth") <= 390
    cut = """() => [...document.querySelectorAll("button, input, select, output, canvas, h1, h2, p, figcaption")]
        .map(e => [e.outerHTML, e.getBoundingClientRect()]).filter(([, r]) => r.width && (r.right > 390.5 || r.left < 0))
        .map(([text]) => text)"""
    assert tab.run(cut) == []
    small = """() => [...document.querySelectorAll("header button, footer button, footer select")]
        .map(e => [e.id, e.getBoundingClientRect().height]).filter(([, h]) => h && h < 38)"""
    assert tab.run(small) == [], "large enough for a finger"
    assert tab.run("page.view.zoom") >= 0.3, "the first view is legible"
    assert not tab.errors


def test_a_tap_chooses_and_steps(visit):
    tab = visit(product())
    tab.tab.touchscreen.tap(*tab.middle(tab.cell("q")))
    tab.wait("page.view.selected")
    assert tab.text("#node h2") == "q"
    tab.tab.tap("#first")
    tab.tab.tap("#next")
    assert tab.text("#step").startswith("1 of 7")
    tab.tab.tap("#memory")
    assert tab.run("page.shared.step") in (3, 4)


def test_one_finger_pans_and_two_zoom(visit):
    tab = visit(network())
    x, y = tab.middle(0)
    before, zoom = tab.run("[page.view.dx, page.view.dy]"), tab.run("page.view.zoom")
    fingers = Fingers(tab)
    fingers.move([(200, 300)], [(150, 260)])
    moved = tab.run("[page.view.dx, page.view.dy]")
    assert moved == pytest.approx([before[0] - 50, before[1] - 40], abs=14)  # what it takes to be no tap is lost
    assert tab.run("page.view.selected") is None, "a pan chooses nothing"
    fingers.move([(150, 300), (250, 300)], [(100, 300), (300, 300)])
    assert tab.run("page.view.zoom") == pytest.approx(2 * zoom, rel=0.15)
    fingers.move([(100, 300), (300, 300)], [(150, 300), (250, 300)])
    assert tab.run("page.view.zoom") == pytest.approx(zoom, rel=0.2)
    assert tab.run("window.visualViewport.scale") == 1, "the page itself does not zoom"
    assert tab.run("scrollY") == 0 and not tab.errors


def test_a_tap_on_the_sign_opens_a_group(visit):
    tab = visit(network())
    group = tab.run("[...page.view.open].indexOf(0)")
    tab.run("k => page.view.show(page.view.box(page.view.graph.n + k), 1, true)", group)
    tab.settle()
    corner = """k => { const v = page.view, b = v.box(v.graph.n + k), r = v.canvas.getBoundingClientRect();
        const away = 16 * v.headScale(k, b.s * v.zoom);
        return [r.left + v.dx + (b.x + b.w) * v.zoom - away, r.top + v.dy + b.y * v.zoom + away]; }"""
    tab.tab.touchscreen.tap(*tab.run(corner, group))
    tab.wait(f"page.view.open[{group}]")
