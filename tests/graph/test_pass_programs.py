"""Random programs: recognised patterns compute the same, and budgets keep every bit."""

import random

import pytest
from test_budget import peak
from test_patterns import amax_softmax, log_softmax, norm, softmax

import wengert as w
from wengert.graph import MemoryBudgetError, Plan, passes, record
from wengert.nn import functional as F

# Each takes two earlier values and the two vectors of the program.
PIECES = [
    lambda a, c, g, b: softmax(a),
    lambda a, c, g, b: softmax(a, stop=True) * c,
    lambda a, c, g, b: amax_softmax(a) + c * 0.5,
    lambda a, c, g, b: log_softmax(a),
    lambda a, c, g, b: a - a.logsumexp(-1, keepdim=True),
    lambda a, c, g, b: F.softmax(a, -1).log(),
    lambda a, c, g, b: norm(a, g, b),
    lambda a, c, g, b: norm(a, 1, 0) + c,
    lambda a, c, g, b: a * w.rsqrt((a * a).mean(-1, keepdim=True) + 0.1) * g,
    lambda a, c, g, b: 1 / (1 + w.exp(-a)),
    lambda a, c, g, b: a + c,
    lambda a, c, g, b: a * c.tanh(),
]
HEAVY = [
    *PIECES,
    lambda a, c, g, b: (a @ c.t() @ a * 0.01).sin(),
    lambda a, c, g, b: F.dropout(a, 0.3) + c,
    lambda a, c, g, b: w.cat([a[:2], c[2:]]),
    lambda a, c, g, b: F.gelu(a).cumsum(0) * 0.1,
]


def written_over(a, c, g, b):
    """A copy with rows written in place."""
    y = a.clone()
    y[1:3] = c[1:3] * 2
    return y


def program(seed, pieces, most):
    """A random function of a matrix and two vectors that gives a value, a loss and its gradients."""
    draw = random.Random(seed)
    chosen = [(draw.choice(pieces), draw.random(), draw.random()) for _ in range(draw.randint(2, most))]

    def run(x, g, b):
        values = [x]
        for piece, u, v in chosen:
            values.append(piece(values[int(u * len(values))], values[int(v * len(values))], g, b))
        loss = (values[-1] * g).sum() + values[len(values) // 2].square().mean() + (x * g + b).sin().sum()
        return values[-1], loss, *w.autograd.grad(loss, (x, g, b))

    w.manual_seed(seed)
    rows, columns = draw.choice([4, 6]), draw.choice([4, 6])
    shapes = [(rows, columns), (columns,), (columns,)]
    return run, [w.randn(*s, dtype=w.float64).requires_grad_() for s in shapes]


@pytest.mark.parametrize("seed", range(60))
def test_patterns_in_random_programs(seed):
    run, operands = program(seed, PIECES, 8)
    graph = record(run, *operands)
    passes.optimise(graph, check=True)
    for a, b in zip(Plan(graph)(*operands), run(*operands), strict=True):
        assert float((a - b).abs().max()) <= 1e-9 * (1 + float(b.abs().max()))


@pytest.mark.parametrize("seed", range(12))
def test_budgets_of_random_programs(seed):
    run, operands = program(seed, [*HEAVY, written_over], 25)
    graph = record(run, *operands)

    def outcome(plan):
        w.manual_seed(7)
        return [t.numpy().tobytes() for t in plan(*operands)]

    free = Plan(graph)
    expected = outcome(free)
    for share in (0.7, 0.4, 0):
        budget = int(free.memory()["arena"] * share)
        try:
            plan = Plan(graph, memory_budget=budget)
        except MemoryBudgetError as error:
            budget = error.smallest
            plan = Plan(graph, memory_budget=budget)
        plan.graph.verify()
        assert peak(plan) <= plan.memory()["arena"] <= budget
        assert outcome(plan) == expected
