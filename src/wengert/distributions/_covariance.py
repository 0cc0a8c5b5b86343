"""Distributions that are given by a covariance, by its inverse or by its Cholesky factor."""

import wengert

from .distribution import Distribution
from .utils import lazy_property

NAMES = ("covariance_matrix", "precision_matrix", "scale_tril")


class ByCovariance(Distribution):
    """A distribution with one of three matrices; the Cholesky factor is kept, the others are computed when asked for."""

    def _take_matrix(self, batch, given):
        """Keeps the one matrix of the dict `given` and its Cholesky factor; returns the batch with the matrix's own."""
        ((name, matrix),) = ((name, m) for name, m in given.items() if m is not None)
        if matrix.dim() < 2:
            raise ValueError(
                f"{type(self).__name__}: expected {name} of at least 2 dimensions, got {matrix.dim()}."
            )
        batch = wengert.broadcast_shapes(tuple(matrix.shape[:-2]), batch)
        self.__dict__[name] = matrix.expand((*batch, *matrix.shape[-2:]))
        return tuple(batch), name, matrix

    def _take_factor(self, name, matrix):
        """The Cholesky factor, without expansion; after the matrix was validated."""
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = wengert.linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = precision_to_scale_tril(matrix)

    def _expand_matrix(self, new, batch):
        """Gives an instance of another batch the matrices of this one."""
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        for name in NAMES:
            if name in self.__dict__:
                matrix = self.__dict__[name]
                new.__dict__[name] = matrix.expand((*batch, *matrix.shape[-2:]))

    def _full(self, matrix):
        return matrix.expand((*self._batch_shape, *matrix.shape[-2:]))

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        return self._full(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """The covariance."""
        return self._full(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        inverse = solved(self._unbroadcasted_scale_tril)
        return self._full(inverse.mT @ inverse)

    def _half_log_det(self):
        return half_log_det(self._unbroadcasted_scale_tril)


def count_given(matrices):
    """How many of three matrices are there."""
    return sum(m is not None for m in matrices.values())


def half_log_det(scale_tril):
    """Half of the logarithm of the determinant of L L^T."""
    return scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def solved(scale_tril, right=None):
    """L^-1 B with broadcasting batches; L^-1 without a B."""
    if right is None:
        right = wengert.eye(scale_tril.shape[-1], dtype=scale_tril.dtype)
    batch = wengert.broadcast_shapes(tuple(scale_tril.shape[:-2]), tuple(right.shape[:-2]))
    lower, right = (m.expand((*batch, *m.shape[-2:])) for m in (scale_tril, right))
    return wengert.linalg.solve_triangular(lower, right, upper=False)


def squares(matrix):
    """The sum of the squares of a matrix's elements: the trace of X X^T."""
    return (matrix**2).sum((-2, -1))


def mahalanobis(scale_tril, x):
    """x^T (L L^T)^-1 x over the last dimension, with broadcasting batches."""
    return squares(solved(scale_tril, x.unsqueeze(-1)))


def precision_to_scale_tril(precision):
    """L with L L^T the inverse of `precision`: from the Cholesky factor of the matrix with rows and columns reversed."""
    factor = wengert.linalg.cholesky(precision.flip((-2, -1)))
    upper = factor.flip((-2, -1)).mT
    return solved(upper)
