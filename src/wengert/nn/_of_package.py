"""Functions of layers that PyTorch also has without `nn.functional`, some with another order of arguments."""

import wengert

from . import functional

_REDUCTIONS = {0: "none", 1: "mean", 2: "sum"}
_NORM = "input weight bias running_mean running_var {} momentum eps cudnn_enabled"
_ORDERS = {
    "alpha_dropout": "input p train",
    "batch_norm": _NORM.format("training"),
    "embedding": "weight input padding_idx scale_grad_by_freq sparse",
    "feature_alpha_dropout": "input p train",
    "instance_norm": _NORM.format("use_input_stats"),
}
_LOSSES = {
    "binary_cross_entropy_with_logits": "input target weight pos_weight reduction",
    "cosine_embedding_loss": "input1 input2 target margin reduction",
    "hinge_embedding_loss": "input target margin reduction",
    "kl_div": "input target reduction",
    "margin_ranking_loss": "input1 input2 target margin reduction",
    "poisson_nll_loss": "input target log_input full eps reduction",
    "triplet_margin_loss": "anchor positive negative margin p eps swap reduction",
}
_SAME = (
    "adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d celu_ hardshrink max_pool1d max_pool1d_with_indices max_pool2d"
    " max_pool3d pdist rrelu rrelu_ selu_ threshold_"
).split()


def _reordered(name, order, loss):
    names = order.split()

    def function(*given, **named):
        if len(given) > len(names):
            raise TypeError(f"{name}: expected at most {len(names)} arguments, got {len(given)}.")
        named = dict(zip(names, given, strict=False)) | named
        named.pop("cudnn_enabled", None)
        if "train" in named:
            named["training"] = named.pop("train")
        if loss:  # here, PyTorch counts the kinds of reduction, and has none by default
            reduction = named.get("reduction", 0)
            named["reduction"] = _REDUCTIONS.get(reduction, reduction)
        return getattr(functional, name)(**named)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"wengert.nn.functional.{name} with PyTorch's arguments for the function of the package: {order}."
    )
    return function


def embedding_bag(
    weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, per_sample_weights=None,
    include_last_offset=False, padding_idx=None,
):  # fmt: skip
    """nn.functional.embedding_bag with PyTorch's arguments for the function of the package; mode 0 sums, 1 means, 2 is max.

    Returns (the bags, the bag of each index, the length of each bag, and for mode 2 the row of each maximum, else the
    lengths again).
    """
    bags = functional.embedding_bag(
        indices, weight, offsets, scale_grad_by_freq=scale_grad_by_freq, mode=("sum", "mean", "max")[mode], sparse=sparse,
        per_sample_weights=per_sample_weights, include_last_offset=include_last_offset, padding_idx=padding_idx,
    )  # fmt: skip
    n = indices.shape[0]
    starts = (offsets[:-1] if include_last_offset else offsets).long()
    lengths = wengert.diff(wengert.cat([starts, starts.new_tensor([n])]))
    owner = wengert.repeat_interleave(wengert.arange(len(starts)), lengths)
    if mode != 2:
        return bags, owner, lengths, lengths
    rows = weight.detach()[indices.long()]
    hit = rows.eq(bags.detach()[owner])
    columns = owner[:, None].expand(rows.shape)
    at = wengert.where(hit, wengert.arange(n)[:, None], n)
    places = wengert.full(bags.shape, n).scatter_reduce(0, columns, at, "amin")
    padded = wengert.cat([indices.long(), indices.new_zeros(1).long()])
    return bags, owner, lengths, padded[places]


globals().update({name: getattr(functional, name) for name in _SAME})
globals().update({name: _reordered(name, order, False) for name, order in _ORDERS.items()})
globals().update({name: _reordered(name, order, True) for name, order in _LOSSES.items()})
NAMES = ("embedding_bag", *_SAME, *_ORDERS, *_LOSSES)
