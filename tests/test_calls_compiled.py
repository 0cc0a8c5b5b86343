"""Every function of the API, with the calls that are compared with torch, compiled beside itself: the same bits.

A call without a plan runs as it is written; which functions have none is listed here with the reason.
"""

import warnings

import numpy as np
import pytest

pytest.importorskip("torch")

from scope.calls_math import MATH  # noqa: E402  (needs torch)
from scope.calls_nn import FUNCTIONAL  # noqa: E402
from scope.calls_shape import SHAPE  # noqa: E402
from scope.variants import operands, resolve  # noqa: E402

import wengert  # noqa: E402
from wengert.graph import CompileError  # noqa: E402

TABLES = {**MATH, **FUNCTIONAL, **SHAPE}
CALLS = 3
VIEW, LEAF = "the call returns a view, with a history", "the call returns a leaf"
# Functions some of whose calls have no plan, because what they give depends on values.
BY_VALUE = {
    "allclose", "argwhere", "cov", "equal", "item", "lerp", "masked_select", "nn.functional.embedding",
    "nn.functional.one_hot", "nonzero", "normal", "pow", "repeat_interleave", "unique", "where",
}  # fmt: skip
OTHER = {"fill": "reach no tensor from outside", "resize_": "changes the memory"}
ROUNDED = {"nn.functional.grid_sample"}  # gradients of gathered elements are added in another order


def flat(v):
    if isinstance(v, (list, tuple)):
        return [x for part in v for x in flat(part)]
    return [v]


def outcome(f, args, kwargs, leaves):
    """Results and gradients of a call, as arrays and Python values."""
    results = flat(f(*args, **kwargs))
    live = [t for t in results if isinstance(t, wengert.Tensor) and t.requires_grad and t.numel()]
    grads = []
    if live:
        weights = [wengert.from_numpy(np.cos(np.arange(t.numel()))).reshape(t.shape).to(t.dtype) for t in live]
        grads = wengert.autograd.grad(live, leaves, weights, allow_unused=True)
    shown = []
    for t in (*results, *grads):
        if isinstance(t, wengert.Tensor):
            t = t.to_dense() if t.is_sparse else t
            shown.append((t.dtype, tuple(t.shape), t.requires_grad))
            t = t.detach()
            shown.append((t.float() if t.dtype is wengert.bfloat16 else t).numpy().copy())
        else:
            shown.append(t)
    return shown


def same(name, a, b):
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if name in ROUNDED:
            return a.shape == b.shape and np.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True)
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    return type(a) is type(b) and (a == b or a != a and b != b)


def function(name):
    """The function of a dotted name; what is a method or an attribute of tensors alone as a function."""
    try:
        return resolve(0, name)
    except AttributeError:
        found = getattr(wengert.Tensor, name)
        return found if callable(found) else lambda t: getattr(t, name)


def difference(name, c):
    """(what differs, why there is no plan): texts or None."""
    f = function(name)

    def call(*args, **kwargs):
        return f(*args, **kwargs)

    fast = wengert.compile(call, fullgraph=True, exact=True)
    for _ in range(CALLS):
        wengert.manual_seed(1)
        args, kwargs, leaves = operands(c, 0, c.grad)
        try:
            want = outcome(f, args, kwargs, leaves)
        except Exception:
            return None, None
        wengert.manual_seed(1)
        args, kwargs, leaves = operands(c, 0, c.grad)
        try:
            got = outcome(fast, args, kwargs, leaves)
        except CompileError as error:
            return None, str(error).partition("cannot be captured: ")[2]
        if c.values and (
            len(got) != len(want) or not all(same(name, a, b) for a, b in zip(got, want, strict=True))
        ):
            return f"{got} and {want}", None
    return None, None


@pytest.mark.parametrize("name", sorted(TABLES))
def test_function(name):
    problems, refused = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for c in TABLES[name]:
            found, reason = difference(name, c)
            problems += [found] if found else []
            refused += [reason] if reason else []
    assert not problems, f"{len(problems)}: {problems[0][:500]}"
    for reason in refused:
        known = reason.startswith((VIEW, LEAF)) or OTHER.get(name, "nothing") in reason
        assert known or name in BY_VALUE and ("reads a value" in reason or "depends on them" in reason), reason
