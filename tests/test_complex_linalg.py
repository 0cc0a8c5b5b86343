"""Linear algebra of complex matrices against PyTorch."""

import numpy as np
import pytest
from against_torch import assert_same, check, pair
from complex_arrays import M, N, S, V, W, generator

import wengert as wg

torch = pytest.importorskip("torch")
RNG, drawn = generator(23)

HERMITIAN = S @ S.conj().T + np.eye(3)
TALL, WIDE = drawn(5, 3), drawn(2, 4)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("linalg.inv", (S,), {}),
        ("linalg.solve", (S, drawn(3, 2)), {}),
        ("linalg.solve", (S, drawn(2, 3)), {"left": False}),
        ("linalg.solve_triangular", (S, drawn(3, 2)), {"upper": True}),
        ("linalg.det", (S,), {}),
        ("linalg.slogdet", (S,), {}),
        ("logdet", (S,), {}),
        ("linalg.qr", (S,), {}),
        ("linalg.qr", (TALL,), {}),
        ("linalg.svdvals", (TALL,), {}),
        ("linalg.eigvalsh", (HERMITIAN,), {}),
        ("linalg.pinv", (TALL,), {}),
        ("linalg.matrix_norm", (S,), {"ord": "nuc"}),
        ("linalg.matrix_norm", (WIDE,), {}),
        ("linalg.norm", (S, 1), {}),
        ("linalg.cond", (S,), {}),
        ("linalg.matrix_exp", (S,), {}),
        ("linalg.vecdot", (V, W), {}),
        ("linalg.multi_dot", ([M, N, drawn(2, 3)],), {}),
    ],
)
def test_linear_algebra(name, args, kwargs):
    check(name, *args, rtol=1e-5, atol=1e-6, **kwargs)


@pytest.mark.parametrize("array", [S, TALL, WIDE, RNG.normal(size=(3, 3))])
def test_singular_vectors(array):
    """Of what does not depend on the vectors' phases."""
    found = []
    for side, m in enumerate((wg, torch)):
        x = pair(array, True)[side]
        u, s, vh = m.linalg.svd(x, full_matrices=False)
        weight = m.arange(1, s.shape[0] + 1, dtype=s.dtype)
        rotated = (u * weight) @ vh
        ((rotated.abs() ** 2) * 1.5 + (u.abs() ** 4).sum()).sum().backward()
        found.append([s.detach(), rotated.detach(), x.grad])
    assert_same(*found, rtol=1e-6)


def in_order(values):
    return sorted(values.tolist(), key=lambda v: (round(v.real, 6), v.imag))


@pytest.mark.parametrize("array", [S, RNG.normal(size=(3, 3)), np.array([[0.0, 1.0], [-1.0, 0.0]])])
def test_eigenvalues(array):
    found = []
    for side, m in enumerate((wg, torch)):
        x = pair(array, True)[side]
        values, vectors = m.linalg.eig(x)
        residual = x.detach() * (1 + 0j) @ vectors.detach() - vectors.detach() * values.detach()
        assert residual.abs().max().item() < 1e-10
        ((values**2 * (1 + 2j)).real.sum() + (vectors.abs() ** 4).sum()).backward()
        found.append((in_order(values), x.grad))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-10)
    assert_same(found[0][1], found[1][1], rtol=1e-6, atol=1e-8)
    assert wg.linalg.eigvals(wg.tensor(array)).dtype is wg.complex128


def eigenvectors(m, x):
    values, vectors = m.linalg.eigh(x)
    loss = (values * (vectors.abs() ** 2 * m.arange(3)[:, None]).sum(0)).sum()
    return loss, (vectors * values) @ vectors.mH


def factor(m, x):
    lower = m.linalg.cholesky(x)
    return (lower * (1 - 2j)).real.sum() + (lower.abs() ** 3).sum(), lower


@pytest.mark.parametrize("decompose", [eigenvectors, factor])
def test_hermitian_matrices(decompose):
    found = []
    for side, m in enumerate((wg, torch)):
        x = pair(HERMITIAN, True)[side]
        loss, result = decompose(m, x)
        loss.backward()
        found.append([loss.detach(), result.detach(), x.grad + x.grad.conj().T])  # what Hermitian steps see
    assert_same(*found, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("some", [True, False])
@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (4, 2, 2), (2, 0, 3)])
def test_old_svd(dtype, some, shape):
    """torch.svd: V itself, by name, conjugated where numbers are complex; zeros without compute_uv."""
    wg.manual_seed(0)
    x = wg.randn(*shape, dtype=getattr(wg, dtype))
    ours, theirs = wg.svd(x, some=some), torch.svd(torch.from_numpy(x.numpy()), some=some)
    assert [tuple(v.shape) for v in ours] == [tuple(v.shape) for v in theirs]
    np.testing.assert_allclose(ours.S.numpy(), theirs.S.numpy(), atol=1e-12)
    k = min(shape[-2:])
    again = ours.U[..., :k] @ wg.diag_embed(ours.S).to(x.dtype) @ ours.V[..., :k].mH
    np.testing.assert_allclose(again.numpy(), x.numpy(), atol=1e-12)
    ours, theirs = (
        lib.svd(v, some=some, compute_uv=False) for lib, v in ((wg, x), (torch, torch.from_numpy(x.numpy())))
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.resolve_conj().numpy(), atol=1e-12)


@pytest.mark.filterwarnings("ignore:torch.qr is deprecated")
@pytest.mark.parametrize("some", [True, False])
def test_old_qr(some):
    for x in (TALL, WIDE):
        ours, theirs = wg.qr(wg.tensor(x), some), torch.qr(torch.tensor(x), some=some)
        assert_same(ours.Q, theirs.Q)
        assert_same(ours.R, theirs.R)


def test_names_of_factors():
    def names(lib):
        x = lib.eye(2)
        results = (
            lib.linalg.lu(x),
            lib.linalg.lu_factor(x),
            lib.lu_unpack(*lib.linalg.lu_factor(x)),
            lib.svd(x),
            lib.linalg.svd(x),
        )
        return [type(r).__name__ for r in results]

    assert names(wg) == names(torch)
