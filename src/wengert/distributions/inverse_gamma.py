"""The inverse gamma distribution."""

import math

import wengert

from . import constraints
from .gamma import Gamma
from .transformed_distribution import TransformedDistribution
from .transforms import PowerTransform


class InverseGamma(TransformedDistribution):
    """The distribution of 1 / x for x of a gamma distribution."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _expanded = ()

    def __init__(self, concentration, rate, validate_args=None):
        base = Gamma(concentration, rate, validate_args=validate_args)
        exponent = -wengert.ones((), dtype=base.rate.dtype)
        super().__init__(base, PowerTransform(exponent), validate_args=validate_args)

    @property
    def concentration(self):
        """The shape of x."""
        return self.base_dist.concentration

    @property
    def rate(self):
        """The rate of x: the scale of 1 / x."""
        return self.base_dist.rate

    @property
    def mean(self):
        return wengert.where(self.concentration > 1, self.rate / (self.concentration - 1), math.inf)

    @property
    def mode(self):
        return self.rate / (self.concentration + 1)

    @property
    def variance(self):
        a = self.concentration
        return wengert.where(a > 2, self.rate**2 / ((a - 1) ** 2 * (a - 2)), math.inf)

    def entropy(self):
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
