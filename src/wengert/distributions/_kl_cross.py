"""Divergences between distributions of different families: the cross-entropy from means under p, less p's entropy."""

import math

import wengert

from ._kl_registry import register_kl
from .beta import Beta
from .continuous_bernoulli import ContinuousBernoulli
from .exponential import Exponential
from .gamma import Gamma
from .gumbel import Gumbel
from .laplace import Laplace
from .normal import Normal
from .pareto import Pareto
from .uniform import Uniform
from .utils import euler_constant

# What -log q needs of p are means under p: of x, of (x - m)^2, of log x, of log(1 - x), of exp(-x / s).


def _square_around(p, m):
    return p.variance + (p.mean - m) ** 2


def _mean_log(p):
    if isinstance(p, Beta):
        return p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    if isinstance(p, Exponential):
        return -p.rate.log() - euler_constant
    if isinstance(p, Gamma):
        return p.concentration.digamma() - p.rate.log()
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return _uniform_mean_log(p.low, p.high)


def _uniform_mean_log(low, high):
    """The mean of log x for x between two bounds."""
    low, high = low.clamp(min=0), high.clamp(min=0)
    return (high.xlogy(high) - low.xlogy(low)) / (high - low) - 1


def _log_mean_exp(p, s):
    """The logarithm of the mean of exp(-x / s)."""
    if isinstance(p, Exponential):
        return -(1 / (p.rate * s)).log1p()
    if isinstance(p, Gamma):
        return -p.concentration * (1 / (p.rate * s)).log1p()
    if isinstance(p, Normal):
        return -p.loc / s + 0.5 * (p.scale / s) ** 2
    width = (p.high - p.low) / s
    return -p.low / s + (-(-width).expm1() / width).log()


def _to_exponential(p, q):
    return -q.rate.log() + q.rate * p.mean


def _to_gamma(p, q):
    a = q.concentration
    return a.lgamma() - a * q.rate.log() - (a - 1) * _mean_log(p) + q.rate * p.mean


def _to_normal(p, q):
    return 0.5 * math.log(2 * math.pi) + q.scale.log() + 0.5 * _square_around(p, q.loc) / q.scale**2


def _to_gumbel(p, q):
    return q.scale.log() + (p.mean - q.loc) / q.scale + (q.loc / q.scale + _log_mean_exp(p, q.scale)).exp()


def _to_continuous_bernoulli(p, q):
    return -p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()


def _to_uniform(p, q):
    return (q.high - q.low).log()


def _to_beta(p, q):
    a, b = q.concentration1, q.concentration0
    mean_log_rest = _uniform_mean_log(1 - p.high, 1 - p.low)
    return a.lgamma() + b.lgamma() - (a + b).lgamma() - (a - 1) * _mean_log(p) - (b - 1) * mean_log_rest


def _to_pareto(p, q):
    return -q.alpha.log() - q.alpha * q.scale.log() + (q.alpha + 1) * _mean_log(p)


def _to_laplace(p, q):
    """For normal p: the mean of |x - loc| is that of a folded normal variable."""
    away = p.loc - q.loc
    z = away / p.scale
    mean = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z**2).exp() + away * (z / math.sqrt(2)).erf()
    return (2 * q.scale).log() + mean / q.scale


def _bounds(d):
    """Where the values of a distribution lie."""
    if isinstance(d, (Normal, Laplace, Gumbel)):
        return -math.inf, math.inf
    if isinstance(d, (Exponential, Gamma)):
        return 0.0, math.inf
    if isinstance(d, Pareto):
        return d.scale, math.inf
    return (d.low, d.high) if isinstance(d, Uniform) else (0.0, 1.0)


def _outside(p, q):
    """Where p has values that q excludes: a bool, or a tensor of them."""
    (low, high), (floor, ceiling) = _bounds(p), _bounds(q)
    return (low < floor) | (high > ceiling)


_CROSS_ENTROPY = {
    Exponential: _to_exponential, Gamma: _to_gamma, Normal: _to_normal, Gumbel: _to_gumbel,
    ContinuousBernoulli: _to_continuous_bernoulli, Uniform: _to_uniform, Beta: _to_beta, Pareto: _to_pareto,
    Laplace: _to_laplace,
}  # fmt: skip
_PAIRS = {
    Beta: (ContinuousBernoulli, Exponential, Gamma, Normal, Uniform),
    ContinuousBernoulli: (Exponential, Normal, Uniform),
    Exponential: (Gamma, Gumbel, Normal),
    Gamma: (Exponential, Gumbel, Normal),
    Gumbel: (Normal,),
    Laplace: (Normal,),
    Normal: (Gumbel, Laplace),
    Pareto: (Exponential, Gamma, Normal),
    Uniform: (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Normal, Pareto),
}
# p has values that q excludes, whatever the parameters.
_NEVER_INSIDE = {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
}


def _with_moments(p, order):
    """p with finite moments up to an order, for Pareto distributions of a small alpha too, and where it had none."""
    if not isinstance(p, Pareto):
        return p, False
    there = p.alpha > order
    return Pareto(p.scale, wengert.where(there, p.alpha, order + 1.0), validate_args=False), ~there


def _by_means(kind):
    to_q, order = _CROSS_ENTROPY[kind], 2 if kind is Normal else 1

    def divergence(p, q):
        tame, heavy = _with_moments(p, order)
        value = to_q(tame, q) - tame.entropy()
        outside = _outside(p, q) | heavy
        return value if outside is False else wengert.where(outside, math.inf, value)

    return divergence


def infinite(p, q):
    """Infinity for each pair: p has values that q excludes."""
    shape = wengert.broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape))
    return wengert.full(shape, math.inf, dtype=p.mean.dtype)


for _p, _qs in _PAIRS.items():
    for _q in _qs:
        register_kl(_p, _q)(_by_means(_q))
for _p, _qs in _NEVER_INSIDE.items():
    for _q in _qs:
        register_kl(_p, _q)(infinite)
