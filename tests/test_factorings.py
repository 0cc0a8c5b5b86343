"""Decompositions in LAPACK's packed forms, and gradients of rectangular ones, against PyTorch."""

import numpy as np
import pytest
from against_torch import check

import wengert as wg

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(41)
SHAPES = [(4, 4), (5, 3), (3, 5), (2, 4, 3), (2, 3, 4)]


def drawn(shape, numbers):
    a = RNG.normal(size=shape)
    return a + 1j * RNG.normal(size=shape) if numbers == "complex" else a


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("numbers", ["real", "complex"])
def test_lu_of_all_shapes(shape, numbers):
    """Values and gradients of two orders; real and imaginary parts weigh the elements."""
    a = drawn(shape, numbers)
    results = []
    for t in (wg, torch):
        x = t.tensor(a, requires_grad=True)
        packed, pivots = t.linalg.lu_factor(x)
        p, lower, upper = t.linalg.lu(x)
        assert t.allclose(p.to(lower.dtype) @ lower @ upper, x)
        size = (packed * t.linspace(0.5, 2, packed.numel(), dtype=t.float64).reshape(packed.shape)).abs().sum()
        (first,) = t.autograd.grad(size, x, create_graph=True)
        (second,) = t.autograd.grad((first.abs() ** 2).sum(), x)
        results.append([v.detach().numpy() for v in (packed, pivots, first, second)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 4, 3)])
def test_gradients_of_a_full_svd(shape):
    k, a = min(shape[-2:]), RNG.normal(size=shape)
    found = []
    for t in (wg, torch):
        x = t.tensor(a, requires_grad=True)
        u, s, vh = t.linalg.svd(x)
        assert u.shape[-1] == shape[-2] and vh.shape[-2] == shape[-1]
        (u[..., :k] @ t.diag_embed(s.sin()) @ vh[..., :k, :]).sin().sum().backward()
        found.append(x.grad.numpy())
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("numbers", ["real", "complex"])
def test_reflections(shape, numbers):
    a = drawn(shape, numbers)
    check("geqrf", a, grad=False)
    packed, tau = (t.numpy() for t in torch.geqrf(torch.tensor(a)))
    if shape[-1] > shape[-2]:
        return
    for left in (True, False):
        for transpose in (True, False):
            other = drawn((*shape[:-2], *((shape[-2], 2) if left else (2, shape[-2]))), numbers)
            check("ormqr", packed, tau, other, left, transpose, grad=False)
    with pytest.raises(RuntimeError, match="reflections of 9 rows"):
        wg.ormqr(wg.tensor(packed), wg.tensor(tau), wg.ones(*shape[:-2], 9, 2))


def test_reflections_have_gradients():
    packed, tau = (
        wg.tensor(t.numpy(), requires_grad=True) for t in torch.geqrf(torch.tensor(drawn((4, 3), "real")))
    )
    other = wg.tensor(drawn((4, 2), "real"), requires_grad=True)
    assert wg.autograd.gradcheck(lambda *v: wg.ormqr(*v, transpose=True), (packed, tau, other))
    with pytest.raises(NotImplementedError, match="geqrf"):
        wg.geqrf(packed)


@pytest.mark.parametrize("numbers", ["real", "complex"])
@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
def test_ldl(numbers, hermitian, zeros):
    """With zeros on the diagonal the steps are of two rows."""
    for n in (1, 2, 3, 6, 17):
        a = drawn((2, n, n), numbers)
        a = a + (a.conj() if hermitian else a).swapaxes(-1, -2)
        if zeros and n > 1:
            a[..., range(n), range(n)] = 0
        b = drawn((2, n, 3), numbers)
        x = wg.tensor(a)
        packed, pivots = wg.linalg.ldl_factor(x, hermitian=hermitian)
        theirs = torch.linalg.ldl_factor(torch.tensor(a), hermitian=hermitian)
        np.testing.assert_allclose(packed.numpy(), theirs[0].numpy(), rtol=1e-9, atol=1e-10)
        assert (pivots.numpy() == theirs[1].numpy()).all()
        assert wg.allclose(x @ wg.linalg.ldl_solve(packed, pivots, wg.tensor(b), hermitian=hermitian), wg.tensor(b))
        right = wg.tensor(b[0], requires_grad=True)
        assert wg.autograd.gradcheck(
            lambda v, p=packed, i=pivots: wg.linalg.ldl_solve(p, i, v, hermitian=hermitian), (right,)
        )


def test_ldl_of_singular_matrices():
    singular = wg.zeros(2, 3, 3)
    singular[0] = wg.eye(3)
    assert wg.linalg.ldl_factor_ex(singular).info.tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="pivot of 0"):
        wg.linalg.ldl_factor(singular)
    for package in (wg, torch):
        with pytest.raises(RuntimeError):
            package.linalg.ldl_factor(package.ones(2, 3))
        with pytest.raises(RuntimeError):
            package.linalg.ldl_factor(package.ones(2, 2).requires_grad_())[0].sum().backward()
