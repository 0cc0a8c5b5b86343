"""Elementwise rows: special functions. Conventions as in elementwise.py."""

import math

from ._def import binary, unary


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
    """The derivative of lgamma, elementwise. Its derivatives are `polygamma`."""
    return g.zmul(x.polygamma_at(1))


@binary(kernel="polygamma", flags="float_result", inplace=True, domain=(0.5, 4.0), public=False)
def polygamma_at(g, x, n, y):
    """The n-th derivative of digamma, elementwise, for whole n of at least 1."""
    return g.zmul(x.polygamma_at(n + 1)), None


@binary(flags="float_result", domain=(1.5, 4.0), public=False)
def zeta(g, s, q, y):
    """The sum of (q + k)^-s over k = 0, 1, ..., elementwise (Hurwitz). Its gradient for s is NaN: there is no formula."""
    return g * math.nan, g.zmul(-s * (s + 1).zeta(q))


@binary(flags="float_result", domain=(0.5, 4.0), public=False)
def igamma(g, a, x, y):
    """The regularized lower incomplete gamma function P(a, x), elementwise. Its gradient for a is NaN."""
    return g * math.nan, g.zmul(((a - 1).xlogy(x) - x - a.lgamma()).exp())


@binary(flags="float_result", domain=(0.5, 4.0), public=False)
def igammac(g, a, x, y):
    """The regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x), elementwise. Its gradient for a is NaN."""
    return g * math.nan, -g.zmul(((a - 1).xlogy(x) - x - a.lgamma()).exp())


@unary(flags="float_result", inplace=True)
def i0(g, x, y):
    """The modified Bessel function of the first kind of order 0, elementwise."""
    return g * x.i1()


@unary(flags="float_result", public=False)
def i0e(g, x, y):
    """exp(-|x|) i0(x), elementwise."""
    return g * (x.i1e() - x.sign() * y)


@unary(flags="float_result", public=False)
def i1(g, x, y):
    """The modified Bessel function of the first kind of order 1, elementwise."""
    return g * (x.i0() - x.equals(0).where(0.5, y / x))


@unary(flags="float_result", public=False)
def i1e(g, x, y):
    """exp(-|x|) i1(x), elementwise."""
    return g * (x.i0e() - x.sign() * y - x.equals(0).where(0.5, y / x))


@unary(flags="float_result", public=False)
def bessel_j0(g, x, y):
    """The Bessel function of the first kind of order 0, elementwise."""
    return -g * x.bessel_j1()


@unary(flags="float_result", public=False)
def bessel_j1(g, x, y):
    """The Bessel function of the first kind of order 1, elementwise."""
    return g * (x.bessel_j0() - x.equals(0).where(0.5, y / x))


@unary(flags="float_result", public=False, domain=(0.5, 4.0))
def bessel_y0(g, x, y):
    """The Bessel function of the second kind of order 0, elementwise; -inf at 0, NaN below."""
    return -g.zmul(x.bessel_y1())


@unary(flags="float_result", public=False, domain=(0.5, 4.0))
def bessel_y1(g, x, y):
    """The Bessel function of the second kind of order 1, elementwise; -inf at 0, NaN below."""
    return g.zmul(x.bessel_y0() - y / x)


@unary(flags="float_result", public=False)
def erfcx(g, x, y):
    """exp(x^2) erfc(x), elementwise."""
    return g.zmul(2 * x * y - 2 / math.sqrt(math.pi))


@unary(flags="float_result", public=False)
def log_ndtr(g, x, y):
    """The logarithm of the normal distribution function, elementwise."""
    return g.zdiv((x * -math.sqrt(0.5)).erfcx()) * math.sqrt(2 / math.pi)


@unary(flags="float_result", public=False, domain=(0.05, 0.95))
def ndtri(g, x, y):
    """The inverse of the normal distribution function, elementwise; infinite at 0 and 1, NaN outside."""
    return g.zmul((y * y * 0.5).exp() * math.sqrt(2 * math.pi))


@binary(ref="gcd", differentiable=False, inplace=True, numbers="")
def gcd(g, a, b, y):
    """The greatest common divisor of integers, elementwise."""


@binary(ref="lcm", differentiable=False, inplace=True, numbers="")
def lcm(g, a, b, y):
    """The least common multiple of integers, elementwise."""
