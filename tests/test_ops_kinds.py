"""Rows that are not elementwise in float32, float16 and bfloat16: result and gradients have the operands' dtype and
about the values that float64 gives."""

import numpy as np
import pytest
from optools import gradients, run, tensor, values, wengert
from samples import all_samples

# Largest difference, relative to the largest element: a few roundings of a sum or a product.
TOLERANCE = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 1.5e-1}
# Rows whose result depends on single roundings: divisions by products, and positions among rounded values.
COARSE = {"scatter_prod", "cumprod", "linear_scan", "logcumsumexp", "pow_scalar", "median_all", "nanmedian_all"}
STATISTICS = {"mean", "var", "rstd", "lse", "divisor"}
OWN_DTYPE = {"cast", "cast_like"}


def rounded(array, kind):
    """The values that a dtype has for an array's, in float64."""
    return values(tensor(array).to(getattr(wengert, kind)).to(wengert.float64))


def close(got, want, kind, what):
    got = values(got.to(wengert.float64))
    assert got.shape == want.shape, what
    scale = max(np.max(np.abs(want), initial=0.0), 1e-3)
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[kind] * scale, err_msg=what)


def wanted(row):
    return not row.elementwise and row.differentiable and "random" not in row.flags and row.name not in OWN_DTYPE


@pytest.mark.parametrize("kind", TOLERANCE)
@pytest.mark.parametrize(**all_samples(wanted))
def test_dtype(row, sample, kind, rng):
    if kind != "float32" and row.name in COARSE:
        pytest.skip("a rounding of the operands moves the result")
    places = sample.floating(row)
    exact = list(sample.operands[0] if row.variadic else sample.operands)
    exact = [rounded(v, kind) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v for v in exact]
    if sample.derive is not None:
        exact = sample.derive(*exact)
    dtype = getattr(wengert, kind)
    # Statistics are kept in the dtype that is computed with.
    names = [""] * len(exact) if row.variadic else row.inputs
    of = [wengert.float32 if name in STATISTICS else dtype for name in names]

    def call(convert):
        ts = [tensor(v) if isinstance(v, np.ndarray) else v for v in exact]
        if convert:
            ts = [
                t.to(of[k]) if isinstance(t, wengert.Tensor) and t.dtype.is_floating_point else t
                for k, t in enumerate(ts)
            ]
        for k in places:
            ts[k].requires_grad_()
        out = run(row, [ts] if row.variadic else ts, sample.attrs)[0]
        return out, [ts[k] for k in places]

    want, above = call(False)
    got, here = call(True)
    assert got.dtype == dtype, f"{row.name}: {got.dtype}"
    close(got.detach(), values(want), kind, row.name)
    if not want.requires_grad:
        return
    weights = rounded(rng.uniform(0.5, 1.5, tuple(want.shape)), kind)
    expected = gradients(want, tensor(weights), above)
    found = gradients(got, tensor(weights).to(dtype), here)
    for k, a, b in zip(places, found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == dtype, f"{row.name}: gradient of operand {k} is {a.dtype}"
            close(a, values(b), kind, f"{row.name}: gradient of operand {k}")
