"""Reductions and normalisations that leave elements out, under the names of PyTorch's `torch.masked`.

Every function takes `mask=`, a tensor of bools that broadcasts to the input's shape: False leaves an element out. What is
left out counts as the identity of the reduction. Tensors that carry a mask (`MaskedTensor`) are not there.

Example:
    >>> import wengert
    >>> x, mask = wengert.tensor([1.0, 2.0, 6.0]), wengert.tensor([True, True, False])
    >>> wengert.masked.mean(x, mask=mask)
    tensor(1.5000)
"""

import math

import wengert

from ._missing import explain
from ._overload import cast, check_tensor, wrap_dims

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "is_masked_tensor", "log_softmax", "logaddexp", "logsumexp",
    "mean", "median", "norm", "normalize", "prod", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip

__getattr__ = explain(__name__)


def is_masked_tensor(obj, /):
    """Whether an object is a tensor that carries a mask; none does."""
    return False


def _mask(op, input, mask):
    """The mask as bools of the input's shape; None where nothing is left out."""
    if mask is None:
        return None
    if check_tensor(op, mask).ndim > input.ndim:
        raise IndexError(f"{op}: expected a mask of at most {input.ndim} dimensions, got {mask.ndim}.")
    return mask.bool().expand(input.shape)


def _filled(op, input, mask, identity, dtype=None):
    """The input in a dtype, with `identity` where the mask leaves elements out."""
    input = cast(check_tensor(op, input), dtype)
    mask = _mask(op, input, mask)
    return input if mask is None else wengert.where(mask, input, wengert.full((), identity, dtype=input.dtype))


def _dims(op, input, dim):
    """The dimensions that are reduced; None and () mean all."""
    none = dim is None or isinstance(dim, (tuple, list)) and not dim
    return wrap_dims(op, None if none else dim, input.ndim)


def _floating(op, input, dtype):
    """The input in a floating dtype, which has to be its own or given."""
    input = cast(check_tensor(op, input), dtype)
    if not input.dtype.is_inexact:
        raise ValueError(f"{op}: expected a floating dtype, got {input.dtype}. Pass dtype=, or convert the tensor.")
    return input


def sum(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The sum over dimensions (None: all) of what the mask keeps: 0 of nothing."""
    filled = _filled("sum", input, mask, 0, dtype)
    return filled.sum(_dims("sum", filled, dim), keepdim=keepdim, dtype=dtype)


def prod(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The product over dimensions (None: all) of what the mask keeps: 1 of nothing."""
    result = _filled("prod", input, mask, 1, dtype)
    for d in sorted(_dims("prod", result, dim), reverse=True):
        result = result.prod(d, keepdim=keepdim, dtype=dtype)
    return result


def mean(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The mean over dimensions (None: all) of what the mask keeps: NaN of nothing.

    Raises:
        ValueError: the dtype is not floating.
    """
    input = _floating("mean", input, dtype)
    total = sum(input, dim, keepdim=keepdim, mask=mask)
    return total / _count(input, dim, keepdim, mask)


def _count(input, dim, keepdim, mask):
    """How many elements the mask keeps, in the input's dtype."""
    return sum(wengert.ones_like(input), dim, keepdim=keepdim, mask=mask)


def _variance(op, input, dim, unbiased, correction, keepdim, dtype, mask):
    input = check_tensor(op, input)
    if dtype is None and not input.dtype.is_inexact:
        dtype = wengert.get_default_dtype()
    input = _floating(op, input, dtype)
    if input.dtype.is_complex:
        raise NotImplementedError(f"{op}: expected a real tensor, got {input.dtype}. Use .real and .imag.")
    if unbiased is not None and correction is not None:
        raise ValueError(f"{op}: expected unbiased or correction, got both.")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    away = input - mean(input, dim, keepdim=True, mask=mask)
    total = sum(away * away, dim, keepdim=keepdim, mask=mask)
    return total / (_count(input, dim, keepdim, mask) - correction).clamp(min=0)


def var(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The variance over dimensions (None: all) of what the mask keeps; see wengert.var for `unbiased` and `correction`."""
    return _variance("var", input, dim, unbiased, correction, keepdim, dtype, mask)


def std(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The standard deviation over dimensions (None: all) of what the mask keeps; see wengert.std."""
    return _variance("std", input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


def _limit(op, dtype, sign):
    """The end of a dtype's values: what loses against all others."""
    if dtype.is_floating_point:
        return sign * math.inf
    if dtype == wengert.bool or dtype.is_complex:
        raise NotImplementedError(f"{op}: expected real numbers, got {dtype}. Convert the tensor.")
    return wengert.iinfo(dtype).max if sign > 0 else wengert.iinfo(dtype).min


def amax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The largest over dimensions (None: all) of what the mask keeps; the lowest value of the dtype of nothing."""
    filled = _filled("amax", input, mask, _limit("amax", dtype or check_tensor("amax", input).dtype, -1), dtype)
    return filled.amax(_dims("amax", filled, dim), keepdim)


def amin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The smallest over dimensions (None: all) of what the mask keeps; the highest value of the dtype of nothing."""
    filled = _filled("amin", input, mask, _limit("amin", dtype or check_tensor("amin", input).dtype, 1), dtype)
    return filled.amin(_dims("amin", filled, dim), keepdim)


def argmax(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The place of the largest of what the mask keeps, in the dtype of the input as in PyTorch; 0 of nothing."""
    filled = _filled(
        "argmax", input, mask, _limit("argmax", dtype or check_tensor("argmax", input).dtype, -1), dtype
    )
    return filled.argmax(dim, keepdim).to(filled.dtype)


def argmin(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The place of the smallest of what the mask keeps, in the dtype of the input as in PyTorch; 0 of nothing."""
    filled = _filled(
        "argmin", input, mask, _limit("argmin", dtype or check_tensor("argmin", input).dtype, 1), dtype
    )
    return filled.argmin(dim, keepdim).to(filled.dtype)


def median(input, dim=-1, *, keepdim=False, dtype=None, mask=None):
    """The median along a dimension of what the mask keeps, the lower of two: NaN of nothing.

    Raises:
        ValueError: the dtype is not floating, and the mask keeps nothing somewhere.
    """
    input = cast(check_tensor("median", input), dtype)
    if input.dtype.is_inexact:
        return _filled("median", input, mask, math.nan).nanmedian(dim, keepdim).values
    return _whole_median(input, dim, keepdim, mask)


def _whole_median(input, dim, keepdim, mask):
    """median of integers and bools, exact for large ones: the middle one of those kept, which sort first."""
    numbers = input.to(wengert.uint8) if input.dtype is wengert.bool else input
    filled = _filled("median", numbers, mask, wengert.iinfo(numbers.dtype).max)
    kept = wengert.ones(input.shape, dtype=wengert.int64) if mask is None else _mask("median", input, mask).long()
    count = kept.sum(dim, keepdim=True)
    if (count == 0).any():
        raise ValueError(
            f"median: expected a mask that keeps an element of every row of {input.dtype}, got one that keeps none. "
            "Pass a floating dtype=: then the median is NaN."
        )
    found = filled.sort(dim).values.gather(dim, (count - 1) // 2).to(input.dtype)
    return found if keepdim else found.squeeze(dim)


def norm(input, ord=2.0, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The vector norm over dimensions (None: all) of what the mask keeps: 0 of nothing, infinite for ord=-inf."""
    input = _floating("norm", input, dtype)
    filled = _filled("norm", input, mask, math.inf if ord == -math.inf else 0)
    return wengert.linalg.vector_norm(filled, ord, _dims("norm", filled, dim), keepdim)


def normalize(input, ord, dim, *, eps=1e-12, dtype=None, mask=None):
    """What the mask keeps divided by its norm along a dimension, but at least by eps; 0 elsewhere."""
    input = _floating("normalize", input, dtype)
    return _filled("normalize", input, mask, 0) / norm(input, ord, dim, keepdim=True, mask=mask).clamp(min=eps)


def softmax(input, dim, *, dtype=None, mask=None):
    """softmax along a dimension of what the mask keeps: 0 where it does not, NaN where it keeps nothing."""
    return _filled("softmax", _floating("softmax", input, dtype), mask, -math.inf).softmax(dim)


def log_softmax(input, dim, *, dtype=None, mask=None):
    """log_softmax along a dimension of what the mask keeps: -inf where it does not, NaN where it keeps nothing."""
    return _filled("log_softmax", _floating("log_softmax", input, dtype), mask, -math.inf).log_softmax(dim)


def softmin(input, dim, *, dtype=None, mask=None):
    """softmax of the negative input along a dimension; see softmax."""
    return softmax(-_floating("softmin", input, dtype), dim, mask=mask)


def cumsum(input, dim, *, dtype=None, mask=None):
    """Sums of what the mask keeps, up to each place of a dimension."""
    return _filled("cumsum", input, mask, 0, dtype).cumsum(dim, dtype=dtype)


def cumprod(input, dim, *, dtype=None, mask=None):
    """Products of what the mask keeps, up to each place of a dimension."""
    return _filled("cumprod", input, mask, 1, dtype).cumprod(dim, dtype=dtype)


def logsumexp(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """log(sum(exp(input))) over dimensions (None: all) of what the mask keeps: -inf of nothing.

    Of integers it is computed in the default dtype and cut to a whole number, as in PyTorch; what the mask leaves out
    counts as their lowest value.
    """
    input = cast(check_tensor("logsumexp", input), dtype)
    whole = not input.dtype.is_inexact
    lowest = _limit("logsumexp", input.dtype, -1) if whole and mask is not None else -math.inf
    filled = _filled("logsumexp", input, mask, lowest)
    result = filled.logsumexp(_dims("logsumexp", filled, dim), keepdim)
    return result.to(input.dtype) if whole else result


def logaddexp(input, other, *, dtype=None, input_mask=None, other_mask=None):
    """log(exp(input) + exp(other)); what a mask leaves out counts as -inf."""
    first = _filled("logaddexp", _floating("logaddexp", input, dtype), input_mask, -math.inf)
    second = _filled("logaddexp", _floating("logaddexp", other, dtype), other_mask, -math.inf)
    return wengert.logaddexp(first, second)
