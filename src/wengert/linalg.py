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
from ._lu import lu_factor, lu_unpack
from ._missing import explain
from ._more_linalg import cholesky_ex, householder_product, inv_ex, lu_factor_ex, solve_ex, tensorinv, tensorsolve
from ._more_linalg import linalg_vander as vander
from ._overload import cast, check_tensor, numpy_names, return_type, store, wrap_dim, wrap_dims
from ._reduction import vector_norm as _vector_norm
from .autograd import Function

Tensor = _core.Tensor

QR = return_type("linalg_qr", "Q", "R")
SVD = return_type("linalg_svd", "U", "S", "Vh")
Eigh = return_type("linalg_eigh", "eigenvalues", "eigenvectors")
Eig = return_type("linalg_eig", "eigenvalues", "eigenvectors")
SlogDet = return_type("linalg_slogdet", "sign", "logabsdet")
LstSq = return_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


def _check_inexact(op, x):
    if not x.dtype.is_inexact:
        raise RuntimeError(
            f"linalg.{op}: expected a floating or complex dtype, got {x.dtype}. Convert the tensor first."
        )


def _check(op, x, square=False):
    if not isinstance(x, Tensor):
        raise TypeError(f"linalg.{op}: expected a Tensor, got {type(x).__name__}.")
    if x.dim() < 2:
        raise RuntimeError(f"linalg.{op}: expected at least 2 dimensions, got shape {tuple(x.shape)}.")
    if x.dtype.name not in ("float32", "float64", "complex64", "complex128"):
        raise RuntimeError(
            f"linalg.{op}: expected float32, float64 or a complex dtype, got {x.dtype}. Convert the tensor first."
        )
    if square and x.shape[-1] != x.shape[-2]:
        raise RuntimeError(f"linalg.{op}: expected square matrices, got shape {tuple(x.shape)}.")
    return x


def _array(x):
    return x.detach().numpy()


def _eye(n, like):
    """The identity, real, in another tensor's precision."""
    return _core.make_eye(n, n, dtype=like.dtype.to_real())


def _symmetric(x):
    """The symmetric (Hermitian) part of matrices."""
    return (x + x.mH) * 0.5


def _with_diagonal(x):
    """Diagonal matrices of the last dimension's values."""
    from ._diagonals import diag_embed

    return diag_embed(x)


def _differences(values):
    """1 / (v_j - v_i) off the diagonal, 0 on it."""
    gap = values.unsqueeze(-2) - values.unsqueeze(-1)
    own = _eye(values.shape[-1], values)
    return (1 - own) / (gap + own)


def _with_out(result, out):
    return result if out is None else store(result, out)


# ---- solving --------------------------------------------------------------------------------------------------------


class _Inverse(Function):
    @staticmethod
    def forward(ctx, a):
        (y,) = host.call("inv", a)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return -(y.mH @ g @ y.mH)


class _Solve(Function):
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
    return _with_out(_Inverse.apply(_check("inv", A, square=True)), out)


inverse = inv


def _expand_batch(a, b):
    """Both with one batch shape."""
    from ._shaping import broadcast_shapes

    batch = tuple(broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2])))
    return tuple(OPS["expand"](t, batch + tuple(t.shape[-2:])) for t in (a, b))


def solve(A, B, *, left=True, out=None):
    """X with A X = B (left=False: X A = B) for square A; B is (…, n, k), or vectors (…, n) of A's batch shape."""
    check_tensor("linalg.solve", B)
    _check("solve", A, square=True)
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
        x = _Solve.apply(*_expand_batch(A, b))
    elif vector:
        x = _Solve.apply(*_expand_batch(A.mT, b))
    else:
        x = _Solve.apply(*_expand_batch(A.mT, b.mT)).mT
    return _with_out(x.squeeze(-1) if vector else x, out)


def solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None):
    """X with A X = B for triangular A, of which only the named triangle is read."""
    _check("solve_triangular", A, square=True)
    from ._diagonals import tril, triu

    part = -1 if not upper else 1
    if unitriangular:
        a = (triu(A, part) if upper else tril(A, part)) + _eye(A.shape[-1], A)
    else:
        a = triu(A) if upper else tril(A)
    return _with_out(solve(a, B, left=left), out)


# ---- determinants ---------------------------------------------------------------------------------------------------


class _Det(Function):
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
    if not (_core.grad_enabled() and a.requires_grad):
        return host.call("cofactor", a)[0]
    if is_regular(_array(a)):
        return _Det.apply(a).unsqueeze(-1).unsqueeze(-1) * inv(a).mT
    return host.call("cofactor", a)[0]


class _SlogDet(Function):
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
    return _with_out(_Det.apply(_check("det", A, square=True)), out)


def slogdet(A, *, out=None):
    """Sign (of complex ones the direction) and logarithm of the size of the determinant: (sign, logabsdet)."""
    sign, log = _SlogDet.apply(_check("slogdet", A, square=True))
    if A.dtype.is_complex and A.requires_grad:
        sign = det(A).sgn()  # the direction has a gradient
    return _with_out(SlogDet(sign, log), out)


def logdet(input):
    """The logarithm of the determinant; NaN where that is negative, of complex matrices complex."""
    sign, log = slogdet(input)
    if input.dtype.is_complex:
        return sign.log() + log
    return OPS["where"](sign < 0, math.nan, log)


# ---- decompositions -------------------------------------------------------------------------------------------------


class _Cholesky(Function):
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
        inner = inner - _with_diagonal(inner.diagonal(0, -2, -1)) * 0.5
        y = inv(factor)
        return _symmetric(y.mH @ inner @ y)


def cholesky(A, *, upper=False, out=None):
    """The lower triangular L with A = L L^H of Hermitian positive definite matrices (upper: L^H)."""
    factor = _Cholesky.apply(_check("cholesky", A, square=True))
    return _with_out(factor.mH if upper else factor, out)


class _QR(Function):
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
    inner = low + low.mH + _with_diagonal(inner.diagonal(0, -2, -1).real)
    return solve(r, (gq + q @ inner).mH).mH


def qr(A, mode="reduced", *, out=None):
    """Orthogonal Q and upper triangular R with A = Q R. mode is 'reduced', 'complete', or 'r' (R alone)."""
    _check("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"linalg.qr: expected mode 'reduced', 'complete' or 'r', got {mode!r}.")
    if mode == "r":
        (r,) = host.call("qr", A, options=("r",))
        return _with_out(QR(_core.empty((0,), A.dtype), r), out)
    return _with_out(QR(*_QR.apply(A, mode)), out)


class _Eigh(Function):
    @staticmethod
    def forward(ctx, a, uplo):
        values, vectors = host.call("eigh", a, options=(uplo,))
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx, gl, gv):
        values, vectors = ctx.saved_tensors
        inner = _with_diagonal(gl) + (vectors.mH @ gv) * _differences(values)
        return _symmetric(vectors @ inner @ vectors.mH), None


def eigh(A, UPLO="L", *, out=None):
    """Eigenvalues (ascending) and eigenvectors (columns) of Hermitian matrices, of which one triangle is read."""
    return _with_out(Eigh(*_Eigh.apply(_check("eigh", A, square=True), UPLO)), out)


class _EigValsH(Function):
    @staticmethod
    def forward(ctx, a, uplo):
        values, vectors = host.call("eigh", a, options=(uplo,))
        ctx.uplo = uplo
        ctx.save_for_backward(a, vectors)
        return values

    @staticmethod
    def backward(ctx, g):
        a, vectors = ctx.saved_tensors
        if _core.grad_enabled():
            vectors = _Eigh.apply(a, ctx.uplo)[1]
        return (vectors * g.unsqueeze(-2)) @ vectors.mH, None


def eigvalsh(A, UPLO="L", *, out=None):
    """Eigenvalues of Hermitian matrices, ascending."""
    return _with_out(_EigValsH.apply(_check("eigvalsh", A, square=True), UPLO), out)


class _SVD(Function):
    @staticmethod
    def forward(ctx, a, full):
        u, s, vh = host.call("svd", a, options=(full,))
        ctx.save_for_backward(u, s, vh)
        return u, s, vh

    @staticmethod
    def backward(ctx, gu, gs, gvh):
        u, s, vh = ctx.saved_tensors
        k = s.shape[-1]
        if u.shape[-1] != k or vh.shape[-2] != k:
            raise RuntimeError("linalg.svd: expected full_matrices=False for gradients of the vectors, got True.")
        v, gv = vh.mH, gvh.mH
        factor = _differences(s * s)
        left, right = u.mH @ gu, v.mH @ gv
        row, column = s.unsqueeze(-2), s.unsqueeze(-1)
        inner = (factor * (left - left.mH)) * row + column * (factor * (right - right.mH)) + _with_diagonal(gs)
        if u.dtype.is_complex:  # each pair of vectors may turn in the plane of complex numbers
            inner = inner + _with_diagonal((left - left.mH).diagonal(0, -2, -1) / (2 * s))
        result = u @ inner @ vh
        if u.shape[-2] > k:
            result = result + ((gu - u @ left) / row) @ vh
        if v.shape[-2] > k:
            result = result + (u / row) @ (gv - v @ right).mH
        return result, None


def svd(A, full_matrices=True, *, driver=None, out=None):
    """U, S (descending) and Vh with A = U diag(S) Vh. Gradients of the vectors need full_matrices=False."""
    _check("svd", A)
    if full_matrices and A.shape[-1] == A.shape[-2]:
        full_matrices = False  # the same matrices
    return _with_out(SVD(*_SVD.apply(A, full_matrices)), out)


class _SVDVals(Function):
    @staticmethod
    def forward(ctx, a):
        u, s, vh = host.call("svd", a, options=(False,))
        ctx.save_for_backward(a, u, vh)
        return s

    @staticmethod
    def backward(ctx, g):
        a, u, vh = ctx.saved_tensors
        if _core.grad_enabled():
            u, _, vh = _SVD.apply(a, False)
        return (u * g.unsqueeze(-2)) @ vh


def svdvals(A, *, driver=None, out=None):
    """Singular values, descending."""
    return _with_out(_SVDVals.apply(_check("svdvals", A)), out)


class _Eig(Function):
    @staticmethod
    def forward(ctx, a):
        values, vectors = host.call("eig", a)
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx, gl, gv):
        values, vectors = ctx.saved_tensors
        inner = vectors.mH @ gv
        # The vectors have unit length: what changes their length is taken out.
        length = (vectors.mH @ vectors) * inner.diagonal(0, -2, -1).real.unsqueeze(-2)
        inner = _with_diagonal(gl) + (inner - length) * _differences(values.conj())
        return solve(vectors.mH, inner @ vectors.mH)


def eig(A, *, out=None):
    """Eigenvalues and eigenvectors (columns, of unit length) of square matrices; always complex, in no order.

    Example:
        >>> import wengert
        >>> values, _ = wengert.linalg.eig(wengert.tensor([[0.0, 1.0], [-1.0, 0.0]]))
        >>> sorted(v.imag for v in values.tolist())
        [-1.0, 1.0]
    """
    return _with_out(Eig(*_Eig.apply(_check("eig", A, square=True))), out)


def eigvals(A, *, out=None):
    """Eigenvalues of square matrices, complex, in no order."""
    return _with_out(eig(A)[0], out)


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
    _check("pinv", A)
    atol, rtol = (_tolerance(v) for v in (atol, rcond if rtol is None else rtol))
    return _with_out(_PInv.apply(A, atol, rtol, bool(hermitian)), out)


def _tolerance(v):
    """A tolerance, or one for each matrix, as NumPy takes it."""
    return v.detach().numpy() if isinstance(v, Tensor) else v


def matrix_rank(A, *, atol=None, rtol=None, hermitian=False, out=None):
    """How many singular values are larger than max(atol, rtol * the largest); int64."""
    _check("matrix_rank", A)
    options = (_tolerance(atol), _tolerance(rtol), bool(hermitian))
    return _with_out(host.call("matrix_rank", A.detach(), options=options)[0], out)


def lstsq(A, B, rcond=None, *, driver=None):
    """The least-squares solution of A X = B: (solution, residuals, rank, singular_values). Gradients for full rank.

    Residuals are computed for tall matrices of full rank where driver is 'gels', 'gelsd' or 'gelss'; the default
    driver is 'gelsy', as in PyTorch.
    """
    _check("lstsq", A)
    vector = B.dim() == A.dim() - 1
    b = B.unsqueeze(-1) if vector else B
    solution = pinv(A, rtol=rcond) @ b
    rank = matrix_rank(A, rtol=rcond)
    if driver not in (None, "gelsy") and A.shape[-2] > A.shape[-1] and bool((rank == A.shape[-1]).all()):
        left = A @ solution - b
        residuals = OPS["sum"]((left * left.conj()).real, (-2,), False)
    else:
        residuals = _core.empty((0,), A.dtype)
    return LstSq(solution.squeeze(-1) if vector else solution, residuals, rank, _core.empty((0,), A.dtype))


class _MatrixExp(Function):
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
    return _MatrixExp.apply(_check("matrix_exp", A, square=True))


# ---- norms ----------------------------------------------------------------------------------------------------------


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The ord-norm of the elements over dimensions, or over all."""
    return _with_out(_vector_norm(cast(x, dtype), ord, dim, keepdim), out)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None, out=None):
    """The norm of matrices: 'fro', 'nuc', inf, -inf, 1, -1 (sums of rows or columns), 2, -2 (singular values)."""
    A = cast(A, dtype)
    _check_inexact("matrix_norm", A)
    row, column = wrap_dims("linalg.matrix_norm", dim, A.dim())
    if ord == "fro":
        return _with_out(_vector_norm(A, 2, (row, column), keepdim), out)
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
    return _with_out(result, out)


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """A vector norm, or a matrix norm where ord is a string or dim names two dimensions (or A has two)."""
    if ord is not None and (
        isinstance(ord, str) or (isinstance(dim, (tuple, list)) and len(dim) == 2) or (dim is None and A.dim() == 2)
    ):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if ord is not None and dim is None and A.dim() > 2:
        raise RuntimeError(f"linalg.norm: expected dim with ord for {A.dim()} dimensions, got none.")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype, out=out)


def cond(A, p=None, *, out=None):
    """The condition number in a matrix norm (None: the 2-norm, by singular values)."""
    _check("cond", A)
    if p in (None, 2, -2):
        values = svdvals(A)
        largest, smallest = values[..., 0], values[..., -1]
        return _with_out(smallest / largest if p == -2 else largest / smallest, out)
    return _with_out(matrix_norm(A, p) * matrix_norm(inv(A), p), out)


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
    return _with_out(result.squeeze(0) if first else result, out)


@numpy_names
def vecdot(x, y, *, dim=-1, out=None):
    """Sums of products along a dimension, the first factor conjugated."""
    check_tensor("linalg.vecdot", y)
    _check_inexact("vecdot", x)
    return _with_out(OPS["sum"](x.conj() * y, dim), out)


def cross(input, other, *, dim=-1, out=None):
    """Cross product of vectors of size 3 along a dimension."""
    return _with_out(_products.cross(input, other, wrap_dim("linalg.cross", dim, input.dim())), out)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices; a view."""
    return OPS["diagonal"](A, offset, dim1, dim2)


def lu(A, *, pivot=True, out=None):
    """P, L and U of A = P L U: a named tuple."""
    return _with_out(lu_unpack(*lu_factor(A, pivot=pivot)), out)


def lu_solve(LU, pivots, B, *, left=True, out=None):
    """X with A X = B (left=False: X A = B), from A's packed LU form and its pivots."""
    p, lower, upper = lu_unpack(LU, pivots)
    if left:
        half = solve_triangular(lower, p.mT @ B, upper=False, unitriangular=True)
        return _with_out(solve_triangular(upper, half, upper=True), out)
    half = solve_triangular(upper, B, upper=True, left=False)
    return _with_out(solve_triangular(lower, half, upper=False, left=False, unitriangular=True) @ p.mT, out)


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
