"""Random counts: of events at a rate, of successes in trials. Whole tensors at once; all in float64."""

import wengert
from wengert import _host as host


def poisson(rate, generator=None):
    """A count for each rate, float64."""
    return _poisson(rate, generator) if generator is not None else host.call("poisson", rate)[0]


def binomial(count, probs, generator=None):
    """Successes in `count` trials for each probability, of one shape, float64."""
    return _binomial(count, probs, generator) if generator is not None else host.call("binomial", count, probs)[0]


@host.register_tensors("poisson", lambda rate: [rate], random=True)
def _poisson(rate, generator=None):
    """A count for each rate: by Knuth's products of uniform numbers below 30, by Hörmann's PTRS (1993) from there on."""
    return _by_case(rate < 30, _by_products, _by_ptrs, [(rate, 1.0, 30.0)], generator)


@host.register_tensors("binomial", lambda count, probs: [probs], random=True)
def _binomial(count, probs, generator=None):
    """Successes in `count` trials for each probability: by waiting times where few are expected, or by BTRS."""
    flipped = probs > 0.5
    p = wengert.where(flipped, 1 - probs, probs)
    found = _by_case(count * p < 10, _by_waiting, _by_btrs, [(count, 0.0, 100.0), (p, 0.5, 0.5)], generator)
    return wengert.where(flipped, count - found, found)


def _by_case(first, one, other, parameters, generator):
    """`one` where `first` is True, `other` elsewhere; each gets a harmless value of a parameter in the other's places."""
    if bool(first.all()):
        return one(*(value for value, _, _ in parameters), generator)
    if not bool(first.any()):
        return other(*(value for value, _, _ in parameters), generator)
    return wengert.where(
        first,
        one(*(wengert.where(first, value, idle) for value, idle, _ in parameters), generator),
        other(*(wengert.where(first, idle, value) for value, _, idle in parameters), generator),
    )


def accepted(shape, propose):
    """Values of a shape by rejection: `propose()` gives candidates and which of them may stay, until all have one."""
    result, todo = wengert.zeros(shape, dtype=wengert.float64), wengert.ones(shape, dtype=wengert.bool)
    while bool(todo.any()):
        value, accept = propose()
        result = wengert.where(todo & accept, value, result)
        todo = todo & ~accept
    return result


def _by_products(rate, generator):
    limit, product = (-rate).exp(), wengert.rand_like(rate, generator=generator)
    count = wengert.zeros_like(rate)
    going = product > limit
    while bool(going.any()):
        count = count + going
        product = product * wengert.rand_like(rate, generator=generator)
        going = going & (product > limit)
    return count


def _by_ptrs(rate, generator):
    b = 0.931 + 2.53 * rate.sqrt()
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    vr = 0.9277 - 3.6224 / (b - 2)

    def propose():
        u, v = wengert.rand_like(rate, generator=generator) - 0.5, wengert.rand_like(rate, generator=generator)
        us = 0.5 - u.abs()
        k = ((2 * a / us + b) * u + rate + 0.43).floor()
        quick = (us >= 0.07) & (v <= vr)
        whole = k.clamp(min=0)
        left = (v * inverse_alpha / (a / (us * us) + b)).log()
        slow = (k >= 0) & ~((us < 0.013) & (v > us)) & (left <= whole * rate.log() - rate - (whole + 1).lgamma())
        return whole, quick | slow

    return accepted(rate.shape, propose)


def _by_waiting(count, p, generator):
    """The number of successes before the trials are used up; the trials between two successes are geometric."""
    per_trial = (-p).log1p()
    found, used = wengert.zeros_like(p), wengert.zeros_like(p)
    going = p > 0
    while bool(going.any()):
        u = 1 - wengert.rand_like(p, generator=generator)  # in (0, 1]: its logarithm is finite
        used = used + (u.log() / wengert.where(p > 0, per_trial, -1.0)).floor() + 1
        going = going & (used <= count)
        found = found + going
    return found


def _by_btrs(n, p, generator):
    """Hörmann, The generation of binomial random variates (1993): transformed rejection with a squeeze; n p >= 10."""
    spread = (n * p * (1 - p)).sqrt()
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    vr = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    log_odds = p.log() - (-p).log1p()
    mode = ((n + 1) * p).floor()
    at_mode = (mode + 1).lgamma() + (n - mode + 1).lgamma()

    def propose():
        u, v = wengert.rand_like(p, generator=generator) - 0.5, wengert.rand_like(p, generator=generator)
        us = 0.5 - u.abs()
        k = ((2 * a / us + b) * u + n * p + 0.5).floor()
        possible = (k >= 0) & (k <= n)
        k = wengert.minimum(k.clamp(min=0), n)
        below_mode = at_mode - (k + 1).lgamma() - (n - k + 1).lgamma() + (k - mode) * log_odds
        left = (v * alpha / (a / (us * us) + b)).log()
        return k, possible & (((us >= 0.07) & (v <= vr)) | (left <= below_mode))

    return accepted(p.shape, propose)
