"""Decompositions and Fourier transforms in graphs built by hand and in bodies of branches and loops, with gradients."""

import pytest
from test_compile_fft import TRANSFORMS
from test_compile_linalg import CASES, leaves, operands

import wengert as torch
from wengert import linalg
from wengert.graph import Graph


def squares(out):
    """The sum of the squares of what has gradients."""
    return sum((t * t).sum() for t in leaves(out) if t.dtype.is_floating_point)


def with_gradients(graph, out, wrt):
    found = graph.gradients(squares(out), wrt, allow_unused=True)
    return [*leaves(out), *[g for g in found if g is not None]]


def forms(graph, tmp_path):
    """The graph, what its text gives, and what its file gives."""
    graph.verify()
    graph.save(tmp_path / "graph")
    found = [graph, Graph.parse(graph.to_text(), graph.state_dict()), Graph.load(tmp_path / "graph")]
    assert all(other.differences(graph) == [] for other in found)
    return found


@pytest.mark.parametrize("name", CASES)
def test_by_hand_the_bits_are_those_of_plain_calls(name, rng, tmp_path):
    f = CASES[name]
    a, b = operands(rng)
    want = f(a, b)
    differentiable = [t.requires_grad for t in leaves(want)]
    if any(differentiable):
        grads = torch.autograd.grad(
            sum((t * t).sum() for t in leaves(want) if t.requires_grad), [a, b], allow_unused=True
        )
    graph = Graph(name)
    inputs = [graph.input(n, t.shape, t.dtype) for n, t in (("a", a), ("b", b))]
    out = f(*inputs)
    results, expected = leaves(out), leaves(want)
    if any(differentiable):
        loss = sum((t * t).sum() for t, yes in zip(leaves(out), differentiable, strict=True) if yes)
        found = graph.gradients(loss, inputs, allow_unused=True)
        assert [g is None for g in found] == [g is None for g in grads]
        results = results + [g for g in found if g is not None]
        expected = expected + [g for g in grads if g is not None]
    graph.output(*results)
    for g in forms(graph, tmp_path):
        got = g.compile(exact=True)(a.detach(), b.detach())
        for x, y in zip(got if isinstance(got, list) else [got], expected, strict=True):
            assert x.dtype == y.dtype and torch.equal(x, y.detach())


def in_scan(f):
    def run(a, b):
        def step(total, v):
            out = f(a + v, b * v)
            return total + squares(out) + a.sum() * 0 + b.sum() * 0, leaves(out)[0] * 1

        zero = torch.zeros((), dtype=torch.float64)
        return torch.scan(step, zero, torch.tensor([0.5, 0.75, 1.0], dtype=torch.float64))

    return run


def in_while(f):
    def run(a, b):
        def body(n, x, total):
            return n + 1, x * 1.01, total + squares(f(x, b)) + (x.sum() + b.sum()) * 0

        start = (torch.tensor(0), a, torch.zeros((), dtype=torch.float64))
        _, x, total = torch.while_loop(lambda n, *_: n < 3, body, start)
        return total, x

    return run


def in_cond(f):
    def run(a, b):
        return torch.cond(
            a.sum() > -1e9,
            lambda a, b: (squares(f(a, b)) + (a.sum() + b.sum()) * 0,),
            lambda a, b: (a.sum() + b.sum(),),
            (a, b),
        )

    return run


BODIES = {"scan": in_scan, "while_loop": in_while, "cond": in_cond}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("name", CASES)
def test_bodies_of_compiled_functions_and_of_graphs_by_hand(name, kind, rng, tmp_path):
    f = BODIES[kind](CASES[name])
    fast = torch.compile(f, fullgraph=True, exact=True)
    for _ in range(3):
        a, b = operands(rng)
        got, want = fast(a, b), f(a, b)
        assert all(torch.equal(x, y) for x, y in zip(got, want, strict=True))
        grads = torch.autograd.grad(want[0], [a, b])
        for x, y in zip(torch.autograd.grad(got[0], [a, b]), grads, strict=True):
            assert torch.allclose(x, y, rtol=1e-11, atol=1e-11)  # summed step by step
    assert fast.plans == 1
    graph = Graph(name)
    inputs = [graph.input(n, t.shape, t.dtype) for n, t in (("a", a), ("b", b))]
    out = f(*inputs)
    graph.output(*out, *graph.gradients(out[0], inputs))
    for g in forms(graph, tmp_path):
        for x, y in zip(g.compile(exact=True)(a.detach(), b.detach()), [*want, *grads], strict=True):
            assert torch.allclose(x, y.detach(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "name", ["inv", "solve", "det", "cholesky", "eigvalsh", "nuclear norm", "qr", "matrix_exp"]
)
def test_second_derivatives(name, rng):
    f = CASES[name]
    a, b = operands(rng)
    (first,) = torch.autograd.grad(squares(f(a, b)), [a], create_graph=True)
    (want,) = torch.autograd.grad((first * first).sum(), [a])
    graph = Graph(name)
    x, y = graph.input("a", a.shape, a.dtype), graph.input("b", b.shape, b.dtype)
    once = graph.gradients(squares(f(x, y)), x)
    graph.output(graph.gradients((once * once).sum(), x))
    assert torch.allclose(graph.compile()(a.detach(), b.detach()), want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", set(TRANSFORMS) - {"rfftn and back"})
def test_fourier_transforms(name, rng, tmp_path):
    x = torch.tensor(rng.standard_normal((4, 6))).requires_grad_()
    want = TRANSFORMS[name](x)
    (grad,) = torch.autograd.grad((want * want).sum(), [x])
    graph = Graph("g")
    given = graph.input("x", x.shape, x.dtype)
    out = TRANSFORMS[name](given)
    graph.output(*with_gradients(graph, out, [given]))
    for g in forms(graph, tmp_path):
        for a, b in zip(g.compile(exact=True)(x.detach()), (want.detach(), grad), strict=True):
            assert torch.equal(a, b)
    rows = torch.compile(
        lambda x: torch.scan(lambda c, v: (c, TRANSFORMS["fft"](v + c)), x[0] * 0, x)[1], fullgraph=True
    )
    for _ in range(3):
        assert torch.equal(rows(x), torch.stack([TRANSFORMS["fft"](v) for v in x]))


def test_gradients_of_complex_values_by_hand_and_in_loops(rng):
    def f(z, w):
        last, path = torch.scan(lambda c, v: (c * v.exp() + (0.5 - 1j) * c.conj(), c * c), w, z)
        return ((last * (1 + 2j)).abs().sum() + path.imag.sum(),)

    z = torch.tensor(rng.standard_normal(3) + 1j * rng.standard_normal(3)).requires_grad_()
    w = torch.tensor(0.3 - 0.7j, dtype=torch.complex128).requires_grad_()
    (want,) = f(z, w)
    grads = torch.autograd.grad(want, [z, w])
    graph = Graph("g")
    inputs = [graph.input(n, t.shape, t.dtype) for n, t in (("z", z), ("w", w))]
    (out,) = f(*inputs)
    graph.output(out, *graph.gradients(out, inputs))
    fast = torch.compile(f, fullgraph=True)
    for _ in range(3):
        (got,) = fast(z, w)
        assert torch.equal(got, want)
        assert all(torch.allclose(x, y) for x, y in zip(torch.autograd.grad(got, [z, w]), grads, strict=True))
    for x, y in zip(graph.compile()(z.detach(), w.detach()), (want.detach(), *grads), strict=True):
        assert torch.allclose(x, y)


def test_one_graph_serves_every_batch(rng):
    graph = Graph("g")
    a = graph.input("a", (None, 3, 3), torch.float64)
    out = linalg.inv(a) + linalg.eigh(a @ a.mT).eigenvalues.unsqueeze(-1)
    graph.output(out, graph.gradients(squares(out), a))
    plan = graph.compile(exact=True)
    for batch in (1, 2, 5):
        x = torch.tensor(rng.standard_normal((batch, 3, 3))).requires_grad_()
        want = linalg.inv(x) + linalg.eigh(x @ x.mT).eigenvalues.unsqueeze(-1)
        (grad,) = torch.autograd.grad(squares(want), [x])
        got = plan(x.detach())
        assert torch.equal(got[0], want.detach()) and torch.equal(got[1], grad)


def test_inside_a_block_tensors_from_outside_are_read_by_each_run():
    p = torch.eye(2) * 2
    graph = Graph("g")
    with graph:
        graph.output(linalg.inv(p))
    plan = graph.compile()
    assert torch.equal(plan(), torch.eye(2) / 2)
    p.mul_(2)
    assert torch.equal(plan(), torch.eye(2) / 4)


def test_a_decomposition_without_a_gradient_says_so():
    graph = Graph("g")
    a = graph.input("a", (3, 2))
    r = linalg.qr(a, mode="r").R
    with pytest.raises(RuntimeError, match=r"expected operations with gradients, got qr\.r"):
        graph.gradients(r.sum(), a)
    graph.output(r)
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    assert torch.equal(graph.compile()(x), linalg.qr(x, mode="r").R)


def test_a_function_of_ones_own_is_refused():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    graph = Graph("g")
    x = graph.input("x", (3,))
    with pytest.raises(
        RuntimeError, match="Double.apply: expected operations with nodes, got a Function of your own"
    ):
        Double.apply(x)
    with graph, pytest.raises(RuntimeError, match="Double.apply"):
        Double.apply(torch.ones(3))
