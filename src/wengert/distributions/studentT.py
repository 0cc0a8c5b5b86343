"""Student's t distribution."""

import math

import wengert

from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .utils import broadcast_all, shape_of


class StudentT(Distribution):
    """Student's t distribution of `df` degrees of freedom, shifted by `loc` and stretched by `scale`."""

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _expanded = ("df", "loc", "scale")

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(shape_of(df, loc, scale), validate_args=validate_args)

    @property
    def mean(self):
        return wengert.where(self.df <= 1, math.nan, self.loc)

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        wide = wengert.where(self.df > 2, self.df, 3.0)
        finite = wengert.where(self.df > 2, self.scale**2 * wide / (wide - 2), math.inf)
        return wengert.where(self.df <= 1, math.nan, finite)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        spread = Chi2(self.df, validate_args=False).expand(self._batch_shape).rsample(sample_shape)
        return self.loc + self.scale * wengert.randn(shape, dtype=self.df.dtype) * (spread / self.df).rsqrt()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        y = (value - self.loc) / self.scale
        size = (
            self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi)
            + (0.5 * self.df).lgamma() - (0.5 * (self.df + 1)).lgamma()
        )  # fmt: skip
        return -0.5 * (self.df + 1) * (y**2 / self.df).log1p() - size

    def entropy(self):
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        beta = half.lgamma() + math.lgamma(0.5) - more.lgamma()
        return self.scale.log() + more * (more.digamma() - half.digamma()) + 0.5 * self.df.log() + beta
