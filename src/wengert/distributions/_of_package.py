"""Random counts as functions of the package."""

import wengert

from . import _counts


def _floating(op, x):
    if not isinstance(x, wengert.Tensor):
        raise TypeError(f"{op}: expected a Tensor, got {type(x).__name__}.")
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"{op}: expected a floating tensor, got {x.dtype}. Convert it with .float().")
    return x.detach()


def poisson(input, generator=None):
    """Counts of Poisson's distribution with the rates in input, of its shape and dtype.

    Raises RuntimeError for negative rates.

    Example:
        >>> import wengert
        >>> wengert.poisson(wengert.zeros(3))
        tensor([0., 0., 0.])
    """
    rate = _floating("poisson", input)
    if rate.numel() and not bool((rate >= 0).all()):
        raise RuntimeError("poisson: expected rates of at least 0, got a smaller one.")
    return _counts.poisson(rate.double(), generator).to(input.dtype)


def binomial(count, prob, generator=None):
    """The number of successes among `count` trials with the probability `prob`, elementwise with broadcasting.

    Raises RuntimeError for negative counts and probabilities outside [0, 1].
    """
    trials, chance = wengert.broadcast_tensors(_floating("binomial", count), _floating("binomial", prob))
    if trials.numel() and not bool((trials >= 0).all()):
        raise RuntimeError("binomial: expected counts of at least 0, got a smaller one.")
    if chance.numel() and not bool(((chance >= 0) & (chance <= 1)).all()):
        raise RuntimeError("binomial: expected probabilities between 0 and 1, got others.")
    return _counts.binomial(trials.double(), chance.double(), generator).to(count.dtype)
