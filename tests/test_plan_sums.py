"""Sums inside of groups and strips of cheap operations: plans give the bits of plain calls."""

import itertools

import numpy as np
import pytest
from optools import OPS, core

import wengert as w
from wengert.graph import Plan, record


def steps(plan):
    return [names for _, names, _ in plan.steps()]


def bits(t):
    """Of every element, with one NaN for all."""
    a = t.numpy()
    return np.where(a != a, np.asarray(np.nan, a.dtype), a).tobytes() if a.dtype.kind == "f" else a.tobytes()


def same(plan, f, *inputs):
    got, expected = plan(*inputs), f(*inputs)
    got, expected = [t if isinstance(t, (tuple, list)) else (t,) for t in (got, expected)]
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        assert bits(a) == bits(b)


def values(shape, dtype=w.float32, seed=0):
    rng = np.random.default_rng(seed)
    if dtype in (w.float32, w.float64):
        return w.tensor(rng.standard_normal(shape).tolist(), dtype=dtype).reshape(shape)
    return w.tensor(rng.integers(-5, 6, shape).tolist(), dtype=w.int64).reshape(shape).to(dtype)


# Around the ends of vectors, lanes, blocks, chunks and runs.
LENGTHS = [
    2,
    3,
    15,
    16,
    17,
    63,
    64,
    65,
    255,
    256,
    257,
    1000,
    1024,
    1025,
    4095,
    4096,
    4097,
    4110,
    4170,
    8192,
    12345,
    70001,
]


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", [w.float32, w.float64, w.int64], ids=["float32", "float64", "int64"])
def test_sum_of_everything(n, dtype):
    x = values((n,), dtype, n)

    def f(x):
        y = x * x - x
        return y.sum()

    plan = Plan(record(f, x))
    assert len(plan.steps()) == 1 and steps(plan)[0][-1] == "sum"
    same(plan, f, x)


SHAPES = [(3, 5), (1000, 3), (5, 700), (700, 5), (64, 64), (65, 64), (129, 300), (1025, 64), (3, 5000), (4500, 33),
          (7, 4097), (2, 3, 400), (40, 3, 50), (9, 70, 3), (2, 130, 257), (3, 4200, 1), (1, 90, 1),
          (2, 1030, 70)]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_and_means_over_dimensions(shape):
    x, row = values(shape, seed=1), values(shape[-1:], seed=2)
    dims = [d for n in range(1, len(shape) + 1) for d in itertools.combinations(range(len(shape)), n)]
    for d, keepdim, mean in itertools.product(dims, (False, True), (False, True)):

        def f(x, row, d=d, keepdim=keepdim, mean=mean):
            y = (x * row + 0.25).tanh()
            return y.mean(d, keepdim) if mean else y.sum(d, keepdim)

        same(Plan(record(f, x, row)), f, x, row)


def test_sums_over_leading_and_last_dimensions_are_part_of_the_pass():
    x = values((300, 70))
    for f in (lambda x: (x * x).sum(), lambda x: (x * x).mean(0), lambda x: (x * x).mean(-1, True)):
        assert len(Plan(record(f, x)).steps()) == 1
    # What is not adjacent, and groups that are not to be fused, keep a step of their own.
    assert len(Plan(record(lambda x: (x * x).sum((0, 2)), values((4, 5, 6)))).steps()) == 2
    assert len(Plan(record(lambda x: (x * x).sum(), x), fuse=False).steps()) == 2


def test_several_sums_and_results_of_one_pass():
    x = values((80, 90))

    def f(x):
        y = x.exp() * 0.5
        z = y * x
        return y.sum(0), z.mean(0), z, (z - y).sum(0), y.sum(1), y.sum() + 1

    plan = Plan(record(f, x))
    same(plan, f, x)
    assert steps(plan)[0].count("sum") == 2 and "mean" in steps(plan)[0]


def test_more_sums_than_a_pass_takes():
    x = values((500,))

    def f(x):
        return tuple((x * k).sum() for k in range(20))

    same(Plan(record(f, x)), f, x)


def test_counts_of_a_comparison():
    x, y = values((3000,), seed=1), values((3000,), seed=2)

    def f(x, y):
        return (x > y).sum(), (x > y).view(3, 1000).sum(0), (x > y).view(100, 30).sum(1)

    same(Plan(record(f, x, y)), f, x, y)


def test_sums_of_views_broadcasts_and_strided_operands():
    x, y = values((60, 50), seed=3), values((50, 1), seed=4)

    def f(x, y):
        z = x.t() * y + x[:50, :1] - x[::2, 7].view(1, 30).expand(50, 30).repeat(1, 2)
        return z.sum(1), (x[1::3, ::1] * 2).sum(0), (z[:, ::5] * 3).mean()

    same(Plan(record(f, x, y)), f, x, y)


def test_sums_of_special_values():
    x = values((5000,))
    x[17], x[4099], x[40] = float("nan"), float("inf"), -0.0

    def f(x):
        return (x * 1).sum(), (x[100:4000] * 0).sum(), (-x[40:41].expand(300)).sum(), (x[:0] * 2).sum()

    same(Plan(record(f, x)), f, x)


def test_nothing_to_sum():
    def f(x):
        return (x * 2).sum(0), (x * 2).sum(1), (x * 2).sum()

    for shape in ((0, 4), (4, 0), (1, 1), (1, 4)):
        same(Plan(record(f, w.ones(shape))), f, w.ones(shape))


def test_sums_of_one_element():
    def f(x):
        return (x * 2).sum(), (x + 1).mean()

    same(Plan(record(f, w.tensor(3.0))), f, w.tensor(3.0))


@pytest.mark.parametrize("f", [lambda z: z.sum(), lambda z: z.mean(0), lambda z: z.sum(1)])
def test_sums_are_the_same_for_any_number_of_threads(f):
    before = w.get_num_threads()
    x = values((700, 300))
    plan = Plan(record(lambda x: f((x * x).tanh() - x), x))
    found = []
    try:
        for n in (1, 2, 3):
            w.set_num_threads(n)
            found.append(plan(x).numpy().tobytes())
    finally:
        w.set_num_threads(before)
    assert len(set(found)) == 1


def test_a_sum_that_a_state_receives():
    total = w.zeros(6)

    def f(x):
        total.add_((x * total).sum(0))
        return total * 1

    x = values((40, 6))
    plan = Plan(record(f, x))
    total.copy_(w.arange(6.0))
    got = plan(x)
    start = w.arange(6.0)
    expected = start + (x * start).sum(0)
    assert w.equal(got, expected) and w.equal(total, expected)


def test_gradients_and_loss_in_one_pass():
    x, a = values((4000,)).requires_grad_(), w.tensor(1.5, requires_grad=True)

    def step(x):
        x.grad = a.grad = None
        loss = ((a * x).tanh() * x).sum()
        loss.backward()
        return loss.detach(), x.grad.clone(), a.grad.clone()

    step(x)
    plan = Plan(record(step, x))
    same(plan, step, x)


# ---- strips ---------------------------------------------------------------------------------------------------

CHEAP = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "from": lambda a, b: b - a,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "into": lambda a, b: b / a,
    "max": lambda a, b: w.maximum(a, b),
    "min": lambda a, b: w.minimum(b, a),
    "square": lambda a, b: a * a,
    "mul_add": lambda a, b: a * b + 0.5,
    "add_mul": lambda a, b: b * 1.5 + a,
    "mul_sub": lambda a, b: a * b - b,
    "sub_mul": lambda a, b: b - a * 0.25,
    "less_mul": lambda a, b: a - b * b,
    "neg": lambda a, b: -a,
    "abs": lambda a, b: a.abs(),
    "relu": lambda a, b: a.relu(),
    "sqrt": lambda a, b: a.abs().sqrt(),
    "sign": lambda a, b: a.sign(),
    "sgn": lambda a, b: b.sgn() * a,
    "zdiv": lambda a, b: core.apply(OPS["zdiv"].entry, [a, b], ()),
    "zdiv_into": lambda a, b: core.apply(OPS["zdiv"].entry, [b, a], ()),
    "scalar": lambda a, b: (a + 2) * 0.5 - 1,
    "pow": lambda a, b: a**2,
}


@pytest.mark.parametrize("dtype", [w.float32, w.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", CHEAP)
def test_each_cheap_operation_in_a_strip(name, dtype):
    special = w.tensor([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-40, -3.0, 2.0], dtype=dtype)
    x = w.cat([special.repeat(8), values((203,), dtype)])
    y = w.cat([special.view(8, 1).expand(8, 8).reshape(-1), values((203,), dtype, 1)])

    def f(x, y):
        a = CHEAP[name](x - 1, y)
        b = CHEAP[name](a, y + 1)
        return b + 1, a, CHEAP[name](w.tensor(2.5, dtype=dtype), y) * 1

    plan = Plan(record(f, x, y))
    for n in (267, 128, 17, 16, 9, 2):
        same(Plan(record(f, x[:n], y[:n])), f, x[:n], y[:n])
    same(plan, f, x, y)


def test_polynomials():
    def horner(x):
        y = x * 0.1 + 0.2
        for c in (0.3, -0.4, 0.5, -0.6, 0.7):
            y = y * x + c
        return y

    def powers(x):
        p, s = x, x * 0.5 + 0.25
        for c in (0.3, -0.4, 0.5, 0.1, -2.0):
            p = p * x
            s = s + p * c
        return s * p

    for f, n in itertools.product((horner, powers), (5, 300, 5000, 40001)):
        x = values((n,), seed=n)
        same(Plan(record(f, x)), f, x)
        same(Plan(record(lambda x, f=f: f(x.double()), x)), lambda x, f=f: f(x.double()), x)


@pytest.mark.parametrize("seed", range(60))
def test_random_chains(seed):
    rng = np.random.default_rng(seed)
    names = list(CHEAP)
    dtype = w.float64 if seed % 3 == 0 else w.float32
    n = int(rng.choice([3, 64, 130, 1000, 3000]))
    program = [
        (names[rng.integers(len(names))], rng.integers(1 << 30, size=2)) for _ in range(int(rng.integers(2, 40)))
    ]
    kept = set(rng.integers(0, len(program), 3).tolist())

    def f(x, y, s):
        made, out = [x, y, s.expand(n), x[:1]], []
        for k, (name, picks) in enumerate(program):
            a, b = (made[p % len(made)] if p % 3 else made[-1] for p in picks)
            made.append(CHEAP[name](a, b) if k % 7 else CHEAP[name](a, b).sigmoid())
            if k in kept:
                out.append(made[-1])
        return (*out, made[-1], made[-1].sum())

    x, y, s = (values((k,), dtype, seed) for k in (n, n, 1))
    same(Plan(record(f, x, y, s)), f, x, y, s)
