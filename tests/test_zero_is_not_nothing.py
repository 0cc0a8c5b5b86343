"""A gradient of zero is not "no gradient", and zero times infinity in a masked branch is zero.

Every case has a gradient that mathematics defines (on the branch that was taken); none may become NaN because a
branch that was not taken has an infinite derivative.
"""

import math

import pytest

import wengert as w

inf = math.inf


def leaf(values):
    return w.tensor(values, dtype=w.float64).requires_grad_()


def masked(f):
    """where(x > 0, f(x), x): f is singular at 0, and its branch is not taken there."""
    return lambda x: w.where(x > 0, f(x), x)


# name: (function of one tensor, where, gradient of the sum)
CASES = {
    "masked sqrt": (masked(lambda x: x.sqrt()), [0.0, 4.0], [1.0, 0.25]),
    "masked rsqrt": (masked(lambda x: x.rsqrt()), [0.0, 4.0], [1.0, -0.0625]),
    "masked log": (masked(lambda x: x.log()), [0.0, 4.0], [1.0, 0.25]),
    "masked log2": (masked(lambda x: x.log2()), [0.0, 2.0], [1.0, 0.5 / math.log(2)]),
    "masked log10": (masked(lambda x: x.log10()), [0.0, 2.0], [1.0, 0.5 / math.log(10)]),
    "masked log1p": (lambda x: w.where(x > -1, x.log1p(), x), [-1.0, 0.0], [1.0, 1.0]),
    "masked reciprocal": (masked(lambda x: x.reciprocal()), [0.0, 2.0], [1.0, -0.25]),
    "masked division": (masked(lambda x: 1 / x), [0.0, 2.0], [1.0, -0.25]),
    "masked division of itself": (masked(lambda x: x / x), [0.0, 2.0], [1.0, 0.0]),
    "masked power": (masked(lambda x: x**0.5), [0.0, 4.0], [1.0, 0.25]),
    "masked negative power": (masked(lambda x: x**-1.0), [0.0, 2.0], [1.0, -0.25]),
    "masked asin": (lambda x: w.where(x < 1, x.asin(), x), [0.0, 1.0], [1.0, 1.0]),
    "masked acos": (lambda x: w.where(x < 1, x.acos(), x), [0.0, 1.0], [-1.0, 1.0]),
    "masked asin at -1": (lambda x: w.where(x > -1, x.asin(), x), [0.0, -1.0], [1.0, 1.0]),
    "masked acosh": (lambda x: w.where(x > 1, x.acosh(), x), [1.0, 2.0], [1.0, 1 / math.sqrt(3)]),
    "masked atanh": (lambda x: w.where(x < 1, x.atanh(), x), [0.0, 1.0], [1.0, 1.0]),
    "masked erfinv": (lambda x: w.where(x < 1, x.erfinv(), x), [0.0, 1.0], [math.sqrt(math.pi) / 2, 1.0]),
    "masked exponent overflow": (lambda x: w.where(x < 100, x.exp(), x), [0.0, 1000.0], [1.0, 1.0]),
    "masked sinh overflow": (lambda x: w.where(x < 100, x.sinh(), x), [0.0, 1000.0], [1.0, 1.0]),
    "masked square of infinity": (lambda x: w.where(x < 1e200, x * x, x), [1.0, 1e300], [2.0, 1.0]),
    "power at zero": (lambda x: x**2, [0.0, 3.0], [0.0, 6.0]),
    "power one at zero": (lambda x: x**1, [0.0, 3.0], [1.0, 1.0]),
    "power zero at zero": (lambda x: x**0, [0.0, 3.0], [0.0, 0.0]),
    "power of zero base": (lambda x: w.tensor(0.0, dtype=w.float64) ** x, [1.0, 2.0], [0.0, 0.0]),
    "vector norm at zero": (lambda x: w.norm(x), [0.0, 0.0], [0.0, 0.0]),
    "norm of rows": (lambda x: w.norm(x.reshape(2, 2), dim=1), [0.0, 0.0, 3.0, 4.0], [0.0, 0.0, 0.6, 0.8]),
    "hypot at zero": (lambda x: w.hypot(x, x * 2), [0.0], [0.0]),
    "atan2 at zero": (lambda x: w.where(x > 0, w.atan2(x, x * 2), x), [0.0, 1.0], [1.0, 0.0]),
    "abs at zero": (lambda x: x.abs(), [0.0, -2.0], [0.0, -1.0]),
    "sign at zero": (lambda x: x * x.sign(), [0.0, -2.0], [0.0, -1.0]),
    "relu at zero": (lambda x: x.relu(), [0.0, 2.0], [0.0, 1.0]),
    "clamp masks infinity": (lambda x: x.log().clamp(min=-5.0), [0.0, 1.0], [0.0, 1.0]),
    "maximum masks infinity": (
        lambda x: w.maximum(x.log(), w.tensor(-5.0, dtype=w.float64)),
        [0.0, 1.0],
        [0.0, 1.0],
    ),
    "minimum masks infinity": (
        lambda x: w.minimum(x.reciprocal(), w.tensor(5.0, dtype=w.float64)),
        [0.0, 1.0],
        [0.0, -1.0],
    ),
    "amax masks infinity": (lambda x: x.log().amax(), [0.0, 2.0], [0.0, 0.5]),
    "prod with one zero": (lambda x: x.prod(), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    "prod with two zeros": (lambda x: x.prod(), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    "cumprod with zero": (lambda x: x.cumprod(0), [2.0, 0.0, 3.0], [1.0, 8.0, 0.0]),
    "logsumexp with -inf": (lambda x: w.logsumexp(x, 0), [-inf, 0.0], [0.0, 1.0]),
    "logsumexp of -inf only": (lambda x: w.logsumexp(x, 0), [-inf, -inf], [0.0, 0.0]),
    "logaddexp with -inf": (lambda x: w.logaddexp(x, x * 0 - inf), [0.0, 1.0], [1.0, 1.0]),
    "softmax with -inf": (lambda x: w.softmax(x, 0)[1], [-inf, 0.0, 0.0], [0.0, 0.25, -0.25]),
    "masked softmax": (
        lambda x: w.softmax(x.masked_fill(w.tensor([True, False, False]), -inf), 0)[1],
        [9.0, 0.0, 0.0],
        [0.0, 0.25, -0.25],
    ),
    "xlogy at zero": (lambda x: w.xlogy(x * 0, x), [0.0, 2.0], [0.0, 0.0]),
    "x log x": (lambda x: w.xlogy(x, w.tensor([1.0, 2.0], dtype=w.float64)), [0.0, 1.0], [0.0, math.log(2)]),
    "std of constants": (lambda x: x.std(), [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "var of constants": (lambda x: x.var(), [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "zero times infinite slope": (lambda x: x.sqrt() * 0, [0.0, 4.0], [0.0, 0.0]),
    "sum of masked logs": (lambda x: (x > 0) * w.where(x > 0, x, 1.0).log(), [0.0, 2.0], [0.0, 0.5]),
    "nested masks": (
        lambda x: w.where(x > 0, w.where(x > 1, x.log(), x.sqrt()), x * 2),
        [0.0, 0.25, 2.0],
        [2.0, 1.0, 0.5],
    ),
    "sinc by a mask": (lambda x: w.where(x == 0, 1.0, x.sin() / x), [0.0], [0.0]),
    "copysign at zero": (lambda x: w.copysign(x, w.tensor(-1.0, dtype=w.float64)), [0.0, 2.0], [0.0, -1.0]),
    "lgamma mask": (masked(lambda x: x.lgamma()), [0.0, 1.0], [1.0, -0.5772156649015329]),
}


def run(case):
    f, at, _ = CASES[case]
    x = leaf(at)
    return x, f(x)


def has_op(name):
    f, at, _ = CASES[name]
    try:
        f(leaf(at))
    except AttributeError:
        return False
    return True


@pytest.mark.parametrize("name", CASES)
def test_first_order(name):
    if not has_op(name):
        pytest.skip("the function is not there yet")
    x, y = run(name)
    y.sum().backward()
    for got, expected in zip(x.grad.tolist(), CASES[name][2], strict=True):
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_recorded_pass_gives_the_same(name):
    if not has_op(name):
        pytest.skip("the function is not there yet")
    x, y = run(name)
    (g,) = w.autograd.grad(y.sum(), x, create_graph=True, materialize_grads=True)
    for got, expected in zip(g.tolist(), CASES[name][2], strict=True):
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("masked") or n.startswith("nested")])
def test_forward_mode_gives_the_same(name):
    if not has_op(name):
        pytest.skip("the function is not there yet")
    f, at, expected = CASES[name]
    x = leaf(at).detach()
    for k, want in enumerate(expected):
        unit = w.tensor([float(j == k) for j in range(len(at))], dtype=w.float64)
        derivative = w.func.jvp(lambda v: f(v).sum(), (x,), (unit,))[1]
        assert derivative.item() == pytest.approx(want, rel=1e-9, abs=1e-12)


SECOND = {
    "masked sqrt": [0.0, -1 / 32],
    "masked log": [0.0, -1 / 16],
    "masked division": [0.0, 0.25],
    "masked power": [0.0, -1 / 32],
    "masked rsqrt": [0.0, 0.75 * 4.0**-2.5],
    "masked reciprocal": [0.0, 0.25],
    "masked division of itself": [0.0, 0.0],
    "masked asin": [0.0, 0.0],
    "power at zero": [2.0, 2.0],
    "power one at zero": [0.0, 0.0],
    "relu at zero": [0.0, 0.0],
    "abs at zero": [0.0, 0.0],
}


@pytest.mark.parametrize("name", SECOND)
def test_second_order(name):
    x, y = run(name)
    (g,) = w.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = w.autograd.grad(g.sum(), x, allow_unused=True, materialize_grads=True)
    for got, expected in zip(h.tolist(), SECOND[name], strict=True):
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_known_removable_singularity():
    """sqrt(x)**2 at 0: mathematics says 1, the chain rule says 2 * 0 * inf. The result here is 0
    (docs/numerics.md)."""
    x = leaf([0.0])
    (x.sqrt() ** 2).sum().backward()
    assert x.grad.tolist() == [0.0]


def test_known_length_of_zero_by_hand():
    """The infinity of the root meets the smooth rule of the square (docs/numerics.md); norm() has the subgradient."""
    x = leaf([0.0, 0.0])
    x.square().sum().sqrt().backward()
    assert all(math.isnan(v) for v in x.grad.tolist())
    x = leaf([0.0, 0.0])
    w.norm(x).backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_corpus_is_large():
    assert len(CASES) >= 30


def test_a_true_infinity_stays():
    x = leaf([0.0])
    x.sqrt().sum().backward()
    assert x.grad.tolist() == [inf]
