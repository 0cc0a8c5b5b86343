"""Reductions, sorting and searching with PyTorch's overloads."""

import builtins
import math

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_tensor, return_type, store, wrap_dim

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_sum, _mean, _amax, _amin = OPS["sum"], OPS["mean"], OPS["amax"], OPS["amin"]
_maximum, _minimum = OPS["maximum"], OPS["minimum"]
_max_along, _min_along = OPS["max_along"], OPS["min_along"]
_argmax, _argmin, _where = OPS["argmax"], OPS["argmin"], OPS["where"]
_int64, _float32 = DTYPES["int64"], DTYPES["float32"]


def _pair(name):
    return return_type(name, "values", "indices")


Max, Min, Median, NanMedian, Mode = _pair("max"), _pair("min"), _pair("median"), _pair("nanmedian"), _pair("mode")
Sort, TopK, KthValue = _pair("sort"), _pair("topk"), _pair("kthvalue")
CumMax, CumMin = _pair("cummax"), _pair("cummin")
AMinMax = return_type("aminmax", "min", "max")


@publish()
def sum(input, *args, dtype=None, **named):
    """The sum over dimensions, or over all of them.

    Args:
        dim: an int, a tuple of ints, or None for all dimensions.
        keepdim: the reduced dimensions stay with size 1.
        dtype: converts the input first; integers and bools are summed as int64 otherwise.

    Example:
        >>> import wengert
        >>> wengert.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(0)
        tensor([4., 6.])
    """
    return _sum(input, *args, **named) if dtype is None else cast(_sum(cast(input, dtype), *args, **named), dtype)


@publish()
def mean(input, *args, dtype=None, **named):
    """The mean over dimensions, or over all of them. The input is floating, or dtype= makes it so."""
    return _mean(input if dtype is None else cast(input, dtype), *args, **named)


@publish(out=True, numpy=True)
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product over one dimension, or over all. Integers and bools are multiplied as int64."""
    input = cast(check_tensor("prod", input), dtype)
    if dim is None:
        return cast(OPS["prod_all"](input.reshape(-1), (0,), False), dtype)
    return cast(OPS["prod_all"](input, (wrap_dim("prod", dim, input.dim()),), keepdim), dtype)


def _extreme(name, all_of, along, pairwise, kind):
    def extreme(input, *args, out=None, **named):
        if len(args) == 1 and not named and out is None:
            if isinstance(args[0], Tensor):
                return pairwise(input, args[0])
            return kind(*along(input, args[0], False))
        if not args and not named:
            result = all_of(input)
            return result if out is None else store(result, out)
        return general(input, *args, out=out, **named)

    def general(input, dim=None, keepdim=False, *, other=None, axis=None, keepdims=None, out=None):
        if isinstance(dim, Tensor):
            other, dim = dim, None
        if other is not None:
            result = pairwise(input, other)
        else:
            dim = axis if dim is None else dim
            if dim is None:
                raise TypeError(f"{name}: expected a dimension beside keepdim, got none. Pass dim=.")
            result = kind(*along(input, dim, keepdim if keepdims is None else keepdims))
        return result if out is None else store(result, out)

    extreme.__name__ = name
    extreme.__doc__ = f"""The {name}imum: of all elements, along a dimension, or of two tensors elementwise.

    {name}(input) is the value over all elements (ties share the gradient); {name}(input, dim, keepdim=False) the named
    tuple (values, indices) along a dimension; {name}(input, other) the elementwise {name}imum. NaN propagates.
    """
    return extreme


publish()(_extreme("max", _amax, _max_along, _maximum, Max))
publish()(_extreme("min", _amin, _min_along, _minimum, Min))


@publish(numpy=True)
def aminmax(input, *, dim=None, keepdim=False, out=None):
    """The smallest and the largest value, over all elements or along a dimension: a named tuple (min, max)."""
    result = AMinMax(_amin(input, dim, keepdim), _amax(input, dim, keepdim))
    return result if out is None else store(result, out)


def _arg(name, along):
    def arg(input, dim=None, keepdim=False):
        if dim is None and keepdim:
            return along(input, None, True)
        return along(input, dim, keepdim)

    arg.__name__ = name
    arg.__doc__ = f"The position of the {name[3:]}imum along a dimension, or in the flattened tensor."
    return arg


publish(out=True, numpy=True)(_arg("argmax", _argmax))
publish(out=True, numpy=True)(_arg("argmin", _argmin))


def _truth(name):
    row = OPS[name]

    def truth(input, dim=None, keepdim=False):
        if dim is not None and not isinstance(dim, int) and len(dim) == 0:
            result = OPS["ne"](input, 0)  # over no dimension: each element on its own
        else:
            result = row(input, dim, keepdim)
        return cast(result, input.dtype) if input.dtype == DTYPES["uint8"] else result

    truth.__name__ = name
    truth.__doc__ = f"Whether {name} of the elements are not zero, over dimensions or over all. uint8 stays uint8."
    return truth


publish(out=True, numpy=True)(_truth("any"))
publish(out=True, numpy=True)(_truth("all"))


def _correction(dim, unbiased, correction):
    """The three spellings: var(x, True), var(x, dim, unbiased), var(x, dim, correction=1)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, float(correction)


def _spread(name, row, doc):
    stat = OPS[row]

    def spread(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        dim, correction = _correction(dim, unbiased, correction)
        if input.dtype.is_complex:
            parts = OPS["var_stat"](input.real, dim, keepdim, correction)[0]
            total = parts + OPS["var_stat"](input.imag, dim, keepdim, correction)[0]
            return total if row == "var_stat" else total.sqrt()
        return stat(input, dim, keepdim, correction)[0]

    def spread_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        where, _ = _correction(dim, unbiased, correction)
        return spread(input, dim, unbiased, keepdim, correction=correction), _mean(input, where, keepdim)

    spread.__name__, spread_mean.__name__ = name, name + "_mean"
    spread.__doc__ = f"""The {doc} over dimensions, or over all elements.

    Args:
        dim: an int, a tuple of ints, or None for all.
        unbiased: divide by n - 1 (the default) or by n.
        correction: divide by n - correction.
        keepdim: the reduced dimensions stay with size 1.
    """
    spread_mean.__doc__ = f"The {doc} and the mean over dimensions: ({name}, mean)."
    publish(out=True, numpy=True)(spread)
    publish(method=False, numpy=True)(spread_mean)


_spread("var", "var_stat", "variance")
_spread("std", "std_stat", "standard deviation")


def _no_complex(op, input):
    if input.dtype.is_complex:
        raise RuntimeError(f"{op}: expected a real tensor, got {input.dtype}. Use .real and .imag.")


@publish(out=True, numpy=True)
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum with NaN counted as 0."""
    input = cast(input, dtype)
    _no_complex("nansum", input)
    if not input.dtype.is_floating_point:
        return _sum(input, dim, keepdim)
    return _sum(_where(input.isnan(), 0.0, input), dim, keepdim)


@publish(out=True, numpy=True)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of what is not NaN."""
    input = cast(input, dtype)
    _no_complex("nanmean", input)
    missing = input.isnan()
    count = _sum(OPS["logical_not"](missing), dim, keepdim)
    return _sum(_where(missing, 0.0, input), dim, keepdim) / cast(count, input.dtype)


@publish(out=True, numpy=True)
def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(input))) over dimensions, without overflow."""
    return OPS["logsumexp"](input, dim, keepdim)


@publish(numpy=True)
def count_nonzero(input, dim=None):
    """How many elements are not zero, over dimensions or over all."""
    return OPS["count_nonzero"](input, dim, False)


# ---- norms ----------------------------------------------------------------------------------------------------------


def vector_norm(x, p, dim, keepdim):
    """The p-norm over dimensions (None: all) of a floating or complex tensor."""
    if x.dtype.is_complex:
        x = x.abs()
    if not x.dtype.is_floating_point:
        raise RuntimeError(f"norm: expected a floating dtype, got {x.dtype}. Pass dtype=, or convert the tensor.")
    if p == 2:
        return OPS["norm2"](x, dim, keepdim)
    if p == 0:
        return _sum(cast(x.ne(0), x.dtype), dim, keepdim)
    if p == 1:
        return _sum(x.abs(), dim, keepdim)
    if p in (math.inf, -math.inf):
        empty = x.numel() == 0
        if empty and p > 0 and dim is None:
            return _sum(x, dim, keepdim)
        return (_amax if p > 0 else _amin)(x.abs(), dim, keepdim)
    total = _sum(x.abs() ** p, dim, keepdim)
    if p < 0:
        return total ** (1 / p)
    zero = total.eq(0)
    return _where(zero, 0.0, _where(zero, 1.0, total) ** (1 / p))


@publish(out=True, numpy=True)
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """The p-norm of the elements over dimensions, or over all.

    p is a number, math.inf, -math.inf, 'fro' (2) or 'nuc' (the sum of singular values of a matrix). The derivative of
    the 2-norm at 0 is 0.
    """
    input = cast(input, dtype)
    if p == "nuc":
        from .linalg import matrix_norm

        return matrix_norm(input, "nuc", dim if dim is not None else (-2, -1), keepdim)
    if p is None or p == "fro":
        p = 2
    elif isinstance(p, str):
        p = float(p)
    return vector_norm(input, p, dim, keepdim)


@publish()
def dist(input, other, p=2):
    """The p-norm of input - other."""
    check_tensor("dist", other)
    return vector_norm(input - other, p, None, False)


@publish(inplace=True)
def renorm(input, p, dim, maxnorm):
    """Slices along a dimension whose p-norm is larger than maxnorm are scaled to it."""
    dim = wrap_dim("renorm", dim, input.dim())
    others = tuple(d for d in range(input.dim()) if d != dim)
    size = vector_norm(input, p, others, True)
    return input * _where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


# ---- cumulative -----------------------------------------------------------------------------------------------------


def _cumulative(name):
    row = OPS[name]

    def cumulative(input, dim, *, dtype=None):
        return cast(row(cast(input, dtype), dim), dtype)

    cumulative.__name__ = name
    cumulative.__doc__ = row.row.doc
    publish(out=True, numpy=True, inplace=name != "logcumsumexp")(cumulative)


for _name in ("cumsum", "cumprod", "logcumsumexp"):
    _cumulative(_name)


@publish(out=True, numpy=True)
def cummax(input, dim):
    """The running maximum along a dimension: (values, indices). NaN wins and stays; of equal values the later counts."""
    return CumMax(*OPS["cummax"](input, dim))


@publish(out=True, numpy=True)
def cummin(input, dim):
    """The running minimum along a dimension: (values, indices). NaN wins and stays; of equal values the later counts."""
    return CumMin(*OPS["cummin"](input, dim))


@publish(numpy=True)
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The n-th difference of neighbours along a dimension."""
    parts = [t for t in (prepend, input, append) if t is not None]
    if len(parts) > 1:
        input = OPS["cat"](parts, dim)
    dim = wrap_dim("diff", dim, input.dim())
    for _ in range(n):
        size = input.shape[dim]
        if size == 0:
            break
        ahead, behind = OPS["slice"](input, dim, 1, size - 1, 1), OPS["slice"](input, dim, 0, size - 1, 1)
        input = ahead - behind if input.dtype != DTYPES["bool"] else OPS["logical_xor"](ahead, behind)
    return input


def _areas(op, y, x, dx, dim):
    """The trapezoids between neighbours along a dimension."""
    if x is not None:
        check_tensor(op, x)
    if check_tensor(op, y).dtype == DTYPES["bool"]:
        raise RuntimeError(f"{op}: expected numbers, got bool values. Convert them first.")
    dim = wrap_dim(op, dim, y.dim())
    size = y.shape[dim]
    if size < 1:
        return y
    pairs = OPS["slice"](y, dim, 1, size - 1, 1) + OPS["slice"](y, dim, 0, size - 1, 1)
    if x is None:
        return pairs * (dx / 2)
    if x.dim() == 1:
        x = x.reshape(tuple(-1 if d == dim else 1 for d in range(y.dim())))
    if not x.dim():
        raise RuntimeError(f"{op}: expected points x with dimensions, got shape ().")
    return pairs * diff(x, dim=wrap_dim(op, dim - y.dim(), x.dim())) / 2


@publish("trapz", method=False, numpy=True)
def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integral along a dimension by the trapezoidal rule, for the points x or for equal steps dx.

    Example:
        >>> import wengert
        >>> wengert.trapezoid(wengert.tensor([1.0, 2.0, 3.0]))
        tensor(4.)
    """
    return _sum(_areas("trapezoid", y, x, dx, dim), dim)


@publish(method=False, numpy=True)
def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The running integral along a dimension by the trapezoidal rule."""
    return OPS["cumsum"](_areas("cumulative_trapezoid", y, x, dx, dim), dim)


# ---- order statistics -----------------------------------------------------------------------------------------------


@publish(out=True, numpy=True)
def sort(input, dim=-1, descending=False, stable=False):
    """The values in order along a dimension: (values, indices). Equal values keep their order; NaN counts as largest."""
    return Sort(*OPS["sort"](input, dim, descending))


@publish(numpy=True)
def argsort(input, dim=-1, descending=False, stable=False):
    """The positions that sort a dimension. Equal values keep their order."""
    return OPS["sort"](input.detach(), dim, descending)[1]


@publish(out=True)
def msort(input):
    """The values in order along the first dimension."""
    return OPS["sort"](input, 0, False)[0]


@publish(out=True, numpy=True)
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The k largest (or smallest) values along a dimension, best first: (values, indices)."""
    return TopK(*OPS["topk"](input, k, dim, largest))


@publish(out=True, numpy=True)
def kthvalue(input, k, dim=-1, keepdim=False):
    """The k-th smallest value along a dimension, counted from 1: (values, indices)."""
    return KthValue(*OPS["kthvalue"](input, k, dim, keepdim))


def _median(name, kind):
    row, whole = OPS[name], OPS[name + "_all"]

    def median(input, dim=None, keepdim=False):
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
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(f"{op}: expected an interpolation of {_INTERPOLATIONS}, got {interpolation!r}.")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"{op}: expected a floating dtype, got {input.dtype}. Convert the tensor first.")
    if input.numel() == 0:
        raise RuntimeError(f"{op}: expected an input tensor with elements, got shape {tuple(input.shape)}.")
    q = q if isinstance(q, Tensor) else _core.full((), float(q), input.dtype)
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
            if dim is None
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
    if input is None:
        raise TypeError("searchsorted: expected values as a Tensor or a number, got None.")
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
    rows = moved.reshape(moved.shape[0], -1)
    return moved, rows


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
    if dim is None:
        result = _runs(input.detach().reshape(-1), None, tuple(input.shape))
        return _distinct(result, return_inverse, return_counts)
    dim = wrap_dim("unique_consecutive", dim, input.dim())
    values, inverse, counts = _row_runs(*_along_rows(input, dim), None)
    return _distinct((values.movedim(0, dim), inverse, counts), return_inverse, return_counts)


@publish()
def bincount(input, weights=None, minlength=0):
    """How often each value of a 1-d tensor of integers >= 0 occurs, or the sum of its weights."""
    if input.dim() != 1 or input.dtype.is_floating_point or input.dtype == DTYPES["bool"]:
        raise RuntimeError(
            f"bincount: expected a 1-d tensor of integers, got {input.dtype}, shape {tuple(input.shape)}."
        )
    if minlength < 0:
        raise RuntimeError(f"bincount: expected minlength of at least 0, got {minlength}.")
    n = input.numel()
    if n and int(_amin(input)) < 0:
        raise RuntimeError(f"bincount: expected values of at least 0, got {int(_amin(input))}.")
    size = builtins.max(minlength, int(_amax(input)) + 1 if n else 0)
    if weights is None:
        return OPS["index_put_add"](_core.full((size,), 0, _int64), input, _core.full((n,), 1, _int64), (0,))
    if tuple(weights.shape) != (n,):
        raise RuntimeError(f"bincount: expected weights of shape ({n},), got {tuple(weights.shape)}.")
    weights = weights.detach()
    weights = weights if weights.dtype == _float32 else cast(weights, DTYPES["float64"])
    return OPS["index_put_add"](_core.full((size,), 0, weights.dtype), input, weights, (0,))


@publish(out=True)
def histc(input, bins=100, min=0, max=0):
    """How many elements lie in each of `bins` equal parts of [min, max]; both 0: the data's own range."""
    if bins <= 0 or not input.dtype.is_floating_point:
        raise RuntimeError(
            f"histc: expected a floating tensor and bins of at least 1, got {input.dtype} and {bins}."
        )
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
