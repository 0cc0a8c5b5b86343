"""The LKJ distribution of Cholesky factors of correlation matrices.

Lewandowski, Kurowicka and Joe, Generating random correlation matrices based on vines and extended onion method (2009).
"""

import math

import wengert

from . import constraints
from ._multigamma import multigammaln
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all


class LKJCholesky(Distribution):
    """L with a density of the correlation matrix L L^T proportional to its determinant^(concentration - 1).

    Args:
        dim: the size of the matrices, from 2.
        concentration: a number or a tensor; 1 makes all correlation matrices equally likely.

    Raises ValueError for a dim below 2.

    Example:
        >>> from wengert.distributions import LKJCholesky
        >>> LKJCholesky(3, 1.0).sample((2,)).shape
        wengert.Size([2, 3, 3])
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ValueError(f"LKJCholesky: expected dim of at least 2, got {dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(LKJCholesky, _instance)
        new.dim = self.dim
        new.concentration = self.concentration.expand(tuple(batch_shape))
        return self._with_batch(new, batch_shape)

    def sample(self, sample_shape=()):
        """The onion method: a row is a direction that is uniform on a sphere, of a beta-distributed squared length."""
        with wengert.no_grad():
            a, shape = self.concentration, self._extended_shape(sample_shape)
            before = wengert.arange(1, self.dim, dtype=a.dtype)  # how many elements a row has below the diagonal
            lengths = Beta(before / 2, (a + self.dim / 2 - 1).unsqueeze(-1) - (before - 1) / 2).sample(sample_shape)
            rows = wengert.randn(shape, dtype=a.dtype).tril(-1)[..., 1:, :]
            rows = rows / rows.norm(dim=-1, keepdim=True) * lengths.sqrt().unsqueeze(-1)
            rows = wengert.cat([wengert.zeros_like(rows[..., :1, :]), rows], -2)
            left = (1 - (rows**2).sum(-1)).clamp(min=wengert.finfo(a.dtype).tiny)
            return rows + left.sqrt().diag_embed()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        # The determinant is the product of the squared diagonal; the map from L to L L^T has the Jacobian
        # determinant prod L_ii^(dim - i).
        rest = self.dim - 1
        power = 2 * (self.concentration - 1).unsqueeze(-1) + wengert.arange(
            rest - 1, -1, -1, dtype=self.concentration.dtype
        )
        unnormalised = (power * value.diagonal(dim1=-2, dim2=-1)[..., 1:].log()).sum(-1)
        alpha = self.concentration + 0.5 * rest
        size = 0.5 * rest * math.log(math.pi) + multigammaln(alpha - 0.5, rest) - rest * alpha.lgamma()
        return unnormalised - size
