"""Matrices of at most 32 rows, which have kernels of our own, against NumPy's, and where those take over."""

import numpy as np
import pytest
from optools import OPS, values, wengert

from wengert import linalg

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32)
DTYPES = {"float32": 2e-4, "float64": 1e-11}


def matrices(rng, n, dtype, lead=(3,)):
    """Regular matrices whose rows have to change places."""
    a = rng.normal(size=(*lead, n, n)) + 2 * np.sqrt(n) * np.eye(n)
    return np.ascontiguousarray(a[..., rng.permutation(n), :]).astype(dtype)


def definite(a):
    return a @ a.swapaxes(-1, -2) / a.shape[-1] + np.eye(a.shape[-1], dtype=a.dtype)


def close(got, want, dtype):
    got = values(got)
    assert got.dtype == dtype and got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_against_numpy(n, dtype, rng):
    a = matrices(rng, n, dtype)
    wide, t = a.astype(np.float64), wengert.from_numpy(a)
    close(linalg.inv(t), np.linalg.inv(wide), dtype)
    for columns in (1, 2, 4, 5, n, 40):
        b = rng.normal(size=(3, n, columns)).astype(dtype)
        close(linalg.solve(t, wengert.from_numpy(b)), np.linalg.solve(wide, b), dtype)
    sign, log = linalg.slogdet(t)
    want = np.linalg.slogdet(wide)
    close(sign, want[0], dtype)
    close(log, want[1], dtype)
    scaled = wengert.from_numpy(a / np.float32(2 * np.sqrt(n)))
    close(linalg.det(scaled), np.linalg.det(values(scaled).astype(np.float64)), dtype)
    p = definite(a)
    close(linalg.cholesky(wengert.from_numpy(p)), np.linalg.cholesky(p.astype(np.float64)), dtype)


def test_float32_is_computed_in_float64(rng):
    """Badly conditioned matrices lose no more digits than their elements have."""
    a = rng.normal(size=(200, 20, 20)).astype("float32")
    b = rng.normal(size=(200, 20, 1)).astype("float32")
    got = values(linalg.solve(wengert.from_numpy(a), wengert.from_numpy(b)))
    np.testing.assert_allclose(got, np.linalg.solve(a.astype(np.float64), b), rtol=1e-6, atol=1e-6)


def test_the_residual_is_that_of_partial_pivoting(rng):
    a = rng.normal(size=(200, 20, 20))
    b = rng.normal(size=(200, 20, 1))
    x = values(linalg.solve(wengert.from_numpy(a), wengert.from_numpy(b)))
    size = np.abs(a).sum(-1).max(-1) * np.abs(x).max((-1, -2))
    assert (np.abs(a @ x - b).max((-1, -2)) / size).max() < 20 * 2.0**-52


def test_layouts(rng):
    a = matrices(rng, 6, "float64", (2, 3))
    t = wengert.from_numpy(a)
    for view, plain in (
        (t.mT, a.swapaxes(-1, -2)),
        (t.transpose(0, 1), a.swapaxes(0, 1)),
        (t[:, 1], a[:, 1]),
        (t[0, 0].expand(4, 6, 6), np.broadcast_to(a[0, 0], (4, 6, 6))),
        (t[..., ::2, 1::2], a[..., ::2, 1::2]),
    ):
        close(linalg.inv(view), np.linalg.inv(plain), "float64")
        close(linalg.det(view), np.linalg.det(plain), "float64")
        close(linalg.cholesky(view @ view.mT), np.linalg.cholesky(plain @ plain.swapaxes(-1, -2)), "float64")


def test_only_the_lower_triangle_is_read(rng):
    p = definite(matrices(rng, 7, "float64"))
    other = np.tril(p) + np.triu(np.full(p.shape, np.nan), 1)
    got = values(linalg.cholesky(wengert.from_numpy(other)))
    assert got.tobytes() == values(linalg.cholesky(wengert.from_numpy(p))).tobytes()
    assert (np.triu(got, 1) == 0).all()


def test_without_elements():
    assert linalg.inv(wengert.empty(0, 3, 3)).shape == (0, 3, 3)
    assert linalg.cholesky(wengert.empty(2, 0, 0)).shape == (2, 0, 0)
    assert linalg.det(wengert.empty(2, 0, 0)).tolist() == [1.0, 1.0]
    sign, log = linalg.slogdet(wengert.empty(2, 0, 0))
    assert sign.tolist() == [1.0, 1.0] and log.tolist() == [0.0, 0.0]
    assert linalg.solve(wengert.eye(3), wengert.empty(3, 0)).shape == (3, 0)


@pytest.mark.parametrize("n", [1, 3, 32])
def test_singular(n, rng):
    a = matrices(rng, n, "float64")
    a[1, :, n // 2] = 0.0
    t = wengert.from_numpy(a)
    assert linalg.det(t)[1].item() == 0.0
    sign, log = linalg.slogdet(t)
    assert sign[1].item() == 0.0 and log[1].item() == -np.inf
    for call in (lambda: linalg.inv(t), lambda: linalg.solve(t, t)):
        with pytest.raises(linalg.LinAlgError, match="Singular matrix"):
            call()
    with pytest.raises(linalg.LinAlgError, match="not positive definite"):
        linalg.cholesky(-wengert.eye(n))
    with pytest.raises(linalg.LinAlgError, match="not positive definite"):
        linalg.cholesky(wengert.full((n, n), float("nan")))
    assert OPS["small_inverse"](t)[1].item() == 1


def test_not_numbers_stay():
    x = wengert.tensor([[1.0, 2.0], [float("nan"), 3.0]])
    assert linalg.det(x).isnan() and linalg.inv(x).isnan().any()
    assert linalg.slogdet(x)[0].isnan() and linalg.slogdet(x)[1].isnan()


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_do_not_matter(dtype, rng):
    a = wengert.from_numpy(matrices(rng, 6, dtype, (3000,)))
    got = []
    for threads in (1, 2, 3):
        before = wengert.get_num_threads()
        wengert.set_num_threads(threads)
        got.append([values(f(a)).tobytes() for f in (linalg.inv, linalg.det, lambda a: linalg.cholesky(a @ a.mT))])
        wengert.set_num_threads(before)
    assert got[0] == got[1] == got[2]
    one = [values(linalg.inv(a[k])) for k in (0, 7, 2999)]
    whole = values(linalg.inv(a))
    assert all(one[i].tobytes() == whole[k].tobytes() for i, k in enumerate((0, 7, 2999)))


def test_rows_say_what_they_take():
    with pytest.raises(RuntimeError, match="at most 32 rows"):
        OPS["small_det"](wengert.eye(33))
    with pytest.raises(RuntimeError, match="square matrices"):
        OPS["small_inverse"](wengert.ones(2, 3))
    with pytest.raises(RuntimeError, match="right-hand sides"):
        OPS["small_solve"](wengert.eye(3), wengert.ones(2, 1))
    assert linalg.det(wengert.eye(33)).item() == 1.0


def test_the_gradient_of_a_determinant_near_zero(rng):
    """By the inverse where that is good enough, by singular values where a matrix is singular."""
    a = wengert.from_numpy(matrices(rng, 3, "float64")).requires_grad_()
    linalg.det(a).sum().backward()
    want = np.linalg.det(values(a))[:, None, None] * np.linalg.inv(values(a)).swapaxes(-1, -2)
    np.testing.assert_allclose(values(a.grad), want, rtol=1e-10)
    b = wengert.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=wengert.float64, requires_grad=True)
    linalg.det(b).backward()
    np.testing.assert_allclose(values(b.grad), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-12)


def test_history_changes_no_bit(rng):
    """Without history the kernel runs at once; with one a Function is around it."""
    a = wengert.from_numpy(definite(matrices(rng, 6, "float64")))
    b = wengert.from_numpy(rng.normal(size=(3, 6, 2)))
    for call in (
        linalg.inv,
        linalg.det,
        linalg.cholesky,
        lambda m: linalg.slogdet(m)[1],
        lambda m: linalg.solve(m, b),
        lambda m: linalg.solve(m[0], b),
    ):
        plain, recorded = call(a), call(a.clone().requires_grad_())
        assert recorded.grad_fn is not None and plain.grad_fn is None
        assert values(plain).tobytes() == values(recorded).tobytes()
        with wengert.no_grad():
            assert call(a.clone().requires_grad_()).grad_fn is None
