"""cond, while_loop and scan under transforms, along other dimensions, and with functions that write to their arguments."""

import importlib
import warnings

import pytest

import wengert as w
from wengert.graph import Graph, record


def halved(a):
    return w.while_loop(lambda a: (a * a).sum() > 1, lambda a: (a * 0.5,), (a,))[0]


def branched(a):
    return w.cond(a.sum() > 0, lambda a: a.exp() * 2, lambda a: a.sin(), (a,))


def scanned(a):
    last, ys = w.scan(lambda c, v: (w.cond(v > c, lambda c, v: c * v, lambda c, v: c - v, (c, v)), c), a[0], a)
    return last + ys.sum()


@pytest.mark.parametrize("f", [halved, branched, scanned], ids=lambda f: f.__name__)
def test_each_set_of_a_vmap_goes_its_own_way(f, rng):
    x = w.tensor(rng.standard_normal((5, 3)) * 4, dtype=w.float64).requires_grad_()
    want = w.stack([f(row) for row in x])
    got = w.vmap(f)(x)
    assert w.allclose(got, want, rtol=1e-12)
    (slope,) = w.autograd.grad((got * got).sum(), x)
    assert w.allclose(slope, w.autograd.grad((want * want).sum(), x)[0], rtol=1e-10)
    forward = w.func.jvp(w.vmap(f), (x.detach(),), (w.ones_like(x),))
    assert w.allclose(forward[0], want, rtol=1e-12)
    plain = w.stack([w.func.jvp(f, (row,), (w.ones(3, dtype=w.float64),))[1] for row in x.detach()])
    assert w.allclose(forward[1], plain, rtol=1e-10)
    twice = w.vmap(w.vmap(f))(x.detach().reshape(5, 1, 3))
    assert w.allclose(twice.reshape(want.shape), want, rtol=1e-12)


@pytest.mark.parametrize("f", [branched, scanned], ids=lambda f: f.__name__)
def test_branches_under_vmap_are_captured(f, rng):
    fast = w.compile(w.vmap(f), fullgraph=True)
    for _ in range(4):
        x = w.tensor(rng.standard_normal((5, 3)), dtype=w.float64)
        assert w.equal(fast(x), w.vmap(f)(x))


def test_branches_that_differ_under_vmap_give_results_alike():
    with pytest.raises(RuntimeError, match="like"):
        w.vmap(lambda a: w.cond(a > 0, lambda a: a, lambda a: a.reshape(1), (a,)))(w.ones(2))
    with pytest.raises(TypeError, match="structure"):
        w.vmap(lambda a: w.cond(a > 0, lambda a: a, lambda a: (a,), (a,)))(w.ones(2))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2])
def test_scan_along_a_dimension_is_that_of_torch(dim, reverse, rng):
    torch = pytest.importorskip("torch")
    theirs = importlib.import_module("torch._higher_order_ops").scan
    x = rng.standard_normal((2, 3, 4))

    def step(c, v):
        return c + v, (c * v, (c * v).sum(0))

    def start(x):
        return (x * 0).sum(dim)

    last, ys = w.scan(step, start(w.tensor(x)), w.tensor(x), dim=dim, reverse=reverse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, rows = theirs(
            lambda c, v: (c + v, (c * v, (c * v).sum(0))),
            start(torch.tensor(x)),
            torch.tensor(x),
            dim=dim,
            reverse=reverse,
        )
    for got, want in zip((last, *ys), (expected, *rows), strict=True):
        assert tuple(got.shape) == tuple(want.shape)
        assert w.allclose(got, w.tensor(want.numpy()), rtol=1e-12, atol=1e-12)
    fast = w.compile(lambda x: w.scan(step, start(x), x, dim=dim, reverse=reverse), fullgraph=True)
    for _ in range(3):
        again, (a, b) = fast(w.tensor(x))
    assert w.equal(again, last) and w.equal(a, ys[0]) and w.equal(b, ys[1])


def test_dimensions_that_are_not_there():
    x = w.ones(2, 3)
    for dim in (2, -3, 1.0, None):
        with pytest.raises(ValueError, match="a dimension that all xs have"):
            w.scan(lambda c, v: (c + v, None), x[0], x, dim=dim)
    with pytest.raises(ValueError, match="a dimension that all xs have"):
        w.scan(lambda c, v: (c, None), x[0], (x, w.ones(2)), dim=1)


WRITES = {
    "carry": lambda x: w.scan(lambda c, v: (c.add_(v), None), x[0], x)[0],
    "view": lambda x: w.scan(lambda c, v: (c[1:].add_(1).sum() + c, None), x[0], x)[0],
    "slice": lambda x: w.scan(lambda c, v: (c + v.mul_(2), None), x[0] * 0, x)[0],
    "operand": lambda x: w.cond(x.sum() > 0, lambda a: a.add_(1), lambda a: a.sub_(1), (x,)),
    "while": lambda x: w.while_loop(lambda a: a.sum() < 9, lambda a: (a.add_(1),), (x,))[0],
}


@pytest.mark.parametrize("name", WRITES)
def test_functions_that_write_to_their_arguments(name):
    """Plain code writes to what it was given then; a sub-graph would not."""
    f = WRITES[name]
    with pytest.raises(RuntimeError, match="do not write to their arguments"):
        f(Graph("g").input("x", (4, 3)))
    with pytest.raises(RuntimeError, match="do not write to their arguments"):
        record(lambda x: f(x * 1), w.ones(4, 3))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in (w.compile(lambda x: (f(y := x * 1), y)), lambda x: (f(y := x * 1), y)):
            found.append([call(w.ones(4, 3) * 0.5) for _ in range(4)])
    for got, want in zip(*found, strict=True):
        assert all(map(w.equal, got, want))


def test_functions_that_copy_their_arguments_may_write_to_the_copy():
    def f(x):
        return w.scan(lambda c, v: (c.clone().add_(v).mul_(0.5), None), x[0], x)[0]

    fast = w.compile(f, fullgraph=True)
    for _ in range(4):
        assert w.equal(fast(w.ones(4, 3)), f(w.ones(4, 3)))


def test_a_branch_on_values_from_outside_of_a_loop_uses_those_of_the_loop():
    def f(x, p):
        flag = p.sum() > 0

        def step(c, v):
            return c + w.cond(flag, lambda: c * v, lambda: c - v), None

        return w.scan(step, x[0], x)[0]

    g = Graph("g")
    g.output(f(g.input("x", (4, 3)), g.input("p", (3,))))
    plan, x = g.compile(), w.arange(12.0).reshape(4, 3)
    for sign in (1.0, -1.0):
        assert w.equal(plan(x, w.ones(3) * sign), f(x, w.ones(3) * sign))


class Tripled(w.autograd.Function):
    """x * x, with a gradient of its own."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 3 * ctx.saved_tensors[0] * g


def test_functions_of_ones_own_run_as_they_are_written():
    def f(x):
        last, ys = w.scan(lambda c, v: (Tripled.apply(c) * 0.1 + v, c), x[0], x)
        (n,) = w.while_loop(lambda a: a.sum() < 9, lambda a: (Tripled.apply(a) + 1,), (last,))
        return w.cond(n.sum() > 0, lambda a: Tripled.apply(a), lambda a: a, (n,)).sum() + ys.sum()

    def written_out(x):
        c, total = x[0], 0
        for v in x:
            c, total = Tripled.apply(c) * 0.1 + v, total + c.sum()
        while c.sum() < 9:
            c = Tripled.apply(c) + 1
        return Tripled.apply(c).sum() + total

    x = w.arange(12.0).reshape(4, 3).mul(0.1).requires_grad_()
    want = w.autograd.grad(written_out(x), x)[0]
    assert w.allclose(w.autograd.grad(f(x), x)[0], want, rtol=1e-5)
    fast = w.compile(f)
    with pytest.warns(
        UserWarning, match="a Function of your own, whose rule is Python code. Write it as tensor operations"
    ):
        for _ in range(3):
            assert w.equal(w.autograd.grad(fast(x), x)[0], w.autograd.grad(f(x), x)[0])
