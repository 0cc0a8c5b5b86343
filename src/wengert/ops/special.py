"""Elementwise rows: special functions. Conventions as in elementwise.py."""

import math

from ._def import unary


@unary(flags="float_result", inplace=True, ref=lambda np, x: 1 / (1 + np.exp(-x)))
def sigmoid(g, x, y):
    """1 / (1 + exp(-x)), elementwise."""
    return g * (y * (1 - y))


@unary(flags="float_result", inplace=True, ref=lambda np, x: np.vectorize(math.erf, otypes=[x.dtype])(x))
def erf(g, x, y):
    """The error function, elementwise."""
    return g * ((-(x * x)).exp() * (2 / math.sqrt(math.pi)))


@unary(flags="float_result", inplace=True, ref=lambda np, x: np.vectorize(math.erfc, otypes=[x.dtype])(x))
def erfc(g, x, y):
    """1 - erf(x) without cancellation, elementwise."""
    return g * ((-(x * x)).exp() * (-2 / math.sqrt(math.pi)))


@unary(flags="float_result", inplace=True, domain=(-0.9, 0.9))
def erfinv(g, x, y):
    """The inverse of erf, elementwise; infinite at -1 and 1, NaN outside."""
    return g.zmul((y * y).exp() * (math.sqrt(math.pi) / 2))


@unary(
    flags="float_result",
    inplace=True,
    domain=(0.5, 4.0),
    ref=lambda np, x: np.vectorize(math.lgamma, otypes=[x.dtype])(x),
)
def lgamma(g, x, y):
    """The logarithm of the absolute value of the gamma function, elementwise."""
    return g.zmul(x.digamma())


@unary(flags="float_result", inplace=True, domain=(0.5, 4.0))
def digamma(g, x, y):
    """The derivative of lgamma, elementwise. Its own gradient is the trigamma function."""
    return g.zmul(x.trigamma())


@unary(flags="float_result", inplace=True, domain=(0.5, 4.0), differentiable=False, public=False)
def trigamma(g, x, y):
    """The derivative of digamma, elementwise. It has no gradient rule: third derivatives of lgamma are not there."""
