"""Linear algebra: norms, solving, decompositions. Values come from NumPy's linalg, gradients from tensor operations.

Matrices are the last two dimensions; leading ones are a batch. Half types are not supported, as in PyTorch.
"""

import functools
import math

from . import _core
from . import _host as host
from . import _linalg as _products
from ._bind import OPS
from ._decompositions import LinAlgError, is_regular
from ._dtypes import DTYPES
from ._ldl import ldl_factor, ldl_factor_ex, ldl_solve
from ._lu import Parts, lu_factor, lu_unpack
from ._matrices import array, check, eye, symmetric, with_diagonal, with_out
from ._missing import explain
from ._more_linalg import cholesky_ex, householder_product, inv_ex, lu_factor_ex, solve_ex, tensorinv, tensorsolve
from ._more_linalg import linalg_vander as vander
from ._overload import cast, check_tensor, numpy_names, return_type, wrap_dim, wrap_dims
from ._published import all_published
from ._reduction import vector_norm as _vector_norm
from ._spectra import eig, eigh, eigvals, eigvalsh, svd, svdvals
from .autograd import Function

Tensor = _core.Tensor

QR = return_type("linalg_qr", "Q", "R")
SlogDet = return_type("linalg_slogdet", "sign", "logabsdet")
LstSq = return_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


def _check_inexact(op, x):
    check_tensor(op, x)
    if not x.dtype.is_inexact:
        raise RuntimeError(
            f"linalg.{op}: expected a floating or complex dtype, got {x.dtype}. Convert the tensor first."
        )


# ---- solving --------------------------------------------------------------------------------------------------------


@host.gradient("inv")
class _Inverse(Function):
    _grad_name = "LinalgInvExBackward0"

    @staticmethod
    def forward(ctx, a):
        (y,) = host.call("inv", a)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return -(y.mH @ g @ y.mH)


@host.gradient("solve")
class _Solve(Function):
    _grad_name = "LinalgSolveExBackward0"

    @staticmethod
    def forward(ctx, a, b):
        (x,) = host.call("solve", a, b)
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx, g):
        a, x = ctx.saved_tensors
        gb = _Solve.apply(a.mH, g)
        return -(gb @ x.mH), gb


def inv(A, *, out=None):
    """The inverse of square matrices. Raises LinAlgError for singular ones."""
    return with_out(host.apply(_Inverse, "inv", check("inv", A, square=True)), out)


inverse = inv


def _expand_batch(a, b):
    """Both with one batch shape."""
    if tuple(a.shape[:-2]) == tuple(b.shape[:-2]):
        return a, b
    from ._shaping import broadcast_shapes

    batch = tuple(broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2])))
    return tuple(OPS["expand"](t, batch + tuple(t.shape[-2:])) for t in (a, b))


def solve(A, B, *, left=True, out=None):
    """X with A X = B (left=False: X A = B) for square A; B is (…, n, k), or vectors (…, n) of A's batch shape."""
    check_tensor("linalg.solve", B)
    check("solve", A, square=True)
    vector = B.dim() == 1 or (B.dim() == A.dim() - 1 and tuple(B.shape) == tuple(A.shape[:-1]))
    if A.dtype != B.dtype:
        raise RuntimeError(f"linalg.solve: expected operands of one dtype, got {A.dtype} and {B.dtype}.")
    b = B.unsqueeze(-1) if vector else B
    rows = b.shape[-2] if left or vector else b.shape[-1]
    if rows != A.shape[-1]:
        raise RuntimeError(
            f"linalg.solve: expected B with {A.shape[-1]} rows for A of shape {tuple(A.shape)}, got {tuple(B.shape)}."
        )
    if left:
        x = host.apply(_Solve, "solve", *_expand_batch(A, b))
    elif vector:
        x = host.apply(_Solve, "solve", *_expand_batch(A.mT, b))
    else:
        x = host.apply(_Solve, "solve", *_expand_batch(A.mT, b.mT)).mT
    return with_out(x.squeeze(-1) if vector else x, out)


def solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None):
    """X with A X = B for triangular A, of which only the named triangle is read."""
    check("solve_triangular", A, square=True)
    from ._diagonals import tril, triu

    part = -1 if not upper else 1
    if unitriangular:
        a = (triu(A, part) if upper else tril(A, part)) + eye(A.shape[-1], A)
    else:
        a = triu(A) if upper else tril(A)
    return with_out(solve(a, B, left=left), out)


# ---- determinants ---------------------------------------------------------------------------------------------------


@host.gradient("det")
class _Det(Function):
    _grad_name = "LinalgDetBackward0"

    @staticmethod
    def forward(ctx, a):
        (d,) = host.call("det", a)
        ctx.save_for_backward(a)
        return d

    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        return g.unsqueeze(-1).unsqueeze(-1) * _cofactor(a).conj()


def _cofactor(a):
    """The derivative of the determinant: det(A) A^-T where A is regular, by singular values where it is not."""
    if _core.payload(a) is not None:
        return _Cofactor.apply(a)
    if not (_core.grad_enabled() and a.requires_grad):
        return host.call("cofactor", a)[0]
    if is_regular(array(a)):
        return _Det.apply(a).unsqueeze(-1).unsqueeze(-1) * inv(a).mT
    return host.call("cofactor", a)[0]


@host.gradient("cofactor")
class _Cofactor(Function):
    """The cofactors in a graph, which cannot ask whether the matrix is regular: their gradient holds where it is."""

    @staticmethod
    def forward(ctx, a):
        (c,) = host.call("cofactor", a)
        ctx.save_for_backward(a)
        return c

    @staticmethod
    def backward(ctx, g):
        # C = det(A) A^-T, so <G, dC> = <G, C> tr(A^-1 dA) - <G, A^-T dA^T C>.
        (a,) = ctx.saved_tensors
        c, inverse = _Cofactor.apply(a), inv(a)
        along = OPS["sum"](g * c.conj(), (-2, -1), True)
        return along * inverse.mH - c.conj() @ g.mT @ inverse.mH


@host.gradient("slogdet")
class _SlogDet(Function):
    _grad_name = "LinalgSlogdetBackward0"

    @staticmethod
    def forward(ctx, a):
        sign, log = host.call("slogdet", a)
        ctx.save_for_backward(a)
        ctx.mark_non_differentiable(sign)
        return sign, log

    @staticmethod
    def backward(ctx, _, g):
        (a,) = ctx.saved_tensors
        return g.unsqueeze(-1).unsqueeze(-1) * inv(a).mH


def det(A, *, out=None):
    """The determinant of square matrices."""
    return with_out(host.apply(_Det, "det", check("det", A, square=True)), out)


def slogdet(A, *, out=None):
    """Sign (of complex ones the direction) and logarithm of the size of the determinant: (sign, logabsdet)."""
    sign, log = host.apply(_SlogDet, "slogdet", check("slogdet", A, square=True))
    if A.dtype.is_complex and A.requires_grad:
        sign = det(A).sgn()  # the direction has a gradient
    return with_out(SlogDet(sign, log), out)


def logdet(input):
    """The logarithm of the determinant; NaN where that is negative, of complex matrices complex."""
    sign, log = slogdet(input)
    if input.dtype.is_complex:
        return sign.log() + log
    return OPS["where"](sign < 0, math.nan, log)


# ---- decompositions -------------------------------------------------------------------------------------------------


@host.gradient("cholesky")
class _Cholesky(Function):
    _grad_name = "LinalgCholeskyExBackward0"

    @staticmethod
    def forward(ctx, a):
        (factor,) = host.call("cholesky", a)
        ctx.save_for_backward(factor)
        return factor

    @staticmethod
    def backward(ctx, g):
        (factor,) = ctx.saved_tensors
        from ._diagonals import tril

        inner = tril(factor.mH @ tril(g))
        inner = inner - with_diagonal(inner.diagonal(0, -2, -1)) * 0.5
        y = inv(factor)
        return symmetric(y.mH @ inner @ y)


def cholesky(A, *, upper=False, out=None):
    """The lower triangular L with A = L L^H of Hermitian positive definite matrices (upper: L^H)."""
    factor = host.apply(_Cholesky, "cholesky", check("cholesky", A, square=True))
    return with_out(factor.mH if upper else factor, out)


@host.gradient("qr")
class _QR(Function):
    _grad_name = "LinalgQrBackward0"

    @staticmethod
    def forward(ctx, a, mode):
        q, r = host.call("qr", a, options=(mode,))
        ctx.save_for_backward(q, r)
        ctx.mode = mode
        return q, r

    @staticmethod
    def backward(ctx, gq, gr):
        q, r = ctx.saved_tensors
        m, n = q.shape[-2], r.shape[-1]
        if ctx.mode == "complete" and m > n:
            raise RuntimeError("linalg.qr: expected mode 'reduced' for gradients of tall matrices, got 'complete'.")
        if m < n:
            # A = [X Y], Q R = [Q U, Q W]: only U is triangular, W = Q^H Y.
            u, w = r[..., :m], r[..., m:]
            gw = gr[..., m:]
            x = _qr_gradient(q, u, gq + (q @ w) @ gw.mH, gr[..., :m])
            return OPS["cat"]([x, q @ gw], -1), None
        return _qr_gradient(q, r, gq, gr), None


def _qr_gradient(q, r, gq, gr):
    from ._diagonals import tril

    inner = r @ gr.mH - gq.mH @ q
    low = tril(inner, -1)
    inner = low + low.mH + with_diagonal(inner.diagonal(0, -2, -1).real)
    return solve(r, (gq + q @ inner).mH).mH


def qr(A, mode="reduced", *, out=None):
    """Orthogonal Q and upper triangular R with A = Q R. mode is 'reduced', 'complete', or 'r' (R alone)."""
    check("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"linalg.qr: expected mode 'reduced', 'complete' or 'r', got {mode!r}.")
    if mode == "r":
        (r,) = host.call("qr.r", A, options=("r",))
        return with_out(QR(_core.empty((0,), A.dtype), r), out)
    return with_out(QR(*_QR.apply(A, mode)), out)


@host.gradient("pinv")
class _PInv(Function):
    @staticmethod
    def forward(ctx, a, *options):
        (y,) = host.call("pinv", a, options=options)
        ctx.save_for_backward(a, y)
        return y

    @staticmethod
    def backward(ctx, g):
        # d(A+) = -A+ dA A+ + A+ A+^H dA^H (1 - A A+) + (1 - A+ A) dA^H A+^H A+ (Golub and Pereyra, 1973).
        a, y = ctx.saved_tensors
        outer = g.mH @ y @ y.mH
        inner = y.mH @ y @ g.mH
        return -(y.mH @ g @ y.mH) + (outer - a @ (y @ outer)) + (inner - (inner @ y) @ a), None, None, None


def pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None, out=None):
    """The pseudoinverse: singular values up to max(atol, rtol * the largest) count as 0."""
    check("pinv", A)
    atol, rtol = (_tolerance(v) for v in (atol, rcond if rtol is None else rtol))
    return with_out(_PInv.apply(A, atol, rtol, bool(hermitian)), out)


def _tolerance(v):
    """A tolerance, or one for each matrix, as NumPy takes it."""
    return v.detach().numpy() if isinstance(v, Tensor) else v


def matrix_rank(A, *, atol=None, rtol=None, hermitian=False, out=None):
    """How many singular values are larger than max(atol, rtol * the largest); int64."""
    check("matrix_rank", A)
    options = (_tolerance(atol), _tolerance(rtol), bool(hermitian))
    return with_out(host.call("matrix_rank", A.detach(), options=options)[0], out)


def lstsq(A, B, rcond=None, *, driver=None):
    """The least-squares solution of A X = B: (solution, residuals, rank, singular_values). Gradients for full rank.

    Residuals are computed for tall matrices of full rank where driver is 'gels', 'gelsd' or 'gelss', ranks by all but
    'gels', singular values by 'gelsd' and 'gelss'; the default driver is 'gelsy', as in PyTorch. What is not computed
    is empty.
    """
    check_tensor("linalg.lstsq", B)
    check("lstsq", A)
    vector = B.dim() == A.dim() - 1
    b = B.unsqueeze(-1) if vector else B
    solution = pinv(A, rtol=rcond) @ b
    rank = matrix_rank(A, rtol=rcond)
    residuals = singular = _core.empty((0,), A.dtype.to_real())
    if driver not in (None, "gelsy") and A.shape[-2] > A.shape[-1] and bool((rank == A.shape[-1]).all()):
        left = A @ solution - b
        residuals = OPS["sum"]((left * left.conj()).real, (-2,), False)
    if driver in ("gelsd", "gelss"):
        singular = svdvals(A.detach())
    if driver == "gels":  # takes the full rank for granted
        rank = _core.empty((0,), rank.dtype)
    return LstSq(solution.squeeze(-1) if vector else solution, residuals, rank, singular)


@host.gradient("matrix_exp")
class _MatrixExp(Function):
    _grad_name = "LinalgMatrixExpBackward0"

    @staticmethod
    def forward(ctx, a):
        (y,) = host.call("matrix_exp", a)
        ctx.save_for_backward(a)
        return y

    @staticmethod
    def backward(ctx, g):
        # The derivative in direction G is the block above the diagonal of exp([[A, G], [0, A]]) (Najfeld and Havel 1995).
        (a,) = ctx.saved_tensors
        n, cat = a.shape[-1], OPS["cat"]
        size = OPS["amax"](g.detach().abs(), (-2, -1), True)
        size = OPS["where"](size > 0, size, 1.0)  # the direction's length must not decide how often A is halved
        a, zero = a.mH, OPS["zeros_like"](g)
        blocks = cat([cat([a, g / size], -1), cat([zero, a], -1)], -2)
        return _MatrixExp.apply(blocks)[..., :n, n:] * size


def matrix_exp(A):
    """The exponential of square matrices, by a Taylor polynomial of degree 18 after scaling, and squaring."""
    if check_tensor("linalg.matrix_exp", A).dtype.is_floating_point and A.dtype.itemsize == 2:
        return cast(matrix_exp(cast(A, DTYPES["float32"])), A.dtype)
    return _MatrixExp.apply(check("matrix_exp", A, square=True))


# ---- norms ----------------------------------------------------------------------------------------------------------


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The ord-norm of the elements over dimensions, or over all."""
    check_tensor("linalg.vector_norm", x)
    return with_out(_vector_norm(cast(x, dtype), ord, dim, keepdim), out)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None, out=None):
    """The norm of matrices: 'fro', 'nuc', inf, -inf, 1, -1 (sums of rows or columns), 2, -2 (singular values)."""
    A = cast(A, dtype)
    _check_inexact("matrix_norm", A)
    row, column = wrap_dims("linalg.matrix_norm", dim, A.dim())
    if ord == "fro":
        return with_out(_vector_norm(A, 2, (row, column), keepdim), out)
    if ord in ("nuc", 2, -2):
        values = svdvals(A.movedim((row, column), (-2, -1)))
        chosen = {"nuc": "sum", 2: "amax", -2: "amin"}[ord]
        result = OPS[chosen](values, (-1,), False)
    elif ord in (1, -1, math.inf, -math.inf):
        inner, outer = (row, column) if abs(ord) == 1 else (column, row)
        sums = OPS["sum"](A.abs(), (inner,), True)
        result = OPS["amax" if ord > 0 else "amin"](sums, (row, column), False)
    else:
        raise RuntimeError(
            f"linalg.matrix_norm: expected ord 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2, got {ord!r}."
        )
    if keepdim:
        for d in sorted((row, column)):
            result = result.unsqueeze(d)
    return with_out(result, out)


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """A vector norm, or a matrix norm where ord is a string or dim names two dimensions (or A has two)."""
    check_tensor("linalg.norm", A)
    if ord is not None and (
        isinstance(ord, str) or (isinstance(dim, (tuple, list)) and len(dim) == 2) or (dim is None and A.dim() == 2)
    ):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if ord is not None and dim is None and A.dim() > 2:
        raise RuntimeError(f"linalg.norm: expected dim with ord for {A.dim()} dimensions, got none.")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype, out=out)


def cond(A, p=None, *, out=None):
    """The condition number in a matrix norm (None: the 2-norm, by singular values)."""
    check("cond", A)
    if p in (None, 2, -2):
        values = svdvals(A)
        largest, smallest = values[..., 0], values[..., -1]
        return with_out(smallest / largest if p == -2 else largest / smallest, out)
    return with_out(matrix_norm(A, p) * matrix_norm(inv(A), p), out)


# ---- products -------------------------------------------------------------------------------------------------------


def multi_dot(tensors, *, out=None):
    """The product of several matrices in the cheapest order; the first and the last may be vectors."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"linalg.multi_dot: expected at least 2 tensors, got {len(tensors)}.")
    first, last = tensors[0].dim() == 1, tensors[-1].dim() == 1
    if first:
        tensors[0] = tensors[0].unsqueeze(0)
    if last:
        tensors[-1] = tensors[-1].unsqueeze(1)
    result = _products.chain_matmul(*tensors)
    result = result.squeeze(-1) if last else result
    return with_out(result.squeeze(0) if first else result, out)


@numpy_names
def vecdot(x, y, *, dim=-1, out=None):
    """Sums of products along a dimension, the first factor conjugated."""
    check_tensor("linalg.vecdot", y)
    _check_inexact("vecdot", x)
    return with_out(OPS["sum"](x.conj() * y, dim), out)


def cross(input, other, *, dim=-1, out=None):
    """Cross product of vectors of size 3 along a dimension."""
    return with_out(_products.cross(input, other, wrap_dim("linalg.cross", dim, input.dim())), out)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices; a view."""
    return OPS["diagonal"](A, offset, dim1, dim2)


def lu(A, *, pivot=True, out=None):
    """P, L and U of A = P L U: a named tuple."""
    return with_out(Parts(*lu_unpack(*lu_factor(A, pivot=pivot))), out)


def lu_solve(LU, pivots, B, *, left=True, adjoint=False, out=None):
    """X with A X = B (left=False: X A = B), from A's packed LU form and its pivots; adjoint: A's adjoint for A."""
    if adjoint:  # A^H X = B where X^H A = B^H
        return with_out(lu_solve(LU, pivots, B.mH, left=not left).mH, out)
    p, lower, upper = lu_unpack(LU, pivots)
    if left:
        half = solve_triangular(lower, p.mT @ B, upper=False, unitriangular=True)
        return with_out(solve_triangular(upper, half, upper=True), out)
    half = solve_triangular(upper, B, upper=True, left=False)
    return with_out(solve_triangular(lower, half, upper=False, left=False, unitriangular=True) @ p.mT, out)


outer, matmul, matrix_power = _products.outer, _core.matmul_any, _products.matrix_power


def _with_input(function):
    """Lets the first argument be named input too, as torch has it."""

    @functools.wraps(function)
    def named(*args, **kwargs):
        if "input" in kwargs:
            args = (kwargs.pop("input"), *args)
        return function(*args, **kwargs)

    return named


for _function in (inv, det, slogdet, cholesky, qr, eigh, eigvalsh, svd, svdvals, pinv, matrix_rank, matrix_exp, norm,
                  solve, vector_norm, matrix_norm, cond):  # fmt: skip
    globals()[_function.__name__] = numpy_names(_with_input(_function))

__getattr__ = explain(__name__)
__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "householder_product",
    "inv",
    "inv_ex",
    "inverse",
    "logdet",
    "lstsq",
    "lu",
    "ldl_factor",
    "ldl_factor_ex",
    "ldl_solve",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]
all_published("linalg", globals(), __all__)
