"""Eigenvalues and singular values, with the gradients of values and vectors; published in `wengert.linalg`."""

import wengert

from . import _core
from . import _host as host
from ._matrices import check, differences, symmetric, with_diagonal, with_out
from ._overload import return_type
from .autograd import Function

SVD = return_type("linalg_svd", "U", "S", "Vh")
Eigh = return_type("linalg_eigh", "eigenvalues", "eigenvectors")
Eig = return_type("linalg_eig", "eigenvalues", "eigenvectors")


@host.gradient("eigh")
class _Eigh(Function):
    _grad_name = "LinalgEighBackward0"

    @staticmethod
    def forward(ctx, a, uplo):
        values, vectors = host.call("eigh", a, options=(uplo,))
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx, gl, gv):
        values, vectors = ctx.saved_tensors
        inner = with_diagonal(gl) + (vectors.mH @ gv) * differences(values)
        return symmetric(vectors @ inner @ vectors.mH), None


def eigh(A, UPLO="L", *, out=None):
    """Eigenvalues (ascending) and eigenvectors (columns) of Hermitian matrices, of which one triangle is read."""
    return with_out(Eigh(*_Eigh.apply(check("eigh", A, square=True), UPLO)), out)


@host.gradient("eigvalsh")
class _EigValsH(Function):
    _grad_name = "LinalgEighBackward0"

    @staticmethod
    def forward(ctx, a, uplo):
        values, vectors = host.call("eigvalsh", a, options=(uplo,))
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
    return with_out(_EigValsH.apply(check("eigvalsh", A, square=True), UPLO), out)


@host.gradient("svd")
class _SVD(Function):
    _grad_name = "LinalgSvdBackward0"

    @staticmethod
    def forward(ctx, a, full):
        u, s, vh = host.call("svd", a, options=(full,))
        ctx.save_for_backward(u, s, vh)
        return u, s, vh

    @staticmethod
    def backward(ctx, gu, gs, gvh):
        u, s, vh = ctx.saved_tensors
        k = s.shape[-1]
        # The vectors beyond the singular values are any basis of the rest: their gradients count for nothing.
        u, gu, vh, gvh = u[..., :k], gu[..., :k], vh[..., :k, :], gvh[..., :k, :]
        v, gv = vh.mH, gvh.mH
        factor = differences(s * s)
        left, right = u.mH @ gu, v.mH @ gv
        row, column = s.unsqueeze(-2), s.unsqueeze(-1)
        inner = (factor * (left - left.mH)) * row + column * (factor * (right - right.mH)) + with_diagonal(gs)
        if u.dtype.is_complex:  # each pair of vectors may turn in the plane of complex numbers
            inner = inner + with_diagonal((left - left.mH).diagonal(0, -2, -1) / (2 * s))
        result = u @ inner @ vh
        if u.shape[-2] > k:
            result = result + ((gu - u @ left) / row) @ vh
        if v.shape[-2] > k:
            result = result + (u / row) @ (gv - v @ right).mH
        return result, None


def svd(A, full_matrices=True, *, driver=None, out=None):
    """U, S (descending) and Vh with A = U diag(S) Vh. Gradients flow through the first vectors, as many as
    S has values; those of the others (full_matrices=True) are any basis of what is left, and count for nothing.
    """
    check("svd", A)
    if full_matrices and A.shape[-1] == A.shape[-2]:
        full_matrices = False  # the same matrices
    return with_out(SVD(*_SVD.apply(A, full_matrices)), out)


@host.gradient("svdvals", lambda options: ())
class _SVDVals(Function):
    _grad_name = "LinalgSvdBackward0"

    @staticmethod
    def forward(ctx, a):
        u, s, vh = host.call("svdvals", a, options=(False,))
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
    return with_out(_SVDVals.apply(check("svdvals", A)), out)


@host.gradient("eig")
class _Eig(Function):
    _grad_name = "LinalgEigBackward0"

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
        inner = with_diagonal(gl) + (inner - length) * differences(values.conj())
        return wengert.linalg.solve(vectors.mH, inner @ vectors.mH)


def eig(A, *, out=None):
    """Eigenvalues and eigenvectors (columns, of unit length) of square matrices; always complex, in no order.

    Example:
        >>> import wengert
        >>> values, _ = wengert.linalg.eig(wengert.tensor([[0.0, 1.0], [-1.0, 0.0]]))
        >>> sorted(v.imag for v in values.tolist())
        [-1.0, 1.0]
    """
    return with_out(Eig(*_Eig.apply(check("eig", A, square=True))), out)


def eigvals(A, *, out=None):
    """Eigenvalues of square matrices, complex, in no order."""
    return with_out(eig(A)[0], out)
