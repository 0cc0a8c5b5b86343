"""Pages in a real browser: opened, clicked, stepped, searched, by mouse and keyboard, in light and dark, and timed."""

import re

import pytest

import wengert
from wengert import nn
from wengert.viz._build import build
from wengert.viz._summary import Summary


def product():
    """f = (x + y) * z at x = -2, y = 5, z = -4: the example of every course."""
    x, y, z = (wengert.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
    with wengert.record():
        q = x + y
        f = q * z
    f.backward()
    return build(f, names={"x": x, "y": y, "z": z, "q": q, "f": f})


def network(depth=12, width=16):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

        def forward(self, x):
            return x + self.down(self.up(self.norm(x)).tanh())

    model = nn.Sequential(nn.Linear(4, width), *[Block() for _ in range(depth)], nn.Linear(width, 1))
    with wengert.record():
        loss = model(wengert.ones(3, 4)).square().mean()
    loss.backward()
    return build(loss, names={"model": model, "loss": loss})


def chain(count):
    h, w = wengert.ones(5, 4, requires_grad=True), wengert.ones(4, 4, requires_grad=True)
    u = h
    for _ in range(count):
        u = u + (u @ w).tanh()
    return build((u * u).mean(), names={"h": h, "w": w})


def test_the_page_shows_the_graph(visit):
    tab = visit(product())
    assert tab.text("#title") == "f" and tab.text("#counts").startswith("5 nodes")
    assert tab.tab.title() == "f"
    assert tab.run("page.view.graph.steps") == 7
    shown = tab.text("#node")
    assert "OUTPUTS" in shown.upper() and "GIVEN" in shown.upper()


def test_a_click_shows_value_gradient_and_rule(visit):
    tab = visit(product())
    tab.click(tab.cell("q"))
    shown = tab.text("#node")
    assert tab.text("#node h2") == "q"
    for part in ("operation add", "float32", "Value", "3", "Gradient", "-4", "grad input = g", "test_browser.py:"):
        assert part.lower() in shown.lower(), part
    assert tab.text("#live") == "q, add, scalar float32, value 3, gradient -4"
    tab.tab.keyboard.press("Escape")
    assert tab.text("#node h2") == "f"


def test_stepping_lights_up_forward_then_backward(visit):
    tab = visit(product())
    tab.tab.click("#first")
    assert tab.text("#step") == "start of 7 steps"
    before = tab.tab.screenshot()
    seen = []
    for _ in range(7):
        tab.tab.keyboard.press("ArrowRight")
        seen.append(tab.text("#step"))
    assert seen == [
        "1 of 7 · forward · q = 3",
        "2 of 7 · forward · f = -12",
        "3 of 7 · backward · ∂f = 1",
        "4 of 7 · backward · ∂q = -4",
        "5 of 7 · backward · ∂z = 3",
        "6 of 7 · backward · ∂y = -4",
        "7 of 7 · backward · ∂x = -4",
    ]
    tab.settle()
    assert tab.tab.screenshot() != before
    tab.tab.keyboard.press("Home")
    assert tab.run("page.shared.step") == 0 and tab.tab.input_value("#slider") == "0"
    tab.tab.focus("#slider")
    tab.tab.keyboard.press("ArrowRight")
    assert tab.run("page.shared.step") == 1
    assert tab.tab.get_attribute("#slider", "aria-valuetext") == seen[0]


def test_what_is_not_computed_yet_is_pale(visit):
    tab = visit(product())
    cell = tab.cell("f")
    ink = """i => { const v = page.view, b = v.box(i), r = v.ratio; v.stale = true; v.paint();
        const x = (v.dx + b.x * v.zoom) * r + 12, y = (v.dy + b.y * v.zoom) * r + 4;
        const p = v.context.getImageData(x, y, b.w * v.zoom * r - 18, b.h * v.zoom * r / 2 - 12).data;
        let least = 255; for (let k = 0; k < p.length; k += 4) least = Math.min(least, p[k]); return least; }"""
    dark = tab.run(ink, cell)
    tab.run("page.setStep(1)")
    assert tab.run(ink, cell) > dark + 60


def test_gradients_accumulate_where_paths_join(visit):
    x = wengert.tensor(3.0, requires_grad=True)
    y = x * x + x.sin()
    tab = visit(build(y, names={"x": x}))
    cell = tab.cell("x")
    steps = tab.run("page.view.graph.steps")
    counts = [tab.run("([i, s]) => page.view.graph.arrived(i, s)", [cell, s]) for s in range(steps + 1)]
    assert counts[0] == [0, 3] and counts[-1] == [3, 3]
    assert sorted({now for now, _ in counts}) in ([0, 1, 3], [0, 2, 3])  # both operands of x * x at once
    tab.click(cell)
    assert "sum of 3" in tab.text("#node")


def test_play_and_pause(visit):
    tab = visit(product())
    tab.tab.keyboard.press(" ")
    tab.wait("page.shared.step > 0 && page.shared.step < 7")
    tab.tab.keyboard.press(" ")
    step = tab.run("page.shared.step")
    tab.tab.wait_for_timeout(700)
    assert tab.run("page.shared.step") == step
    assert tab.tab.get_attribute("#play", "aria-label") == "Play"


def test_search_by_name_op_and_shape(visit):
    tab = visit(network())
    tab.tab.keyboard.press("/")
    tab.tab.keyboard.type("up weight")
    assert tab.text("#hits") == "12 found"
    assert tab.tab.locator("#list li").count() == 12
    tab.tab.keyboard.press("Enter")
    assert tab.text("#hits") == "1 of 12"
    chosen = tab.run("page.view.selected.cell")
    assert tab.run("i => page.view.seen[i] === i", chosen), "the groups around it are open"
    x, y = tab.middle(chosen)
    assert 0 < x < 1082 and 40 < y < 700
    tab.tab.fill("#search", "(4, 16)")
    assert tab.text("#hits") == "0 found"
    tab.tab.fill("#search", "16x4")
    assert tab.text("#hits") == "1 found"
    tab.tab.fill("#search", "tanh")
    assert tab.text("#hits") == "12 found"
    tab.tab.locator("#list li button").nth(3).click()
    assert tab.text("#node h2") == "tanh"
    tab.tab.keyboard.press("Escape")
    assert tab.text("#hits") == ""


def test_path_between_two_nodes(visit):
    tab = visit(product())
    tab.click(tab.cell("x"))
    tab.tab.click("#path-from")
    assert "other node" in tab.text("#answer")
    tab.click(tab.cell("f"))
    assert tab.text("#answer") == "3 nodes: x → q → f"
    assert tab.run("page.shared.path.edges.length") == 2
    tab.click(tab.cell("x"))
    tab.tab.keyboard.press("p")
    tab.click(tab.cell("z"))
    assert "No path leads from x to z" in tab.text("#answer")


def test_why_a_parameter_has_no_gradient(visit):
    used, cut = (wengert.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    with wengert.record():
        inner = (cut * 2).exp()
        loss = (used * inner.detach()).sum() + (cut * 0).detach().sum() + inner.sum() * 0
    model = build(loss, names={"used": used, "cut": cut})
    tab = visit(model)
    tab.click(tab.cell("used"))
    tab.tab.click("#why")
    assert "path of gradients leads to it" in tab.text("#answer")

    graph = wengert.graph.record(lambda a, b: (a * (b > 0).sum()).sin(), wengert.ones(2), wengert.ones(2))
    tab = visit(build(graph))
    tab.click(tab.cell("input 1"))
    tab.tab.keyboard.press("w")
    assert "The path of gradients ends between input 1 and gt" in tab.text("#answer")


def test_parameters_that_nothing_reads_are_there_and_say_so(visit):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)

        def forward(self, x):
            return self.used(x)

    tab = visit(build(Two(), wengert.ones(1, 2)))
    assert "unused.weight" in tab.text("#node")
    cell = tab.run(
        "[...Array(page.view.graph.n).keys()].find(i => page.view.graph.longTitle(i) === 'unused.weight')"
    )
    tab.click(cell)
    tab.tab.click("#why")
    assert "Nothing in this graph reads it" in tab.text("#answer")


def test_breakpoints(visit):
    x = wengert.tensor([-1.0, 4.0], requires_grad=True)
    with wengert.record():
        y = (x.log() * x.relu()).sum()
    y.backward()
    tab = visit(build(y, names={"x": x}))
    tab.tab.click("#run")
    assert tab.text("#step").startswith("1 of ") and "log" in tab.text("#step")
    assert tab.text("#node h2") == "log"
    tab.tab.select_option("#break", "node")
    tab.click(tab.cell("relu"))
    tab.tab.click("#run")
    assert "relu" in tab.text("#step")
    tab.tab.select_option("#break", "zero")
    tab.tab.click("#run")
    assert "No gradient that was kept is zero" in tab.text("#step")


def test_opening_a_group_moves_nothing(visit):
    tab = visit(network())
    closed = tab.run("[...page.view.open].indexOf(0)")
    n = tab.run("page.view.graph.n")
    boxes = """() => { const v = page.view, all = [];
        for (let i = 0; i < v.graph.n + v.graph.g.count; i++) { const b = v.box(i); all.push(b.x, b.y, b.w, b.h); }
        return all; }"""
    before = tab.run(boxes)
    tab.run("k => page.view.reveal([...page.view.graph.inGroup.from(k)][0] ?? 0)", closed)
    tab.run("k => page.view.open[k] && page.view.toggle(k)", closed)
    tab.click(n + closed)
    assert tab.text("#open-group") == "Open"
    tab.tab.click("#open-group")
    tab.settle()
    assert tab.run("k => page.view.open[k]", closed) == 1
    assert tab.text("#open-group") == "Close"
    assert tab.run(boxes) == before


def test_the_sign_in_the_corner_opens_and_closes(visit):
    tab = visit(chain(300))
    group = tab.run("[...page.view.open].indexOf(0)")
    corner = """k => { const v = page.view, b = v.box(v.graph.n + k), r = v.canvas.getBoundingClientRect();
        const away = 16 * v.headScale(k, b.s * v.zoom);
        return [r.left + v.dx + (b.x + b.w) * v.zoom - away, r.top + v.dy + b.y * v.zoom + away]; }"""
    tab.tab.mouse.click(*tab.run(corner, group))
    tab.settle()
    assert tab.run("k => page.view.open[k]", group) == 1
    tab.tab.mouse.click(*tab.run(corner, group))
    assert tab.run("k => page.view.open[k]", group) == 0


def test_the_mouse_pans_and_zooms(visit):
    tab = visit(product())
    x, y = tab.middle(tab.cell("q"))
    tab.tab.mouse.move(600, 600)
    tab.tab.mouse.down()
    tab.tab.mouse.move(640, 650, steps=4)
    tab.tab.mouse.up()
    tab.settle()
    assert tab.middle(tab.cell("q")) == pytest.approx([x + 40, y + 50], abs=2)
    shifted = tab.tab.screenshot(clip={"x": 0, "y": 60, "width": 1080, "height": 600})
    tab.run("page.view.draw()")
    tab.settle()
    assert tab.tab.screenshot(clip={"x": 0, "y": 60, "width": 1080, "height": 600}) == shifted, (
        "a pan leaves no traces"
    )
    zoom = tab.run("page.view.zoom")
    tab.tab.mouse.wheel(0, -300)
    tab.wait(f"page.view.zoom > {zoom}")
    tab.tab.click("#fit")
    tab.settle()
    assert tab.middle(tab.cell("q")) == pytest.approx([x, y], abs=2)


def test_everything_can_be_reached_by_keyboard(visit):
    tab = visit(network())
    keys = tab.tab.keyboard
    names = []
    for _ in range(60):
        keys.press("Tab")
        names.append(tab.run("document.activeElement.id || document.activeElement.tagName"))
    assert {"search", "fit", "gradients", "CANVAS", "tab-node", "slider", "break", "run"} <= set(names)
    tab.tab.focus("#stage canvas")
    keys.press("ArrowRight")
    titles = []
    for _ in range(6):
        titles.append(tab.text("#live"))
        keys.press("ArrowRight")
    assert len(set(titles)) >= 5
    group = tab.run("[...page.view.open].indexOf(0)")
    tab.run("k => page.choose({ group: k })", group)
    tab.tab.focus("#stage canvas")
    keys.press("Enter")
    assert tab.run("k => page.view.open[k]", group) == 1
    assert "open" in tab.text("#live")
    keys.press("?")
    assert tab.tab.is_visible("#keys")


def test_screen_readers_get_names_and_a_list(visit):
    tab = visit(network())
    nameless = tab.run(
        """() => [...document.querySelectorAll("button, input, select, canvas")].filter(e =>
            !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels && e.labels.length)).map(e => e.outerHTML)"""
    )
    assert nameless == []
    tab.tab.click("#tab-list")
    assert tab.tab.get_attribute("#tab-list", "aria-selected") == "true"
    rows = tab.tab.locator("#list li").count()
    assert rows == tab.run("page.view.graph.n")
    assert tab.run("document.documentElement.lang") == "en"
    tab.tab.keyboard.press("ArrowLeft")
    assert tab.run("document.activeElement.id") == "tab-node"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_reader(visit, scheme):
    tab = visit(product(), scheme=scheme)
    paper = "getComputedStyle(document.documentElement).getPropertyValue('--paper')"
    corner = "() => [...page.view.context.getImageData(3, 3, 1, 1).data].slice(0, 3).reduce((a, b) => a + b) / 3"
    assert (tab.run(corner) > 200) == (scheme == "light")
    first = tab.run(paper)
    tab.tab.keyboard.press("t")
    tab.settle()
    assert tab.run(paper) != first and (tab.run(corner) > 200) == (scheme == "dark")


def test_colours_have_contrast():
    from wengert.viz._style import DARK, LIGHT

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for palette in (LIGHT, DARK):
        for text, ground, least in [
            ("ink", "card", 10), ("ink", "gradient-card", 10), ("soft", "panel", 4.5), ("soft", "card", 4.5),
            ("soft", "frame", 4.5), ("soft", "gradient-card", 4.5), ("soft", "paper", 4.5),
            ("gradient", "gradient-card", 4.5), ("mark", "paper", 3), ("focus", "paper", 3),
            ("flow", "paper", 2), ("back", "paper", 2),
        ]:  # fmt: skip
            a, b = sorted((luminance(palette[text]), luminance(palette[ground])))
            assert (b + 0.05) / (a + 0.05) >= least, (text, ground)


def test_print(visit):
    tab = visit(product(), scheme="dark")
    tab.tab.emulate_media(media="print")
    assert not tab.tab.is_visible(".tools") and not tab.tab.is_visible("#search")
    assert tab.tab.is_visible("#stage canvas") and tab.tab.is_visible("#node")
    assert tab.run("getComputedStyle(document.documentElement).getPropertyValue('--paper')") == "#fbfaf8"
    assert len(tab.tab.pdf()) > 10_000


def test_names_are_data(visit):
    nasty = '</script><script>alert(1)</script><img src=x onerror=alert(2)>" onload="alert(3)\u2028'
    x = wengert.tensor(1.0, requires_grad=True)
    with wengert.record(), wengert.scope(nasty):
        y = x * 2
        y = y + x
    tab = visit(build(y, names={nasty: x}))
    tab.click(0)
    assert "<script>alert(1)</script>" in tab.text("#node h2")
    tab.tab.click("#tab-list")
    tab.tab.fill("#search", "alert")
    assert tab.run("document.querySelectorAll('img, script').length") == 2


def odd_graphs():
    one = wengert.ones(2, requires_grad=True)
    yield "a leaf alone", build(one)
    yield "no elements", build(wengert.ones(0, 3, requires_grad=True).sum())
    with wengert.record():
        bad = (wengert.tensor([0.0, -1.0, 1e300], dtype=wengert.float64, requires_grad=True).log() * 1e308).sum()
    bad.backward()
    yield "no finite values", build(bad)
    x = wengert.ones(300, requires_grad=True)
    with wengert.record():
        masked = wengert.where(x > 2, x, wengert.zeros(300)).bfloat16().sum()
    masked.backward()
    yield "masks, half precision, large zeros", build(masked, names={"a very long name " * 20: x})

    class Double(wengert.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2, a * 3

        @staticmethod
        def backward(ctx, g, h):
            return g * 2 + h * 3

    a, b = Double.apply(one)
    yield "a custom function of two results", build([a.sum(), b.sum()])
    graph = wengert.graph.record(lambda t: t, one.detach())
    yield "a graph that hands its input on", build(graph)
    wide = wengert.cat([one * k for k in range(200)])
    yield "two hundred parts side by side", build(wide)


def test_odd_graphs_open_and_step(visit):
    for name, model in odd_graphs():
        tab = visit(model)
        steps = tab.run("page.view.graph.steps")
        for step in range(0, steps + 1, max(1, steps // 9)):
            tab.run("s => page.setStep(s)", step)
        tab.run("page.view.openAround(page.view.open.keys())")
        for cell in range(min(12, tab.run("page.view.graph.n"))):
            tab.run("i => page.choose({ cell: i }, true)", cell)
            tab.run("i => page.why(i)", cell)
        tab.settle()
        assert "undefined" not in tab.text("body"), name
        assert not tab.errors, name


def test_before_and_after_stand_side_by_side(visit):
    graph = wengert.graph.record(lambda a: (a * 1 + 0).sin().exp().sum(), wengert.ones(3))
    model = build(graph)
    model.passes = [("remove x * 1", [1]), ("remove x + 0", [2])]
    model.after = build(wengert.graph.record(lambda a: a.sin().exp().sum(), wengert.ones(3)))
    model.after.groups = [("fused 1", [1, 2])]
    tab = visit(model)
    assert tab.tab.locator("#stage canvas").count() == 2
    assert tab.tab.locator("figcaption").all_inner_texts() == ["captured", "optimised"]
    assert "6 nodes captured, 4 after" in tab.text("#passes")
    tab.tab.click("text=remove x + 0")
    assert tab.run("page.shared.path.cells") == [2]
    tab.tab.click("text=fused 1")
    assert tab.run("page.view === page.views[1]")


def test_a_plan_is_shown_beside_its_graph(visit):
    def f(x, y):
        x.exp()  # which nothing reads
        return ((x * 2 + 1 - y) ** 2).mean()

    graph = wengert.graph.record(f, wengert.ones(3, 4), wengert.ones(3, 4))
    tab = visit(build(wengert.graph.Plan(graph)))
    before, after = [
        tab.run("v => [...page.views[v].graph.op].map(o => page.views[v].graph.ops[o])", v) for v in (0, 1)
    ]
    assert "exp" in before and "exp" not in after
    shown = tab.text("#passes")
    assert "what nothing needs" in shown and "removed 1" in shown and "in one pass" in shown
    fused = tab.run("page.views[1].graph.fused[0].cells")
    assert len(fused) >= 3 and "mul" in [after[k] for k in fused]


SIZES = {"3": product, "30": lambda: network(1), "300": network, "10000": lambda: chain(1666)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_overlaps_on_the_screen(visit, size, scheme):
    """Boxes are apart, inside the window and large enough to be told apart; titles are drawn."""
    tab = visit(SIZES[size](), scheme=scheme)
    boxes = tab.run(
        """() => { const v = page.view; return v.inSight().map(i => { const b = v.box(i);
            return [b.x * v.zoom + v.dx, b.y * v.zoom + v.dy, b.w * v.zoom, b.h * v.zoom]; }); }"""
    )
    assert 3 <= len(boxes) <= 150
    for k, (x, y, w, h) in enumerate(boxes):
        assert x > 0 and y > 0 and x + w < 1082 and y + h < 700
        assert w > 28
        for x2, y2, w2, h2 in boxes[:k]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


WORK = """count => { const v = page.view, times = [];
    for (let n = 0; n < count; n++) {
        const begin = performance.now();
        v.pan(n % 3 ? 6 : -8, n % 2 ? 4 : -3);
        v.paint();
        v.context.getImageData(0, 0, 1, 1);  // waits until all of it is drawn
        times.push(performance.now() - begin);
    }
    return times.sort((a, b) => a - b)[count >> 1]; }"""


def work_per_frame(tab):
    """Milliseconds of work for one frame of a pan, drawing included: the median of thirty, best of five series, as other
    processes share the machine. What the compositor does with the finished picture is not ours."""
    return min(tab.run(WORK, 30) for _ in range(5))


def test_10_000_nodes_open_in_a_second_and_pan_at_30_frames(visit):
    model = chain(1666)
    assert len(model) > 10_000
    tabs = [visit(model) for _ in range(3)]
    assert min(tab.run("page.opened") for tab in tabs) <= 1000
    tab = tabs[-1]
    assert work_per_frame(tab) <= 1000 / 30
    tab.run("page.view.openAround(page.view.open.keys()); page.view.fit(false); page.view.zoomAt(500, 300, 3)")
    assert work_per_frame(tab) <= 1000 / 30, "with every group open"


def test_100_000_nodes_open_collapsed_in_three_seconds(visit, tmp_path):
    model = chain(16_666)
    assert len(model) > 100_000
    numbers = Summary.of(wengert.randn(12, 12))  # as a recording would have kept for every node
    for node in range(len(model)):
        if model.link[node] > node:
            model.values[node] = model.gradients[node] = numbers
    tab = visit(model)
    assert (tmp_path / "page0.html").stat().st_size <= 25e6
    opened = tab.run("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert tab.run("page.opened") <= 3000 and opened <= 3000
    assert tab.run("page.view.inSight().length") <= 150
    tab.run("page.setStep(60000)")
    assert re.match(r"60000 of 100002 · backward", tab.text("#step"))
