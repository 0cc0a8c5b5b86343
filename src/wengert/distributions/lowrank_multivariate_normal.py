"""The normal distribution of vectors whose covariance is a diagonal and a few factors."""

import math

import wengert

from . import constraints
from ._covariance import half_log_det, mahalanobis
from .distribution import Distribution
from .utils import lazy_property


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of vectors with covariance W W^T + diag(d), without a d x d matrix in log_prob.

    The determinant and the inverse come from the capacitance matrix I + W^T diag(d)^-1 W of the size of the rank
    (matrix determinant lemma, Woodbury's identity).

    Args:
        loc: the mean, (..., n).
        cov_factor: W, (..., n, rank).
        cov_diag: d, positive, (..., n).

    Raises ValueError for shapes that do not fit.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _expanded = ("loc", "cov_factor", "cov_diag")

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        batch, event = _checked_shapes(loc, cov_factor, cov_diag)
        self.loc, self.cov_diag = loc.expand(batch + event), cov_diag.expand(batch + event)
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        self._factor, self._diag = cov_factor, cov_diag
        scaled = cov_factor.mT / cov_diag.unsqueeze(-2)
        identity = wengert.eye(cov_factor.shape[-1], dtype=cov_factor.dtype)
        self._capacitance_tril = wengert.linalg.cholesky(identity + scaled @ cov_factor)
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._factor, new._diag, new._capacitance_tril = self._factor, self._diag, self._capacitance_tril
        return new

    def _full(self, value, dims):
        """A tensor of events expanded to the batch; the event has `dims` dimensions."""
        return value.expand(tuple(self._batch_shape) + tuple(value.shape[value.dim() - dims :]))

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @lazy_property
    def variance(self):
        """The diagonal of the covariance."""
        return self._full((self._factor**2).sum(-1) + self._diag, 1)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance, from that of I + d^-1/2 W W^T d^-1/2, whose eigenvalues are not below 1."""
        root = self._diag.sqrt().unsqueeze(-1)
        scaled = self._factor / root
        identity = wengert.eye(scaled.shape[-2], dtype=scaled.dtype)
        return self._full(root * wengert.linalg.cholesky(identity + scaled @ scaled.mT), 2)

    @lazy_property
    def covariance_matrix(self):
        """The covariance."""
        return self._full(self._factor @ self._factor.mT + self._diag.diag_embed(), 2)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        mixed = self._mixed()
        return self._full(self._diag.reciprocal().diag_embed() - mixed.mT @ mixed, 2)

    def _mixed(self):
        """A with diag(d)^-1 - A^T A the precision."""
        scaled = self._factor.mT / self._diag.unsqueeze(-2)
        return wengert.linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)

    def _half_log_det(self):
        return half_log_det(self._capacitance_tril) + 0.5 * self._diag.log().sum(-1)

    def _mahalanobis(self, x):
        scaled = ((self._factor.mT / self._diag.unsqueeze(-2)) @ x.unsqueeze(-1)).squeeze(-1)
        return (x**2 / self._diag).sum(-1) - mahalanobis(self._capacitance_tril, scaled)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        along = wengert.randn((*shape[:-1], self.cov_factor.shape[-1], 1), dtype=self.loc.dtype)
        around = wengert.randn(shape, dtype=self.loc.dtype)
        return self.loc + (self._factor @ along).squeeze(-1) + self._diag.sqrt() * around

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        distance = self._mahalanobis(value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self):
        size = 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()
        return size.expand(tuple(self._batch_shape))


def _checked_shapes(loc, cov_factor, cov_diag):
    """The batch and event shapes of the parameters."""
    name = "LowRankMultivariateNormal"
    if loc.dim() < 1:
        raise ValueError(f"{name}: expected loc of at least 1 dimension, got 0.")
    size = loc.shape[-1]
    if cov_factor.dim() < 2 or cov_factor.shape[-2] != size:
        raise ValueError(f"{name}: expected cov_factor (..., {size}, rank), got {tuple(cov_factor.shape)}.")
    if tuple(cov_diag.shape[-1:]) != (size,):
        raise ValueError(f"{name}: expected cov_diag (..., {size}), got {tuple(cov_diag.shape)}.")
    shapes = tuple(loc.shape[:-1]), tuple(cov_factor.shape[:-2]), tuple(cov_diag.shape[:-1])
    try:
        return tuple(wengert.broadcast_shapes(*shapes)), (size,)
    except RuntimeError as error:
        raise ValueError(f"{name}: expected batches that broadcast, got {shapes}.") from error
