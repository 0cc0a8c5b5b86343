"""The F distribution of Fisher and Snedecor."""

import math

import wengert

from . import constraints
from .distribution import Distribution
from .gamma import Gamma
from .utils import broadcast_all, shape_of


class FisherSnedecor(Distribution):
    """The F distribution: of the ratio of two chi-squared variables, each over its degrees of freedom df1 and df2."""

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _expanded = ("df1", "df2")

    def __init__(self, df1, df2, validate_args=None):
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(shape_of(df1, df2), validate_args=validate_args)

    @property
    def mean(self):
        return wengert.where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan)

    @property
    def mode(self):
        return wengert.where(self.df1 > 2, (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2), math.nan)

    @property
    def variance(self):
        a, b = self.df1, self.df2
        return wengert.where(b > 4, 2 * b**2 * (a + b - 2) / (a * (b - 2) ** 2 * (b - 4)), math.nan)

    def rsample(self, sample_shape=()):
        above, below = (
            Gamma(df * 0.5, df * 0.5, validate_args=False).rsample(sample_shape) for df in (self.df1, self.df2)
        )
        tiny = wengert.finfo(self.df1.dtype).tiny
        return (above / below.clamp(min=tiny)).clamp(min=tiny)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        a, b, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        size = (a + b).lgamma() - a.lgamma() - b.lgamma() + a * ratio.log()
        return size + (a - 1) * value.log() - (a + b) * (ratio * value).log1p()
