"""Passes: each gives a graph that computes the same bits, with the nodes that it should remove gone."""

import pytest

import wengert as w
from wengert.graph import Plan, passes, record


def ops(graph):
    return [node.op for node in graph.nodes]


def same_results(f, *args, only=None):
    """Runs the recorded function with and without passes and plainly; returns the graph after the passes."""
    graph = record(f, *args)
    plain = Plan(graph, passes=())
    plan = Plan(graph) if only is None else Plan(graph, passes=only)
    expected = f(*args)
    for run in (plain, plan):
        for a, b in zip(_listed(run(*args)), _listed(expected), strict=True):
            assert a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    return plan.graph


def _listed(v):
    return list(v) if isinstance(v, (tuple, list)) else [v]


def test_dead_nodes():
    def f(x):
        x.exp().sum()
        return x + 1

    assert ops(same_results(f, w.randn(4))) == ["add"]


def test_draws_are_never_dead():
    def f(x):
        w.rand(3)
        return x + w.rand(4)

    graph = record(f, w.zeros(4))
    plan = Plan(graph)
    w.manual_seed(5)
    expected = f(w.zeros(4))
    w.manual_seed(5)
    assert w.equal(plan(w.zeros(4)), expected)


def test_common_subexpressions():
    graph = same_results(lambda x: (x.exp() + 1) * (x.exp() + 1), w.randn(4))
    assert ops(graph) == ["exp", "add", "mul"]


def test_numbers_that_compare_equal_are_not_merged():
    x = w.tensor([0.0, -0.0, 3.0])
    graph = same_results(lambda x: (x / 0.0, x / -0.0), x)
    assert ops(graph) == ["div", "div"]
    i = w.tensor([1, 2, 3])
    graph = same_results(lambda i: (i * 2, i * 2.0), i)
    assert len(graph.nodes) == 2


def test_algebra_keeps_signed_zeros_and_nan():
    x = w.tensor([0.0, -0.0, float("nan"), float("inf"), -2.0])
    graph = same_results(lambda x: (x * 1, 1.0 * x, x / 1, x - 0, (-x).neg(), x + 0, x**1.0, x**2.0), x)
    assert ops(graph) == ["add", "square"]


def test_transposes_and_views_that_cancel():
    x = w.randn(3, 4)
    graph = same_results(lambda x: x.T.T + x.view(3, 4).expand(3, 4).reshape(3, 4), x)
    assert ops(graph) == ["add"]


def test_constants_are_computed_once():
    def f(x):
        return x * (w.arange(4.0).exp() + 1).sum()

    graph = same_results(f, w.randn(4))
    assert ops(graph) == ["mul"]


def test_constants_that_are_written_are_not_shared():
    def f(x):
        total = w.zeros(4)
        for k in range(3):
            total += x * k
        return total

    graph = record(f, w.randn(4))
    plan = Plan(graph)
    for _ in range(3):
        x = w.randn(4)
        assert w.equal(plan(x), f(x))


@pytest.mark.parametrize("one", passes.PASSES, ids=lambda p: p.__name__)
def test_each_pass_alone_keeps_a_training_step(one):
    def run(passes_):
        w.manual_seed(0)
        model = w.nn.Sequential(w.nn.Linear(3, 5), w.nn.GELU(), w.nn.LayerNorm(5), w.nn.Linear(5, 2))
        opt = w.optim.Adam(model.parameters())

        def step(x):
            opt.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            opt.step()
            return loss.detach()

        xs = [w.randn(4, 3) for _ in range(6)]
        losses = [step(xs[0]), step(xs[1])]
        plan = Plan(record(step, xs[2]), passes=passes_) if passes_ is not None else step
        if passes_ is None:
            step(xs[2])
        return [v.item() for v in losses + [plan(x) for x in xs[3:]]]

    assert run((one,)) == run(None)


def test_the_report_says_what_was_done():
    plan = Plan(record(lambda x: (x.exp() + x.exp()) * 1, w.randn(4)))
    done = {name: (count, len(removed)) for name, count, removed in plan.report if count}
    assert done == {"common_subexpressions": (1, 1), "algebra": (1, 1)}
    assert "common subexpressions: 1 nodes" in plan.explain() and "2 after the passes" in plan.explain()


@pytest.mark.parametrize("kind", ["layer_norm", "batch_norm", "group_norm", "rms_norm"])
def test_gradients_of_a_normalisation_are_one_pass(kind):
    functional = w.nn.functional
    f = {
        "layer_norm": lambda x, g, b: functional.layer_norm(
            x, (6, 5), g.view(6, 1) * w.ones(6, 5), b.view(6, 1) + w.zeros(6, 5)
        ),
        "batch_norm": lambda x, g, b: functional.batch_norm(x, None, None, g, b, training=True),
        "group_norm": lambda x, g, b: functional.group_norm(x, 3, g, b),
        "rms_norm": lambda x, g, b: functional.rms_norm(x, (6, 5), g.view(6, 1) * w.ones(6, 5)) + b.sum(),
    }[kind]
    operands = [w.randn(4, 6, 5, requires_grad=True), *[w.randn(6, requires_grad=True) for _ in range(2)]]

    def gradients(x, g, b):
        return w.autograd.grad(f(x, g, b).tanh().sum(), (x, g, b))

    graph = same_results(gradients, *operands)
    assert f"{kind}_backward" in ops(graph) and not any(op[-3:] in ("_gx", "_gw", "_gb") for op in ops(graph))
    alone = same_results(lambda x, g, b: w.autograd.grad(f(x, g, b).tanh().sum(), x), *operands)
    assert f"{kind}_gx" in ops(alone)


def training_steps():
    """Graphs of several kinds: by hand, recorded, with updates, patterns and random numbers."""
    w.manual_seed(0)
    model = w.nn.Sequential(w.nn.Linear(3, 5), w.nn.GELU(), w.nn.LayerNorm(5), w.nn.Dropout(0.2), w.nn.Linear(5, 2))
    opt = w.optim.Adam(model.parameters())

    def step(x):
        opt.zero_grad()
        h = model(x)
        e = (h - h.max(-1, keepdim=True).values).exp()
        loss = -(e / e.sum(-1, keepdim=True)).log().mean() + 1 / (1 + (-h).exp()).clone().sum()
        loss.backward()
        opt.step()
        return loss.detach()

    x = w.randn(4, 3)
    step(x)
    yield record(step, x)
    g = w.Graph("hand")
    a, b = g.input("a", (3, 4)), g.input("b", (4,))
    y = ((a.t().t() - 0) * 1 @ b.view(4, 1)).view(3).reshape(3, 1).double().float().abs().abs()
    g.output(y, *g.gradients((y**2).sum(), [a, b]))
    yield g


@pytest.mark.parametrize("k", [0, 1])
def test_every_pass_leaves_a_legal_graph(k):
    graph = list(training_steps())[k]
    found, report = passes.optimise(graph, check=True)
    assert len(found.nodes) < len(graph.nodes) and sum(count > 0 for _, count, _ in report) >= 3


def described(graph, report):
    nodes = [(n.op, n.inputs, repr(n.attrs), n.results, n.scope, n.line, n.gradient_of) for n in graph.nodes]
    return nodes, graph.outputs, graph.writes, graph.grads, [(name, n, list(gone)) for name, n, gone in report]


@pytest.mark.parametrize("chosen", [passes.PASSES, passes.EXACT * 2], ids=["all", "twice"])
@pytest.mark.parametrize("stretch", [1, 3, 256])
def test_passes_together_do_what_each_does_alone(monkeypatch, chosen, stretch):
    monkeypatch.setattr(passes._forward, "_STRETCH", stretch)
    for graph in training_steps():
        alone = passes.optimise(graph, chosen, check=True)  # which looks at what each leaves
        assert described(*passes.optimise(graph, chosen)) == described(*alone)


def test_equal_numbers_of_other_types_stay_apart():
    g = w.Graph("numbers")
    x = g.input("x", (3,), w.int64)
    g.output(x * 2, x * 2.0, x * True, x * 1, x * 2)
    found, _ = passes.optimise(g)
    assert len({v for _, v in found.outputs}) == 4 and found.outputs[0][1] == found.outputs[4][1]


def test_passes_leave_the_given_graph_as_it_is():
    for graph in training_steps():
        text = str(graph)
        passes.optimise(graph)
        assert str(graph) == text


SPECIAL = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.5, -2.5, 1e-40, 3e38]


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x.relu().relu(), ["relu"]),
        (lambda x: x.abs().abs(), ["abs"]),
        (lambda x: (-x).abs(), ["abs"]),
        (lambda x: x.floor().floor() + x.ceil().ceil(), ["floor", "ceil", "add"]),
        (lambda x: x.double().float() + x, ["add"]),
        (lambda x: x.half().float() + x, ["cast", "cast", "add"]),
        (lambda x: x.double().half().float() + x, ["cast", "cast", "cast", "add"]),
        (lambda x: x.exp().clone() * 2, ["exp", "mul"]),
        (lambda x: x.log().exp(), ["log", "exp"]),
        (lambda x: x * 3 * 5, ["mul", "mul"]),
        (lambda x: x * 0, ["mul"]),
        (lambda x: x + 0, ["add"]),
        (lambda x: 0 + x, ["add"]),
        (lambda x: x - (-0.0), ["sub"]),
        (lambda x: x.sin().view(3, 3).view(9, 1) * 2, ["sin", "view", "mul"]),
    ],
)
def test_algebra_on_special_values(f, expected):
    assert ops(same_results(f, w.tensor(SPECIAL))) == expected


def test_integers_keep_their_own_rules():
    i = w.tensor([0, -3, 2**40, -(2**62)])
    assert ops(same_results(lambda i: (i + 0) * 2, i)) == ["mul"]
    assert ops(same_results(lambda i: (0 + i).abs(), i)) == ["abs"]
    assert ops(same_results(lambda i: i.int().long() + i, i)) == ["cast", "cast", "add"]
    assert ops(same_results(lambda i: i.bool().int().bool() & True, i))[0] == "cast"
    assert ops(same_results(lambda i: i.double().long() + i, i)) == ["cast", "cast", "add"]


def test_copies_of_inputs_and_states_stay():
    p = w.ones(3)
    graph = record(lambda x: (x.clone(), p.clone(), x[1:].clone()), w.zeros(3))
    plan = Plan(graph)
    assert ops(plan.graph).count("clone") == 3
    x = w.zeros(3)
    a, b, c = plan(x)
    x.fill_(5.0)
    p.fill_(5.0)
    assert a.tolist() == [0, 0, 0] and b.tolist() == [1, 1, 1] and c.tolist() == [0, 0]
    both = Plan(record(lambda x: (lambda y: (y, y.clone()))(x.exp()), w.zeros(3)))
    y, z = both(w.zeros(3))
    y.fill_(7.0)
    assert z.tolist() == [1, 1, 1]
