"""cond, while_loop and scan: at once and in graphs, with first and second gradients."""

import pytest

import wengert as w
from wengert.graph import Graph


def cond_example(x, p):
    return w.cond(x.sum() > 0, lambda v: (v * p).sum(), lambda v: (v.exp() * v).sum(), (x,))


def while_example(x, p):
    n = w.tensor(0)
    n, y = w.while_loop(lambda n, y: n < 3, lambda n, y: (n + 1, (y * p).sin()), (n, x))
    return (y * y).sum()


def scan_example(x, p):
    carry, ys = w.scan(lambda c, v: ((c * p + v).tanh(), {"y": c * v}), x[0] * 0.5, x)
    return carry.sum() + (ys["y"] ** 2).sum()


def reverse_example(x, p):
    (a, b), ys = w.scan(lambda c, v: ((c[1] * v, (c[0] + p).cos()), c[0]), (x[0], x[1]), x, reverse=True)
    return (a * b).sum() + (ys * x).sum()


def length_example(x, p):
    y, _ = w.scan(lambda c, _: (c + (c * p).sin(), None), x, length=4)
    return (y * y).sum()


def nested_example(x, p):
    def step(c, v):
        out = w.cond((v > 0).any(), lambda v: v * p, lambda v: v + c, (v,))
        (out,) = w.while_loop(lambda o: (o.detach() ** 2).sum() < 20, lambda o: (o * 1.5 + p * 0.1,), (out,))
        return c + out.tanh(), out

    total, ys = w.scan(step, x[0], x)
    return (total * total).sum() + ys.sum()


EXAMPLES = [cond_example, while_example, scan_example, reverse_example, length_example, nested_example]


def gradients(f, x, p):
    loss = f(x, p)
    first = w.autograd.grad(loss, [x, p], create_graph=True, allow_unused=True)
    first = [w.zeros_like(t) if g is None else g for g, t in zip(first, (x, p), strict=True)]
    second = w.autograd.grad(sum((g * g).sum() for g in first), [x, p], allow_unused=True)
    return [loss, *first, *[w.zeros_like(t) if g is None else g for g, t in zip(second, (x, p), strict=True)]]


def graph_of(f, shape, order=2):
    g = Graph(f.__name__)
    x, p = g.input("x", shape, w.float64), g.input("p", shape[-1:], w.float64)
    loss = f(x, p)
    first = g.gradients(loss, [x, p])
    found = [loss, *first]
    if order == 2:
        found += g.gradients(sum((v * v).sum() for v in first), [x, p])
    g.output(*found)
    return g


@pytest.mark.parametrize("f", EXAMPLES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_values_and_gradients(f, sign, rng):
    g = graph_of(f, (4, 3))
    g.verify()
    plan = g.compile()
    for _ in range(2):
        x = w.tensor(abs(rng.standard_normal((4, 3))) * sign, dtype=w.float64).requires_grad_()
        p = w.tensor(rng.standard_normal(3) * 0.5, dtype=w.float64).requires_grad_()
        for got, want in zip(plan(x.detach(), p.detach()), gradients(f, x, p), strict=True):
            assert got.shape == want.shape
            assert w.allclose(got, want.detach(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("f", [while_example, scan_example, nested_example], ids=lambda f: f.__name__)
def test_sizes_by_name(f, rng):
    plan = graph_of(f, ("T", 3), 1).compile()
    for n in (2, 5):
        x = w.tensor(rng.standard_normal((n, 3))).requires_grad_()
        p = w.tensor(rng.standard_normal(3)).requires_grad_()
        for got, want in zip(plan(x.detach(), p.detach()), gradients(f, x, p), strict=False):
            assert w.allclose(got, want.detach(), rtol=1e-9, atol=1e-11)


def test_parameters_from_outside():
    weight = w.nn.Parameter(w.randn(3, 3) * 0.3)

    def f(x):
        return w.scan(lambda h, v: ((v + h @ weight).tanh(), None), x[0] * 0, x)[0].sum()

    x = w.randn(6, 2, 3)
    expected = w.autograd.grad(f(x), weight)[0]
    g = Graph("g")
    loss = f(g.input("x", (6, None, 3)))
    g.output(g.gradients(loss, weight))
    assert w.allclose(g.compile()(x), expected, atol=1e-6)
    optimizer = w.optim.SGD([weight], lr=0.1)
    before = weight.detach().clone()
    g.minimize(loss, optimizer)
    g.compile()(x)
    assert w.allclose(weight, before - 0.1 * expected, atol=1e-6)


def test_loops_without_iterations():
    g = Graph("g")
    x = g.input("x", (3,))
    (y,) = w.while_loop(lambda v: v.sum() < -100, lambda v: (v * 2,), (x,))
    g.output(y, g.gradients((y * y).sum(), x))
    y, gradient = g.compile()(w.ones(3))
    assert y.tolist() == [1.0] * 3 and gradient.tolist() == [2.0] * 3
    carry, ys = w.scan(lambda c, v: (c + v, c * v), w.tensor(1.0), w.zeros(0))
    assert carry.item() == 1 and ys.shape == (0,)
    h = Graph("h")
    x = h.input("x", ("T",))
    carry, ys = w.scan(lambda c, v: (c + v, c * v), x.sum() * 0, x)
    h.output(carry, ys)
    assert [t.tolist() for t in h.compile()(w.zeros(0))] == [0.0, []]


def test_only_one_branch_runs():
    seen = []
    w.cond(w.tensor(True), lambda: seen.append(1) or w.ones(1), lambda: seen.append(2) or w.ones(1))
    assert seen == [1]
    g = Graph("g")
    x = g.input("x", ())
    (y,) = w.cond(x > 0, lambda: w.while_loop(lambda v: v > 0, lambda v: (v - 1,), (x,)), lambda: (x,))
    g.output(y)  # the loop would not end for infinity, if both ran
    assert g.compile()(w.tensor(-float("inf"))).item() == -float("inf")
    assert g.compile()(w.tensor(2.5)).item() == -0.5


def test_order_of_scan_and_torch():
    x = w.arange(4.0)
    assert w.scan(lambda c, v: (c + v, c), w.tensor(0.0), x)[1].tolist() == [0.0, 0.0, 1.0, 3.0]
    assert w.scan(lambda c, v: (c + v, c), w.tensor(0.0), x, reverse=True)[1].tolist() == [6.0, 5.0, 3.0, 0.0]


def test_gradcheck_of_eager_forms(rng):
    x = w.tensor(rng.standard_normal((4, 3))).requires_grad_()
    p = w.tensor(rng.standard_normal(3)).requires_grad_()
    for f in EXAMPLES:
        assert w.autograd.gradcheck(f, (x, p))


def bad_calls(x):
    yield lambda: w.cond(x, lambda: x, lambda: x), RuntimeError, "one element"
    yield lambda: w.cond("yes", lambda: x, lambda: x), TypeError, "pred"
    yield lambda: w.cond(x.sum() > 0, lambda v: v, lambda v: v, x), TypeError, "tuple"
    yield lambda: w.cond(x.sum() > 0, lambda v: v, lambda v: v, (1.0,)), TypeError, "tensors"
    yield lambda: w.while_loop(lambda v: v.sum() < 9, lambda v: (v, v), (x,)), TypeError, "structure"
    yield lambda: w.while_loop(lambda v: v.sum() < 9, lambda v: (v[:2],), (x,)), RuntimeError, "like"
    yield lambda: w.while_loop(lambda v: v.sum() < 9, lambda v: (v.double(),), (x,)), RuntimeError, "like"
    yield lambda: w.while_loop(lambda v: v.sum() < 9, lambda v: v, x), TypeError, "tuple"
    yield lambda: w.scan(lambda c, v: c, x[0], x), TypeError, "pair"
    yield lambda: w.scan(lambda c, v: (x, v), x[0], x), RuntimeError, "like"
    yield lambda: w.scan(lambda c, v: (c, v), x[0]), ValueError, "length"
    yield lambda: w.scan(lambda c, v: (c, v), x[0], x, length=7), ValueError, "length 7"
    yield lambda: w.scan(lambda c, v: (c, v), x[0], x, length=-1), ValueError, "at least 0"
    yield lambda: w.scan(lambda c, v: (c, v), x[0], x[0]), ValueError, "0-d"
    yield lambda: w.scan(lambda c, v: (c, 1.0), x[0], x), TypeError, "tensors"


@pytest.mark.parametrize("symbolic", [False, True])
def test_errors(symbolic):
    x = Graph("g").input("x", (3,)) if symbolic else w.ones(3)
    for call, kind, match in bad_calls(x):
        with pytest.raises(kind, match=match):
            call()


def test_errors_of_sub_graphs():
    g = Graph("g")
    x = g.input("x", (3,))
    with pytest.raises(RuntimeError, match="like"):
        w.cond(x.sum() > 0, lambda v: v, lambda v: v.sum(), (x,))
    with pytest.raises(RuntimeError, match="one element"):
        w.while_loop(lambda v: v > 0, lambda v: (v,), (x,))
    kept = []
    w.cond(x.sum() > 0, lambda v: kept.append(v) or v, lambda v: v, (x,))
    with pytest.raises(RuntimeError, match="left its function"):
        kept[0] * 2
    outside = x * 1
    with pytest.raises(RuntimeError, match="from outside"):
        w.cond(x.sum() > 0, lambda v: outside.add_(v), lambda v: v, (x,))
