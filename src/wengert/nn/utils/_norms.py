"""The mathematics of weight and spectral normalization."""

import wengert
from wengert._functional import normalize


def norm_except(v, dim):
    """The 2-norm over all axes but `dim`, kept as axes of size 1; over all axes to a scalar for None."""
    if dim is None:
        return wengert.linalg.vector_norm(v)
    axes = [axis for axis in range(v.dim()) if axis != dim % v.dim()]
    return wengert.linalg.vector_norm(v, dim=axes, keepdim=True) if axes else v.abs()


def default_spectral_dim(module):
    """The output axis of the weight: 1 for transposed convolutions, else 0."""
    return 1 if getattr(module, "transposed", False) else 0


def as_matrix(weight, dim):
    """(weight.shape[dim], everything else)."""
    if dim:
        weight = weight.movedim(dim, 0)
    return weight.reshape(weight.shape[0], -1)


def start_vectors(matrix, eps, steps=15):
    """Unit vectors u and v near the leading singular vectors of `matrix`."""
    with wengert.no_grad():
        rows, cols = matrix.shape
        u = normalize(wengert.empty(rows, dtype=matrix.dtype).normal_(0, 1), dim=0, eps=eps)
        v = normalize(wengert.empty(cols, dtype=matrix.dtype).normal_(0, 1), dim=0, eps=eps)
        power_iteration(matrix, u, v, steps, eps)
    return u, v


def power_iteration(matrix, u, v, steps, eps):
    """Move u and v, in place, towards the leading singular vectors."""
    with wengert.no_grad():
        matrix = matrix.detach()
        for _ in range(steps):
            u.copy_(normalize(wengert.mv(matrix, v), dim=0, eps=eps))
            v.copy_(normalize(wengert.mv(matrix.t(), u), dim=0, eps=eps))


def largest_singular_value(matrix, u, v):
    """u^T matrix v; u and v are constants, copied because the next power iteration overwrites them."""
    return wengert.dot(u.clone(), wengert.mv(matrix, v.clone()))
