"""The Poisson distribution."""

import wengert

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, shape_of


class Poisson(Distribution):
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
            return _counts(self.rate.expand(self._extended_shape(sample_shape)).double()).to(self.rate.dtype)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        rate, value = wengert.broadcast_tensors(self.rate, value)
        return value.xlogy(rate) - rate - (value + 1).lgamma()


def _counts(rate):
    """Counts by Knuth's products of uniform numbers for rates below 30, by Hörmann's PTRS (1993) for larger ones."""
    small = rate < 30
    return wengert.where(
        small, _by_products(wengert.where(small, rate, 1.0)), _by_rejection(wengert.where(small, 30.0, rate))
    )


def _by_products(rate):
    limit, product = (-rate).exp(), wengert.rand_like(rate)
    count = wengert.zeros_like(rate)
    going = product > limit
    while bool(going.any()):
        count = count + going
        product = product * wengert.rand_like(rate)
        going = going & (product > limit)
    return count


def _by_rejection(rate):
    b = 0.931 + 2.53 * rate.sqrt()
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    vr = 0.9277 - 3.6224 / (b - 2)
    result, todo = wengert.zeros_like(rate), wengert.ones_like(rate, dtype=wengert.bool)
    while bool(todo.any()):
        u, v = wengert.rand_like(rate) - 0.5, wengert.rand_like(rate)
        us = 0.5 - u.abs()
        k = ((2 * a / us + b) * u + rate + 0.43).floor()
        quick = (us >= 0.07) & (v <= vr)
        whole = k.clamp(min=0)
        left = (v * inverse_alpha / (a / (us * us) + b)).log()
        slow = (k >= 0) & ~((us < 0.013) & (v > us)) & (left <= whole * rate.log() - rate - (whole + 1).lgamma())
        accept = quick | slow
        result = wengert.where(todo & accept, whole, result)
        todo = todo & ~accept
    return result
