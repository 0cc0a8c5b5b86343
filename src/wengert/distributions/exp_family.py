"""Exponential families: entropies and divergences by differentiating the log-normaliser."""

import wengert

from .distribution import Distribution
from .utils import sum_last


class ExponentialFamily(Distribution):
    """A distribution with density exp(<t(x), theta> - F(theta) + k(x)).

    A subclass defines `_natural_params` (theta, a tuple of tensors), `_log_normalizer` (F, a function of them) and
    `_mean_carrier_measure` (the mean of k(x), a number). The entropy and the divergence of two members follow: they are
    Bregman divergences of F (Nielsen and Nock, Entropies and cross-entropies of exponential families, 2010).
    """

    @property
    def _natural_params(self):
        raise NotImplementedError(f"{type(self).__name__}: _natural_params is not defined.")

    def _log_normalizer(self, *natural_params):
        raise NotImplementedError(f"{type(self).__name__}: _log_normalizer is not defined.")

    @property
    def _mean_carrier_measure(self):
        raise NotImplementedError(f"{type(self).__name__}: _mean_carrier_measure is not defined.")

    def entropy(self):
        measure = self._mean_carrier_measure
        with wengert.enable_grad():
            params, value, slopes = _slopes(self)
            result = value - _product(params, slopes, self) - measure
        return _with_history_of(result, self._natural_params)


def bregman(p, q):
    """The divergence of two members of one family."""
    theirs = q._natural_params
    with wengert.enable_grad():
        params, value, slopes = _slopes(p)
        steps = [theta - mine for theta, mine in zip(theirs, params, strict=True)]
        result = q._log_normalizer(*theirs) - value - _product(steps, slopes, p)
    return _with_history_of(result, p._natural_params + theirs)


def _slopes(p):
    """theta, F(theta) and dF/dtheta, with their history."""
    params = [t if t.requires_grad else t.detach().requires_grad_() for t in p._natural_params]
    value = p._log_normalizer(*params)
    return params, value, wengert.autograd.grad(value.sum(), params, create_graph=True)


def _with_history_of(result, params):
    wanted = wengert.is_grad_enabled() and any(t.requires_grad for t in params)
    return result if wanted else result.detach()


def _product(params, slopes, p):
    """The inner product of parameters and slopes: over what the slopes have behind the batch of p."""
    total = 0.0
    for param, slope in zip(params, slopes, strict=True):
        total = total + sum_last(param * slope, slope.dim() - len(p.batch_shape))
    return total
