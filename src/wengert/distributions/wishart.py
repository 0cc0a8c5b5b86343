"""The Wishart distribution."""

import math
import warnings

import wengert

from . import constraints
from ._covariance import ByCovariance, count_given, solved, squares
from ._multigamma import multidigamma, multigammaln
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .utils import holds


class Wishart(ByCovariance, ExponentialFamily):
    """The distribution of the sum of x x^T over `df` normal vectors x of mean 0.

    Args:
        df: degrees of freedom, above d - 1; a number or a tensor.
        covariance_matrix: that of x, positive definite, (..., d, d); or
        precision_matrix: its inverse; or
        scale_tril: its Cholesky factor.

    Raises ValueError for a df that is too small. Below d, where samples are nearly singular, there is a warning.

    Example:
        >>> import wengert
        >>> from wengert.distributions import Wishart
        >>> Wishart(3.0, covariance_matrix=wengert.eye(2)).mean
        tensor([[3., 0.],
                [0., 3.]])
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    @property
    def arg_constraints(self):
        """The constraint of each parameter, by name."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def __init__(self, df, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        given = {
            "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril
        }  # fmt: skip
        if count_given(given) != 1:
            raise AssertionError(
                "Wishart: expected one of covariance_matrix, precision_matrix and scale_tril, got "
                f"{count_given(given)} of them."
            )
        batch, name, matrix = self._take_matrix(tuple(getattr(df, "shape", ())), given)
        self.df = wengert.as_tensor(df, dtype=matrix.dtype).expand(batch)
        size = matrix.shape[-1]
        if not holds(constraints.greater_than(size - 1), self.df):
            raise ValueError(f"Wishart: expected df above {size - 1} for {size} x {size} matrices, got {df}.")
        if not holds(constraints.greater_than_eq(size), self.df):
            warnings.warn(f"Wishart: with df below {size}, samples may be singular.", stacklevel=2)
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._take_factor(name, matrix)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Wishart, _instance)
        batch = tuple(batch_shape)
        new.df = self.df.expand(batch)
        self._expand_matrix(new, batch)
        return self._with_batch(new, batch)

    @property
    def _size(self):
        return self._event_shape[-1]

    @property
    def mean(self):
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self):
        factor = self.df - self._size - 1
        return wengert.where(factor > 0, factor, math.nan)[..., None, None] * self.covariance_matrix

    @property
    def variance(self):
        diagonal = self.covariance_matrix.diagonal(dim1=-2, dim2=-1)
        products = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self.df[..., None, None] * (self.covariance_matrix**2 + products)

    def _bartlett(self, sample_shape):
        """L A A^T L^T with A lower triangular: normal below, roots of chi-squared variables on the diagonal."""
        left = wengert.arange(self._size, dtype=self.df.dtype)
        roots = Chi2(self.df.unsqueeze(-1) - left, validate_args=False).rsample(sample_shape).sqrt()
        below = wengert.randn(self._extended_shape(sample_shape), dtype=self.df.dtype).tril(-1)
        factor = roots.clamp(min=wengert.finfo(self.df.dtype).eps).diag_embed() + below
        product = self._unbroadcasted_scale_tril @ factor
        return product @ product.mT

    def rsample(self, sample_shape=(), max_try_correction=10):
        """Samples by Bartlett's decomposition; singular ones are drawn again, `max_try_correction` times at most."""
        sample = self._bartlett(sample_shape)
        for _ in range(max_try_correction):
            singular = ~self.support.check(sample.detach())
            if not bool(singular.any()):
                break
            sample = wengert.where(singular[..., None, None], self._bartlett(sample_shape), sample)
        return sample

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._size
        trace = squares(solved(self._unbroadcasted_scale_tril, wengert.linalg.cholesky(value)))
        return (
            (nu - p - 1) / 2 * wengert.linalg.slogdet(value).logabsdet - trace / 2
            - nu * (p * math.log(2) / 2 + self._half_log_det()) - multigammaln(nu / 2, p)
        )  # fmt: skip

    def entropy(self):
        nu, p = self.df, self._size
        return (
            (p + 1) * (p * math.log(2) / 2 + self._half_log_det()) + multigammaln(nu / 2, p)
            - (nu - p - 1) / 2 * multidigamma(nu / 2, p) + nu * p / 2
        )  # fmt: skip

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, (self.df - self._size - 1) / 2

    def _log_normalizer(self, x, y):
        p = self._size
        half = y + (p + 1) / 2
        return half * (p * math.log(2) - wengert.linalg.slogdet(-2 * x).logabsdet) + multigammaln(half, p)
