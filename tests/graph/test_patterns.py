"""Patterns written by hand become the kernels that compute them, forward and backward; near-misses stay as they are.

Results are judged against the same code in float64: a kernel may round differently, not worse.
"""

import math

import pytest

import wengert as w
from wengert.graph import Plan, passes, record
from wengert.nn import functional as F

CLASSES = w.tensor([1, 2, 0, 1])
MASK = w.ones(256, 256, dtype=w.bool).tril()


def softmax(x, dim=-1, stop=False):
    top = x.max(dim, keepdim=True).values
    e = w.exp(x - (top.detach() if stop else top))
    return e / e.sum(dim, keepdim=True)


def amax_softmax(x):
    e = (x - x.amax(1, keepdim=True)).exp()
    return e / e.sum(1, keepdim=True)


def log_softmax(x):
    t = x - x.max(-1, keepdim=True).values
    return t - t.exp().sum(-1, keepdim=True).log()


def norm(x, g, b):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt() * g + b


def square_norm(x, g, b):
    d = x - x.mean((1, 2), keepdim=True)
    return b + g * (d * w.rsqrt((d**2).mean((1, 2), keepdim=True) + 1e-5))


def attend(q, k, v):
    return (q @ k.transpose(-2, -1) * 0.3).masked_fill(~MASK, -math.inf).softmax(-1) @ v


# name -> (function, shapes of its operands, passes that are to find something)
PATTERNS = {
    "softmax": (softmax, [(4, 5)], ["softmax"]),
    "softmax of a middle dimension": (lambda x: softmax(x, 1), [(3, 4, 5)], ["softmax"]),
    "softmax, largest detached": (lambda x: softmax(x, stop=True), [(4, 5)], ["softmax"]),
    "softmax with amax": (amax_softmax, [(4, 5)], ["softmax"]),
    "log-softmax": (lambda x: x - x.logsumexp(-1, keepdim=True), [(4, 5)], ["log_softmax"]),
    "log of softmax": (lambda x: w.log(F.softmax(x, 1)), [(4, 5, 2)], ["log_softmax"]),
    "log of softmax by hand": (lambda x: w.log(softmax(x)), [(4, 5)], ["softmax", "log_softmax"]),
    "log-softmax step by step": (log_softmax, [(4, 5)], ["log_softmax"]),
    "nll": (lambda x: F.nll_loss(F.log_softmax(x, -1), CLASSES), [(4, 5)], ["cross_entropy"]),
    "nll, sum": (lambda x: F.nll_loss(F.log_softmax(x, 1), CLASSES, reduction="sum"), [(4, 5)], ["cross_entropy"]),
    "gather and mean": (
        lambda x: -(x - x.logsumexp(-1, keepdim=True)).gather(1, CLASSES[:, None]).mean(),
        [(4, 5)],
        ["log_softmax", "cross_entropy"],
    ),
    "gather, squeeze, mean": (
        lambda x: (-F.log_softmax(x, 1).gather(1, CLASSES.unsqueeze(1)).squeeze(1)).mean(),
        [(4, 5)],
        ["cross_entropy"],
    ),
    "layer norm": (norm, [(3, 4, 5), (5,), (5,)], ["layer_norm"]),
    "layer norm of two dimensions": (square_norm, [(3, 4, 5), (4, 5), (4, 5)], ["layer_norm"]),
    "layer norm without bias": (lambda x, g: norm(x, g, 0 * g), [(3, 4, 5), (5,)], ["layer_norm"]),
    "layer norm alone": (lambda x: norm(x, 1, 0), [(3, 4, 5)], ["layer_norm"]),
    "rms norm": (
        lambda x, g: x * w.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * g,
        [(4, 5), (5,)],
        ["rms_norm"],
    ),
    "gelu": (
        lambda x: 0.5 * x * (1 + w.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * w.pow(x, 3.0)))),
        [(4, 5)],
        ["gelu"],
    ),
    "sigmoid": (lambda x: 1 / (1 + w.exp(-x)), [(4, 5)], ["sigmoid"]),
    "attention": (lambda q, k, v: (q @ k.mT / 3.0).softmax(-1) @ v, [(2, 256, 4)] * 3, ["attention"]),
    "attention, masked": (attend, [(1, 2, 256, 4)] * 3, ["attention"]),
    "attention, added mask": (
        lambda q, k, v: (q @ k.transpose(-2, -1) * 0.5 + MASK.to(q.dtype)).softmax(-1) @ v,
        [(1, 2, 256, 4)] * 3,
        ["attention"],
    ),
    "attention by hand all through": (
        lambda q, k, v: softmax(q @ k.mT * 0.5) @ v,
        [(2, 256, 4)] * 3,
        ["softmax", "attention"],
    ),
    "attention to itself": (lambda x: (x @ x.mT * 0.5).softmax(-1) @ x, [(2, 256, 4)], ["attention"]),
}


def with_gradients(f):
    """The function with the gradients of a weighted sum of its result, and another use of its first operand."""

    def run(*operands):
        y = f(*operands)
        weights = (w.arange(float(y.numel())).to(y.dtype) + 1).sin().reshape(y.shape)
        loss = (y * weights).sum() + (operands[0].cos() * 0.3).sum()
        return y, *w.autograd.grad(loss, operands)

    return run


def listed(results):
    return [results] if isinstance(results, w.Tensor) else list(results)


def operands_of(shapes, dtype=w.float32):
    w.manual_seed(1)
    return [(w.randn(*s) + 0.1).to(dtype).requires_grad_() for s in shapes]


def found(plan):
    return [name for name in passes.rounding(plan.report)]


def judge(run, plan, operands):
    """The plan's results are as near to those in float64 as the plain ones are, up to a few roundings."""
    exact = listed(run(*[x.detach().double().requires_grad_() for x in operands]))
    for got, plain, true in zip(listed(plan(*operands)), listed(run(*operands)), exact, strict=True):
        assert got.shape == plain.shape and got.dtype == plain.dtype
        scale = float(true.abs().max()) + 1e-3
        error, plain_error = float((got - true).abs().max()), float((plain - true).abs().max())
        assert error <= 3 * plain_error + 2e-6 * scale


@pytest.mark.parametrize("back", [False, True], ids=["forward", "with gradients"])
@pytest.mark.parametrize("name", PATTERNS)
def test_pattern(name, back):
    f, shapes, expected = PATTERNS[name]
    run = with_gradients(f) if back else f
    operands = operands_of(shapes)
    graph = record(run, *operands)
    plan = Plan(graph)
    plan.graph.verify()
    assert found(plan) == expected
    assert len(plan.graph.nodes) < len(Plan(graph, exact=True).graph.nodes)
    for one in expected:
        assert f"{one.replace('_', ' ')}: 1 recognised; its results round differently" in plan.explain()
    judge(run, plan, operands)


@pytest.mark.parametrize("name", PATTERNS)
def test_exact_plans_leave_patterns_alone(name):
    f, shapes, _ = PATTERNS[name]
    run, operands = with_gradients(f), operands_of(shapes)
    plan = Plan(record(run, *operands), exact=True)
    assert not found(plan)
    for a, b in zip(plan(*operands), run(*operands), strict=True):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


@pytest.mark.parametrize("name", ["softmax", "layer norm", "log-softmax", "attention", "sigmoid"])
def test_patterns_in_graphs_by_hand(name):
    f, shapes, expected = PATTERNS[name]
    g = w.Graph("hand")
    inputs = [g.input(f"x{k}", s) for k, s in enumerate(shapes)]
    y = f(*inputs)
    g.output(y, *g.gradients((y * y).sum(), inputs))
    plan = Plan(g)
    assert found(plan) == expected

    def run(*operands):
        y = f(*operands)
        return y, *w.autograd.grad((y * y).sum(), operands)

    judge(run, plan, operands_of(shapes))


def kept_exponentials(x):
    e = (x - x.max(-1, keepdim=True).values).exp()
    return e / e.sum(-1, keepdim=True) + e


NEAR_MISSES = {
    "softmax without the largest taken off": lambda x: x.exp() / x.exp().sum(-1, keepdim=True),
    "largest of another dimension": lambda x: (lambda e: e / e.sum(-1, keepdim=True))(
        (x - x.max(0, keepdim=True).values).exp()
    ),
    "sum over another dimension": lambda x: (lambda e: e / e.sum(0, keepdim=True))(
        (x - x.max(1, keepdim=True).values).exp()
    ),
    "exponentials of another tensor": lambda x: (
        (x - x.max(-1, keepdim=True).values).exp() / (x * 2).exp().sum(-1, keepdim=True)
    ),
    "exponentials read elsewhere": kept_exponentials,
    "logsumexp of another tensor": lambda x: x - (x * 2).logsumexp(-1, keepdim=True),
    "layer norm with the unbiased variance": lambda x: (
        (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-5).sqrt()
    ),
    "layer norm over the first dimension": lambda x: (
        (x - x.mean(0, keepdim=True)) / (x.var(0, keepdim=True, unbiased=False) + 1e-5).sqrt()
    ),
    "mean and variance of different dimensions": lambda x: (
        (x - x.mean(0, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    ),
    "gelu with another constant": lambda x: 0.5 * x * (1 + w.tanh(0.8 * (x + 0.044715 * x**3))),
    "gelu with a square": lambda x: 0.5 * x * (1 + w.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**2))),
    "2 / (1 + exp(-x))": lambda x: 2 / (1 + w.exp(-x)),
    "1 / (2 + exp(-x))": lambda x: 1 / (2 + w.exp(-x)),
    "1 / (1 + exp(x))": lambda x: 1 / (1 + w.exp(x)),
    "attention of few keys": lambda x: (x @ x.mT).softmax(-1) @ x,
    "attention without a transpose": lambda x: (x @ x).softmax(-1) @ x,
    "weights of another dimension": lambda x: (x @ x.mT).softmax(0) @ x,
    "a mean of other elements": lambda x: -F.log_softmax(x, 1).gather(1, CLASSES[:, None] * 0).mean(0).sum() * 2,
}


@pytest.mark.parametrize("back", [False, True], ids=["forward", "with gradients"])
@pytest.mark.parametrize("name", NEAR_MISSES)
def test_near_misses_are_left_alone(name, back):
    f = NEAR_MISSES[name]
    run = with_gradients(f) if back else f
    operands = operands_of([(4, 4)])
    plan = Plan(record(run, *operands))
    assert not found(plan)
    for a, b in zip(listed(plan(*operands)), listed(run(*operands)), strict=True):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


def test_a_value_inside_that_is_an_output_keeps_the_pattern():
    def f(x):
        total = w.exp(x - x.max(-1, keepdim=True).values).sum(-1, keepdim=True)
        return w.exp(x - x.max(-1, keepdim=True).values) / total, total

    plan = Plan(record(f, w.randn(4, 5)))
    assert not found(plan)


def test_patterns_that_share_an_operand_or_follow_each_other():
    def f(x, g, b):
        first = norm(x, g, b)
        y = softmax(first) + softmax(x * 2) + 1 / (1 + w.exp(-x)) * softmax(x)
        return norm(y + x, g, b)

    operands = operands_of([(6, 5), (5,), (5,)])
    run = with_gradients(f)
    plan = Plan(record(run, *operands))
    plan.graph.verify()
    counts = {name: count for name, count, _ in plan.report if count}
    assert counts["softmax"] == 3 and counts["layer_norm"] == 2 and counts["sigmoid"] == 1
    judge(run, plan, operands)


def test_second_derivatives_keep_their_nodes():
    def f(x):
        (g,) = w.autograd.grad(softmax(x)[:, 0].sum(), x, create_graph=True)
        return w.autograd.grad((g * g).sum(), x)[0]

    x = operands_of([(4, 5)])[0]
    plan = Plan(record(f, x))
    assert w.allclose(plan(x), f(x), rtol=1e-4, atol=1e-6)


def test_compiled_functions_and_their_backward_plans():
    def f(x, g, b):
        return log_softmax(norm(x, g, b)) * softmax(x)

    fast, exact = w.compile(f, fullgraph=True), w.compile(f, fullgraph=True, exact=True)
    operands = operands_of([(6, 5), (5,), (5,)])
    plain = w.autograd.grad(f(*operands).square().sum(), operands)
    for _ in range(4):
        for run, same in ((fast, False), (exact, True)):
            got = w.autograd.grad(run(*operands).square().sum(), operands)
            for a, b in zip(got, plain, strict=True):
                assert w.equal(a, b) if same else w.allclose(a, b, rtol=1e-4, atol=1e-6)
    assert fast.plans == exact.plans == 1
    assert "recognised" in fast.explain() and "recognised" not in exact.explain()
    for pattern in ("softmax_rows", "log_softmax_rows", "layer_norm"):
        assert pattern in fast.explain() and pattern not in exact.explain()


def test_classes_that_are_none_stay_errors():
    def f(x, t):
        return -F.log_softmax(x, 1).gather(1, t[:, None]).mean()

    x = w.randn(3, 4)
    plan = Plan(record(f, x, w.tensor([0, 1, 2])))
    assert found(plan) == ["cross_entropy"]
    for bad in (4, -1, -100):
        with pytest.raises((IndexError, RuntimeError)):
            plan(x, w.tensor([0, 1, bad]))


def test_what_nothing_announces_is_exact():
    x = w.randn(6, 5)
    graph = record(softmax, x)
    assert graph.run(x).numpy().tobytes() == softmax(x).numpy().tobytes()
    g = w.Graph("loop")
    s = g.input("x", (6, 5))
    with g:
        _, rows = w.scan(lambda c, row: (c, softmax(row)), s.sum() * 0, s)
        g.output(rows)
    rows = w.stack([softmax(row) for row in x])
    plan = g.compile()
    assert "recognised" not in plan.explain() and plan(x).numpy().tobytes() == rows.numpy().tobytes()
