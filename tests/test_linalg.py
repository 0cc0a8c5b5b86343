"""Products, einsum and wengert.linalg against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import check, same_error

RNG = np.random.default_rng(7)
A = RNG.normal(size=(3, 4))
B = RNG.normal(size=(4, 2))
S = RNG.normal(size=(3, 3)) + 3 * np.eye(3)
T = RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)
V, W = RNG.normal(size=4), RNG.normal(size=3)
P = S @ S.T + np.eye(3)
B3, C3 = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 4, 5))


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("mm", (A, B), {}),
        (".mm", (A, B), {}),
        ("bmm", (B3, C3), {}),
        ("mv", (A, V), {}),
        ("dot", (V, V[::-1].copy()), {}),
        ("vdot", (V, V * 2), {}),
        ("matmul", (A, V), {}),
        ("matmul", (W, B3), {}),
        (".matmul", (B3, B), {}),
        ("inner", (A, RNG.normal(size=(2, 4))), {}),
        ("inner", (V, V), {}),
        ("outer", (V, W), {}),
        ("ger", (V, W), {}),
        ("addmm", (RNG.normal(size=(3, 2)), A, B), {"beta": 2, "alpha": 0.5}),
        ("addmm", (RNG.normal(size=2), A, B), {}),
        ("baddbmm", (RNG.normal(size=(2, 3, 5)), B3, C3), {"beta": 0.5}),
        ("addbmm", (RNG.normal(size=(3, 5)), B3, C3), {"alpha": 2}),
        ("addmv", (W, A, V), {}),
        ("addr", (A, W, V), {"beta": 2}),
        ("tensordot", (B3, C3), {"dims": ([0, 2], [0, 1])}),
        ("tensordot", (A, B), {"dims": 1}),
        ("tensordot", (A, B), {"dims": 0}),
        ("kron", (A, B), {}),
        ("kron", (V, B), {}),
        ("cross", (RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))), {"dim": 1}),
        ("chain_matmul", (A, B, B.T.copy()), {}),
        ("matrix_power", (S, 3), {}),
        ("matrix_power", (T, 0), {"grad": False}),
        ("matrix_power", (S, -2), {}),
    ],
)
def test_products(name, args, kwargs):
    if name == "chain_matmul":
        name = "linalg.multi_dot"
        args = (list(args),)
    check(name, *args, rtol=1e-5, **kwargs)


@pytest.mark.parametrize(
    ("equation", "operands"),
    [
        ("ij,jk->ik", (A, B)),
        ("ij,jk", (A, B)),
        ("bij,bjk->bik", (B3, C3)),
        ("ii", (S,)),
        ("ii->i", (S,)),
        ("ij->ji", (A,)),
        ("ij->", (A,)),
        ("ij->j", (A,)),
        ("i,j->ij", (V, W)),
        ("i,i->", (V, V)),
        ("...ij,...jk->...ik", (B3, C3)),
        ("...ij,jk->...ik", (B3, B)),
        ("b...,b...->b", (B3, B3)),
        ("bii->bi", (T,)),
        ("ij,jk,kl->il", (A, B, B.T.copy())),
        ("bij,bij,i->j", (B3, B3, W)),
        ("ba", (A,)),
        (" i j , j -> i ", (A, V)),
        ("ij,ij->ij", (A, A * 2)),
        ("bnd,bmd->bnm", (B3, B3)),
    ],
)
def test_einsum(equation, operands):
    check("einsum", equation, *operands)


def test_einsum_sublists_and_errors():
    check("einsum", A, [0, 1], B, [1, 2], [0, 2])
    check("einsum", B3, [..., 0, 1], B, [1, 2], [..., 0, 2])
    check("einsum", A, [0, 1], B, [1, 2])
    same_error("einsum", "ij,jk->ik", A, A)
    same_error("einsum", "ijk->k", A)
    same_error("einsum", "ij->iz", A)
    same_error("einsum", "i1->i", A)


@pytest.mark.parametrize("x", [S, T])
@pytest.mark.parametrize("name", ["inv", "det", "svdvals", "pinv", "matrix_exp"])
def test_square(name, x):
    check("linalg." + name, x, rtol=1e-4, atol=1e-6)


def test_solving():
    check("linalg.solve", S, RNG.normal(size=(3, 2)), rtol=1e-4)
    check("linalg.solve", S, W, rtol=1e-4)
    check("linalg.solve", T, RNG.normal(size=(2, 3, 2)), rtol=1e-4)
    check("linalg.solve", T, RNG.normal(size=(2, 3)), rtol=1e-4)
    check("linalg.solve", S, RNG.normal(size=(2, 3)), left=False, rtol=1e-4)
    check("linalg.solve_triangular", S, RNG.normal(size=(3, 2)), upper=True, rtol=1e-4)
    check("linalg.solve_triangular", S, RNG.normal(size=(3, 2)), upper=False, unitriangular=True, rtol=1e-4)
    same_error("linalg.solve", np.zeros((2, 2)), np.ones(2))
    same_error("linalg.inv", np.zeros((2, 2)))
    same_error("linalg.inv", A)


def test_decompositions():
    check("linalg.cholesky", P, rtol=1e-4)
    check("linalg.cholesky", P, upper=True, rtol=1e-4)
    check("linalg.qr", RNG.normal(size=(4, 3)), rtol=1e-4)
    check("linalg.qr", S, rtol=1e-4)
    check("linalg.qr", A, rtol=1e-4)
    check("linalg.eigvalsh", P, rtol=1e-4)
    check("linalg.pinv", A, rtol=1e-4)
    check("linalg.pinv", B, rtol=1e-4)
    same_error("linalg.cholesky", -P)


def invariant(package, name, x):
    """What does not depend on the signs that a decomposition chooses."""
    if name == "svd":
        u, s, vh = package.linalg.svd(x, full_matrices=False)
        return (u * s.exp().unsqueeze(-2)) @ vh
    values, vectors = package.linalg.eigh(x + x.mT)
    return (vectors * values.sin().unsqueeze(-2)) @ vectors.mT


@pytest.mark.parametrize(("name", "x"), [("svd", A), ("svd", B), ("svd", T), ("eigh", S), ("eigh", T)])
def test_gradients_of_vectors(name, x):
    from against_torch import assert_same, pair, torch

    import wengert

    results = []
    for package, leaf in zip((wengert, torch), pair(x, True), strict=True):
        y = invariant(package, name, leaf)
        (g,) = package.autograd.grad((y * y).sum(), leaf, create_graph=True)
        (h,) = package.autograd.grad((g * g.sin()).sum(), leaf)
        results.append([y, g, h])
    assert_same(*results, rtol=1e-4)


def test_slogdet():
    from against_torch import assert_same, pair, torch

    import wengert

    (a, b) = pair(T, True)
    ours, theirs = wengert.linalg.slogdet(a), torch.linalg.slogdet(b)
    assert_same(ours, theirs)
    assert_same(
        wengert.autograd.grad(ours.logabsdet.sin().sum(), a)[0], torch.autograd.grad(theirs[1].sin().sum(), b)[0]
    )


def test_singular_determinant():
    from against_torch import pair

    # The gradient is the matrix of cofactors, which PyTorch takes for 0 here.
    a, _ = pair(np.array([[1.0, 2.0], [2.0, 4.0]]), True)
    a.det().backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-12)


def test_eig():
    import wengert

    x = wengert.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=wengert.float64, requires_grad=True)
    values, vectors = wengert.linalg.eig(x)
    assert wengert.allclose(x.to(values.dtype) @ vectors, vectors * values)
    values[0].real.backward()
    assert x.grad.dtype is wengert.float64


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
def test_matrix_norms(ord):
    check("linalg.matrix_norm", A, ord, rtol=1e-4)
    check("linalg.matrix_norm", B3, ord, keepdim=True, rtol=1e-4)
    check("linalg.norm", A, ord, rtol=1e-4)


def test_other_norms():
    check("linalg.vector_norm", B3, 3, dim=(0, 2))
    check("linalg.norm", B3)
    check("linalg.norm", A, dim=1)
    check("linalg.cond", S, rtol=1e-4)
    check("linalg.cond", S, 1, rtol=1e-4, grad=False)
    check("linalg.cond", S, "fro", rtol=1e-4, grad=False)


def test_rank_and_least_squares():
    check("linalg.matrix_rank", np.array([[1.0, 2.0], [2.0, 4.0]]), grad=False)
    check("linalg.matrix_rank", T, grad=False)
    tall, right = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))
    from against_torch import assert_same, pair, torch

    import wengert

    ours = wengert.linalg.lstsq(pair(tall)[0], pair(right)[0], driver="gels")
    theirs = torch.linalg.lstsq(pair(tall)[1], pair(right)[1], driver="gels")
    assert_same(ours.solution, theirs.solution)
    assert_same(ours.residuals, theirs.residuals)


def test_rest():
    check("linalg.multi_dot", [V, B, B.T.copy(), V])
    check("linalg.vecdot", A, A * 2)
    check("linalg.cross", RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3)))
    check("linalg.diagonal", T)
    check("det", S, rtol=1e-5)
    check(".logdet", P, rtol=1e-4)
    check("inverse", S, rtol=1e-4)


def test_errors():
    same_error("mm", A, A)
    same_error("mm", A, V)
    same_error("bmm", B3, B3)
    same_error("dot", V, W)
    same_error("dot", A, V)
    same_error("matmul", A, A)
    same_error("tensordot", A, A, dims=1)
