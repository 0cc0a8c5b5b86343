"""Normalisation with PyTorch's arguments: layers, groups, batches, vectors; distances."""

from math import prod

import wengert

from ._bind import OPS
from ._overload import check_given, check_tensor, check_tensors, numpy_names
from ._shaping import broadcast_tensors

_layer_norm, _rms_norm, _group_norm = OPS["layer_norm"], OPS["rms_norm"], OPS["group_norm"]
_batch_norm_train, _batch_norm_eval = OPS["batch_norm_train"], OPS["batch_norm_eval"]


def _trailing(op, input, normalized_shape):
    check_tensor(op, input)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise RuntimeError(
            f"{op}: expected an input whose last dimensions are normalized_shape {shape}, got {tuple(input.shape)}."
        )
    return len(shape)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 over the last dimensions, then times weight plus bias.

    Args:
        input: floating tensor (..., *normalized_shape).
        normalized_shape: the sizes of the dimensions that are normalised together.
        weight, bias: of shape normalized_shape.
        eps: added to the variance.

    Raises RuntimeError for shapes that do not fit.

    Example:
        >>> import wengert
        >>> wengert.nn.functional.layer_norm(wengert.tensor([[1.0, 3.0]]), (2,))
        tensor([[-1.0000,  1.0000]])
    """
    return _layer_norm(input, weight, bias, _trailing("layer_norm", input, normalized_shape), eps)[0]


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """The input divided by its root mean square over the last dimensions, then times weight.

    eps, added to the mean square, is the machine epsilon of the input's dtype unless given. See layer_norm.
    """
    check_tensor("rms_norm", input)
    if eps is None:
        eps = wengert.finfo(input.dtype).eps
    return _rms_norm(input, weight, _trailing("rms_norm", input, normalized_shape), eps)[0]


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 over each of num_groups groups of channels (axis 1) of each sample.

    Then times weight plus bias of each channel (C,).

    Raises RuntimeError where the channels are not divisible by num_groups.
    """
    return _group_norm(input, weight, bias, num_groups, eps)[0]


def _enough_values(op, shape):
    if prod(shape) // max(shape[1], 1) <= 1 and prod(shape):
        raise ValueError(f"{op}: expected more than 1 value for each channel in training, got input shape {shape}.")


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Each channel (axis 1) normalised over the other dimensions, then times weight plus bias.

    In training the batch's mean and variance are used, and running_mean and running_var (where given) move towards
    them
    in place by `momentum`; else the running statistics are used. The running variance takes the unbiased one.

    Raises ValueError for one value for each channel in training, RuntimeError for shapes that do not fit and for
    missing statistics.
    """
    check_tensor("batch_norm", input)
    check_given("batch_norm", running_mean, running_var)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("batch_norm: expected running_mean and running_var outside of training, got None.")
        return _batch_norm_eval(input, weight, bias, running_mean, running_var, eps)[0]
    shape = tuple(input.shape)
    if len(shape) >= 2:
        _enough_values("batch_norm", shape)
    y, mean, var, _ = _batch_norm_train(input, weight, bias, eps)
    if running_mean is not None:
        running_mean.detach().lerp_(mean, momentum)
    if running_var is not None:
        count = prod(shape) // max(shape[1], 1)
        running_var.detach().lerp_(var * (count / max(count - 1, 1)), momentum)
    return y


def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """Each channel of each sample normalised over its spatial dimensions.

    Then times weight plus bias of the channel.

    With running statistics they move towards the batch's averages in place; without use_input_stats they are used
    instead. Raises ValueError for one spatial element.
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    check_tensor("instance_norm", input)
    check_given("instance_norm", running_mean, running_var, weight, bias)
    shape = tuple(input.shape)
    if prod(shape[2:]) == 1:
        raise ValueError(
            f"instance_norm: expected more than 1 spatial element in training, got input shape {shape}."
        )
    if running_mean is None and running_var is None:
        return _group_norm(input, weight, bias, shape[1], eps)[0]
    y, mean, var, _ = _batch_norm_train(input.reshape(1, shape[0] * shape[1], *shape[2:]), None, None, eps)
    count = prod(shape[2:])
    if running_mean is not None:
        running_mean.detach().lerp_(mean.reshape(shape[:2]).mean(0), momentum)
    if running_var is not None:
        unbiased = var.reshape(shape[:2]).mean(0) * (count / max(count - 1, 1))
        running_var.detach().lerp_(unbiased, momentum)
    y = y.reshape(shape)
    channel = (shape[1],) + (1,) * (len(shape) - 2)
    if weight is not None:
        y = y * weight.reshape(channel)
    return y if bias is None else y + bias.reshape(channel)


def _p_norm(x, p, dim, keepdim):
    if not x.dtype.is_inexact:
        raise RuntimeError(f"norm: expected a floating or complex tensor, got {x.dtype}. Convert it with .float().")
    x = x.abs() if x.dtype.is_complex else x
    if p == 2:
        return (x * x).sum(dim, keepdim).sqrt()
    if p == 1:
        return x.abs().sum(dim, keepdim)
    if p == float("inf"):
        return x.abs().amax(dim, keepdim)
    if p == 0:  # a count, whose gradient is zero; NaN counts
        return wengert.where(x.isnan(), 1.0, x.sign().abs()).sum(dim, keepdim)
    return x.abs().pow(p).sum(dim, keepdim).pow(1.0 / p)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """The input divided by its p-norm along `dim`, but by no less than eps.

    Example:
        >>> import wengert
        >>> wengert.nn.functional.normalize(wengert.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    check_tensor("normalize", input)
    norm = _p_norm(input, p, dim, True)
    y = input / wengert.where(norm < eps, eps, norm)
    return y if out is None else out.copy_(y)


@numpy_names
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between two tensors along `dim`; norms below eps count as eps."""
    x1, x2 = broadcast_tensors(check_tensor("cosine_similarity", x1), check_tensor("cosine_similarity", x2))
    if not (x1.dtype.is_floating_point or x2.dtype.is_floating_point):
        raise RuntimeError(f"cosine_similarity: expected floating operands, got {x1.dtype} and {x2.dtype}.")
    squares1, squares2 = (x1 * x1).sum(dim), (x2 * x2).sum(dim)
    floor = eps * eps
    norms = (
        wengert.where(squares1 < floor, floor, squares1) * wengert.where(squares2 < floor, floor, squares2)
    ).sqrt()
    return (x1 * x2).sum(dim) / norms


@numpy_names
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps over the last dimension."""
    check_tensors("pairwise_distance", x1, x2)
    return _p_norm(x1 - x2 + eps, p, -1, keepdim)
