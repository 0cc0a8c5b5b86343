"""The generalised Pareto distribution."""

import math

import wengert

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, shape_of


class GeneralizedPareto(Distribution):
    """What lies above a high threshold: 1 - cdf is (1 + concentration z)^(-1 / concentration), z = (x - loc) / scale.

    Concentration 0 is the exponential distribution, -1 the uniform one; a negative concentration has an upper end,
    loc - scale / concentration.
    """

    arg_constraints = {
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real
    }  # fmt: skip
    has_rsample = True
    _expanded = ("loc", "scale", "concentration")

    def __init__(self, loc, scale, concentration, validate_args=None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(shape_of(loc, scale, concentration), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        end = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, wengert.where(self.concentration < 0, end, math.inf))

    def _by_concentration(self):
        """Where the concentration is 0, up to 1e-8, and the concentration with 1 in those places."""
        zero = self.concentration.abs() <= 1e-8
        return zero, wengert.where(zero, 1.0, self.concentration)

    @property
    def mean(self):
        finite = self.concentration < 1
        safe = wengert.where(finite, self.concentration, 0.5)
        return wengert.where(finite, self.loc + self.scale / (1 - safe), math.nan)

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        finite = self.concentration < 0.5
        safe = wengert.where(finite, self.concentration, 0.25)
        return wengert.where(finite, self.scale**2 / ((1 - safe) ** 2 * (1 - 2 * safe)), math.nan)

    def rsample(self, sample_shape=()):
        return self.icdf(wengert.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        zero, safe = self._by_concentration()
        z = (value - self.loc) / self.scale
        power = 1 / safe + 1
        curved = wengert.where(power == 0, 0.0, power * (safe * z).log1p())
        return -self.scale.log() - wengert.where(zero, z, curved)

    def log_survival_function(self, value):
        """log(1 - cdf(value))."""
        if self._validate_args:
            self._validate_sample(value)
        zero, safe = self._by_concentration()
        z = (value - self.loc) / self.scale
        return wengert.where(zero, -z, -(safe * z).log1p() / safe)

    def log_cdf(self, value):
        """log(cdf(value))."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value):
        return -self.log_survival_function(value).expm1()

    def icdf(self, value):
        zero, safe = self._by_concentration()
        survival = (-value).log1p()
        curved = self.loc + self.scale / safe * (-safe * survival).expm1()
        return wengert.where(zero, self.loc - self.scale * survival, curved)

    def entropy(self):
        return (self.scale.log() + self.concentration + 1).expand(tuple(self._batch_shape))
