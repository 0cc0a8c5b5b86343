"""Transforms of vectors and matrices: to probabilities, to Cholesky factors, to positive definite matrices."""

import math

import wengert

from . import constraints
from ._transform import Plain, need_dimensions
from ._transform_pointwise import inside_unit
from .utils import tril_matrix_to_vec, vec_to_tril_matrix


class SoftmaxTransform(Plain):
    """y = softmax(x) along the last dimension; the inverse is the logarithm, so that it is not one to one."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x):
        return x.softmax(-1)

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        need_dimensions(shape, 1)
        return shape

    inverse_shape = forward_shape


class StickBreakingTransform(Plain):
    """n numbers to n + 1 probabilities: each breaks off a part, its sigmoid, of what is left of a stick of length 1.

    The numbers are shifted so that zeros give equal probabilities.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def _call(self, x):
        part = inside_unit((x - _log_countdown(x)).sigmoid())
        left = (1 - part).cumprod(-1)
        one = wengert.ones_like(x[..., :1])
        return wengert.cat([part, one], -1) * wengert.cat([one, left], -1)

    def _inverse(self, y):
        part = y[..., :-1]
        left = (1 - part.cumsum(-1)).clamp(min=wengert.finfo(y.dtype).tiny)
        return part.log() - left.log() + _log_countdown(part)

    def log_abs_det_jacobian(self, x, y):
        shifted = x - _log_countdown(x)
        return (-shifted + wengert.nn.functional.logsigmoid(shifted) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape):
        need_dimensions(shape, 1)
        return wengert.Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape):
        need_dimensions(shape, 1)
        return wengert.Size((*shape[:-1], shape[-1] - 1))


def _log_countdown(x):
    """log n, log(n - 1), ..., log 1 for the n elements of the last dimension."""
    return wengert.arange(x.shape[-1], 0, -1, dtype=x.dtype).log()


class LowerCholeskyTransform(Plain):
    """The lower triangle of a matrix, with the exponential of its diagonal."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x):
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y):
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Plain):
    """L L^T, where L is the LowerCholeskyTransform of a matrix."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x):
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y):
        return LowerCholeskyTransform().inv(wengert.linalg.cholesky(y))


class CorrCholeskyTransform(Plain):
    """d (d - 1) / 2 numbers to the Cholesky factor of a d x d correlation matrix.

    A row's numbers, through tanh, are the shares that its elements take of what the elements before left of the row's
    unit length; the diagonal takes the rest. The log-determinant is that of the map to the elements below the diagonal.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x):
        limit = 1 - wengert.finfo(x.dtype).eps
        share = vec_to_tril_matrix(x.tanh().clamp(min=-limit, max=limit), diag=-1)
        left = (1 - share**2).sqrt().cumprod(-1)
        before = wengert.cat([wengert.ones_like(left[..., :1]), left[..., :-1]], -1)
        return (share + wengert.eye(share.shape[-1], dtype=x.dtype)) * before

    def _inverse(self, y):
        left = 1 - (y * y).cumsum(-1)
        before = wengert.cat([wengert.ones_like(left[..., :1]), left[..., :-1]], -1)
        share = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(before, diag=-1).sqrt()
        return (share.log1p() - (-share).log1p()) / 2

    def log_abs_det_jacobian(self, x, y):
        # The second subdiagonal of the sums over a row is what stands before the first subdiagonal's elements.
        left = tril_matrix_to_vec(1 - (y * y).cumsum(-1), diag=-2)
        slope = -2 * (x + wengert.nn.functional.softplus(-2 * x) - math.log(2.0)).sum(-1)
        return 0.5 * left.log().sum(-1) + slope

    def forward_shape(self, shape):
        need_dimensions(shape, 1)
        count = shape[-1]
        size = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if size * (size - 1) // 2 != count:
            raise ValueError(f"CorrCholeskyTransform: expected d (d - 1) / 2 numbers, got {count}.")
        return wengert.Size((*shape[:-1], size, size))

    def inverse_shape(self, shape):
        need_dimensions(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError(f"CorrCholeskyTransform: expected a square matrix, got {tuple(shape)}.")
        size = shape[-1]
        return wengert.Size((*shape[:-2], size * (size - 1) // 2))
