"""Losses that ask for a margin between scores or distances, composed of tensor operations."""

import wengert
from wengert._functional import check_given, check_tensor, check_tensors, logsigmoid, pairwise_distance

from ._losses import chosen_reduction, reduced


def _target_dim_error(op, *tensors):
    shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
    return RuntimeError(
        f"{op}: expected all inputs to have the same number of axes, got shapes {shapes}. Reshape one."
    )


def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos(x1, x2) where t = 1, max(0, cos(x1, x2) - margin) where t = -1, along the last axis."""
    for x in (input1, input2, target):
        if not isinstance(x, wengert.Tensor):
            raise TypeError(f"cosine_embedding_loss: expected Tensors, got {type(x).__name__}.")
    if target.dim() > 1 or input1.dim() != target.dim() + 1 or input2.dim() != target.dim() + 1:
        raise RuntimeError(
            "cosine_embedding_loss: expected inputs (N, D) with a target (N,), or (D,) with one of (), got shapes "
            f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(target.shape)}."
        )
    eps = 1e-12  # keeps the cosine of a zero vector finite
    dot = (input1 * input2).sum(-1)
    squares = ((input1 * input1).sum(-1) + eps) * ((input2 * input2).sum(-1) + eps)
    cosine = dot / squares.sqrt()
    loss = wengert.where(target == 1, 1 - cosine, 0.0) + wengert.where(
        target == -1, (cosine - margin).clamp(min=0), 0.0
    )
    return reduced(loss, chosen_reduction(reduction, size_average, reduce))


def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -t (x1 - x2) + margin): t = 1 asks x1 to be the larger, t = -1 the smaller."""
    check_tensor("margin_ranking_loss", input1)
    check_tensor("margin_ranking_loss", input2)
    check_tensor("margin_ranking_loss", target)
    if not input1.dim() == input2.dim() == target.dim():
        raise _target_dim_error("margin_ranking_loss", input1, input2, target)
    loss = (-target * (input1 - input2) + margin).clamp(min=0)
    return reduced(loss, chosen_reduction(reduction, size_average, reduce))


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """x where t = 1, max(0, margin - x) where t = -1."""
    check_tensor("hinge_embedding_loss", input)
    check_tensor("hinge_embedding_loss", target)
    far = wengert.where(target != 1, (margin - input).clamp(min=0), 0.0)
    near = wengert.where(target != -1, input, 0.0)
    return reduced(far + near, chosen_reduction(reduction, size_average, reduce))


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, d(a, p) - d(a, n) + margin), d the p-norm; `swap` takes the nearer of d(a, n) and d(p, n)."""
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: expected a margin above 0, got {margin}.")
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, margin=margin, swap=swap,
        distance_function=lambda x, y: pairwise_distance(x, y, p, eps),
        reduction=chosen_reduction(reduction, size_average, reduce),
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """`triplet_margin_loss` with any distance of two tensors."""
    check_tensor("triplet_margin_loss", anchor)
    check_tensor("triplet_margin_loss", positive)
    check_tensor("triplet_margin_loss", negative)
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: expected a margin above 0, got {margin}.")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise _target_dim_error("triplet_margin_loss", anchor, positive, negative)
    distance = pairwise_distance if distance_function is None else distance_function
    to_negative = distance(anchor, negative)
    if swap:
        to_negative = wengert.minimum(to_negative, distance(positive, negative))
    return reduced((distance(anchor, positive) - to_negative + margin).clamp(min=0), reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-t x)), t = 1 or -1."""
    check_tensors("soft_margin_loss", input, target)
    return reduced(-logsigmoid(target * input), chosen_reduction(reduction, size_average, reduce))


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """Mean over classes i other than t of max(0, margin - x[t] + x[i])^p.

    Args:
        input: (N, C) or (C,), scores.
        target: (N,) or (), class numbers.
        p: 1 or 2.
        margin: the distance asked for.
        weight: (C,), one factor per target class.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "mean", "sum" or "none".
    """
    check_tensor("multi_margin_loss", input)
    check_tensor("multi_margin_loss", target)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: expected p of 1 or 2, got {p}.")
    if weight is not None and weight.dim() != 1:
        raise ValueError(f"multi_margin_loss: expected a weight (C,), got shape {tuple(weight.shape)}.")
    reduction = chosen_reduction(reduction, size_average, reduce)
    scores = input.reshape(-1, input.shape[-1] if input.dim() else 1)
    labels = target.reshape(-1, 1)
    gaps = (margin - scores.gather(1, labels) + scores).clamp(min=0)
    if p == 2:
        gaps = gaps * gaps
    if weight is not None:
        gaps = gaps * weight[labels]
    others = wengert.arange(scores.shape[1]) != labels
    loss = wengert.where(others, gaps, 0.0).sum(1) / scores.shape[1]
    return reduced(loss if input.dim() == 2 and target.dim() else loss.reshape(target.shape), reduction)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Mean over classes of max(0, 1 - (x[j] - x[i])), j a label of the sample and i none.

    Args:
        input: (N, C) or (C,), scores.
        target: as input, class numbers; a row ends before its first -1.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "mean", "sum" or "none".
    """
    check_tensor("multilabel_margin_loss", input)
    check_tensor("multilabel_margin_loss", target)
    reduction = chosen_reduction(reduction, size_average, reduce)
    classes = input.shape[-1] if input.dim() else 1
    scores, labels = input.reshape(-1, classes), target.reshape(-1, classes)
    valid = (labels >= 0).to(wengert.long).cumprod(1)
    labels = labels * valid
    is_label = wengert.zeros_like(labels).scatter_add(1, labels, valid) > 0
    gaps = (1 - scores.gather(1, labels).unsqueeze(2) + scores.unsqueeze(1)).clamp(min=0)
    counted = (valid > 0).unsqueeze(2) & ~is_label.unsqueeze(1)
    loss = wengert.where(counted, gaps, 0.0).sum((1, 2)) / classes
    return reduced(loss.reshape(input.shape[:-1]), reduction)


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes (last axis) of the binary cross entropy of sigmoid(x)."""
    check_tensors("multilabel_soft_margin_loss", input, target)
    check_given("multilabel_soft_margin_loss", weight)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.mean(-1), chosen_reduction(reduction, size_average, reduce))
