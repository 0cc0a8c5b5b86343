"""embedding_bag: sums, means and maxima of rows of a table over bags of indices."""

import wengert

from ._bind import OPS
from ._functional_loss import _limit_norms, _padding_row, _share_by_frequency
from ._overload import check_given, check_tensor

_sum, _argmax, _where = OPS["bag_sum"], OPS["bag_argmax"], OPS["where"]


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """Sums, means or maxima of rows of a table over bags of indices.

    Args:
        input: indices (B, L), a bag in each row, or (N,) with offsets.
        weight: the table (V, D).
        offsets: where the bags begin in a 1-d input, (B,); with include_last_offset its last entry is the end.
        mode: 'sum', 'mean' or 'max'; empty bags give 0.
        sparse: makes the gradient of the table a sparse tensor of the rows looked up.
        per_sample_weights: factors of the rows, of input's shape; mode 'sum' only.
        padding_idx: indices of this row count for nothing.

    Returns (B, D). Raises ValueError for shapes or a mode that do not fit, IndexError for indices out of range.

    Example:
        >>> import wengert
        >>> table = wengert.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> embedding_bag(wengert.tensor([0, 1, 1]), table, wengert.tensor([0, 2]), mode="sum")
        tensor([[4., 6.],
                [3., 4.]])
    """
    _check_bag(input, weight, offsets, mode, per_sample_weights, sparse)
    offsets = _bag_ends(input, offsets, include_last_offset)
    padding_idx = _padding_row("embedding_bag", padding_idx, weight.shape[0])
    index = input.reshape(-1)
    if per_sample_weights is not None:
        per_sample_weights = per_sample_weights.reshape(-1)
    if max_norm is not None:
        _limit_norms(weight, index, max_norm, float(norm_type))
    if sparse:
        from ._sparse_lookup import is_sparse_lookup

        if is_sparse_lookup("embedding_bag", weight, scale_grad_by_freq):
            return _sparse_bag(weight, index, offsets, per_sample_weights, mode, padding_idx)
    if scale_grad_by_freq:
        weight = _share_by_frequency(weight, index)
    if mode == "max":
        return _maxima(weight, index, offsets, padding_idx)
    return _sum(weight, index, offsets, per_sample_weights, mode == "mean", padding_idx)


def _check_bag(input, weight, offsets, mode, factors, sparse):
    check_tensor("embedding_bag", input)
    check_given("embedding_bag", offsets, factors)
    if check_tensor("embedding_bag", weight).ndim != 2:
        raise ValueError(f"embedding_bag: expected a weight (V, D), got shape {tuple(weight.shape)}.")
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: expected mode 'sum', 'mean' or 'max', got {mode!r}.")
    if sparse and mode == "max":
        raise ValueError("embedding_bag: expected mode 'sum' or 'mean' with sparse gradients, got 'max'.")
    if factors is not None and mode != "sum":
        raise NotImplementedError(f"embedding_bag: expected per_sample_weights with mode 'sum', got mode {mode!r}.")
    if factors is not None and factors.shape != input.shape:
        raise ValueError(
            f"embedding_bag: expected per_sample_weights of input's shape {tuple(input.shape)}, got "
            f"{tuple(factors.shape)}."
        )
    if input.ndim == 2 and offsets is not None:
        raise ValueError("embedding_bag: expected no offsets for an input of 2 dimensions, got some.")
    if input.ndim != 2 and (input.ndim != 1 or offsets is None or offsets.ndim != 1):
        raise ValueError(
            f"embedding_bag: expected an input (B, L), or (N,) with offsets (B,), got shape "
            f"{tuple(input.shape)} and offsets {None if offsets is None else tuple(offsets.shape)}."
        )


def _bag_ends(input, offsets, with_last):
    """(B + 1,): where each bag begins, and the end of the last."""
    if input.ndim == 2:
        return wengert.arange(input.shape[0] + 1) * input.shape[1]
    if with_last:
        return offsets
    return wengert.cat((offsets, wengert.tensor([input.shape[0]], dtype=offsets.dtype)))


def _sparse_bag(weight, index, offsets, factors, mode, padding_idx):
    """Sums or means of which the table has a sparse gradient."""
    from ._sparse_lookup import with_sparse_gradient

    result = _sum(weight.detach(), index, offsets, factors, mode == "mean", padding_idx)
    bag = wengert.repeat_interleave(wengert.arange(offsets.shape[0] - 1), offsets.diff().long())
    if mode == "mean":
        counted = wengert.ones_like(index) if padding_idx is None else index.ne(padding_idx).long()
        size = wengert.zeros(result.shape[0], dtype=wengert.int64).index_add_(0, bag, counted)
        factors = (1.0 / size.to(weight.dtype))[bag]
    elif factors is not None:
        factors = factors.detach()
    return with_sparse_gradient(result, weight, index, bag, factors, padding_idx)


def _maxima(weight, index, offsets, padding_idx):
    places = _argmax(weight, index, offsets, False, padding_idx)
    found = places >= 0
    return _where(found, weight.gather(0, _where(found, places, 0)), 0.0)
