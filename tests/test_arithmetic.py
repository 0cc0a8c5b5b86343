"""Arithmetic overloads against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import check, same_error

RNG = np.random.default_rng(11)
A, B = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)) + 3
INTS, MORE = np.array([7, -7, 3]), np.array([2, 2, -2])
ODD = np.array([math.nan, math.inf, -math.inf, 1.0])

CASES = [
    ("add", (A, B), {"alpha": 2}),
    (".add", (A, 3), {}),
    ("sub", (A, B), {"alpha": 0.5}),
    ("subtract", (A, B), {}),
    ("rsub", (A, B), {}),
    ("div", (A, B), {}),
    ("div", (A, B), {"rounding_mode": "floor"}),
    ("div", (A, B), {"rounding_mode": "trunc"}),
    ("div", (INTS, MORE), {"rounding_mode": "trunc"}),
    ("div", (INTS, MORE), {"rounding_mode": "floor"}),
    ("div", (INTS, MORE), {}),
    ("divide", (A, B), {}),
    ("true_divide", (A, B), {}),
    ("multiply", (A, B), {}),
    ("negative", (A,), {}),
    ("absolute", (A,), {}),
    ("arctan2", (A, B), {}),
    ("addcmul", (A, B, A * 2), {"value": 0.5}),
    ("addcdiv", (A, A * 2, B), {"value": 0.5}),
    ("clamp", (A, -0.5, 0.5), {}),
    ("clamp", (A,), {"min": 0.1}),
    ("clip", (A,), {"max": 0.1}),
    ("clamp", (A, B - 3, B - 2.5), {}),
    ("clamp", (A,), {"min": B - 3}),
    ("clamp", (A, 1, -1), {}),
    ("clamp", (INTS, -3, 3), {}),
    ("clamp", (INTS,), {"min": 0}),
    ("clamp", (INTS,), {"max": 2.5}),
    ("clamp_min", (A, 0.2), {}),
    ("clamp_max", (A, B - 3), {}),
    ("round", (A * 10,), {}),
    ("round", (A * 10,), {"decimals": 1}),
    ("round", (A * 1000,), {"decimals": -2}),
    ("float_power", (B, 2), {}),
    ("float_power", (INTS, MORE), {}),
    ("heaviside", (np.array([-1.0, 0.0, 2.0]), np.array([0.5, 0.5, 0.5])), {"grad": False}),
    ("logit", (B / 10,), {}),
    ("logit", (B / 10,), {"eps": 0.2}),
    ("nan_to_num", (ODD,), {"grad": False}),
    ("nan_to_num", (ODD, 1.0, 2.0, 3.0), {"grad": False}),
    ("lerp", (A, B, 0.3), {}),
    ("lerp", (A, B, B / 9), {}),
    ("isclose", (A, A + 1e-9), {"grad": False}),
    ("isclose", (ODD, ODD), {"equal_nan": True, "grad": False}),
    ("sgn", (A,), {}),
    ("isposinf", (ODD,), {"grad": False}),
    ("isneginf", (ODD,), {"grad": False}),
    ("deg2rad", (A,), {}),
    ("rad2deg", (A,), {}),
    ("sinc", (A,), {}),
    ("logaddexp2", (A, B), {}),
    ("square", (A,), {}),
    ("pow", (B, 2), {}),
    ("pow", (2.0, A), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=[f"{c[0]}-{k}" for k, c in enumerate(CASES)])
def test_cases(name, args, kwargs):
    check(name, *args, rtol=1e-5, **kwargs)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        (".add_", (A, B), {"alpha": 2}),
        (".sub_", (A, 1.5), {}),
        (".div_", (A, B), {}),
        (".div_", (A, B), {"rounding_mode": "floor"}),
        (".addcmul_", (A, B, B), {"value": 2}),
        (".clamp_", (A, -0.1, 0.1), {}),
        (".clamp_", (A,), {"min": 0}),
        (".clamp_min_", (A, 0.3), {}),
        (".round_", (A,), {}),
        (".lerp_", (A, B, 0.5), {}),
        (".nan_to_num_", (ODD,), {}),
        (".absolute_", (A,), {}),
    ],
)
def test_inplace(name, args, kwargs):
    check(name, *[a.copy() if isinstance(a, np.ndarray) else a for a in args], grad=False, **kwargs)


def test_comparisons_as_a_whole():
    import wengert

    a = wengert.from_numpy(A)
    assert wengert.equal(a, a.clone()) and not wengert.equal(a, a + 1) and not a.equal(a[:1])
    assert wengert.allclose(a, a + 1e-9) and not a.allclose(a + 1)


def test_inplace_gradient_of_clamp():
    import wengert

    x = wengert.tensor([-2.0, 0.5, 3.0], requires_grad=True)
    (x * 1).clamp_(0, 1).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_errors():
    same_error("clamp", A)
    same_error("div", A, B, rounding_mode="up")
    same_error("add", INTS, MORE, alpha=0.5)
    same_error("sub", INTS > 0, MORE > 0)
    same_error(".div_", INTS.copy(), MORE)
    same_error("isclose", A, INTS)
