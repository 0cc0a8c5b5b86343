"""Views and in-place writes under autograd: random programs give PyTorch's values, gradients and errors."""

import random

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch", reason="compares with PyTorch")


def run(lib, seed, tensor):
    """A random program of views, in-place writes and reductions; returns (results or None after an error, error kinds)."""
    rng = random.Random(seed)
    leaf = tensor(np.random.default_rng(seed).standard_normal((3, 4))).requires_grad_()
    extra = tensor(np.random.default_rng(seed + 1).standard_normal((3, 4)))
    pool = [leaf * 1.5 if rng.random() < 0.5 else leaf + 0.5]
    if rng.random() < 0.5:
        extra.requires_grad_()
    terms, errors = [], []
    for _ in range(rng.randint(3, 9)):
        t = rng.choice(pool)
        try:
            step(rng, t, pool, extra, terms)
        except RuntimeError as error:
            errors.append(type(error).__name__)
    loss = sum((t * t).sum() for t in pool)
    for term in terms:
        loss = loss + term
    try:
        loss.backward()
    except RuntimeError:
        return None, errors
    grads = [None if t.grad is None else t.grad.detach().numpy().copy() for t in (leaf, extra)]
    return [loss.item(), *grads], errors


def step(rng, t, pool, extra, terms):
    """One random statement on the tensor t."""
    kind = rng.randint(0, 12)
    if kind == 0 and t.dim() >= 2:
        pool.append(t.transpose(0, 1))
    elif kind == 1 and t.dim() >= 1 and t.shape[0] > 1:
        pool.append(t[rng.randint(0, t.shape[0] - 1)])
    elif kind == 2 and t.dim() >= 1 and t.shape[-1] > 1:
        pool.append(t[..., 1:] if rng.random() < 0.5 else t[..., ::2])
    elif kind == 3:
        t.mul_(2.0)
    elif kind == 4:
        t.add_(t.sum().detach() * 0.1 if rng.random() < 0.5 else 1.0)
    elif kind == 5:
        add_or_scale(t, extra)
    elif kind == 6:
        terms.append((t * t).sum())
    elif kind == 7:
        t.tanh_()
    elif kind == 8 and t.dim() >= 1:
        t[0] = 3.0 if rng.random() < 0.5 else t[-1]
    elif kind == 9:
        terms.append(t.exp().sum())
    elif kind == 10 and t.dim() == 2:
        t.t_()
    elif kind == 11 and t.dim() <= 3:
        t.unsqueeze_(rng.randint(0, t.dim()))
    elif kind == 12:
        t.squeeze_()


def add_or_scale(t, extra):
    while extra.dim() > t.dim():
        extra = extra[0]
    if tuple(extra.shape) == tuple(t.shape):
        t.add_(extra)
    elif extra.dim() > 0 and t.dim() > 0 and extra.shape[-1] >= t.shape[-1]:
        row = extra[0] if extra.dim() > 1 else extra
        t.mul_(row[..., : t.shape[-1]])


@pytest.mark.parametrize("block", range(10))
def test_random_programs_agree_with_torch(block):
    ran = 0
    for seed in range(block * 60, block * 60 + 60):
        ours, our_errors = run(wengert, seed, wengert.tensor)
        theirs, their_errors = run(torch, seed, torch.tensor)
        assert our_errors == their_errors, seed
        assert (ours is None) == (theirs is None), seed
        if ours is None:
            continue
        ran += 1
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None), seed
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=f"seed {seed}")
    assert ran > 10  # enough programs are legal for the comparison to mean something


@pytest.mark.parametrize("last", ["cat", "transposed", "expanded"])
def test_written_parts_take_gradients_of_every_layout(last):
    """The gradient of a tensor whose part was written arrives as a view of a larger or smaller one."""
    found = []
    for t in (wengert, torch):
        a = t.arange(6.0, dtype=t.float64).reshape(2, 3).requires_grad_()
        base = a * 2
        base[:, 1:] = a[:, :2] * 3
        weights = t.arange(12.0, dtype=t.float64)
        if last == "cat":
            loss = (t.cat([t.zeros(2, 3, dtype=t.float64), base], 1) * weights.reshape(2, 6)).sum()
        elif last == "transposed":
            loss = (base.t() * weights[:6].reshape(3, 2)).sum()
        else:
            loss = (base.sum(0) * weights[:3]).sum()
        loss.backward()
        found.append(a.grad.numpy())
    np.testing.assert_array_equal(*found)


def test_padding_before_cat():
    found = []
    for t in (wengert, torch):
        a = t.arange(12.0, dtype=t.float64).reshape(2, 2, 3).requires_grad_()
        padded = t.nn.functional.pad(a * 1, (1, 0, 0, 1))
        joined = t.cat([t.ones(2, 1, 4, dtype=t.float64), padded[:, :1], padded], 1)
        (joined * t.arange(float(joined.numel()), dtype=t.float64).reshape(joined.shape)).sum().backward()
        found.append(a.grad.numpy())
    np.testing.assert_array_equal(*found)


def test_as_strided_of_a_transposed_tensor():
    found = []
    for t in (wengert, torch):
        a = t.arange(12.0, dtype=t.float64).reshape(3, 4).requires_grad_()
        y = (a * 1).t().as_strided((2, 2), (1, 2), 1)
        (y * t.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=t.float64)).sum().backward()
        found.append(a.grad.numpy())
    np.testing.assert_array_equal(*found)


def test_as_strided_of_a_tensor_with_gaps():
    """Places in memory between the tensor's own elements have values and no gradient."""
    found = []
    for t in (wengert, torch):
        a = t.arange(16.0, dtype=t.float64).reshape(4, 4).requires_grad_()
        y = (a * 1)[:, ::2].as_strided((3, 2), (1, 2), 1)
        (y * t.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=t.float64)).sum().backward()
        found.append((y.detach().numpy(), a.grad.numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
