"""Losses of regression and of distributions, composed of tensor operations."""

import math

import wengert
from wengert import _host as host
from wengert._functional import check_given, check_tensor, check_tensors, logsigmoid, smooth_abs
from wengert._warn import warn

_LOG_2PI = math.log(2 * math.pi)
_EDGE = 1e-12  # PyTorch's floor for x (1 - x) in the gradient of the binary cross entropy


def chosen_reduction(reduction, size_average=None, reduce=None):
    """`reduction`, or the one that the two deprecated arguments stand for if either is given."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        reduction = "none"
    else:
        reduction = "sum" if size_average is False else "mean"
    warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
    )
    return reduction


def reduced(loss, reduction):
    """The mean or the sum of the elements, or (for "none") the elements."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction: expected 'mean', 'sum' or 'none', got {reduction!r}.")


def _warn_if_shapes_differ(input, target):
    if input.shape != target.shape:
        warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape})."
            " This will likely lead to incorrect results due to broadcasting. Please ensure they have the same"
            " size.",
        )


def _weighted(loss, weight, reduction):
    """Reduce with one weight per element; the mean is over the weights."""
    if weight is None:
        return reduced(loss, reduction)
    loss = loss * weight
    if reduction == "mean":
        return loss.sum() / weight.expand(loss.shape).sum()
    return reduced(loss, reduction)


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(x - t)^2.

    Example:
        >>> mse_loss(wengert.tensor([1.0, 3.0]), wengert.tensor([1.0, 1.0])).item()
        2.0
    """
    check_tensor("mse_loss", input)
    check_tensor("mse_loss", target)
    _warn_if_shapes_differ(input, target)
    difference = input - target
    return _weighted(difference * difference, weight, chosen_reduction(reduction, size_average, reduce))


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|x - t|."""
    check_tensor("l1_loss", input)
    check_tensor("l1_loss", target)
    _warn_if_shapes_differ(input, target)
    return _weighted((input - target).abs(), weight, chosen_reduction(reduction, size_average, reduce))


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """(x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2."""
    check_tensor("smooth_l1_loss", input)
    check_tensor("smooth_l1_loss", target)
    _warn_if_shapes_differ(input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: expected beta >= 0, got {beta}. Pass a non-negative number.")
    distance = input - target
    loss = smooth_abs(distance, beta) if beta > 0 else distance.abs()
    return reduced(loss, chosen_reduction(reduction, size_average, reduce))


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """(x - t)^2 / 2 where |x - t| <= delta, else delta (|x - t| - delta / 2)."""
    check_tensor("huber_loss", input)
    check_tensor("huber_loss", target)
    _warn_if_shapes_differ(input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: expected delta > 0, got {delta}. Pass a positive number.")
    loss = smooth_abs(input - target, delta) * delta
    # Unlike the other weighted losses, the mean is over the elements and not over the weights.
    return reduced(loss if weight is None else loss * weight, reduction)


def _log_odds_loss(input, target):
    log_yes = input.log().clamp(min=-100.0)
    log_no = (-input).log1p().clamp(min=-100.0)
    return (target - 1) * log_no - target * log_yes


@host.check("binary_cross_entropy")
def _probabilities(input):
    if not bool(((input >= 0) & (input <= 1)).all()):
        raise RuntimeError(
            "binary_cross_entropy: expected all elements of input between 0 and 1, got others. Apply a sigmoid, or "
            "use binary_cross_entropy_with_logits."
        )


def _loss_at_edges(input, target, inner):
    """The same loss where some probabilities are (nearly) 0 or 1: there the slope (x - t) / (x (1 - x)) has a floor
    under its divisor.
    """
    input = host.checked("binary_cross_entropy", input)
    fixed = input.detach()
    # float16 has no 1e-12, and an infinite slope times 0 is NaN.
    floor = max(_EDGE, wengert.finfo(input.dtype).tiny)
    slope = ((fixed - target) / (fixed * (1 - fixed)).clamp(min=floor)).detach()
    loss = _log_odds_loss(wengert.where(inner, input, fixed), target)
    return loss + wengert.where(inner, 0.0, (input - fixed) * slope)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-(t log x + (1 - t) log(1 - x)) for probabilities x; the logs are held above -100 and finite."""
    check_tensors("binary_cross_entropy", input, target)
    check_given("binary_cross_entropy", weight)
    if input.shape != target.shape:
        raise ValueError(
            f"binary_cross_entropy: expected a target of the input's shape {tuple(input.shape)}, got {tuple(target.shape)}. "
            "Reshape one: target.view_as(input)."
        )
    if not input.dtype.is_floating_point or target.dtype != input.dtype:
        raise RuntimeError(
            f"binary_cross_entropy: expected operands of one floating dtype, got {input.dtype} and {target.dtype}."
        )
    inner = (input > _EDGE) & (input < 1 - _EDGE)
    far = not host.watched(input) and bool(inner.all())  # a recording takes the way that serves both
    loss = _log_odds_loss(input, target) if far else _loss_at_edges(input, target, inner)
    if weight is not None:
        loss = loss * weight
    return reduced(loss, chosen_reduction(reduction, size_average, reduce))


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """Binary cross entropy of sigmoid(x), computed from x itself; `pos_weight` weighs the positive term."""
    check_tensors("binary_cross_entropy_with_logits", input, target)
    check_given("binary_cross_entropy_with_logits", weight, pos_weight)
    if input.shape != target.shape:
        raise ValueError(
            "binary_cross_entropy_with_logits: expected a target of the input's shape "
            f"{tuple(input.shape)}, got {tuple(target.shape)}. Reshape one: target.view_as(input)."
        )
    log_yes = logsigmoid(input)
    if pos_weight is not None:
        log_yes = log_yes * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - log_yes
    if weight is not None:
        loss = loss * weight
    return reduced(loss, chosen_reduction(reduction, size_average, reduce))


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """t (log t - x) for log-probabilities x; "batchmean" divides the sum by the batch size, as the definition
    wants.
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    check_tensors("kl_div", input, target)
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"kl_div: expected floating log-probabilities, got {input.dtype}.")
    if reduction == "mean":
        warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
        )
    loss = target.exp() * (target - input) if log_target else wengert.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.dim() else loss.sum()
    return reduced(loss, reduction)


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"
):
    """Minus the log-likelihood of counts t under rate exp(x) (or x); `full` adds Stirling's formula for log t!."""
    check_tensor("poisson_nll_loss", input)
    check_tensor("poisson_nll_loss", target)
    reduction = chosen_reduction(reduction, size_average, reduce)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        above_one = target > 1
        t = wengert.where(above_one, target, 2.0)
        stirling = t * t.log() - t + 0.5 * (2 * math.pi * t).log()
        loss = loss + wengert.where(above_one, stirling, 0.0)
    return reduced(loss, reduction)


@host.check("gaussian_nll_loss")
def _variances(var):
    if bool((var < 0).any()):
        raise ValueError("gaussian_nll_loss: expected variances of at least 0, got negative ones.")


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log var + (x - t)^2 / var) / 2, var held above eps; `full` adds the constant log(2 pi) / 2."""
    check_tensors("gaussian_nll_loss", input, target)
    if isinstance(var, float):
        if var < 0:
            raise ValueError(f"gaussian_nll_loss: expected a variance of at least 0, got {var}.")
        var = wengert.full_like(input, var)
    else:
        var = host.checked("gaussian_nll_loss", check_tensor("gaussian_nll_loss", var))
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif not (input.shape[:-1] == var.shape[:-1] and var.shape[-1] == 1):
            raise ValueError(
                f"gaussian_nll_loss: expected var of input's shape {tuple(input.shape)}, without its last dimension or "
                f"with 1 there, got {tuple(var.shape)}."
            )
    # The floor moves the value and not the gradient: a variance below it can still grow.
    floored = var + (var.detach().clamp(min=eps) - var.detach())
    difference = input - target
    loss = 0.5 * (floored.log() + difference * difference / floored)
    if full:
        loss = loss + 0.5 * _LOG_2PI
    return reduced(loss, reduction)
