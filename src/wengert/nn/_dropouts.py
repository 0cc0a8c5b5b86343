"""Random functions other than plain dropout, composed of tensor operations."""

import math

import wengert
from wengert._functional import check_tensor, dropout, softmax
from wengert._warn import warn

# The value to which SELU saturates for x -> -inf: -scale * alpha (Klambauer et al., 2017).
_SELU_FLOOR = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


def _check_probability(p):
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout: expected a probability between 0 and 1, got {p}.")


def _channel_shape(input):
    """(N, C, 1, ...): the shape of one value per channel."""
    return tuple(input.shape[:2]) + (1,) * (input.dim() - 2)


def _keep_mask(input, shape, p):
    return wengert.rand(shape, dtype=input.dtype) >= p


def _drop_channels(input, p, training, inplace):
    _check_probability(p)
    if not training or p == 0.0:
        return input
    ones = wengert.ones(_channel_shape(input), dtype=input.dtype)
    factor = dropout(ones, p, True)
    return input.mul_(factor) if inplace else input * factor


def _drop_batched(input, p, training, inplace, batched_dims):
    """Drop channels; an input with one axis less than `batched_dims` is one sample without a batch axis."""
    if input.dim() == batched_dims:
        return _drop_channels(input, p, training, inplace)
    dropped = _drop_channels(input.unsqueeze(0), p, training, inplace)
    return input if inplace else dropped.squeeze(0)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, L) or (C, L) with probability p; scale the others by 1 / (1 - p)."""
    check_tensor("dropout1d", input)
    if input.dim() not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input.")
    return _drop_batched(input, p, training, inplace, 3)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, H, W) with probability p; three axes are read as (N, C, L)."""
    check_tensor("dropout2d", input)
    if input.dim() not in (3, 4):
        warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and will result in an"
            " error in a future release.",
        )
    return _drop_channels(input, p, training, inplace)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """Zero channels of (N, C, D, H, W) or (C, D, H, W) with probability p, others are scaled by 1 / (1 - p)."""
    check_tensor("dropout3d", input)
    if input.dim() not in (4, 5):
        warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and will result in an"
            " error in a future release.",
        )
        return _drop_channels(input, p, training, inplace)
    return _drop_batched(input, p, training, inplace, 5)


def _alpha_dropout(input, shape, p, training, inplace):
    _check_probability(p)
    if not training or p == 0.0:
        return input
    if p == 1.0:
        return input.mul_(0) if inplace else input * 0
    keep = _keep_mask(input, shape, p)
    # a x + b restores mean 0 and variance 1 after the dropped elements moved to the floor.
    a = 1.0 / math.sqrt((1 - p) * (1 + p * _SELU_FLOOR**2))
    b = -a * p * _SELU_FLOOR
    output = wengert.where(keep, input * a + b, a * _SELU_FLOOR + b)
    return input.copy_(output) if inplace else output


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that sets elements to the floor of SELU and keeps mean and variance."""
    check_tensor("alpha_dropout", input)
    return _alpha_dropout(input, tuple(input.shape), p, training, inplace)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` on whole channels (axis 1)."""
    check_tensor("feature_alpha_dropout", input)
    return _alpha_dropout(input, _channel_shape(input), p, training, inplace)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A sample from the Gumbel-softmax distribution (Jang et al., 2017; Maddison et al., 2017).

    Args:
        logits: (...), unnormalized log-probabilities along `dim`.
        tau: the temperature.
        hard: round to one-hot, with the gradient of the soft sample.
        eps: ignored.
        dim: the axis of the classes.
    """
    if eps != 1e-10:
        warn("`eps` parameter is deprecated and has no effect.")
    # Minus the log of a standard exponential draw is a standard Gumbel draw.
    gumbels = -wengert.empty_like(logits).exponential_().log()
    soft = softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    best = soft.max(dim, keepdim=True)[1]
    one_hot = wengert.zeros_like(logits).scatter_(dim, best, 1.0)
    return one_hot - soft.detach() + soft
