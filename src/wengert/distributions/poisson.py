"""The Poisson distribution."""

import wengert

from . import constraints
from ._counts import poisson
from .exp_family import ExponentialFamily
from .utils import broadcast_all, shape_of


class Poisson(ExponentialFamily):
    """The number of events in an interval in which `rate` of them are expected."""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    _expanded = ("rate",)

    def __init__(self, rate, validate_args=None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(shape_of(rate), validate_args=validate_args)

    @property
    def mean(self):
        return self.rate

    @property
    def mode(self):
        return self.rate.floor()

    @property
    def variance(self):
        return self.rate

    def sample(self, sample_shape=()):
        with wengert.no_grad():
            return poisson(self.rate.expand(self._extended_shape(sample_shape)).double()).to(self.rate.dtype)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        rate, value = wengert.broadcast_tensors(self.rate, value)
        return value.xlogy(rate) - rate - (value + 1).lgamma()

    @property
    def _natural_params(self):
        return (self.rate.log(),)

    def _log_normalizer(self, log_rate):
        return log_rate.exp()
