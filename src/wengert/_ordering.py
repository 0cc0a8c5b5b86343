"""Sorting, order statistics, searching and counting with PyTorch's overloads."""

import builtins
import math

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_operand, check_tensor, return_type, store, wrap_dim
from ._spans import fitting

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_sum, _amax, _amin, _where = OPS["sum"], OPS["amax"], OPS["amin"], OPS["where"]
_int64, _float32 = DTYPES["int64"], DTYPES["float32"]


def _pair(name):
    return return_type(name, "values", "indices")


Median, NanMedian, Mode = _pair("median"), _pair("nanmedian"), _pair("mode")
Sort, TopK, KthValue = _pair("sort"), _pair("topk"), _pair("kthvalue")


# ---- order statistics -----------------------------------------------------------------------------------------------


@publish(out=True, numpy=True)
def sort(input, dim=-1, descending=False, stable=False):
    """The values in order along a dimension: (values, indices). Equal values keep their order; NaN counts as largest."""
    return Sort(*OPS["sort"](input, dim, descending))


@publish(numpy=True)
def argsort(input, dim=-1, descending=False, stable=False):
    """The positions that sort a dimension. Equal values keep their order."""
    check_tensor("argsort", input)
    return OPS["sort"](input.detach(), dim, descending)[1]


@publish(out=True)
def msort(input):
    """The values in order along the first dimension."""
    return OPS["sort"](input, 0, False)[0]


@publish(out=True, numpy=True)
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The k largest (or smallest) values along a dimension, best first: (values, indices)."""
    check_tensor("topk", input)
    if input.dtype == DTYPES["bool"]:
        raise RuntimeError("topk: expected numbers, got a bool tensor. Use .int() first.")
    return TopK(*OPS["topk"](input, k, dim, largest))


@publish(out=True, numpy=True)
def kthvalue(input, k, dim=-1, keepdim=False):
    """The k-th smallest value along a dimension, counted from 1: (values, indices)."""
    return KthValue(*OPS["kthvalue"](input, k, dim, keepdim))


def _median(name, kind):
    row, whole = OPS[name], OPS[name + "_all"]

    def median(input, dim=None, keepdim=False):
        check_tensor("median", input)
        if dim is None:
            if input.numel() == 0:
                return cast(_core.full((), math.nan), input.dtype)
            return whole(input.reshape(-1), 0, False)[0]
        return kind(*row(input, dim, keepdim))

    median.__name__ = name
    median.__doc__ = f"""{row.row.doc}

    Without dim the value over all elements; with it the named tuple (values, indices). Of an even number of values it is
    the lower of the middle two.
    """
    publish(out=True, numpy=True)(median)


_median("median", Median)
_median("nanmedian", NanMedian)


@publish(out=True, numpy=True)
def mode(input, dim=-1, keepdim=False):
    """The most frequent value along a dimension, the smallest of several: (values, indices)."""
    return Mode(*OPS["mode"](input, dim, keepdim))


_INTERPOLATIONS = ("linear", "lower", "higher", "nearest", "midpoint")


def _quantile(op, input, q, dim, keepdim, interpolation, ignore_nan):
    check_tensor(op, input)
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(f"{op}: expected an interpolation of {_INTERPOLATIONS}, got {interpolation!r}.")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"{op}: expected a floating dtype, got {input.dtype}. Convert the tensor first.")
    if input.numel() == 0:
        raise RuntimeError(f"{op}: expected an input tensor with elements, got shape {tuple(input.shape)}.")
    if not isinstance(check_operand(op, q), Tensor):
        q = _core.full((), float(q), input.dtype)
    if q.dtype != input.dtype or q.dim() > 1:
        raise RuntimeError(
            f"{op}: expected q of the input's dtype and at most one dimension, got {q.dtype}, {q.dim()}."
        )
    if bool(((q < 0) | (q > 1)).any()):
        raise RuntimeError(f"{op}: expected q in [0, 1], got values outside.")
    ndim = input.dim()
    lines = (
        input.reshape(-1)
        if dim is None
        else input.movedim(wrap_dim(op, dim, ndim), -1)
        if ndim
        else input.reshape(1)
    )
    values = OPS["sort"](lines, -1, False)[0]
    n = values.shape[-1]
    missing = values.isnan()
    if ignore_nan:
        last = cast(n - 1 - _sum(missing, -1, True), input.dtype)
        last = _where(last < 0, 0.0, last)
        rank = q.reshape(-1) * last
    else:
        rank = (q.reshape(-1) * float(n - 1)).expand(*values.shape[:-1], q.numel())
        # A line with NaN has the NaN at its end: every rank takes it.
        rank = _where(OPS["any"](missing, -1, True), float(n - 1), rank)
    low, high = rank.floor(), rank.ceil()
    if interpolation == "nearest":
        low = high = OPS["round_even"](rank)
    elif interpolation == "lower":
        high = low
    elif interpolation == "higher":
        low = high
    result = OPS["gather"](values, cast(low, _int64), -1)
    if interpolation in ("linear", "midpoint"):
        above = OPS["gather"](values, cast(high, _int64), -1)
        result = OPS["lerp"](
            result, above, rank - low if interpolation == "linear" else 0.5 * cast(high.ne(low), rank.dtype)
        )
    # The quantiles lead; a scalar q has no dimension for them.
    result = result.movedim(-1, 0) if result.dim() else result
    if keepdim:
        result = (
            result.reshape(q.numel(), *([1] * ndim))
            if dim is None or ndim == 0
            else result.unsqueeze(wrap_dim(op, dim, ndim) + 1)
        )
    return result if q.dim() else result.select(0, 0)


@publish(out=True, numpy=True)
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The quantiles q in [0, 1] along a dimension, or over all elements; several q lead the result's shape."""
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@publish(out=True, numpy=True)
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The quantiles of what is not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


# ---- searching and counting -----------------------------------------------------------------------------------------


@publish(method=False)
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None, out=None):
    """Where values go into a sorted sequence so that it stays sorted; int64, or int32 with out_int32."""
    check_tensor("searchsorted", sorted_sequence)
    check_operand("searchsorted", input)
    if side is not None and side not in ("left", "right"):
        raise RuntimeError(f"searchsorted: expected side 'left' or 'right', got {side!r}.")
    if sorter is not None:
        sorted_sequence = OPS["gather"](sorted_sequence, sorter, -1)
    result = OPS["searchsorted"](sorted_sequence, input, side == "right" if side else right)
    result = cast(result, DTYPES["int32"]) if out_int32 else result
    return result if out is None else store(result, out)


@publish()
def bucketize(input, boundaries, *, out_int32=False, right=False, out=None):
    """The bucket of each value between sorted boundaries: boundaries[i - 1] < value <= boundaries[i]."""
    return searchsorted(check_tensor("bucketize", boundaries), input, out_int32=out_int32, right=right, out=out)


def _runs(values, order, shape):
    """Runs of equal neighbours: their values, the run of each element (put back by order) and their lengths."""
    n = values.numel()
    starts = _core.full((n,), True, DTYPES["bool"])
    if n > 1:
        starts[1:] = values[1:].ne(values[:-1])
    first = OPS["true_positions"](starts)
    run = OPS["cumsum"](cast(starts, _int64), 0) - 1
    inverse = run if order is None else OPS["scatter"](run, order, run, 0)
    ends = OPS["cat"]([first[1:], _core.full((min(n, 1),), n, _int64)], 0)
    return OPS["index_get"](values, first, (0,)), inverse.reshape(shape), ends - first


def _along_rows(x, dim):
    """x with dim in front, and the same as a matrix of one row for each index of dim."""
    moved = x.detach().movedim(dim, 0)
    return moved, moved.reshape(moved.shape[0], math.prod(moved.shape[1:]))


def _row_order(rows):
    """The stable lexicographic order of rows: least significant column first."""
    order = _core.from_data(list(range(rows.shape[0])), _int64)
    for column in range(rows.shape[1] - 1, -1, -1):
        key = OPS["index_get"](rows.select(1, column), order, (0,))
        order = OPS["index_get"](order, OPS["sort"](key, 0, False)[1], (0,))
    return order


def _row_runs(moved, rows, order):
    n = rows.shape[0]
    arranged = rows if order is None else OPS["index_get"](rows, order, (0,))
    starts = _core.full((n,), True, DTYPES["bool"])
    if n > 1:
        starts[1:] = OPS["any"](arranged[1:].ne(arranged[:-1]), 1, False)
    first = OPS["true_positions"](starts)
    run = OPS["cumsum"](cast(starts, _int64), 0) - 1
    inverse = run if order is None else OPS["scatter"](run, order, run, 0)
    ends = OPS["cat"]([first[1:], _core.full((min(n, 1),), n, _int64)], 0)
    source = first if order is None else OPS["index_get"](order, first, (0,))
    return OPS["index_get"](moved, source, (0,)), inverse, ends - first


def _distinct(result, return_inverse, return_counts):
    values, inverse, counts = result
    chosen = (values, *((inverse,) if return_inverse else ()), *((counts,) if return_counts else ()))
    return values if len(chosen) == 1 else chosen


@publish()
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements in ascending order, or the distinct slices along a dimension.

    Returns values, then the position of each element in them (return_inverse), then how often each occurs
    (return_counts). Nothing here has a gradient.
    """
    check_tensor("unique", input)
    if dim is None:
        return _distinct(
            _runs(*OPS["sort"](input.detach().reshape(-1), 0, False), tuple(input.shape)),
            return_inverse,
            return_counts,
        )
    dim = wrap_dim("unique", dim, input.dim())
    moved, rows = _along_rows(input, dim)
    values, inverse, counts = _row_runs(moved, rows, _row_order(rows))
    return _distinct((values.movedim(0, dim), inverse, counts), return_inverse, return_counts)


@publish()
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The first of each run of equal elements, or of equal slices along a dimension."""
    check_tensor("unique_consecutive", input)
    if dim is None:
        result = _runs(input.detach().reshape(-1), None, tuple(input.shape))
        return _distinct(result, return_inverse, return_counts)
    dim = wrap_dim("unique_consecutive", dim, input.dim())
    values, inverse, counts = _row_runs(*_along_rows(input, dim), None)
    return _distinct((values.movedim(0, dim), inverse, counts), return_inverse, return_counts)


@publish()
def bincount(input, weights=None, minlength=0):
    """How often each value of a 1-d tensor of integers >= 0 occurs, or the sum of its weights."""
    check_tensor("bincount", input)
    if weights is not None:
        check_tensor("bincount", weights)
    if input.dtype.is_inexact or input.dtype == DTYPES["bool"]:
        raise NotImplementedError(f"bincount: expected integers, got {input.dtype}. Use .long().")
    if input.dim() != 1:
        raise RuntimeError(f"bincount: expected a 1-d tensor, got shape {tuple(input.shape)}.")
    if minlength < 0:
        raise RuntimeError(f"bincount: expected minlength of at least 0, got {minlength}.")
    n = input.numel()
    size = builtins.max(minlength, int(_amax(input)) + 1 if n else 0)
    if weights is None:
        return OPS["count_values"](input, size)
    if n and int(_amin(input)) < 0:
        raise RuntimeError(f"bincount: expected values of at least 0, got {int(_amin(input))}.")
    if tuple(weights.shape) != (n,):
        raise RuntimeError(f"bincount: expected weights of shape ({n},), got {tuple(weights.shape)}.")
    weights = weights.detach()
    weights = weights if weights.dtype == _float32 else cast(weights, DTYPES["float64"])
    return OPS["index_put_add"](_core.full((size,), 0, weights.dtype), input, weights, (0,))


@publish(out=True)
def histc(input, bins=100, min=0, max=0):
    """How many elements lie in each of `bins` equal parts of [min, max]; both 0: the data's own range."""
    check_tensor("histc", input)
    if bins <= 0 or not input.dtype.is_floating_point:
        raise RuntimeError(
            f"histc: expected a floating tensor and bins of at least 1, got {input.dtype} and {bins}."
        )
    fitting("histc", bins)
    flat = input.detach().reshape(-1)
    low, high = float(min), float(max)
    if low == high and flat.numel():
        low, high = float(_amin(flat)), float(_amax(flat))
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RuntimeError(f"histc: expected a finite range with min < max, got [{low}, {high}].")
    flat = OPS["index_get"](flat, OPS["true_positions"]((flat >= low) & (flat <= high)), (0,))
    place = cast(((flat - low) * (bins / (high - low))).floor(), _int64)
    place = _where(place >= bins, bins - 1, place)
    counts = _core.full((bins,), 0, input.dtype)
    return OPS["index_put_add"](counts, place, _core.full((flat.numel(),), 1, input.dtype), (0,))
