"""Kullback-Leibler divergences of two distributions of one family."""

import math

import wengert

from ._covariance import mahalanobis, solved, squares
from ._kl_cross import infinite  # registers the pairs of different families
from ._kl_registry import kl_divergence, register_kl, unregistered
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .exp_family import ExponentialFamily, bregman
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import euler_constant, sum_last

__all__ = ["kl_divergence", "register_kl"]


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


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p, q):
    return q.rate - p.probs * q.rate.log() - p.entropy()


@register_kl(Beta, Beta)
def _beta(p, q):
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Binomial, Binomial)
def _binomial(p, q):
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("kl_divergence: expected q of no larger total_count than p's, got a larger one.")
    one = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return _outside(p.total_count > q.total_count, p.total_count * one)


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    terms = p.probs * (p.logits - q.logits)
    terms = _outside((q.probs == 0).expand(terms.shape), terms)
    return wengert.where((p.probs == 0).expand(terms.shape), 0.0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p, q):
    return _categorical(p._categorical, q._categorical)


@register_kl(Cauchy, Cauchy)
def _cauchy(p, q):
    """Chyzak and Nielsen, A closed-form formula for the Kullback-Leibler divergence between Cauchy distributions (2019)."""
    return ((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2).log() - (4 * p.scale * q.scale).log()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p, q):
    sizes = p._cont_bern_log_norm() + (-p.probs).log1p() - q._cont_bern_log_norm() - (-q.probs).log1p()
    return p.mean * (p.logits - q.logits) + sizes


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


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p, q):
    if type(p) is not type(q):
        raise unregistered(p, q)
    return bregman(p, q)


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
    ratio = p.scale / q.scale
    shift = (q.loc - p.loc) / q.scale
    left = (shift + (1 + ratio).lgamma()).exp()
    return -ratio.log() - 1 - euler_constant + left - shift + ratio * euler_constant


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p, q):
    return _normal(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: expected two Independent of as many joined dimensions.")
    return sum_last(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p, q):
    lower_q = q._unbroadcasted_scale_tril
    spread = squares(solved(lower_q, p._unbroadcasted_scale_tril))
    return _of_normals(p, q, spread, mahalanobis(lower_q, q.loc - p.loc))


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _low_rank_to_full(p, q):
    lower_q = q._unbroadcasted_scale_tril
    spread = squares(solved(lower_q, p._factor)) + squares(solved(lower_q, p._diag.sqrt().diag_embed()))
    return _of_normals(p, q, spread, mahalanobis(lower_q, q.loc - p.loc))


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _full_to_low_rank(p, q):
    return _of_normals(p, q, _spread(q, p._unbroadcasted_scale_tril), q._mahalanobis(q.loc - p.loc))


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _low_rank(p, q):
    on_diagonal = (p._diag / q._diag).sum(-1) - squares(q._mixed() * p._diag.sqrt().unsqueeze(-2))
    return _of_normals(p, q, on_diagonal + _spread(q, p._factor), q._mahalanobis(q.loc - p.loc))


def _spread(q, factor):
    """The trace of q's precision, which is diag(d)^-1 - A^T A, with F F^T."""
    return squares(factor * q._diag.rsqrt().unsqueeze(-1)) - squares(q._mixed() @ factor)


def _of_normals(p, q, spread, distance):
    if p.event_shape != q.event_shape:
        raise ValueError(f"kl_divergence: expected one event shape, got {p.event_shape} and {q.event_shape}.")
    return q._half_log_det() - p._half_log_det() + 0.5 * (spread + distance - p.event_shape[0])


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio = (p.scale / q.scale) ** 2
    shift = ((p.loc - q.loc) / q.scale) ** 2
    return 0.5 * (ratio + shift - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _pareto(p, q):
    ratio = q.alpha / p.alpha
    value = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _outside(p.scale < q.scale, value)


@register_kl(Poisson, Poisson)
def _poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


register_kl(Poisson, Bernoulli)(infinite)
register_kl(Poisson, Binomial)(infinite)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("kl_divergence: expected two distributions with the same transforms, got others.")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _uniform(p, q):
    return _outside((q.low > p.low) | (q.high < p.high), ((q.high - q.low) / (p.high - p.low)).log())
