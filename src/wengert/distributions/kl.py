"""Kullback-Leibler divergences of pairs of distributions."""

import math

import wengert

from .bernoulli import Bernoulli
from .beta import Beta
from .categorical import Categorical
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .laplace import Laplace
from .multivariate_normal import MultivariateNormal, mahalanobis
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform

_REGISTRY = {}
_FOUND = {}


def register_kl(type_p, type_q):
    """Decorates a function (p, q) -> divergence for two classes of distributions and their subclasses.

    Example:
        >>> from wengert.distributions import Normal, register_kl
        >>> class Mine(Normal):
        ...     pass
        >>> @register_kl(Mine, Mine)
        ... def _mine(p, q):
        ...     return (p.loc - q.loc).abs()
    """
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"register_kl: expected subclasses of Distribution, got {kind!r}.")

    def enter(function):
        _REGISTRY[type_p, type_q] = function
        _FOUND.clear()
        return function

    return enter


def _find(type_p, type_q):
    """The function of the nearest registered pair: p's class decides first, then q's."""
    if (type_p, type_q) not in _FOUND:
        pairs = [pair for pair in _REGISTRY if issubclass(type_p, pair[0]) and issubclass(type_q, pair[1])]
        places = [(type_p.__mro__.index(a), type_q.__mro__.index(b), a, b) for a, b in pairs]
        best = min(places, key=lambda place: place[:2], default=None)
        _FOUND[type_p, type_q] = None if best is None else _REGISTRY[best[2:]]
    return _FOUND[type_p, type_q]


def kl_divergence(p, q):
    """The divergence KL(p || q) = E_p[log p - log q], of shape batch_shape.

    Raises NotImplementedError for pairs that no function is registered for.

    Example:
        >>> from wengert.distributions import Normal, kl_divergence
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
        tensor(0.5000)
    """
    function = _find(type(p), type(q))
    if function is None:
        raise NotImplementedError(
            f"kl_divergence: expected a pair that is registered, got {type(p).__name__} and {type(q).__name__}. Register "
            "a function with register_kl, or estimate it from samples."
        )
    return function(p, q)


def _outside(condition, value):
    """Infinity where p has values that q excludes."""
    return wengert.where(condition, math.inf, value)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p, q):
    softplus = wengert.nn.functional.softplus
    yes = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    yes = wengert.where(p.probs == 0, 0.0, _outside(q.probs == 0, yes))
    no = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return yes + wengert.where(p.probs == 1, 0.0, _outside(q.probs == 1, no))


@register_kl(Beta, Beta)
def _beta(p, q):
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    terms = p.probs * (p.logits - q.logits)
    terms = _outside((q.probs == 0).expand(terms.shape), terms)
    return wengert.where((p.probs == 0).expand(terms.shape), 0.0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p, q):
    return _categorical(p._categorical, q._categorical)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    sizes = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return sizes + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p, q):
    return (
        q.concentration * (p.rate / q.rate).log() + q.concentration.lgamma() - p.concentration.lgamma()
        + (p.concentration - q.concentration) * p.concentration.digamma()
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )  # fmt: skip


@register_kl(Geometric, Geometric)
def _geometric(p, q):
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _gumbel(p, q):
    euler = 0.57721566490153286060
    ratio = p.scale / q.scale
    shift = (q.loc - p.loc) / q.scale
    return -ratio.log() - 1 - euler + (shift + (1 + ratio).lgamma()).exp() - shift + ratio * euler


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p, q):
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(f"kl_divergence: expected one event shape, got {p.event_shape} and {q.event_shape}.")
    lower_p, lower_q = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    batch = wengert.broadcast_shapes(tuple(lower_p.shape[:-2]), tuple(lower_q.shape[:-2]))
    matrix = (*batch, *lower_p.shape[-2:])
    mixed = wengert.linalg.solve_triangular(lower_q.expand(matrix), lower_p.expand(matrix), upper=False)
    spread = (mixed**2).sum((-2, -1)) + mahalanobis(lower_q, q.loc - p.loc)
    return q._half_log_det() - p._half_log_det() + 0.5 * (spread - p.event_shape[0])


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio = (p.scale / q.scale) ** 2
    shift = ((p.loc - q.loc) / q.scale) ** 2
    return 0.5 * (ratio + shift - 1 - ratio.log())


@register_kl(Poisson, Poisson)
def _poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("kl_divergence: expected two distributions with the same transforms, got others.")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _uniform(p, q):
    return _outside((q.low > p.low) | (q.high < p.high), ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Uniform, Normal)
def _uniform_normal(p, q):
    width = p.high - p.low
    spread = (width / q.scale) ** 2 / 24 + ((p.high + p.low - 2 * q.loc) / (2 * q.scale)) ** 2 / 2
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + spread


@register_kl(Normal, Laplace)
def _normal_laplace(p, q):
    z = (p.loc - q.loc) / p.scale
    part = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z**2).exp() + p.scale * z * (z / math.sqrt(2)).erf()
    return (2 * q.scale).log() + part / q.scale - p.scale.log() - 0.5 * math.log(2 * math.pi * math.e)


@register_kl(Exponential, Normal)
def _exponential_normal(p, q):
    variance = q.scale**2
    return (
        p.rate.log() - 1 + q.scale.log() + 0.5 * math.log(2 * math.pi)
        + (2 / p.rate**2 - 2 * q.loc / p.rate + q.loc**2) / (2 * variance)
    )  # fmt: skip


@register_kl(Exponential, Gamma)
def _exponential_gamma(p, q):
    euler = 0.57721566490153286060
    ratio = q.rate / p.rate
    return -q.concentration * ratio.log() + ratio + q.concentration.lgamma() + q.concentration * euler - (1 + euler)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p, q):
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate
