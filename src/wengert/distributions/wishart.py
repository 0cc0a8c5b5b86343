"""The Wishart distribution."""

import math

import wengert
from wengert import _host as host
from wengert._warn import warn

from . import constraints
from ._covariance import ByCovariance, count_given, solved, squares
from ._multigamma import multidigamma, multigammaln
from ._standard_gamma import draw, drawn
from .exp_family import ExponentialFamily
from .utils import holds


def _shapes(df, size):
    """The shapes of the gamma variables on the diagonal: halves of chi-squared ones with df, df - 1, ... degrees."""
    return 0.5 * (df.unsqueeze(-1) - wengert.arange(size, dtype=df.dtype))


def _bartlett(scale_tril, gammas, below):
    """L A A^T L^T with A lower triangular: normal below, roots of chi-squared variables on the diagonal."""
    roots = (2 * gammas).sqrt()
    product = scale_tril @ (roots.clamp(min=wengert.finfo(roots.dtype).eps).diag_embed() + below)
    return product @ product.mT


def _specs(df, scale_tril, tries):
    size = scale_tril[0][-1]
    return [((*df[0], size), df[1]), ((*df[0], size, size), df[1])]


@host.register_tensors("wishart", _specs, random=True)
def _variables(df, scale_tril, tries):
    """What A is made of, for each df; those that give singular matrices are drawn again."""
    shapes = _shapes(df, scale_tril.shape[-1])

    def one():
        return draw(shapes), wengert.randn((*shapes.shape, shapes.shape[-1]), dtype=df.dtype).tril(-1)

    gammas, below = one()
    for _ in range(tries):
        singular = ~constraints.positive_definite.check(_bartlett(scale_tril, gammas, below))
        if not bool(singular.any()):
            break
        more = one()
        gammas = wengert.where(singular[..., None], more[0], gammas)
        below = wengert.where(singular[..., None, None], more[1], below)
    return gammas, below


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
            warn(f"Wishart: with df below {size}, samples may be singular.")
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

    def rsample(self, sample_shape=(), max_try_correction=10):
        """Samples by Bartlett's decomposition; singular ones are drawn again, `max_try_correction` times at most."""
        shape = self._extended_shape(sample_shape)
        df = self.df.expand(shape[:-2])
        gammas, below = host.call("wishart", df, self._unbroadcasted_scale_tril, options=(max_try_correction,))
        return _bartlett(self._unbroadcasted_scale_tril, drawn(_shapes(df, self._size), gammas), below)

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
