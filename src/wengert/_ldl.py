"""The LDL decomposition of symmetric and Hermitian matrices by Bunch and Kaufman's pivots, in LAPACK's packed form."""

import math

import numpy as np

from . import _core
from . import _host as host
from ._dtypes import DTYPES
from ._overload import check_tensor, return_type, store
from ._shaping import broadcast_shapes
from .autograd.function import Function

LDLFactor = return_type("linalg_ldl_factor", "LD", "pivots")
LDLFactorEx = return_type("linalg_ldl_factor_ex", "LD", "pivots", "info")
_ALPHA = (1 + math.sqrt(17)) / 8  # bounds the growth of elements (Bunch and Kaufman 1977)


def _size(a):
    """LAPACK's measure of complex numbers; the absolute value of real ones."""
    return np.abs(a.real) + np.abs(a.imag)


def _pivot(w, k):
    """The row that step k takes, and whether it is a step of 1 or 2."""
    diagonal, column = _size(w[k, k]), _size(w[k + 1 :, k])
    largest = column.max(initial=0.0)
    if diagonal >= _ALPHA * largest:
        return k, 1
    row = k + 1 + int(column.argmax())
    rest = max(_size(w[row, k:row]).max(), _size(w[row + 1 :, row]).max(initial=0.0))
    if diagonal >= _ALPHA * largest * (largest / rest):
        return k, 1
    return row, 1 if _size(w[row, row]) >= _ALPHA * rest else 2


def _factor(a, hermitian):
    """One matrix: the packed factors, the pivots, and the step of the first zero, counted from 1, or 0."""
    lower = np.tril(a, -1)
    w = (
        lower
        + (lower.conj().T if hermitian else lower.T)
        + np.diag(a.diagonal().real if hermitian else a.diagonal())
    )
    packed, pivots = np.zeros_like(a), np.zeros(len(a), np.int32)
    zero, k = 0, 0
    while k < len(a):
        row, step = _pivot(w, k)
        last = k + step - 1
        pivots[k : k + step] = row + 1 if step == 1 else -(row + 1)
        w[[last, row], k:] = w[[row, last], k:]
        w[k:, [last, row]] = w[k:, [row, last]]
        after = k + step
        block = w[k:after, k:after]
        packed[k:after, k:after] += np.tril(block)
        if step == 1 and block[0, 0] == 0:
            zero = zero or k + 1
        else:
            packed[after:, k:after] = np.linalg.solve(block.T, w[after:, k:after].T).T
            w[after:, after:] -= packed[after:, k:after] @ w[k:after, after:]
        k = after
    return packed, pivots, zero


def _factor_specs(a, hermitian):
    return [a, (a[0][:-1], DTYPES["int32"]), (a[0][:-2], DTYPES["int32"])]


def _solve_specs(packed, pivots, b, hermitian):
    return [((*broadcast_shapes(packed[0][:-2], b[0][:-2]), *b[0][-2:]), b[1])]


@host.register("ldl_factor", _factor_specs)
def _ldl_factor(a, hermitian):
    found = [_factor(m, hermitian) for m in host.matrices(a)]
    batch = a.shape[:-2]
    return (
        np.array([f[0] for f in found], a.dtype).reshape(a.shape),
        np.array([f[1] for f in found], np.int32).reshape(a.shape[:-1]),
        np.array([f[2] for f in found], np.int32).reshape(batch),
    )


def _steps(pivots):
    """(first row, size, the row that its last one changed places with) of each step."""
    k, steps = 0, []
    while k < len(pivots):
        size = 1 if pivots[k] > 0 else 2
        steps.append((k, size, abs(int(pivots[k])) - 1))
        k += size
    return steps


def _solve_one(packed, pivots, b, hermitian):
    x = b.copy()
    steps = _steps(pivots)
    turn = np.conj if hermitian else lambda v: v
    for k, size, row in steps:
        last, after = k + size - 1, k + size
        x[[last, row]] = x[[row, last]]
        x[after:] -= packed[after:, k:after] @ x[k:after]
        block = np.tril(packed[k:after, k:after])
        x[k:after] = np.linalg.solve(block + turn(np.tril(block, -1)).T, x[k:after])
    for k, size, row in reversed(steps):
        last, after = k + size - 1, k + size
        x[k:after] -= turn(packed[after:, k:after]).T @ x[after:]
        x[[last, row]] = x[[row, last]]
    return x


@host.register("ldl_solve", _solve_specs)
def _ldl_solve(packed, pivots, b, hermitian):
    batch = np.broadcast_shapes(packed.shape[:-2], b.shape[:-2])
    n = packed.shape[-1]
    a = host.matrices(np.broadcast_to(packed, (*batch, n, n)))
    p = np.broadcast_to(pivots, (*batch, n)).reshape(len(a), n)
    right = host.matrices(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    lines = [_solve_one(*each, hermitian) for each in zip(a, p, right, strict=True)]
    return (np.array(lines, b.dtype).reshape(*batch, *b.shape[-2:]),)


@host.gradient("ldl_solve")
class _Solve(Function):
    @staticmethod
    def forward(ctx, packed, pivots, b, hermitian):
        ctx.save_for_backward(packed, pivots)
        ctx.hermitian, ctx.batch = hermitian, b.shape
        (x,) = host.call("ldl_solve", packed, pivots, b, options=(hermitian,))
        return x

    @staticmethod
    def backward(ctx, g):
        packed, pivots = ctx.saved_tensors
        back = _Solve.apply(packed if ctx.hermitian else packed.conj(), pivots, g, ctx.hermitian)
        return None, None, back.sum_to_size(ctx.batch), None


def _checked(op, A):
    check_tensor(op, A)
    if (
        A.dim() < 2
        or A.shape[-1] != A.shape[-2]
        or A.dtype.name not in ("float32", "float64", "complex64", "complex128")
    ):
        raise RuntimeError(
            f"linalg.{op}: expected square float or complex matrices, got {A.dtype}, shape {tuple(A.shape)}."
        )
    return A


def ldl_factor_ex(A, *, hermitian=False, check_errors=False, out=None):
    """ldl_factor with a third result: for each matrix the step of the first zero pivot, counted from 1, or 0.

    With check_errors it raises RuntimeError where there is one.
    """
    _checked("ldl_factor_ex", A)
    if A.requires_grad and _core.grad_enabled():
        raise NotImplementedError(
            "linalg.ldl_factor: expected a matrix without gradients, got one that requires grad."
        )
    result = LDLFactorEx(*host.call("ldl_factor", A, options=(hermitian,)))
    if check_errors and result.info.any():
        raise RuntimeError(
            "linalg.ldl_factor: expected matrices without a pivot of 0, got one. Add to its diagonal."
        )
    return result if out is None else store(result, out, "linalg.ldl_factor_ex")


def ldl_factor(A, *, hermitian=False, out=None):
    """L and D of symmetric (or Hermitian) matrices in one matrix, and the pivots: (LD, pivots), as LAPACK packs them.

    Read from the lower triangle. D has blocks of 1 and, where two pivots are equal and negative, of 2. Without gradients.

    Example:
        >>> import wengert
        >>> a = wengert.tensor([[0.0, 2.0], [2.0, 1.0]])
        >>> wengert.linalg.ldl_solve(*wengert.linalg.ldl_factor(a), a)
        tensor([[1., 0.],
                [0., 1.]])
    """
    result = LDLFactor(*ldl_factor_ex(A, hermitian=hermitian, check_errors=True)[:2])
    return result if out is None else store(result, out, "linalg.ldl_factor")


def ldl_solve(LD, pivots, B, *, hermitian=False, out=None):
    """X with A X = B, from what ldl_factor gives for A; B (..., n, k). Gradients are those by B."""
    _checked("ldl_solve", LD)
    if B.dim() < 2 or B.shape[-2] != LD.shape[-1] or B.dtype != LD.dtype:
        raise RuntimeError(
            f"linalg.ldl_solve: expected B of {LD.shape[-1]} rows and dtype {LD.dtype}, got {B.dtype}, {tuple(B.shape)}."
        )
    result = _Solve.apply(LD, pivots, B, hermitian)
    return result if out is None else store(result, out, "linalg.ldl_solve")
