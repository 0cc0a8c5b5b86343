"""What wengert.linalg computes without history: each function is registered as an operation of a recorder (`_host`).

NumPy does the work, except for real matrices of at most 32 rows, which have kernels of our own.
"""

import math

import numpy as np

from ._bind import OPS
from ._dtypes import DTYPES
from ._host import register, register_own


class LinAlgError(RuntimeError):
    """A matrix has no inverse, no Cholesky factor, or a decomposition did not converge."""


def _reporting(name, function):
    """The function with a LinAlgError of ours that names the operation."""

    def run(*args):
        try:
            found = function(*args)
        except np.linalg.LinAlgError as error:
            raise LinAlgError(
                f"linalg.{name}: expected a matrix that the operation is defined for, got one where: {error}."
            ) from None
        return found if isinstance(found, tuple) else (found,)

    return run


# ---- shapes and dtypes of results: a spec is (shape, dtype) -----------------------------------------------------------


def _real(spec):
    return spec[1].to_real()


def _same(a, *options):
    return [a]


def _scalars(a, *more):
    """Of each matrix one number."""
    return [(a[0][:-2], a[1])]


def _qr_specs(a, mode):
    *batch, m, n = a[0]
    inner = m if mode == "complete" else min(m, n)
    q, r = ((*batch, m, inner), a[1]), ((*batch, inner, n), a[1])
    return [r] if mode == "r" else [q, r]


def _eigh_specs(a, uplo):
    return [(a[0][:-1], _real(a)), a]


def _svd_specs(a, full):
    *batch, m, n = a[0]
    k = min(m, n)
    left, right = (*batch, m, m if full else k), (*batch, n if full else k, n)
    return [(left, a[1]), ((*batch, k), _real(a)), (right, a[1])]


def _eig_specs(a):
    dtype = a[1].to_complex()
    return [(a[0][:-1], dtype), (a[0], dtype)]


for _name, _function, _makes in (
    ("inv", "inv", _same),
    ("solve", "solve", lambda a, b: [b]),
    ("det", "det", _scalars),
    ("slogdet", "slogdet", lambda a: [(a[0][:-2], a[1]), (a[0][:-2], _real(a))]),
    ("cholesky", "cholesky", _same),
    ("qr", "qr", _qr_specs),
    ("qr.r", "qr", _qr_specs),
    ("eigh", "eigh", _eigh_specs),
    ("eigvalsh", "eigh", _eigh_specs),
    ("svd", "svd", _svd_specs),
    ("svdvals", "svd", _svd_specs),
):
    register(_name, _makes)(_reporting(_function, getattr(np.linalg, _function)))


# ---- small matrices -------------------------------------------------------------------------------------------------

_SMALL_ROWS = 32


def _is_small(a):
    return a.shape[-1] <= _SMALL_ROWS and a.dtype.is_floating_point


def _small(name, row, what):
    """Registers a row whose last result is how many matrices have no result."""

    @register_own(name)
    def run(a, *others):
        if not _is_small(a):
            return None
        found, failed = OPS[row](a, *others)
        if failed.item():
            raise LinAlgError(
                f"linalg.{name}: expected a matrix that the operation is defined for, got one where: {what}."
            )
        return (found,)


_small("cholesky", "small_cholesky", "Matrix is not positive definite")
_small("inv", "small_inverse", "Singular matrix")
_small("solve", "small_solve", "Singular matrix")


@register_own("det")
def _small_det(a):
    return (OPS["small_det"](a),) if _is_small(a) else None


@register_own("slogdet")
def _small_slogdet(a):
    return OPS["small_slogdet"](a) if _is_small(a) else None


@register_own("cofactor")
def _small_cofactor(a):
    """det(A) A^-T of matrices that are far from singular: n |A|_1 |A^-1|_1 bounds the ratio of the singular values."""
    if not _is_small(a):
        return None
    a = a.detach()
    n, eps = a.shape[-1], 2.0 ** (-23 if a.dtype.itemsize == 4 else -52)
    inverse, failed = OPS["small_inverse"](a)
    if n == 0 or failed.item():
        return None
    ratio = n * _one_norm(a) * _one_norm(inverse)
    if not bool((ratio * (n * eps) < 1).all()):
        return None
    return (OPS["small_det"](a).unsqueeze(-1).unsqueeze(-1) * inverse.transpose(-2, -1),)


def _one_norm(a):
    return OPS["amax"](OPS["sum"](a.abs(), (-2,), False), (-1,), False)


@register("eig", _eig_specs)
def _eig(a):
    values, vectors = _reporting("eig", np.linalg.eig)(a)
    return values + 0j, vectors + 0j


def is_regular(a):
    """Whether no matrix is singular up to rounding."""
    values = np.linalg.svd(a, compute_uv=False)
    scale = values.max(axis=-1, initial=0.0) * a.shape[-1] * np.finfo(values.dtype).eps
    return a.shape[-1] == 0 or bool(np.all(values.min(axis=-1, initial=np.inf) > scale))


@register("cofactor", _same)
def _cofactor(a):
    """det(A) A^-T where all matrices are regular, and by singular values where one is not."""
    if is_regular(a):
        return (np.asarray(np.linalg.det(a))[..., None, None] * np.swapaxes(np.linalg.inv(a), -1, -2),)
    u, s, vh = np.linalg.svd(a.astype(np.complex128 if a.dtype.kind == "c" else np.float64))
    others = np.stack([np.prod(np.delete(s, k, axis=-1), axis=-1) for k in range(s.shape[-1])], axis=-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return (sign[..., None, None] * ((u * others[..., None, :]) @ vh).conj(),)


# ---- ranks ----------------------------------------------------------------------------------------------------------


def _relative_tolerance(a, atol, rtol):
    if rtol is None:
        rtol = max(a.shape[-2:]) * np.finfo(a.dtype).eps if atol is None or not np.any(atol) else 0.0
    if atol is not None and np.any(atol):
        largest = np.linalg.svd(a, compute_uv=False).max(axis=-1, initial=0.0)
        rtol = np.maximum(rtol, atol / np.where(largest > 0, largest, 1.0))
    return np.asarray(rtol, dtype=np.float64)


@register("pinv", lambda a, *_: [((*a[0][:-2], a[0][-1], a[0][-2]), a[1])])
def _pinv(a, atol, rtol, hermitian):
    limit = _relative_tolerance(a, atol, rtol)
    return _reporting("pinv", np.linalg.pinv)(a, limit, hermitian)


@register("matrix_rank", lambda a, *_: [(a[0][:-2], DTYPES["int64"])])
def _matrix_rank(a, atol, rtol, hermitian):
    values = np.abs(np.linalg.eigvalsh(a)) if hermitian else np.linalg.svd(a, compute_uv=False)
    limit = _relative_tolerance(a, atol, rtol) * values.max(axis=-1, initial=0.0)
    return (np.sum(values > limit[..., None], axis=-1, dtype=np.int64),)


# ---- the exponential ------------------------------------------------------------------------------------------------


@register("matrix_exp", _same)
@np.errstate(all="ignore")  # infinities are values
def _matrix_exp(a):
    size = float(np.abs(a).sum(axis=-2).max(initial=0.0))
    # With norm at most 1 the first omitted term is below 1e-17.
    halvings = max(0, math.ceil(math.log2(size))) if 1 < size < math.inf else 0
    a = a * a.dtype.type(0.5**halvings)
    eye = np.eye(a.shape[-1], dtype=a.dtype)
    result = eye + a / 18
    for k in range(17, 0, -1):
        result = eye + (a @ result) / k
    for _ in range(halvings):
        result = result @ result
    return (result,)
