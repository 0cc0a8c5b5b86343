"""Modified Bessel functions of the second kind and the Airy function, on NumPy arrays in float64.

K_v is the integral of exp(-x cosh t) cosh(v t) over t > 0 (DLMF 10.32.9). The trapezoidal rule converges to it
geometrically, because the integrand is analytic and falls off at both ends; near 0 the power series (DLMF 10.31) are
summed instead.
"""

import math

import numpy as np

from . import _core
from . import _host as host
from ._overload import cast, check_tensor
from .autograd.function import Function

_EULER = 0.57721566490153286061
_SERIES = 1.0  # below, the power series; above, the integral
_STEP, _STEPS = 0.25, 36  # of t sqrt(x): exp(-(36 / 4)^2 / 2) is below the rounding of the first term


def _integral(order, x):
    """exp(x) K_order(x) for x of at least 1."""
    total = np.full_like(x, 0.5)
    root = np.sqrt(x)
    for k in range(1, _STEPS):
        t = k * _STEP / root
        total += np.exp(-2 * x * np.sinh(t / 2) ** 2) * np.cosh(order * t)  # cosh t - 1 = 2 sinh(t / 2)^2
    return total * _STEP / root


def _series(order, x):
    """K_0 or K_1 for 0 < x <= 1."""
    quarter, log = x * x / 4, np.log(x / 2) + _EULER
    term, harmonic = np.ones_like(x), 0.0
    total = np.zeros_like(x)
    for k in range(12):  # 4^-12 / 12!^2 is below 1e-24
        # order 0: H_k - log; order 1: log - (H_k + H_(k+1)) / 2
        if order == 0:
            total += term * (harmonic - log)
        else:
            total += term / (k + 1) * (log - harmonic - 0.5 / (k + 1))
        harmonic += 1 / (k + 1)
        term = term * quarter / (k + 1) ** 2
    return total if order == 0 else 1 / x + total * x / 2


def _second_kind(order, scaled, x):
    """K_order(x), times exp(x) where scaled; infinite at 0, NaN below."""
    x = np.asarray(x, np.float64)
    small = x <= _SERIES
    with np.errstate(all="ignore"):
        near = np.where(small & (x > 0), x, 1.0)
        far = np.where(small | ~np.isfinite(x), 2.0, x)
        low = _series(order, near) * (np.exp(near) if scaled else 1.0)
        high = _integral(order, far) * (1.0 if scaled else np.exp(-far))
    result = np.where(small, low, high)
    result = np.where(x == 0, np.inf, np.where((x < 0) | np.isnan(x), np.nan, result))
    return np.where(x == np.inf, 0.0, result)


# Ai and its derivative at -10, -9, ..., 2, from mpmath with 30 digits.
_AIRY = np.array(
    (
        (0.0402412384864431907, 0.996265044132790056),
        (-0.0221337215473414037, -0.975663980926331595),
        (-0.0527050503563862026, 0.935560938198306551),
        (0.184280835250505637, -0.771008168410126548),
        (-0.329145173629823105, 0.345935487281342895),
        (0.35076100902411432, 0.327192818554443137),
        (-0.0702655329492895151, -0.79062857536858138),
        (-0.378814293677658074, 0.314583769216598814),
        (0.227407428201685576, 0.618259020741691041),
        (0.535560883292352119, -0.0101605671166452094),
        (0.355028053887817239, -0.258819403792806798),
        (0.135292416312881416, -0.159147441296793213),
        (0.0349241304232743791, -0.0530903844336536317),
    )
)


def _airy_taylor(x):
    """Ai for -10.5 <= x <= 2.5: the Taylor series about the nearest integer, by y'' = x y."""
    centre = np.rint(x)
    before, (value, slope) = np.zeros_like(x), np.moveaxis(_AIRY[centre.astype(int) + 10], -1, 0)
    step, power, total = x - centre, x - centre, value + slope * (x - centre)
    for n in range(24):
        value, slope, before = slope, (centre * value + before) / ((n + 1) * (n + 2)), value
        power = power * step
        total = total + slope * power
    return total


def _airy_waves(x):
    """Ai for x < -10: the asymptotic series of its modulus and phase (DLMF 9.7.9)."""
    angle = 2 / 3 * (-x) ** 1.5
    even, odd, term = np.ones_like(x), np.zeros_like(x), np.ones_like(x)
    for k in range(1, 16):
        term = term * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)) / angle
        signed = term if k % 4 < 2 else -term
        if k % 2:
            odd = odd + signed
        else:
            even = even + signed
    phase = angle - math.pi / 4
    return (np.cos(phase) * even + np.sin(phase) * odd) / (math.sqrt(math.pi) * (-x) ** 0.25)


@host.register("airy_ai", lambda x: [x])
def _airy(x):
    kept = np.asarray(x, np.float64)
    middle, low = (kept >= -10.5) & (kept <= 2.5), kept < -10.5
    with np.errstate(all="ignore"):
        far = np.where(kept > 2.5, kept, 3.0)
        angle = 2 / 3 * far**1.5
        above = np.sqrt(far / 3) / math.pi * _integral(1 / 3, angle) * np.exp(-angle)
        above = np.where(np.isinf(kept), 0.0, above)
        result = np.where(middle, _airy_taylor(np.where(middle, kept, 0.0)), above)
        result = np.where(low, _airy_waves(np.where(low, kept, -11.0)), result)
    return (np.where(np.isnan(kept) | (kept == -np.inf), np.nan, result),)


def _floating(op, input):
    """A tensor as float32 or float64, in which these functions are there."""
    check_tensor(op, input)
    if not input.dtype.is_inexact:
        return cast(input, _core.get_default_dtype())
    if input.dtype.is_complex or input.dtype.itemsize < 4:
        raise NotImplementedError(f"{op}: expected float32 or float64, got {input.dtype}. Convert the tensor.")
    return input


def _result(result, out):
    return result if out is None else _core.copy_out("out=", result, out)


def airy_ai(input, *, out=None):
    """The Airy function Ai, elementwise; no gradient flows through it.

    Example:
        >>> import wengert
        >>> wengert.special.airy_ai(wengert.tensor([0.0, 1.0]))
        tensor([0.3550, 0.1353])
    """
    (result,) = host.call("airy_ai", _floating("airy_ai", input))
    return _result(result, out)


def _kind(name, order, scaled, doc):
    """K of an order. Its derivative is -K1 for order 0, -K0 - K1 / x for order 1; scaled, the function itself is added."""

    @host.register(name, lambda x: [x])
    def on_arrays(x):
        return (_second_kind(order, scaled, x),)

    @host.gradient(name)
    class Kind(Function):
        _grad_name = f"Special{''.join(w.capitalize() for w in name.split('_'))}Backward0"

        @staticmethod
        def forward(ctx, x):
            (y,) = host.call(name, x)
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            other = FUNCTIONS[name[:-1] + str(1 - order)](x)
            slope = -other if order == 0 else -other - y / x
            return g * (slope + y if scaled else slope)

    def function(input, *, out=None):
        return _result(Kind.apply(_floating(name, input)), out)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "wengert.special"
    function.__doc__ = f"""{doc}, elementwise; infinite at 0, NaN below."""
    return function


_KINDS = (
    ("modified_bessel_k0", 0, False, "The modified Bessel function of the second kind of order 0"),
    ("modified_bessel_k1", 1, False, "The modified Bessel function of the second kind of order 1"),
    ("scaled_modified_bessel_k0", 0, True, "exp(x) modified_bessel_k0(x)"),
    ("scaled_modified_bessel_k1", 1, True, "exp(x) modified_bessel_k1(x)"),
)
FUNCTIONS = {"airy_ai": airy_ai} | {name: _kind(name, *rest) for name, *rest in _KINDS}
