"""Every row of the table that takes complex operands: both orders of gradients against differences of the values.

The operands are those of the generated tests, turned in the complex plane. A rule is right for complex numbers where
its function is holomorphic, or where it says itself what is conjugated; this finds the row that is neither.
"""

import numpy as np
import pytest
from optools import COMPLEX_ONLY, TABLE, core, run, tensor, wengert
from samples import all_samples


def turned(array, rng):
    """The values with angles of up to a sixth of a turn."""
    return array * np.exp(1j * rng.uniform(-1, 1, array.shape)) + 0.1j


REAL_GRADIENT = {"embedding_rows"}  # its backward pass refuses complex tables


def takes_complex(row):
    return row.differentiable and "random" not in row.flags and row.name not in REAL_GRADIENT


def complex_call(row, sample, rng):
    """(function of the complex operands, the operands), or None where the row has no complex form."""
    listed = list(sample.operands[0] if row.variadic else sample.operands)
    places = [k for k in sample.floating(row) if listed[k].size]
    names = [""] * len(listed) if row.variadic else row.inputs
    values = [
        turned(v, rng) if isinstance(v, np.ndarray) and v.dtype.kind == "f" and names[k] != "mask" else v
        for k, v in enumerate(listed)
    ]

    def call(*moving):
        ts = [tensor(v) if isinstance(v, np.ndarray) else v for v in values]
        for k, t in zip(places, moving, strict=True):
            ts[k] = t
        return run(row, [ts] if row.variadic else ts, sample.attrs)[0]

    leaves = [tensor(values[k]) for k in places]
    try:
        out = call(*leaves)
    except (NotImplementedError, RuntimeError, TypeError):
        return None
    return None if not out.dtype.is_inexact or out.numel() > 60 else (call, leaves)


FOUND = all_samples(takes_complex)


@pytest.mark.parametrize(**FOUND)
def test_gradients(row, sample, rng):
    made = complex_call(row, sample, rng)
    if made is None:
        pytest.skip("no complex form")
    call, leaves = made
    leaves = [t.requires_grad_() for t in leaves]
    if not leaves or not call(*leaves).requires_grad:
        pytest.skip("nothing to differentiate")
    assert wengert.testing.gradcheck(call, tuple(leaves), atol=1e-4, rtol=1e-4)
    if sum(t.numel() for t in leaves) <= 12:
        assert wengert.testing.gradgradcheck(call, tuple(leaves), atol=1e-3, rtol=1e-3)


def test_enough_rows_have_a_complex_form(rng):
    """The rows of arithmetic, shapes, sums and products are among those that the test above runs."""
    found = {row.name for row, sample in FOUND["argvalues"] if complex_call(row, sample, rng) is not None}
    wanted = """add sub mul div pow pow_scalar neg abs sgn conj square sqrt rsqrt reciprocal exp log sin cos tan sinh cosh
        tanh sum mean prod_all cumsum cumprod matmul linear where cat stack flip gather scatter scatter_add permute select
        slice expand lerp sigmoid zmul zdiv""".split()
    assert not set(wanted) - found


def test_complex_rows_refuse_real_operands():
    for name in sorted(COMPLEX_ONLY - {"complex_of", "view_as_complex", "join_parts"}):
        with pytest.raises((RuntimeError, NotImplementedError), match="complex|dtype"):
            run(TABLE[name], [tensor(np.ones(3))])
    with pytest.raises((RuntimeError, NotImplementedError)):
        core.apply(wengert._bind.OPS["view_as_complex"].entry, [tensor(np.ones(3))], ())
