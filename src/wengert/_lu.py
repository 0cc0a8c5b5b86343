"""The LU decomposition with partial pivoting, in PyTorch's packed form, with gradients."""

import math

import numpy as np

from . import _core
from . import _host as host
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, check_tensor, return_type
from .autograd.function import Function

publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods
Factors = return_type("linalg_lu_factor", "LU", "pivots")
Unpacked, Parts = (return_type(name, "P", "L", "U") for name in ("lu_unpack", "linalg_lu"))


def _eliminate(a):
    """Gaussian elimination of one matrix in place; the rows that were swapped, counted from 1."""
    pivots = np.arange(1, min(a.shape) + 1, dtype=np.int32)
    for k in range(min(a.shape)):
        column = a[k:, k]
        p = k + int(np.argmax(np.abs(column.real) + np.abs(column.imag)))  # LAPACK's measure of complex numbers
        pivots[k] = p + 1
        if p != k:
            a[[k, p]] = a[[p, k]]
        if a[k, k] != 0:
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return pivots


def _factor_specs(a):
    return [a, ((*a[0][:-2], min(a[0][-2:])), DTYPES["int32"])]


def _permutation_specs(pivots, rows):
    return [((*pivots[0][:-1], rows, rows), DTYPES["float64"])]


@host.register("lu_factor", _factor_specs)
def _lu_factor(a):
    packed = np.array(a)
    pivots = np.array([_eliminate(m) for m in packed.reshape(-1, *packed.shape[-2:])], np.int32)
    return packed, pivots.reshape(*packed.shape[:-2], min(packed.shape[-2:]))


@host.register("lu_permutation", _permutation_specs)
def _lu_permutation(pivots, rows):
    """P of A = P L U, (..., rows, rows)."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    order = np.tile(np.arange(rows), (len(flat), 1))  # where each row of the permuted matrix came from
    for line, swaps in zip(order, flat, strict=True):
        for k, p in enumerate(swaps):
            line[[k, p - 1]] = line[[p - 1, k]]
    matrix = np.zeros((*order.shape, rows))
    np.put_along_axis(matrix, order[..., None, :], 1.0, axis=-2)
    return (matrix.reshape(*pivots.shape[:-1], rows, rows),)


@host.gradient("lu_factor")
class _LU(Function):
    _grad_name = "LinalgLuFactorExBackward0"

    @staticmethod
    def forward(ctx, a):
        packed, pivots = host.call("lu_factor", a)
        ctx.save_for_backward(packed, pivots)
        ctx.mark_non_differentiable(pivots)
        return packed, pivots

    @staticmethod
    def backward(ctx, g, _):
        # P^H A = L U, where the first rows of L and the first columns of U are square. With M = L1^-1 dA11 U1^-1 these
        # change by dL1 = L1 tril(M, -1) and dU1 = triu(M) U1 (Giles 2008); what is below or beside follows from them.
        from .linalg import solve

        packed, pivots = ctx.saved_tensors
        rows, columns = packed.shape[-2:]
        n = min(rows, columns)
        permutation, lower, upper = lu_unpack(packed, pivots)
        below, beside = lower[..., n:, :], upper[..., n:]
        lower, upper = lower[..., :n, :], upper[..., :n]
        g_lower, g_upper = g[..., :n, :n].tril(-1), g[..., :n, :n].triu()
        g_below, g_beside = g[..., n:, :n], g[..., :n, n:]
        inner = (lower.mH @ g_lower - g_beside @ beside.mH).tril(-1)
        inner = inner + (g_upper @ upper.mH - below.mH @ g_below).triu()
        corner = solve(upper, solve(lower.mH, inner).mH).mH  # L1^-H inner U1^-H
        if columns > n:
            corner = OPS["cat"]([corner, solve(lower.mH, g_beside)], -1)
        if rows > n:
            corner = OPS["cat"]([corner, solve(upper, g_below.mH).mH], -2)
        return permutation @ corner


def lu_factor(A, *, pivot=True, out=None):
    """L and U of square or rectangular matrices in one matrix, and the pivots: a named tuple (LU, pivots).

    The pivots are the rows, counted from 1, that changed places with rows 1, 2, ...; int32.
    """
    check_tensor("linalg.lu_factor", A)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: expected pivot=True, got False: LU without pivoting is not there.")
    if A.dim() < 2 or not A.dtype.is_inexact or A.dtype.itemsize < 4:
        raise RuntimeError(
            f"linalg.lu_factor: expected float32, float64 or complex matrices, got {A.dtype}, shape {tuple(A.shape)}."
        )
    result = Factors(*_LU.apply(A))
    return result if out is None else tuple(o.copy_(r) for o, r in zip(out, result, strict=True))


@publish()
def lu(input, pivot=True, get_infos=False):
    """L and U of matrices in one matrix, and the pivots; see `wengert.linalg.lu_factor`.

    With get_infos a third result says for each matrix where the first zero pivot is, counted from 1, or 0.

    Example:
        >>> import wengert
        >>> packed, pivots = wengert.lu(wengert.tensor([[0.0, 2.0], [4.0, 1.0]]))
        >>> pivots
        tensor([2, 2], dtype=wengert.int32)
    """
    packed, pivots = lu_factor(input, pivot=pivot)
    if not get_infos:
        return packed, pivots
    zero = packed.detach().diagonal(dim1=-2, dim2=-1).eq(0)
    first = zero.long().argmax(-1) + 1
    return packed, pivots, (first * zero.any(-1)).int()


@publish(method=False)
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """P, L and U of A = P L U from the packed form: a named tuple (P, L, U)."""
    check_tensor("lu_unpack", LU_data)
    if check_tensor("lu_unpack", LU_pivots).dtype != DTYPES["int32"]:
        raise RuntimeError(f"lu_unpack: expected pivots of dtype int32, got {LU_pivots.dtype}. Use lu()'s own.")
    rows, columns = LU_data.shape[-2:]
    small = min(rows, columns)
    p = lower = upper = _core.empty((0,), LU_data.dtype)
    if unpack_data:
        lower = OPS["slice"](LU_data, -1, 0, small, 1).tril(-1) + _core.make_eye(rows, small, dtype=LU_data.dtype)
        upper = OPS["slice"](LU_data, -2, 0, small, 1).triu()
    if unpack_pivots:
        (p,) = host.call("lu_permutation", LU_pivots, options=(rows,))
        p = p.to(LU_data.dtype)
    return Unpacked(p, lower, upper)


@publish(out=True)
def lu_solve(b, LU_data, LU_pivots):
    """The solution x of A x = b, from A's packed form and pivots."""
    from . import linalg

    return linalg.lu_solve(LU_data, LU_pivots, b)
