"""Forward mode of every differentiable row: the derivative along a direction, against the gradient."""

import numpy as np
import pytest
from optools import gradients, run, tensor
from samples import all_samples

from wengert import func


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable))
def test_forward_is_the_transpose_of_backward(row, sample, rng):
    """w · f'(x) d is the same number in both modes, for each operand and for all of them together."""
    listed = list(sample.operands[0] if row.variadic else sample.operands)
    places = sample.floating(row)

    def call(*moving):
        ts = [tensor(v) if isinstance(v, np.ndarray) else v for v in listed]
        for k, t in zip(places, moving, strict=True):
            ts[k] = t
        return run(row, [ts] if row.variadic else ts, sample.attrs)[0]

    leaves = [tensor(listed[k], grad=True) for k in places]
    out = call(*leaves)
    weights = rng.standard_normal(tuple(out.shape))
    if out.requires_grad:
        found = gradients(out, tensor(weights), leaves)
    else:
        found = [None] * len(places)
    along = [np.asarray(rng.standard_normal(listed[k].shape)) for k in places]
    parts = [0.0 if g is None else float(np.sum(g.numpy() * d)) for g, d in zip(found, along, strict=True)]
    for chosen in [*range(len(places)), None]:
        directions = [d if chosen in (k, None) else d * 0 for k, d in enumerate(along)]
        value, tangent = func.jvp(
            call, tuple(tensor(listed[k]) for k in places), tuple(tensor(d) for d in directions)
        )
        assert tuple(tangent.shape) == tuple(value.shape) and tangent.dtype == value.dtype
        want = sum(parts) if chosen is None else parts[chosen]
        got = float(np.sum(tangent.numpy() * weights))
        assert got == pytest.approx(want, rel=1e-9, abs=1e-10), f"{row.name}: operand {chosen}"
