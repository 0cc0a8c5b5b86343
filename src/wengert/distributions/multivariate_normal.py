"""The normal distribution of vectors."""

import math

import wengert

from . import constraints
from ._covariance import ByCovariance, count_given, mahalanobis
from .distribution import Distribution  # noqa: F401  (packages import it from here, as from torch's module)


class MultivariateNormal(ByCovariance):
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
            "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril
        }  # fmt: skip
        if count_given(given) != 1:
            raise ValueError(
                "MultivariateNormal: expected one of covariance_matrix, precision_matrix and scale_tril, got "
                f"{count_given(given)} of them."
            )
        batch, name, matrix = self._take_matrix(tuple(loc.shape[:-1]), given)
        self.loc = loc.expand((*batch, loc.shape[-1]))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._take_factor(name, matrix)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(MultivariateNormal, _instance)
        batch, event = tuple(batch_shape), tuple(self._event_shape)
        new.loc = self.loc.expand(batch + event)
        self._expand_matrix(new, batch)
        return self._with_batch(new, batch)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return (self._unbroadcasted_scale_tril**2).sum(-1).expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape=()):
        noise = wengert.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._unbroadcasted_scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        distance = mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self):
        size = 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()
        return size.expand(tuple(self._batch_shape))
