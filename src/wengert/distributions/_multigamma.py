"""The multivariate gamma function and its derivative."""

import math

import wengert


def _shifted(a, p):
    """a, a - 1/2, ..., a - (p - 1)/2 along a new last dimension."""
    return a.unsqueeze(-1) - wengert.arange(p, dtype=a.dtype) / 2


def multigammaln(a, p):
    """log of pi^(p (p - 1) / 4) times the product of Gamma(a - j / 2) for j < p."""
    return p * (p - 1) / 4 * math.log(math.pi) + _shifted(a, p).lgamma().sum(-1)


def multidigamma(a, p):
    """The derivative of multigammaln."""
    return _shifted(a, p).digamma().sum(-1)
