"""What functions of matrices share: checks, diagonals, symmetric parts, out=."""

from . import _core
from ._overload import store

Tensor = _core.Tensor


def check(op, x, square=False):
    """x, checked to be a tensor of matrices (square ones where asked) of a dtype that they are computed in."""
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


def array(x):
    """The values as an array."""
    return x.detach().numpy()


def eye(n, like):
    """The identity, real, in another tensor's precision."""
    return _core.make_eye(n, n, dtype=like.dtype.to_real())


def symmetric(x):
    """The symmetric (Hermitian) part of matrices."""
    return (x + x.mH) * 0.5


def with_diagonal(x):
    """Diagonal matrices of the last dimension's values."""
    from ._diagonals import diag_embed

    return diag_embed(x)


def differences(values):
    """1 / (v_j - v_i) off the diagonal, 0 on it."""
    gap = values.unsqueeze(-2) - values.unsqueeze(-1)
    own = eye(values.shape[-1], values)
    return (1 - own) / (gap + own)


def with_out(result, out):
    """A result, written to the argument out where that is given."""
    return result if out is None else store(result, out)
