"""What distributions share: broadcasting of parameters, probabilities and logits, triangles of matrices."""

import wengert

__all__ = [
    "broadcast_all", "clamp_probs", "euler_constant", "lazy_property", "logits_to_probs", "probs_to_logits",
    "tril_matrix_to_vec", "vec_to_tril_matrix",
]  # fmt: skip

euler_constant = 0.57721566490153286060


class lazy_property:
    """A property that is computed once, with gradients, when it is first read."""

    def __init__(self, compute):
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with wengert.enable_grad():
            value = self.compute(instance)
        instance.__dict__[self.name] = value
        return value


def broadcast_all(*values):
    """Tensors and numbers as tensors of one shape; numbers take the dtype of the tensors, or the default one."""
    for v in values:
        if not isinstance(v, (wengert.Tensor, int, float)):
            raise ValueError(f"broadcast_all: expected tensors or numbers, got {type(v).__name__}.")
    dtype = next((v.dtype for v in values if isinstance(v, wengert.Tensor)), wengert.get_default_dtype())
    made = [v if isinstance(v, wengert.Tensor) else wengert.tensor(v, dtype=dtype) for v in values]
    return wengert.broadcast_tensors(*made)


def shape_of(*values):
    """The batch shape of broadcast parameters: () where all of them were numbers."""
    if all(isinstance(v, (int, float)) for v in values):
        return wengert.Size()
    return wengert.broadcast_shapes(*[tuple(v.shape) if isinstance(v, wengert.Tensor) else () for v in values])


def holds(constraint, value):
    """Whether all values are in a set. Not asked while a call is compiled: what is recorded may not depend on values."""
    return wengert.compiler.is_compiling() or bool(constraint.check(value).all())


def sum_last(value, count):
    """The sum over the last `count` dimensions; over all of them where there are fewer."""
    return value.sum(tuple(range(-min(count, value.dim()), 0))) if count and value.dim() else value


def clamp_probs(probs):
    """Probabilities kept away from 0 and 1 by the dtype's rounding error, so that logarithms are finite."""
    eps = wengert.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits, is_binary=False):
    """Probabilities from log-odds (binary) or from unnormalised log-probabilities of categories."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs, is_binary=False):
    """Log-odds (binary) or log-probabilities of categories from probabilities."""
    safe = clamp_probs(probs)
    return safe.log() - (-safe).log1p() if is_binary else safe.log()


def _triangle(size, diag):
    """Where elements on and below a diagonal stand in a flattened size x size matrix, row by row."""
    return [row * size + column for row in range(size) for column in range(min(max(row + diag + 1, 0), size))]


def tril_matrix_to_vec(mat, diag=0):
    """The elements on and below a diagonal of matrices (..., n, n), row by row.

    Args:
        mat: the matrices.
        diag: the diagonal: 0 the main one, -1 the one below it.

    Returns:
        A tensor (..., number of elements). Raises ValueError for a diagonal outside the matrix.

    Example:
        >>> import wengert
        >>> from wengert.distributions.utils import tril_matrix_to_vec
        >>> tril_matrix_to_vec(wengert.arange(4).reshape(2, 2))
        tensor([0, 2, 3])
    """
    size = mat.shape[-1]
    if not -size <= diag < size:
        raise ValueError(f"tril_matrix_to_vec: expected diag from {-size} to {size - 1}, got {diag}.")
    return mat.flatten(-2)[..., _triangle(size, diag)]


def vec_to_tril_matrix(vec, diag=0):
    """Matrices whose elements on and below a diagonal are those of vectors, row by row; the others are 0.

    Args:
        vec: the vectors (..., number of elements).
        diag: the diagonal: 0 the main one, -1 the one below it.

    Returns:
        Matrices (..., n, n). Raises ValueError for a number of elements that no matrix has there.
    """
    count = vec.shape[-1]
    root = ((1 + 2 * diag) ** 2 + 8 * count + 4 * abs(diag) * (diag + 1)) ** 0.5
    size = round((root - (1 + 2 * diag)) / 2)
    places = _triangle(size, diag)
    if len(places) != count:
        raise ValueError(
            f"vec_to_tril_matrix: expected as many elements as a triangle of a matrix has, got {count}."
        )
    index = wengert.tensor(places, dtype=wengert.int64)
    shape = tuple(vec.shape[:-1])
    flat = wengert.zeros((*shape, size * size), dtype=vec.dtype).index_copy(-1, index, vec)
    return flat.reshape((*shape, size, size))


def _standard_normal(shape, dtype, device):
    """Normal numbers of mean 0 and variance 1; distributions outside of this package look for it here."""
    return wengert.randn(shape, dtype=dtype, device=device)


def _sum_rightmost(value, dim):
    """The sum over the last `dim` dimensions; transforms outside of this package look for it here."""
    return value.sum(tuple(range(-dim, 0))) if dim else value
