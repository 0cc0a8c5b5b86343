"""Backward plans make large cheap values again instead of reading them: the same bits, less memory between the passes."""

import pytest

import wengert as w

LARGE = 1 << 20  # elements of a value that does not stay in the caches


def both(fn, *leaves):
    """Gradients as written and compiled, and the plan of the forward pass."""
    fast = w.compile(fn, exact=True)
    out = []
    for f in (fn, fast, fast, fast):
        for t in leaves:
            t.grad = None
        f(*leaves).backward()
        out.append([t.grad.clone() for t in leaves])
    assert fast.plans == 1
    for grads in out[1:]:
        for a, b in zip(out[0], grads, strict=True):
            assert a.numpy().tobytes() == b.numpy().tobytes()
    return fast.plan


def held(plan):
    """Elements of the largest value that the forward plan leaves for the backward plan."""
    graph = plan.graph
    return max((w.Size(graph.shapes[v]).numel() for _, v in graph.outputs[1:]), default=0)


def leaves(n, *small):
    w.manual_seed(0)
    return [w.randn(n).requires_grad_(), *[w.tensor(v, requires_grad=True) for v in small]]


def formula(x, a, b):
    return ((a * x + b).tanh() * (-x * x).exp() + x.abs().sqrt()).sum()


def test_a_cheap_formula_leaves_nothing_large():
    plan = both(formula, *leaves(LARGE, 1.3, 0.2))
    assert held(plan) == 1


def test_small_values_are_kept():
    assert held(both(formula, *leaves(LARGE // 8, 1.3, 0.2))) == LARGE // 8


def test_products_are_not_made_again():
    w.manual_seed(1)
    x = w.randn(LARGE // 256, 256)

    def f(m):
        return (x @ m).tanh().square().sum()

    assert held(both(f, w.randn(256, 256).requires_grad_())) == LARGE


def test_what_takes_long_is_kept():
    def f(x):
        return (x.erf() * x).sum()

    assert held(both(f, *leaves(LARGE))) == LARGE


def test_views_and_broadcasts():
    def f(x, row):
        return ((x.view(-1, 64) * row).sigmoid() * 2).t().square().sum()

    x, _ = leaves(LARGE, 0.0)
    assert held(both(f, x, w.linspace(-1, 1, 64).requires_grad_())) <= 64


def test_random_values_are_kept():
    def f(x):
        return (w.nn.functional.dropout(x, 0.5).exp() * x).sum()

    x = leaves(LARGE)[0]
    fast = w.compile(f, exact=True)
    for seed in range(4):
        grads = []
        for g in (fast, f):
            w.manual_seed(seed)
            x.grad = None
            g(x).backward()
            grads.append(x.grad.numpy().tobytes())
        assert grads[0] == grads[1]


def test_a_small_operand_may_change_between_the_passes():
    x, a, b = leaves(LARGE, 1.3, 0.2)
    out = []
    for f in (formula, w.compile(formula, exact=True)):
        for _ in range(4):
            with w.no_grad():
                b.fill_(0.2)
            x.grad = a.grad = b.grad = None
            y = f(x, a, b)
            with w.no_grad():
                b.fill_(100.0)  # the plain call keeps tanh, not b
            y.backward()
        out.append(x.grad.numpy().tobytes())
    assert out[0] == out[1]


def test_a_large_operand_may_not():
    x, a, b = leaves(LARGE, 1.3, 0.2)
    fast = w.compile(formula, exact=True)
    for _ in range(3):
        y = fast(x, a, b)
    with w.no_grad():
        x.fill_(1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
