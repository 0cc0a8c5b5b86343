"""Transforms of single numbers."""

import math

import wengert

from . import constraints
from ._transform import Plain, Transform
from .utils import broadcast_all, sum_last


class ExpTransform(Plain):
    """y = exp(x)."""

    codomain = constraints.positive
    bijective = True
    sign = 1

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


class SigmoidTransform(Plain):
    """y = 1 / (1 + exp(-x)), kept away from 0 and 1 so that it can be inverted."""

    codomain = constraints.unit_interval
    bijective = True
    sign = 1

    def _call(self, x):
        return inside_unit(x.sigmoid())

    def _inverse(self, y):
        y = inside_unit(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        softplus = wengert.nn.functional.softplus
        return -softplus(-x) - softplus(x)


def inside_unit(y):
    """Values clamped to the open interval (0, 1)."""
    limits = wengert.finfo(y.dtype)
    return y.clamp(min=limits.tiny, max=1.0 - limits.eps)


class SoftplusTransform(Plain):
    """y = log(1 + exp(x))."""

    codomain = constraints.positive
    bijective = True
    sign = 1

    def _call(self, x):
        return wengert.nn.functional.softplus(x)

    def _inverse(self, y):
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x, y):
        return -wengert.nn.functional.softplus(-x)


class TanhTransform(Plain):
    """y = tanh(x)."""

    codomain = constraints.interval(-1.0, 1.0)
    bijective = True
    sign = 1

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return y.atanh()

    def log_abs_det_jacobian(self, x, y):
        return 2.0 * (math.log(2.0) - x - wengert.nn.functional.softplus(-2.0 * x))


class AbsTransform(Plain):
    """y = |x|; not invertible: the inverse takes the positive branch."""

    codomain = constraints.positive

    def _call(self, x):
        return x.abs()

    def _inverse(self, y):
        return y


class _Broadcasting(Transform):
    """A transform whose parameters broadcast with its input."""

    bijective = True
    _parameters = ()

    def forward_shape(self, shape):
        return wengert.broadcast_shapes(
            tuple(shape), *[tuple(getattr(getattr(self, name), "shape", ())) for name in self._parameters]
        )

    def inverse_shape(self, shape):
        return self.forward_shape(shape)

    def __eq__(self, other):
        return isinstance(other, type(self)) and all(
            bool(wengert.as_tensor(getattr(self, name) == getattr(other, name)).all()) for name in self._parameters
        )

    __hash__ = Transform.__hash__


class PowerTransform(_Broadcasting):
    """y = x^exponent of positive numbers."""

    domain = codomain = constraints.positive
    _parameters = ("exponent",)

    def __init__(self, exponent, cache_size=0):
        super().__init__(cache_size)
        (self.exponent,) = broadcast_all(exponent)

    @property
    def sign(self):
        return self.exponent.sign()

    def _call(self, x):
        return x**self.exponent

    def _inverse(self, y):
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x, y):
        return (self.exponent * y / x).abs().log()


class AffineTransform(_Broadcasting):
    """y = loc + scale x.

    Args:
        loc, scale: numbers or tensors.
        event_dim: how many of the last dimensions form an event.
    """

    _parameters = ("loc", "scale")

    def __init__(self, loc, scale, event_dim=0, cache_size=0):
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @property
    def event_dim(self):
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return constraints.independent(constraints.real, self._event_dim) if self._event_dim else constraints.real

    codomain = domain

    @property
    def sign(self):
        if isinstance(self.scale, wengert.Tensor):
            return self.scale.sign()
        return (self.scale > 0) - (self.scale < 0)

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        if isinstance(self.scale, wengert.Tensor):
            size = self.scale.abs().log()
        else:
            size = wengert.full_like(x, math.log(abs(self.scale)))
        return sum_last(size.expand(wengert.broadcast_shapes(tuple(size.shape), tuple(x.shape))), self._event_dim)


class CumulativeDistributionTransform(Transform):
    """y = F(x), where F is the cdf of a distribution.

    Example:
        >>> import wengert
        >>> from wengert.distributions import CumulativeDistributionTransform, Normal
        >>> CumulativeDistributionTransform(Normal(0.0, 1.0))(wengert.zeros(1))
        tensor([0.5000])
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = 1

    def __init__(self, distribution, cache_size=0):
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self):
        return self.distribution.support

    def _call(self, x):
        return self.distribution.cdf(x)

    def _inverse(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)
