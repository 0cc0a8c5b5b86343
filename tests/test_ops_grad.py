"""Gradients of every differentiable row: against finite differences in float64, once and twice."""

import numpy as np
import pytest
from optools import COMPLEX_ONLY, TABLE, core, gradients, run, same, tensor, torch_call, wengert
from samples import all_samples, samples

STEP = 1e-5  # central differences: errors of STEP**2 times the third derivative, and of 1e-16 / STEP

# Relative errors of torch 2.13 in float64: its 1/6 is a float32 number; its trigamma has eight digits.
TORCH_ERROR = {"hardsigmoid": 1e-7, "digamma": 1e-8}
TORCH_ONCE = {"hardsigmoid"}  # torch has no second gradient
DIFFERENTIABLE = [row for row in TABLE.values() if row.differentiable]


def project(outs, weights):
    """The sum of the first result times fixed weights, as a Python float."""
    return float(np.sum(np.asarray(outs[0].detach().numpy(), dtype=np.float64) * weights))


def operands_of(row, sample, places=(), moved=None, step=0.0, direction=None):
    """Tensors for a sample; those at `places` ask for gradients; `moved` is shifted by step * direction."""
    listed = list(sample.operands[0] if row.variadic else sample.operands)
    if moved is not None:
        listed[moved] = np.asarray(listed[moved] + step * direction)
        if sample.derive is not None:
            listed = sample.derive(*listed)
    return [tensor(v, grad=k in places) if isinstance(v, np.ndarray) else v for k, v in enumerate(listed)]


def call(row, operands, attrs):
    return run(row, [operands] if row.variadic else operands, attrs)


def first_gradients(row, sample, places, weights, **moves):
    """Gradients of the projected result for the operands at `places`; zeros where there is none."""
    operands = operands_of(row, sample, places, **moves)
    out = call(row, operands, sample.attrs)[0]
    if not out.requires_grad:
        return [np.zeros(operands[k].shape) for k in places]
    found = gradients(out, tensor(weights), [operands[k] for k in places])
    return [
        np.zeros(operands[k].shape) if g is None else g.numpy().copy() for k, g in zip(places, found, strict=True)
    ]


def test_every_differentiable_row_has_samples():
    missing = [row.name for row in DIFFERENTIABLE if not any(s.floating(row) for s in samples(row))]
    missing = [name for name in missing if name not in COMPLEX_ONLY]
    assert not missing, f"rows without samples of floating operands (tests/samples.py): {missing}"


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable))
def test_first(row, sample, rng):
    places = sample.floating(row)
    out = call(row, operands_of(row, sample), sample.attrs)[0]
    weights = rng.standard_normal(tuple(out.shape))
    found = first_gradients(row, sample, places, weights)
    for place, grad in zip(places, found, strict=True):
        value = (sample.operands[0] if row.variadic else sample.operands)[place]
        assert grad.shape == value.shape and grad.dtype == value.dtype
        direction = rng.standard_normal(value.shape)
        ends = [
            project(call(row, operands_of(row, sample, (), place, s, direction), sample.attrs), weights)
            for s in (STEP, -STEP)
        ]
        want = (ends[0] - ends[1]) / (2 * STEP)
        got = float(np.sum(grad * direction))
        assert got == pytest.approx(want, rel=1e-6, abs=1e-7), f"{row.name}: operand {place}"


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable))
def test_layout_of_the_incoming_gradient(row, sample, rng):
    """What arrives may be a part of something larger, turned round: the gradients are those of a dense one."""
    places = sample.floating(row)
    operands = operands_of(row, sample, places)
    out = call(row, operands, sample.attrs)[0]
    if not out.requires_grad or out.dim() == 0:
        return
    weights = rng.standard_normal(tuple(out.shape))
    larger = np.zeros([2 * n + 1 for n in reversed(out.shape)])
    part = larger[tuple(slice(1, None, 2) for _ in out.shape)]
    part[...] = weights.T
    strided = tensor(larger)[tuple(slice(1, None, 2) for _ in out.shape)].permute(*reversed(range(out.dim())))
    assert tuple(strided.shape) == tuple(out.shape)
    wanted = [operands[k] for k in places]
    dense_found = wengert.autograd.grad(out, wanted, tensor(weights), retain_graph=True, allow_unused=True)
    found = wengert.autograd.grad(out, wanted, strided, retain_graph=True, allow_unused=True)
    replayed = wengert.autograd.grad(out, wanted, strided, create_graph=True, allow_unused=True)
    for want, *others in zip(dense_found, found, replayed, strict=True):
        for got in others:
            assert (got is None) == (want is None)
            if got is not None:
                same(got.detach().numpy(), want.numpy(), what=row.name, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable))
def test_second(row, sample, rng):
    """The gradient of a projection of the gradients, against differences of the first gradients."""
    places = sample.floating(row)
    out = call(row, operands_of(row, sample), sample.attrs)[0]
    if out.numel() == 0:
        return
    weights = rng.standard_normal(tuple(out.shape))
    listed = sample.operands[0] if row.variadic else sample.operands
    along = [rng.standard_normal(listed[k].shape) for k in places]

    operands = operands_of(row, sample, places)
    result = call(row, operands, sample.attrs)[0]
    upstream = tensor(weights, grad=True)
    if not result.requires_grad:
        pytest.skip("the row gives no gradient to these operands")
    inputs = [operands[k] for k in places]
    first = gradients(result, upstream, inputs, create_graph=True)
    total = None
    for g, u in zip(first, along, strict=True):
        if g is not None and g.requires_grad:
            term = (g * tensor(u)).sum()
            total = term if total is None else total + term
    second = [None] * (len(inputs) + 1)
    if total is not None:
        second = core.backward([total], [tensor(np.ones(()))], [*inputs, upstream], True, False, False, True)

    def projected(shift=None, place=None, direction=None, about=weights):
        moves = {} if shift is None else {"moved": place, "step": shift, "direction": direction}
        return sum(
            float(np.sum(g * u))
            for g, u in zip(first_gradients(row, sample, places, about, **moves), along, strict=True)
        )

    for place, got in zip(places, second[:-1], strict=True):
        direction = rng.standard_normal(listed[place].shape)
        want = (projected(STEP, place, direction) - projected(-STEP, place, direction)) / (2 * STEP)
        got = 0.0 if got is None else float(np.sum(got.numpy() * direction))
        assert got == pytest.approx(want, rel=2e-6, abs=1e-6), f"{row.name}: operand {place}, second"
    direction = rng.standard_normal(weights.shape)
    want = projected(about=direction)  # the first gradients are linear in what comes from above
    got = 0.0 if second[-1] is None else float(np.sum(second[-1].numpy() * direction))
    assert got == pytest.approx(want, rel=1e-7, abs=1e-9), f"{row.name}: upstream, second"


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable and row.linear))
def test_linear_rows_are_linear(row, sample, rng):
    """f(x + d) - f(x) = f'(x) d exactly, up to rounding: the flag tells the truth."""
    if row.name == "assign":
        return
    place = sample.floating(row)[0]
    listed = sample.operands[0] if row.variadic else sample.operands
    direction = rng.standard_normal(listed[place].shape)
    weights = rng.standard_normal(tuple(call(row, operands_of(row, sample), sample.attrs)[0].shape))
    far = project(call(row, operands_of(row, sample, (), place, 3.0, direction), sample.attrs), weights)
    here = project(call(row, operands_of(row, sample), sample.attrs), weights)
    grad = first_gradients(row, sample, [place], weights)[0]
    assert far - here == pytest.approx(3.0 * float(np.sum(grad * direction)), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable and row.public and not row.variadic))
def test_against_torch(row, sample, rng):
    """First gradients for all operands, and second ones through a square, as torch has them."""
    torch = pytest.importorskip("torch")
    places = sample.floating(row)
    theirs = [
        torch.from_numpy(np.array(v)).requires_grad_(k in places) if isinstance(v, np.ndarray) else v
        for k, v in enumerate(sample.operands)
    ]
    want = torch_call(torch, row, theirs, sample.attrs)
    if want is None or not want.requires_grad:
        return
    weights = rng.standard_normal(tuple(want.shape))
    twice = row.name not in TORCH_ONCE
    wanted = torch.autograd.grad(
        want, [theirs[k] for k in places], torch.from_numpy(weights), allow_unused=True, create_graph=True
    )
    ours = operands_of(row, sample, places)
    got = gradients(call(row, ours, sample.attrs)[0], tensor(weights), [ours[k] for k in places], create_graph=True)
    for a, b in zip(got, wanted, strict=True):
        assert (a is None) == (b is None), f"{row.name}: a gradient is None in one library only"
        if a is not None:
            rtol = TORCH_ERROR.get(row.name, 1e-10)
            same(a.detach().numpy(), b.detach().numpy(force=True), rtol=rtol, atol=1e-11, what=row.name)
    total = sum((b * b).sum() for b in wanted if b is not None and b.requires_grad)
    if not twice or not isinstance(total, torch.Tensor) or not total.requires_grad:
        return
    wanted = torch.autograd.grad(total, [theirs[k] for k in places], allow_unused=True)
    total = sum((a * a).sum() for a in got if a is not None and a.requires_grad)
    got = [None] * len(places)
    if isinstance(total, wengert.Tensor):
        got = gradients(total, tensor(np.ones(())), [ours[k] for k in places])
    for k, a, b in zip(places, got, wanted, strict=True):
        zeros = np.zeros(sample.operands[k].shape)
        same(
            zeros if a is None else a.numpy(),
            zeros if b is None else b.numpy(force=True),
            rtol=1e-9,
            atol=1e-10,
            what=row.name,
        )
