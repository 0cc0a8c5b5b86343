"""Linear algebra with several steps: forms that report instead of raising, tensor equations, low-rank factors."""

import math

import numpy as np

from . import _core
from . import _host as host
from ._bind import OPS
from ._dtypes import DTYPES
from ._matrices import eye
from ._overload import Publisher, check_tensor, return_type, store

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods
_int32 = DTYPES["int32"]

CholeskyEx = return_type("linalg_cholesky_ex", "L", "info")
GeQRF = return_type("geqrf", "a", "tau")
InvEx = return_type("linalg_inv_ex", "inverse", "info")
SolveEx = return_type("linalg_solve_ex", "result", "info")
LuFactorEx = return_type("linalg_lu_factor_ex", "LU", "pivots", "info")
TriangularSolve = return_type("triangular_solve", "solution", "cloned_coefficient")


def _reporting(op, kind, run, A, check_errors):
    """run() with the number of what failed in info instead of an error, where errors are not asked for."""
    check_tensor(op, A)
    from .func._levels import current_recorder
    from .linalg import LinAlgError

    recorder = current_recorder()
    if recorder is not None and not check_errors:
        recorder.mark_value_read(f"linalg.{op}")  # whether there is a factor decides what is computed
    info = _core.full(tuple(A.shape[:-2]), 0, _int32)
    try:
        return kind(*run(), info)
    except LinAlgError:
        if check_errors:
            raise
    flat = [_status(op, m) for m in A.detach().numpy().reshape(-1, *A.shape[-2:])]
    info = _core.from_memory(np.array(flat, np.int32).reshape(tuple(A.shape[:-2])))
    return kind(OPS["zeros_like"](A) * math.nan, info)


def _status(op, matrix):
    """1 for a matrix that NumPy refuses, 0 otherwise; of a Cholesky factor, the order of the minor that is not positive."""
    if op != "cholesky_ex":
        return int(np.linalg.matrix_rank(matrix) < matrix.shape[-1])
    for k in range(1, matrix.shape[-1] + 1):
        if not np.linalg.eigvalsh(matrix[:k, :k])[0] > 0:
            return k
    return 0


def cholesky_ex(A, *, upper=False, check_errors=False, out=None):
    """The Cholesky factor and, for each matrix, 0 or the order of the leading minor that is not positive: (L, info).

    Where a matrix has no factor, all of L is NaN.
    """
    from . import linalg

    result = _reporting("cholesky_ex", CholeskyEx, lambda: (linalg.cholesky(A, upper=upper),), A, check_errors)
    return result if out is None else store(result, out)


def inv_ex(A, *, check_errors=False, out=None):
    """The inverse and, for each matrix, 0 or 1 where there is none: (inverse, info), NaN where there is none."""
    from . import linalg

    result = _reporting("inv_ex", InvEx, lambda: (linalg.inv(A),), A, check_errors)
    return result if out is None else store(result, out)


def solve_ex(A, B, *, left=True, check_errors=False, out=None):
    """The solution of A X = B and, for each matrix, 0 or 1 where it is singular: (result, info)."""
    from . import linalg

    result = _reporting("solve_ex", SolveEx, lambda: (linalg.solve(A, B, left=left),), A, check_errors)
    if result.result.shape != B.shape and bool(result.info.any()):
        result = SolveEx(OPS["zeros_like"](B) * math.nan, result.info)
    return result if out is None else store(result, out)


def lu_factor_ex(A, *, pivot=True, check_errors=False, out=None):
    """LU, pivots and, for each matrix, 0 or the place of the first zero pivot: (LU, pivots, info)."""
    from ._lu import lu

    result = LuFactorEx(*lu(A, pivot, get_infos=True))
    if check_errors and bool(result.info.any()):
        from .linalg import LinAlgError

        raise LinAlgError("linalg.lu_factor_ex: expected matrices without zero pivots, got one.")
    return result if out is None else store(result, out)


@publish(out=True)
def cholesky_inverse(L, upper=False):
    """The inverse of A from its Cholesky factor: (L Lᴴ)⁻¹, or (Uᴴ U)⁻¹ with upper."""
    check_tensor("cholesky_inverse", L)
    own = eye(L.shape[-1], L)
    own = OPS["expand"](own.to(L.dtype), tuple(L.shape))
    return cholesky_solve(own, L, upper)


@publish(out=True)
def cholesky_solve(B, L, upper=False):
    """The solution X of A X = B from A's Cholesky factor L (or U with upper)."""
    from . import linalg

    if check_tensor("cholesky_solve", B).dim() < 2 or check_tensor("cholesky_solve", L).dim() < 2:
        raise RuntimeError("cholesky_solve: expected matrices, got fewer than 2 dimensions.")
    lower = L.mH if upper else L
    first = linalg.solve_triangular(lower, B, upper=False)
    return linalg.solve_triangular(lower.mH, first, upper=True)


@publish()
def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False, *, out=None):
    """The solution of A X = b for a triangular A, and A: a named tuple (solution, cloned_coefficient)."""
    from . import linalg

    a = A.mT if transpose else A
    x = linalg.solve_triangular(a, b, upper=upper != transpose, unitriangular=unitriangular)
    result = TriangularSolve(x, OPS["clone"](A))
    return result if out is None else store(result, out)


def tensorinv(A, ind=2, *, out=None):
    """The inverse of a tensor as a map from its last dimensions to its first `ind` ones."""
    check_tensor("linalg.tensorinv", A)
    from . import linalg

    if ind <= 0:
        raise RuntimeError(f"linalg.tensorinv: expected a positive ind, got {ind}.")
    head, tail = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(head) != math.prod(tail):
        raise RuntimeError(
            f"linalg.tensorinv: expected as many rows as columns, got shape {tuple(A.shape)}, ind {ind}."
        )
    result = linalg.inv(A.reshape(math.prod(head), -1)).reshape(tail + head)
    return result if out is None else store(result, out)


def tensorsolve(A, B, dims=None, *, out=None):
    """X of tensordot(A, X, X.ndim) = B; `dims` of A are moved to its end first."""
    check_tensor("linalg.tensorsolve", A)
    check_tensor("linalg.tensorsolve", B)
    from . import linalg

    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.dim() - len(dims), A.dim())))
    shape = tuple(A.shape[B.dim() :])
    if math.prod(shape) != B.numel():
        raise RuntimeError(
            f"linalg.tensorsolve: expected as many unknowns as equations, got {math.prod(shape)} and {B.numel()}."
        )
    result = linalg.solve(A.reshape(B.numel(), -1), B.reshape(-1)).reshape(shape)
    return result if out is None else store(result, out)


def linalg_vander(x, *, N=None):
    """Powers 0, 1, ..., N - 1 of each element as rows: (..., n) → (..., n, N)."""
    check_tensor("linalg.vander", x)
    x = x if x.dim() else x.reshape(1)
    n = x.shape[-1] if N is None else N
    if n <= 1 and N is not None and N < 2:
        raise RuntimeError(f"linalg.vander: expected N of at least 2, got {N}.")
    dtype = x.dtype if x.dtype.is_inexact else DTYPES["int64"]
    ones = OPS["zeros_like"](x.detach().unsqueeze(-1)).to(dtype) + 1
    factors = OPS["expand"](x.unsqueeze(-1).to(dtype), (*x.shape, max(n - 1, 0)))
    return OPS["cat"]([ones, factors.cumprod(-1)], -1)


@publish(method=False)
def vander(x, N=None, increasing=False):
    """Powers of a vector's elements as rows, the highest first unless `increasing`: (n,) → (n, N)."""
    check_tensor("vander", x)
    if x.dim() != 1:
        raise RuntimeError(f"vander: expected a vector, got shape {tuple(x.shape)}.")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError(f"vander: expected N of at least 0, got {n}.")
    dtype = x.dtype if x.dtype.is_inexact else DTYPES["int64"]
    if n == 0:
        return _core.empty((x.shape[0], 0), dtype)
    powers = linalg_vander(x, N=n) if n > 1 else OPS["zeros_like"](x.detach().unsqueeze(-1)).to(dtype) + 1
    return powers if increasing else powers.flip(-1)


def householder_product(input, tau, *, out=None):
    """The first columns of the product of reflections 1 - tau v vᴴ; the v lie below the diagonal of input."""
    check_tensor("linalg.householder_product", input)
    check_tensor("linalg.householder_product", tau)
    rows, columns = input.shape[-2:]
    if rows < columns or tau.shape[-1] > columns:
        raise RuntimeError(
            f"linalg.householder_product: expected at least as many rows as columns and reflections, got shapes "
            f"{tuple(input.shape)} and {tuple(tau.shape)}."
        )
    v = input.tril(-1) + _core.make_eye(rows, columns, dtype=input.dtype)
    q = OPS["expand"](_core.make_eye(rows, columns, dtype=input.dtype), tuple(input.shape))
    for k in range(tau.shape[-1] - 1, -1, -1):
        column = v[..., k : k + 1]
        q = q - tau[..., k, None, None] * (column @ (column.mH @ q))
    return q if out is None else store(q, out)


METHODS["orgqr"] = FUNCTIONS["orgqr"] = householder_product


def ormqr(input, tau, other, left=True, transpose=False, *, out=None):
    """Q @ other, without forming Q, the product of reflections 1 - tau v vᴴ whose v lie below the diagonal of input.

    With left=False it is other @ Q; with transpose Qᴴ stands for Q. other has as many rows (or columns) as Q.
    """
    rows, small = input.shape[-2], tau.shape[-1]
    side = -2 if left else -1
    if small > min(input.shape[-2:]) or other.shape[side] != rows:
        raise RuntimeError(
            f"ormqr: expected reflections of {other.shape[side]} rows, got shape {tuple(input.shape)} and {small} of them."
        )
    v = input.tril(-1) + _core.make_eye(rows, input.shape[-1], dtype=input.dtype)
    result = other
    for k in range(small) if left == transpose else reversed(range(small)):
        column = v[..., k : k + 1]
        factor = tau[..., k, None, None]
        factor = factor.conj() if transpose else factor
        if left:
            result = result - factor * (column @ (column.mH @ result))
        else:
            result = result - factor * ((result @ column) @ column.mH)
    return result if out is None else store(result, out, "ormqr")


METHODS["ormqr"] = FUNCTIONS["ormqr"] = ormqr


@host.register("geqrf", lambda a: [a, ((*a[0][:-2], min(a[0][-2:])), a[1])])
def _geqrf(a):
    lines = [np.linalg.qr(m, mode="raw") for m in host.matrices(a)]
    small = min(a.shape[-2:])
    packed = np.array([h.T for h, _ in lines], a.dtype).reshape(a.shape)
    return packed, np.array([tau for _, tau in lines], a.dtype).reshape(*a.shape[:-2], small)


@publish()
def geqrf(input, *, out=None):
    """LAPACK's form of the QR decomposition: (a, tau), with R in and above the diagonal of a.

    Below it lie the reflections that `orgqr` makes Q of and `ormqr` multiplies with. Without gradients, as in PyTorch.
    """
    check_tensor("geqrf", input)
    if input.dim() < 2 or input.dtype.name not in ("float32", "float64", "complex64", "complex128"):
        raise RuntimeError(
            f"geqrf: expected float or complex matrices, got {input.dtype}, shape {tuple(input.shape)}."
        )
    if input.requires_grad and _core.grad_enabled():
        raise NotImplementedError(
            "geqrf: expected a matrix without gradients, got one that requires grad. Use linalg.qr."
        )
    result = GeQRF(*host.call("geqrf", input))
    return result if out is None else store(result, out, "geqrf")


# ---- low rank -------------------------------------------------------------------------------------------------------


def _low_rank(A, q, niter, M):
    """Randomized range finding and a small SVD (Halko et al. 2009)."""
    from . import linalg
    from ._random import FUNCTIONS as random

    if M is not None:
        A = A - OPS["expand"](M, tuple(A.shape))
    tall = A.shape[-2] >= A.shape[-1]
    a = A if tall else A.mH
    range_of = linalg.qr(a @ random["randn"](a.shape[-1], q, dtype=A.dtype)).Q
    for _ in range(niter):
        range_of = linalg.qr(a @ linalg.qr(a.mH @ range_of).Q).Q
    u, s, vh = linalg.svd(range_of.mH @ a, full_matrices=False)
    u, v = range_of @ u, vh.mH
    return (u, s, v) if tall else (v, s, u)


def _check_rank(op, A, q):
    check_tensor(op, A)
    if not 0 <= q <= min(A.shape[-2:]):
        raise ValueError(f"{op}: expected q in [0, {min(A.shape[-2:])}], got {q}.")


@publish(method=False)
def svd_lowrank(A, q=6, niter=2, M=None):
    """About the q largest singular values and their vectors (U, S, V), of A, or of A - M, by random projections."""
    q = min(6, *A.shape[-2:]) if q is None else q
    _check_rank("svd_lowrank", A, q)
    return _low_rank(A, q, niter, M)


@publish(method=False)
def pca_lowrank(A, q=None, center=True, niter=2):
    """About the q first principal components (U, S, V) of the rows of A, by random projections."""
    check_tensor("pca_lowrank", A)
    q = min(6, *A.shape[-2:]) if q is None else q
    _check_rank("pca_lowrank", A, q)
    return _low_rank(A - A.mean(-2, keepdim=True) if center else A, q, niter, None)
