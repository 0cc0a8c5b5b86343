"""The normal distribution of vectors."""

import math

import wengert

from . import constraints
from .distribution import Distribution, lazy_property


class MultivariateNormal(Distribution):
    """The normal distribution of vectors with mean `loc`, given by one of three matrices.

    Args:
        loc: the mean, (..., d).
        covariance_matrix: positive definite, (..., d, d); or
        precision_matrix: its inverse; or
        scale_tril: its Cholesky factor, lower triangular with a positive diagonal.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("MultivariateNormal: expected loc of at least 1 dimension, got 0.")
        given = {
            "covariance_matrix": covariance_matrix, "scale_tril": scale_tril, "precision_matrix": precision_matrix
        }  # fmt: skip
        given = {name: m for name, m in given.items() if m is not None}
        if len(given) != 1:
            raise ValueError(
                "MultivariateNormal: expected one of covariance_matrix, precision_matrix and scale_tril, got "
                f"{len(given)} of them."
            )
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError(f"MultivariateNormal: expected {name} of at least 2 dimensions, got {matrix.dim()}.")
        batch = wengert.broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1]))
        self.__dict__[name] = matrix.expand((*batch, *matrix.shape[-2:]))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        if scale_tril is not None:
            self._unbroadcasted_scale_tril = scale_tril
        elif covariance_matrix is not None:
            self._unbroadcasted_scale_tril = wengert.linalg.cholesky(covariance_matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(precision_matrix)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(MultivariateNormal, _instance)
        batch, event = tuple(batch_shape), tuple(self._event_shape)
        new.loc = self.loc.expand(batch + event)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        for name in ("covariance_matrix", "scale_tril", "precision_matrix"):
            if name in self.__dict__:
                new.__dict__[name] = self.__dict__[name].expand(batch + event + event)
        Distribution.__init__(new, batch, event, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _full(self, matrix):
        event = tuple(self._event_shape)
        return matrix.expand(tuple(self._batch_shape) + event + event)

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
        lower = self._unbroadcasted_scale_tril
        identity = wengert.eye(lower.shape[-1], dtype=lower.dtype).expand(lower.shape)
        inverse = wengert.linalg.solve_triangular(lower, identity, upper=False)
        return self._full(inverse.mT @ inverse)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return (
            (self._unbroadcasted_scale_tril**2).sum(-1).expand(tuple(self._batch_shape) + tuple(self._event_shape))
        )

    def rsample(self, sample_shape=()):
        noise = wengert.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._unbroadcasted_scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        distance = mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def _half_log_det(self):
        return self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def entropy(self):
        size = 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()
        return size.expand(tuple(self._batch_shape))


def mahalanobis(scale_tril, x):
    """x^T (L L^T)^-1 x over the last dimension, with broadcasting batches."""
    batch = wengert.broadcast_shapes(tuple(scale_tril.shape[:-2]), tuple(x.shape[:-1]))
    lower = scale_tril.expand((*batch, *scale_tril.shape[-2:]))
    columns = x.expand((*batch, x.shape[-1])).unsqueeze(-1)
    return (wengert.linalg.solve_triangular(lower, columns, upper=False) ** 2).sum((-2, -1))


def _precision_to_scale_tril(precision):
    """L with L L^T the inverse of `precision`: from the Cholesky factor of the matrix with rows and columns reversed."""
    factor = wengert.linalg.cholesky(precision.flip((-2, -1)))
    upper = factor.flip((-2, -1)).mT
    identity = wengert.eye(precision.shape[-1], dtype=precision.dtype).expand(precision.shape)
    return wengert.linalg.solve_triangular(upper, identity, upper=False)
