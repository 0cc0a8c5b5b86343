"""Random expression graphs, made small by hypothesis: values against NumPy, gradients against differences."""

import numpy as np
import pytest
from optools import core, gradients, same, tensor, values, wengert

hypothesis = pytest.importorskip("hypothesis")
st = pytest.importorskip("hypothesis.strategies")

UNARY = {
    "sin": np.sin,
    "tanh": np.tanh,
    "exp": lambda x: np.exp(x / 4),
    "square": lambda x: x * x / 4,
    "neg": np.negative,
    "atan": np.arctan,
    "softened": lambda x: np.sqrt(x * x + 1),
}
OURS = {
    "sin": wengert.sin,
    "tanh": wengert.tanh,
    "exp": lambda x: wengert.exp(x / 4),
    "square": lambda x: x * x / 4,
    "neg": lambda x: -x,
    "atan": wengert.atan,
    "softened": lambda x: wengert.sqrt(x * x + 1),
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b / 2,
    "div": lambda a, b: a / (b * b + 1),
    "right": lambda a, b: b * 0.5 - a,
}
SHAPES = ((), (1,), (3,), (2, 1), (2, 3), (4, 1, 3))

step = st.one_of(
    st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 50), st.just(0)),
    st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 50), st.integers(0, 50)),
)
programs = st.lists(step, min_size=1, max_size=25)
settings = hypothesis.settings(max_examples=60, deadline=None, derandomize=True)


def execute(plan, pool, unary):
    """Runs a plan; operands are taken modulo what is there. Values stay bounded: tanh closes every fifth step."""
    pool = list(pool)
    for k, (name, i, j) in enumerate(plan):
        a = pool[i % len(pool)]
        out = unary[name](a) if name in unary else BINARY[name](a, pool[j % len(pool)])
        pool.append(unary["tanh"](out) if k % 5 == 4 else out)
    return pool


def total(pool):
    return sum((v.sum() for v in pool[1:]), pool[0].sum())


@hypothesis.given(programs, st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3), st.integers(0, 2**31))
@settings
def test_values_and_gradients(plan, shapes, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-1.5, 1.5, s) for s in shapes]
    want = execute(plan, arrays, UNARY)
    leaves = [tensor(a, grad=True) for a in arrays]
    got = execute(plan, leaves, OURS)
    for a, b in zip(got, want, strict=True):
        same(values(a), b, rtol=1e-9, atol=1e-9)
    found = gradients(total(got), tensor(np.ones(())), leaves)
    along = [rng.standard_normal(a.shape) for a in arrays]
    h = 1e-6
    ends = [total(execute(plan, [a + s * d for a, d in zip(arrays, along, strict=True)], UNARY)) for s in (h, -h)]
    slope = sum(float((values(g) * d).sum()) for g, d in zip(found, along, strict=True) if g is not None)
    assert slope == pytest.approx(float(ends[0] - ends[1]) / (2 * h), rel=1e-5, abs=1e-4)


@hypothesis.given(programs, st.sampled_from(SHAPES), st.integers(0, 2**31))
@settings
def test_recorded_backward_gives_the_same_bits(plan, shape, seed):
    """create_graph changes nothing about the numbers, whatever the graph."""
    x = tensor(np.random.default_rng(seed).uniform(-1, 1, shape), grad=True)
    out = total(execute(plan, [x], OURS))
    one = tensor(np.ones(()))
    raw = gradients(out, one, [x], keep=True)[0]
    recorded = gradients(out, one, [x], create_graph=True)[0]
    assert values(raw).tobytes() == values(recorded).tobytes()


@hypothesis.given(programs, st.integers(0, 2**31))
@settings
def test_nothing_is_left_behind(plan, seed):
    before = core.node_stats()["live"]
    x = tensor(np.random.default_rng(seed).uniform(-1, 1, 5), grad=True)
    pool = execute(plan, [x], OURS)
    total(pool).backward()
    del pool, x
    assert core.node_stats()["live"] == before


@hypothesis.given(
    st.lists(st.sampled_from([0, 1, 2, 5]), max_size=4), st.lists(st.sampled_from([0, 1, 2, 5]), max_size=4)
)
@hypothesis.settings(max_examples=200, deadline=None, derandomize=True)
def test_broadcasting_is_numpys(left, right):
    a, b = np.ones(left), np.full(right, 2.0)
    try:
        want = a + b
    except ValueError:
        with pytest.raises(RuntimeError, match="add: expected shapes that broadcast"):
            tensor(a) + tensor(b)
        return
    got = tensor(a) + tensor(b)
    same(values(got), want)
