"""Pages of static graphs in a real browser: two lanes, what rules read, values of an example, sums that grow."""

import re

import pytest
from test_static import by_hand, loops, sized, training_step

import wengert
from wengert.viz._build import build

BOXES = """v => v.inSight().map(i => { const b = v.box(i), z = v.zoom; return [b.x * z, b.y * z, b.w * z, b.h * z]; })"""
COLOUR = r"""([name, v]) => { const c = page.views[v].canvas;
    const want = page.shared.colours[name].match(/\w\w/g).map(h => parseInt(h, 16));
    const p = page.views[v].context.getImageData(0, 0, c.width, c.height).data;
    let count = 0;
    for (let k = 0; k < p.length; k += 4) count += p[k] === want[0] && p[k + 1] === want[1] && p[k + 2] === want[2];
    return count; }"""


def overlap(boxes):
    return [
        (a, b)
        for k, a in enumerate(boxes)
        for b in boxes[:k]
        if a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_compiled_step_has_two_lanes_before_and_after(visit, scheme):
    compiled, net = training_step()
    tab = visit(build(compiled, names={"net": net}), scheme=scheme)
    assert tab.tab.locator("#stage canvas").count() == 2
    for view in (0, 1):
        boxes = tab.run(f"({BOXES})(page.views[{view}])")
        assert len(boxes) > 30 and not overlap(boxes)
        assert min(w for *_, w, _ in boxes) > 40, "large enough to be read"
        assert tab.run(COLOUR, ["gradient-card", view]) > 1000 and tab.run(COLOUR, ["card", view]) > 1000
    assert tab.run(COLOUR, ["state", 1]) > 20, "what runs in one pass is outlined"
    assert re.search(r"aliases\s+removed \d", tab.text("#passes")) and "in one pass" in tab.text("#passes")
    tab.tab.click("#tab-node")
    for said in ("LEGEND", "gradient, or part of its rule", "a gradient comes back"):
        assert said in tab.text("#node")
    tab.tab.keyboard.press("g")
    tab.settle()
    assert tab.run(COLOUR, ["gradient-card", 0]) == 0, "the backward pass can be left out"


def test_a_rule_shows_its_operations_and_what_they_read(visit):
    tab = visit(build(by_hand(), wengert.tensor([1.0, -2.0, 0.5]), wengert.tensor([0.5, 0.25, -1.0])))
    tanh = tab.cell("tanh")
    tab.click(tanh)
    shown = tab.text("#node")
    assert "ITS GRADIENT RULE RUNS AS" in shown.upper() and "0.4621" in tab.run(
        "i => page.view.graph.values.short(i)", tanh
    )
    rule = tab.run("i => [...page.view.graph.behind.from(i)]", tanh)
    assert len(rule) >= 3
    tab.run("i => page.choose({ cell: i }, true)", rule[0])
    assert "PART OF THE GRADIENT OF" in tab.text("#node").upper() and "Gradient rule" not in tab.text("#node")
    lit = tab.run("page.view.context.getImageData(0, 0, 900, 600).data.join()")
    tab.run("page.choose(null)")
    tab.settle()
    assert tab.run("page.view.context.getImageData(0, 0, 900, 600).data.join()") != lit, (
        "what it reads is drawn meanwhile"
    )
    tab.run("i => page.setStep(page.view.graph.step[i])", rule[0])
    assert re.match(r"\d+ of \d+ · backward · ", tab.text("#step"))


def test_loops_open_and_close(visit):
    tab = visit(build(loops()))
    names = tab.run("[...page.view.graph.g.names.values()]")
    assert {"while_loop", "one turn", "condition", "if true", "if false"} <= set(names)
    assert "one turn" in tab.text("#node")
    group = tab.run("[...page.view.graph.g.names].find(([, n]) => n === 'while_loop')[0]")
    before = len(tab.run("page.view.inSight()"))
    tab.run("k => page.enter(k)", group)
    tab.settle()
    closed = len(tab.run("page.view.inSight()"))
    assert abs(before - closed) >= 4
    assert not overlap(tab.run(f"({BOXES})(page.view)"))


def test_a_sum_of_gradients_grows_while_one_steps(visit):
    a = wengert.tensor(3.0, requires_grad=True)
    with wengert.record():
        s = a.sin() * a + a.exp()
    s.backward()
    tab = visit(build(s, names={"a": a}))
    cell = tab.cell("a")
    sums = [tab.run("([i, k]) => page.view.graph.partial(i, k)", [cell, k]) for k in range(10)]
    assert [v for k, v in enumerate(sums) if v and v != sums[k - 1]] == ["20.09", "20.23", "17.26"]
    tab.click(cell)
    assert "step 7, from mul" in tab.text("#node") and "20.23" in tab.text("#node")
    tab.run("page.setStep(6)")
    tab.settle()
    early = tab.tab.screenshot()
    tab.run("page.setStep(7)")
    tab.settle()
    assert tab.tab.screenshot() != early


def test_breakpoints_find_gradients_of_static_graphs(visit):
    graph = wengert.Graph("dead")
    x = graph.input("x", shape=(2,))
    loss = x.relu().sum()
    graph.output(loss)
    graph.output(graph.gradients(loss, x))
    tab = visit(build(graph, wengert.tensor([-1.0, -2.0])))
    tab.tab.select_option("#break", "zero")
    tab.tab.click("#run")
    assert "backward" in tab.text("#step")
    chosen = tab.run("page.view.selected.cell")
    assert tab.run("i => page.view.graph.kinds[page.view.graph.kind[i]]", chosen) == "gradient"
    tab.tab.select_option("#break", "nan")
    tab.tab.click("#run")
    assert "No value or gradient" in tab.text("#step")


def test_a_step_of_training_ends_with_its_update(visit):
    tab = visit(build(sized()))
    steps = tab.run("page.view.graph.steps")
    phases = []
    for k in range(1, steps + 1):
        tab.run(f"page.setStep({k})")
        phase = tab.text("#step").split(" · ")[1]
        if not phases or phases[-1] != phase:
            phases.append(phase)
    assert phases == ["forward", "backward", "update"]
    assert "B×4" in tab.text("#node")
