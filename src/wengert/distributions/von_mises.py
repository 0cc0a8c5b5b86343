"""The von Mises distribution of angles."""

import math

import wengert
from wengert import _host as host

from . import constraints
from ._counts import accepted
from .distribution import Distribution
from .utils import broadcast_all, lazy_property


class VonMises(Distribution):
    """The distribution of an angle around `loc`: density proportional to exp(concentration cos(x - loc)).

    Values and `loc` are in radians and may be any real number; samples lie in [-pi, pi). Mean and variance are the
    circular ones.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False
    _expanded = ("loc", "concentration")

    def __init__(self, loc, concentration, validate_args=None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @lazy_property
    def variance(self):
        """1 minus the length of the mean of the unit vectors."""
        return 1 - (log_bessel(self.concentration, 1) - log_bessel(self.concentration, 0)).exp()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        height = self.concentration * (value - self.loc).cos()
        return height - math.log(2 * math.pi) - log_bessel(self.concentration, 0)

    def sample(self, sample_shape=()):
        """Best and Fisher, Efficient simulation of the von Mises distribution (1979)."""
        with wengert.no_grad():
            shape = self._extended_shape(sample_shape)
            kappa = self.concentration.double().expand(shape)
            tau = 1 + (1 + 4 * kappa**2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
            r = wengert.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho**2) / (2 * rho))
            angle = host.call("von_mises", kappa, r)[0] + self.loc.double()
            return ((angle + math.pi) % (2 * math.pi) - math.pi).to(self.loc.dtype)


@host.register_tensors("von_mises", lambda kappa, r: [kappa], random=True)
def _angles(kappa, r):
    """Angles around 0 by rejection."""

    def propose():
        u1, u2, u3 = wengert.rand((3, *kappa.shape), dtype=wengert.float64).unbind()
        z = (math.pi * u1).cos()
        f = (1 + r * z) / (r + z)
        c = kappa * (r - f)
        accept = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
        return (u3 - 0.5).sign() * f.clamp(min=-1.0, max=1.0).acos(), accept

    return accepted(kappa.shape, propose)


_POINTS = 64


def log_bessel(x, order):
    """log I_order(x) of the modified Bessel functions for x > 0, in float64 inside.

    Up to 30 the integral of exp(x cos t) cos(order t) by the trapezoidal rule, whose error for a periodic function is
    I_64(x); above, Hankel's expansion (Abramowitz and Stegun 9.7.1).
    """
    wide = x.double()
    small = wide <= 30
    t = wengert.arange(_POINTS, dtype=wengert.float64) * (2 * math.pi / _POINTS)
    near = wengert.where(small, wide, 1.0).unsqueeze(-1)
    integral = ((near * (t.cos() - 1)).exp() * (order * t).cos()).mean(-1)
    far = wengert.where(small, 31.0, wide)
    term = total = wengert.ones_like(far)
    for k in range(1, 22):
        term = term * -(4 * order**2 - (2 * k - 1) ** 2) / (8 * k * far)
        total = total + term
    by_size = wengert.where(small, integral.log(), total.log() - 0.5 * (2 * math.pi * far).log())
    return (wide + by_size).to(x.dtype)
