"""The Gumbel distribution."""

import math

import wengert

from ._location_scale import LocationScale
from .utils import euler_constant


class Gumbel(LocationScale):
    """The Gumbel distribution, of the largest of many values: cdf exp(-exp(-(x - loc) / scale))."""

    @property
    def mean(self):
        return self.loc + self.scale * euler_constant

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return self.scale**2 * (math.pi**2 / 6)

    def rsample(self, sample_shape=()):
        draws = wengert.empty(self._extended_shape(sample_shape), dtype=self.loc.dtype).exponential_()
        return self.loc - self.scale * draws.clamp(min=wengert.finfo(draws.dtype).tiny).log()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        z = (self.loc - value) / self.scale
        return z - z.exp() - self.scale.log()

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return (-((self.loc - value) / self.scale).exp()).exp()

    def icdf(self, value):
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self):
        return self.scale.log() + (1 + euler_constant)
