"""Static graphs: gradient rules stand below their nodes, sub-graphs are groups, values of an example are shown."""

import numpy as np
import pytest

import wengert
from wengert import nn
from wengert.viz._build import build
from wengert.viz._layout import DOWN, GAP, HALF, Layout
from wengert.viz._model import GRADIENT, OPERATION
from wengert.viz._svg import svg


def training_step():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = wengert.optim.Adam(model.parameters(), lr=0.01)

    def train(x, t):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    compiled = wengert.compile(train)
    x, t = wengert.randn(5, 4), wengert.randint(0, 3, (5,))
    for _ in range(3):
        compiled(x, t)
    return compiled, model


def by_hand():
    g = wengert.Graph("by hand")
    x, w = g.input("x", shape=(3,)), g.input("w", shape=(3,))
    loss = ((x * w).tanh() + x).sum()
    g.output(loss)
    for gradient in g.gradients(loss, [x, w]):
        g.output(gradient)
    return g


def leads(graph):
    """The op of the node that each node of a gradient rule belongs to."""
    producers = graph.producers()
    return [(n.op, producers[n.gradient_of].op) for n in graph.nodes if n.gradient_of is not None]


def test_a_recorded_backward_pass_knows_its_forward_nodes():
    compiled, _ = training_step()
    graph = compiled.plan.source
    ops = [n.op for n in graph.nodes]
    assert ops[:4] == ["linear", "tanh", "linear", "cross_entropy_rows"] and ops[-1] == "update"
    found = leads(graph)
    assert found[0] == ("cross_entropy_backward", "cross_entropy_rows")
    assert [op for op, lead in found if lead == "tanh"] == ["mul", "sub", "mul"]
    forward = {n.results[0]: n for n in graph.nodes}
    for node in graph.nodes[4:-1]:
        if node.op not in ("shape", "clone"):  # gradients are copied into memory of their own
            assert node.scope == ("backward", *forward[node.gradient_of].scope)
    assert graph.nodes[-1].gradient_of is None
    assert graph.nodes[0].scope == ("Sequential", "0")
    kept = leads(compiled.plan.graph)
    assert kept and set(kept) <= {*found, ("sum", "linear")}, "passes keep what they do not remove"


def test_custom_functions_and_broadcasting_belong_to_their_nodes():
    class Twice(wengert.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    def f(x):
        return (Twice.apply(x.exp()) + wengert.ones(2, 3)).sin().sum()

    x = wengert.ones(3, requires_grad=True)
    graph = wengert.graph.record(lambda x: wengert.autograd.grad(f(x), [x])[0], x)
    found = leads(graph)
    assert ("cos", "sin") in found and ("sum_to_like", "add") in found and ("zmul", "exp") in found


def test_the_mirror_survives_text_copies_and_calls():
    graph = by_hand()
    expected = leads(graph)
    assert ("mul", "mul") in expected and ("mul", "tanh") in expected
    again = wengert.graph.Graph.parse(graph.to_text(), graph.state_dict())
    assert leads(again) == leads(graph.copy()) == expected and again.to_text() == graph.to_text()
    outer = wengert.Graph("outer")
    given = [outer.input(name, shape=(3,)) for name in "xw"]
    outer.output(outer.call(graph, *given)[0])
    outer.inline()
    assert leads(outer) == expected


@pytest.mark.parametrize("make", [by_hand, lambda: training_step()[0]])
def test_gradient_rules_stand_below_their_nodes(make):
    model = build(make())
    layout = Layout(model)
    cell_of = {int(node): k for k, node in enumerate(layout.cells)}
    beside = [k for k in range(len(model)) if model.beside[k] >= 0]
    assert len(beside) >= 5 and all(model.kind[k] == GRADIENT for k in beside)
    below = {}
    for node in beside:
        below.setdefault(int(model.beside[node]), []).append(node)
    for lead, nodes in below.items():
        at = cell_of[lead]
        for n, node in enumerate(sorted(nodes, key=lambda k: model.step[k])):
            k = cell_of[node]
            assert layout.groups.parent[k] == layout.groups.parent[at]
            assert layout.x[k] == layout.x[at]
            assert layout.y[k] == pytest.approx(layout.y[at] + (n + 1) * (HALF + GAP))
    # Gradients flow back: to the left, or in the same column.
    x = layout.world()[0][: layout.n]
    between = (model.kind[model.source] == GRADIENT) & (model.kind[model.target] == GRADIENT)
    ends = [
        (x[cell_of[int(s)]], x[cell_of[int(t)]])
        for s, t in zip(model.source[between], model.target[between], strict=True)
    ]
    assert len(ends) >= 4 and all(source >= target for source, target in ends)
    assert svg(model).count('class="b') >= 4


def test_nothing_overlaps_where_rules_are_long():
    layout = Layout(build(training_step()[0]))
    n = layout.n
    for group in range(layout.groups.size):
        items = [k for k in np.flatnonzero(layout.groups.parent == group) if k != n]
        boxes = [(layout.x[k], layout.y[k], layout.width[k], layout.height[k]) for k in items]
        for i, (x, y, w, h) in enumerate(boxes):
            for x2, y2, w2, h2 in boxes[:i]:
                assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    assert DOWN > GAP


def test_parameters_have_names_and_stand_with_their_readers():
    compiled, net = training_step()
    model = build(compiled, names={"net": net})
    found = {
        ".".join((*model.scopes[model.scope[k]], name)) for k, name in model.names.items() if model.kind[k] == 1
    }
    assert found == {f"Sequential.{k}.{p}" for k in "02" for p in ("weight", "bias")}
    assert "exp_avg of 0.weight" in model.names.values()
    grads = [k for k in range(len(model)) if model.ops[model.op[k]] == "grad"]
    assert {model.names[k] for k in grads} == {"∂weight", "∂bias"} and (model.beside[grads] >= 0).all()


def test_a_compiled_function_shows_both_of_its_plans():
    weight = wengert.randn(3, 3, requires_grad=True)
    fast = wengert.compile(lambda x: (x @ weight).tanh().square().mean())
    for _ in range(3):
        fast(wengert.ones(2, 3)).backward()
    model = build(fast, names={"weight": weight})
    for side in (model, model.after):
        ops = [side.ops[side.op[k]] for k in range(len(side)) if side.kind[k] == OPERATION]
        assert ops[0] in ("matmul", "mm") and "tanh" in ops
        assert (side.kind == GRADIENT).sum() >= 4 and "gradient of the result" in side.names.values()
        assert len(side.outputs) == 1
        assert [side.kind[k] for k, name in side.names.items() if name == "weight"] == [1], "a parameter"
    assert sum("bytes" in note for note in model.after.notes) == 2


def test_notebooks_show_compiled_functions_and_modules():
    fast = wengert.compile(nn.Linear(2, 2))
    assert fast._repr_html_() == "<pre>Linear has not been called.</pre>"
    for _ in range(3):
        fast(wengert.ones(1, 2))
    assert "srcdoc" in fast._repr_html_() and "weight" in build(fast).names.values()
    compiled, _ = training_step()
    assert "srcdoc" in compiled._repr_html_()


def loops():
    g = wengert.Graph("loops")
    x, a = g.input("x", shape=(3,)), g.input("a", shape=(3,))
    _, h = wengert.while_loop(lambda k, h: k < 4, lambda k, h: (k + 1, (h * a).tanh()), (wengert.tensor(0), x))
    y = wengert.cond(h.sum() > 0, lambda v: v * 2, lambda v: v - 1, (h,))
    loss = y.sum()
    g.output(loss)
    for gradient in g.gradients(loss, [x, a]):
        g.output(gradient)
    return g


def test_loops_and_branches_are_groups():
    model = build(loops())
    names = set(Layout(model).groups.names.values())
    for name in ("while_loop", "condition", "one turn", "cond", "if true", "if false"):
        assert name in names, name
    assert "backward of while_loop" in names and "backward of cond" in names
    inside = [model.ops[model.op[k]] for k in range(len(model)) if "one turn" in model.scopes[model.scope[k]]]
    assert inside[:3] == ["add", "mul", "tanh"]
    assert any("one turn" in note for note in model.notes)
    loop = next(k for k in range(len(model)) if model.ops[model.op[k]] == "while_loop")
    sources = {model.ops[model.op[s]] for s in model.source[model.target == loop]}
    assert sources == {"add", "tanh", "reshape"} or sources == {"add", "tanh", "lt"}


def test_a_graph_shows_the_values_of_an_example():
    graph = by_hand()
    x, w = wengert.tensor([1.0, -2.0, 0.5]), wengert.tensor([0.5, 0.25, -1.0])
    state = wengert.get_rng_state()
    model = build(graph, x, w)
    assert model.values[model.outputs[0]].whole == graph.run(x, w)[0].item()
    product = next(k for k in range(len(model)) if model.ops[model.op[k]] == "mul")
    assert model.values[product].whole == (x * w).tolist()
    assert len(model.values) == len(model) and (wengert.get_rng_state() == state).all()
    assert len(build(graph).values) == len(graph.states)
    with pytest.raises(ValueError, match="expected example inputs of shapes and dtypes"):
        build(graph, x)
    with pytest.raises(ValueError, match="expected example inputs of shapes and dtypes"):
        build(graph, x, w.double())


def test_a_compiled_step_shows_the_values_of_an_example_and_takes_no_step():
    compiled, net = training_step()
    x, t = wengert.randn(5, 4), wengert.randint(0, 3, (5,))
    loss = nn.functional.cross_entropy(net(x), t)
    gradient = wengert.autograd.grad(loss, [net[0].weight])[0]
    before = [p.detach().clone() for p in net.parameters()]
    model = build(compiled, x, t, names={"net": net})
    for side in (model, model.after):
        assert side.values[side.outputs[0]].whole == pytest.approx(loss.item(), rel=1e-6)
        grads = [
            side.values[k]
            for k, name in side.names.items()
            if name == "∂weight" and side.scopes[side.scope[k]][-1] == "0"
        ]
        assert len(grads) == 1 and grads[0].shape == (8, 4)
        np.testing.assert_allclose(grads[0].whole, gradient.numpy(), rtol=1e-5, atol=1e-7)
    assert all(wengert.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    with pytest.raises(ValueError, match="expected example inputs of shapes"):
        build(compiled, x)


def test_a_compiled_function_shows_values_of_both_passes():
    weight = wengert.randn(3, 3, requires_grad=True)
    fast = wengert.compile(lambda x: (x @ weight).tanh().square().mean())
    x = wengert.randn(2, 3)
    for _ in range(3):
        fast(x).backward()
    weight.grad = None
    fast(x).backward()
    model = build(fast, x)
    for side in (model, model.after):
        assert side.values[side.outputs[0]].whole == pytest.approx(fast(x).item(), rel=1e-6)
        last = max((k for k in range(len(side)) if side.kind[k] == GRADIENT), key=lambda k: side.step[k])
        np.testing.assert_allclose(side.values[last].whole, weight.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_sums_are_kept_where_paths_join():
    x = wengert.tensor([1.0, 2.0], requires_grad=True)
    with wengert.record() as r:
        y = x.exp()
        z = (y * y).sum() + (y * wengert.ones(3, 1)).sum() + y.sin().sum()
    z.backward()
    model = build(z, names={"x": x, "y": y})
    node = next(k for k, name in model.names.items() if name == "y")
    sums = model.partials[node]
    assert len(sums) == 3 and [step for step, _ in sums] == sorted(step for step, _ in sums)
    assert sums[-1][1].whole == model.gradients[node].whole
    e = y.detach()
    last = {"sin": e.cos(), "mul": 3 + 0 * e}
    first = model.ops[model.op[model.link[np.flatnonzero(model.step == sums[0][0])[0]]]]
    assert sums[0][1].whole == pytest.approx(last[first].tolist(), rel=1e-6)
    assert set(model.partials) == {node}, "where one gradient arrives there is nothing to add"
    z2 = (y.detach().requires_grad_() * 1).sum()
    assert r.partial_sums(r.notes(y)) and not build(z2).partials


def sized():
    """A graph whose batch size is a name, with a step of training in it."""
    g = wengert.Graph("sized")
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    x = g.input("x", shape=(None, 4))
    t = g.input("t", shape=(x.shape[0], 3))
    loss = nn.functional.mse_loss(model(x), t)
    g.output(loss)
    g.minimize(loss, wengert.optim.Adam(model.parameters(), lr=0.01))
    return g


@pytest.mark.parametrize("suffix", ["html", "svg", "dot", "txt", "mmd"])
def test_a_size_by_name_is_drawn_by_its_name(suffix, tmp_path):
    path = tmp_path / f"graph.{suffix}"
    wengert.viz.save(sized(), path)
    drawn = path.read_text()
    assert "(B, 4)" in drawn or "B×4" in drawn


def test_an_example_gives_sizes_by_name_their_numbers():
    g = sized()
    model = build(g, wengert.randn(5, 4), wengert.randn(5, 3))
    shapes = {model.names.get(k): model.shapes[model.shape[k]] for k in range(len(model))}
    assert shapes["x"] == (5, 4) and shapes["t"] == (5, 3)
    assert model.bytes[list(model.names.values()).index("x")] == 5 * 4 * 4
    assert all(k in model.values for k in range(len(model)) if model.kind[k] == OPERATION)
    with pytest.raises(RuntimeError, match=r"expected shape \(B, 4\) for input 'x'"):
        build(g, wengert.randn(5, 7), wengert.randn(5, 3))
    with pytest.raises(ValueError, match="expected example inputs"):
        build(g, wengert.randn(5, 4))


def test_a_compiled_graph_shows_the_plan_that_ran_last():
    g = sized()
    plan = g.compile()
    assert build(plan).after is None, "nothing has run: the graph itself"
    plan(wengert.randn(5, 4), wengert.randn(5, 3))
    plan(wengert.randn(7, 4), wengert.randn(7, 3))
    after = build(plan).after
    assert after.groups and (7, 4) in after.shapes.values
    assert (2, 4) in build(plan, wengert.randn(2, 4), wengert.randn(2, 3)).shapes.values


def test_an_optimizers_operations_are_a_group_beside_its_state():
    model = build(sized())
    scopes = {model.names.get(k): model.scopes[model.scope[k]] for k in range(len(model))}
    assert scopes["exp_avg"][0] == "optimizer"
    outside = [k for k in range(len(model)) if model.kind[k] == OPERATION and not model.scopes[model.scope[k]]]
    assert all(model.line[k] for k in outside) and len(outside) < 8
