"""The regularised lower incomplete gamma function, the cdf of the gamma distribution.

The series below a + 1 and Lentz's continued fraction for the rest (Numerical Recipes, 6.2), with the density's size
from Stirling's series, so that nothing of the size of a log(a) cancels.
"""

import math

import wengert
from wengert import _host as host
from wengert.autograd.function import Function, once_differentiable

from ._standard_gamma import slope


def log_density(x, a):
    """log(x^a e^-x / Gamma(a + 1)), float64."""
    large = a >= 20
    b = wengert.where(large, a, 20.0)
    offset = (x - b) / b
    rest = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * b * b)) / (b * b)) / (b * b)) / b
    by_stirling = b * (offset.log1p() - offset) - 0.5 * (2 * math.pi * b).log() - rest
    return wengert.where(large, by_stirling, a * x.log() - x - (a + 1).lgamma())


def _below(x, a):
    """P by its series, for x < a + 1."""
    term = total = wengert.ones_like(a)
    n = 0
    while bool((term > 1e-17 * total).any()):
        n += 1
        term = term * x / (a + n)
        total = total + term
    return (log_density(x, a).exp() * total).clamp(max=1.0)


def _above(x, a):
    """Q = 1 - P by its continued fraction, for x >= a + 1."""
    b = x + 1 - a
    c, d = wengert.full_like(x, 1e300), 1 / b
    h = d
    n, change = 0, wengert.zeros_like(x)
    while bool(((change - 1).abs() > 1e-15).any()) and n < 20000:
        n += 1
        numerator = -n * (n - a)
        b = b + 2
        d = 1 / _away_from_zero(numerator * d + b)
        c = _away_from_zero(b + numerator / c)
        change = c * d
        h = h * change
    return (log_density(x, a).exp() * a * h).clamp(max=1.0)


def _away_from_zero(v):
    return wengert.where(v.abs() < 1e-300, 1e-300, v)


@host.register_tensors("gamma.lower", lambda a, x: [x])
def _values(a, x):
    """P(a, x); NaN outside its domain. float64 inside."""
    x, a = x.double(), a.double()
    inside = (x > 0) & (a > 0) & (x < math.inf)
    low = inside & (x < a + 1)
    high = inside & ~low
    result = wengert.where(x == math.inf, 1.0, wengert.where(x == 0, 0.0, math.nan))
    if bool(low.any()):
        result = wengert.where(low, _below(wengert.where(low, x, 1.0), wengert.where(low, a, 1.0)), result)
    if bool(high.any()):
        result = wengert.where(high, 1 - _above(wengert.where(high, x, 3.0), wengert.where(high, a, 1.0)), result)
    return result


@host.gradient("gamma.lower")
class LowerGamma(Function):
    """P(a, x) with its gradients for both."""

    @staticmethod
    def forward(ctx, a, x):
        ctx.save_for_backward(a, x)
        return host.call("gamma.lower", a, x)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        a, x = (t.double() for t in ctx.saved_tensors)
        inside = (x > 0) & (x < math.inf)
        safe = wengert.where(inside, x, 1.0)
        density = wengert.where(inside, (log_density(safe, a) + a.log() - safe.log()).exp(), 0.0)
        # Where the density vanishes, the slope of the quantile is beyond float64.
        to_a = wengert.where(density == 0, 0.0, -slope(safe, a) * density) if ctx.needs_input_grad[0] else None
        return None if to_a is None else g * to_a.to(g.dtype), g * density.to(g.dtype)


def lower_gamma(a, x):
    """P(a, x), the integral of t^(a - 1) e^-t / Gamma(a) from 0 to x; differentiable once, in both."""
    dtype = wengert.promote_types(a.dtype, x.dtype)
    inside = dtype if dtype.itemsize > 2 else wengert.float32
    return LowerGamma.apply(*wengert.broadcast_tensors(a.to(inside), x.to(inside))).to(dtype)
