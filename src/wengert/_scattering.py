"""Single elements at an index, with PyTorch's overloads: gather, scatter, take, put."""

import math

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._indexing import check_index, index_put
from ._overload import Publisher, cast, check_tensor, of_bools, wrap_dim, write
from ._shaping import broadcast_shapes

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_index_get, _index_put = OPS["index_get"], OPS["index_put"]
_gather, _scatter, _reshape = OPS["gather"], OPS["scatter"], OPS["reshape"]
_inplace = _core.inplace
_int64 = DTYPES["int64"]


def _index_of(op, index):
    """The index as int64; int32 is taken too."""
    check_tensor(op, index)
    if index.dtype == _int64:
        return index
    if index.dtype != DTYPES["int32"]:
        raise RuntimeError(f"{op}: expected an index of dtype int64 or int32, got {index.dtype}. Use .long().")
    return cast(index, _int64)


@publish(out=True, numpy=True)
def gather(input, dim, index, *, sparse_grad=False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on: single elements along a dimension.

    index has as many dimensions as input, and sizes that are not larger except along dim.
    """
    check_tensor("gather", input)
    if not isinstance(index, Tensor):
        raise TypeError(f"gather: expected a tensor of indices, got {type(index).__name__}.")
    return _gather(input, _index_of("gather", index), dim)


def _scatter_source(op, index, src, dtype):
    if isinstance(src, Tensor) and src.dim() == index.dim():
        if src.dtype != dtype:
            raise RuntimeError(f"{op}: expected a source of dtype {dtype}, got {src.dtype}.")
        for d, size in enumerate(index.shape):
            if size > src.shape[d]:
                raise RuntimeError(
                    f"{op}: expected an index that fits into the source's shape {tuple(src.shape)}, got "
                    f"{tuple(index.shape)}."
                )
            if size < src.shape[d]:
                src = OPS["slice"](src, d, 0, size, 1)
    elif isinstance(src, Tensor) and src.dim() == 0:
        src = cast(src, dtype)
    elif isinstance(src, Tensor):
        raise RuntimeError(f"{op}: expected a source of {index.dim()} dimensions, got {src.dim()}.")
    return src


def _run(row, input, index, src, dim, inplace):
    if inplace:
        return _inplace(row.entry, input, (index, src), (dim,))
    return row(input, index, src, dim)


def _scatter_any(input, dim, index, src=None, *, value=None, reduce=None, inplace):
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter: expected a source or a value, got none.")
    index = _index_of("scatter", index)
    src = _scatter_source("scatter", index, src, input.dtype)
    rows = {None: "scatter", "add": "scatter_add", "multiply": "scatter_prod"}
    if reduce not in rows:
        raise RuntimeError(f"scatter: expected reduce 'add' or 'multiply', got {reduce!r}.")
    if reduce == "multiply" and not isinstance(src, Tensor):
        src = _core.full(tuple(index.shape), src, input.dtype)
    return _run(OPS[rows[reduce]], input, index, src, dim, inplace)


def _scatter_add(input, dim, index, src, *, inplace):
    check_tensor("scatter_add", src)
    index = _index_of("scatter_add", index)
    return _run(
        OPS["scatter_add"], input, index, _scatter_source("scatter_add", index, src, input.dtype), dim, inplace
    )


_NEUTRAL = {"sum": 0, "prod": 1, "mean": 0, "amax": -math.inf, "amin": math.inf}
_INTEGER_RANGE = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
}


def _neutral(reduce, dtype):
    value = _NEUTRAL[reduce]
    if isinstance(value, int) or dtype.is_floating_point:
        return value
    low, high = _INTEGER_RANGE.get(str(dtype).split(".")[-1], (-(2**63), 2**63 - 1))
    return low if reduce == "amax" else high


def _scatter_reduce(input, dim, index, src, reduce, *, include_self=True, inplace):
    if reduce not in _NEUTRAL:
        raise RuntimeError(f"scatter_reduce: expected reduce sum, prod, mean, amax or amin, got {reduce!r}.")
    index = _index_of("scatter_reduce", index)
    src = _scatter_source("scatter_reduce", index, src, input.dtype)
    start = input if include_self else _scatter(input, index, _neutral(reduce, input.dtype), dim)
    if reduce == "mean":
        total = OPS["scatter_add"](start, index, src, dim)
        ones = _core.full(tuple(index.shape), 1, input.dtype)
        count = OPS["zeros_like"](input.detach()) + 1
        if not include_self:
            count = _scatter(count, index, 0, dim)
        count = OPS["scatter_add"](count, index, ones, dim)
        result = total / count if input.dtype.is_inexact else OPS["floor_divide"](total, count)
    else:
        row = OPS["scatter_add" if reduce == "sum" else "scatter_" + reduce]
        if inplace and include_self:
            return _inplace(row.entry, input, (index, src), (dim,))
        result = row(start, index, src, dim)
    return write("scatter_reduce", input, result) if inplace else result


def _index_reduce(input, dim, index, source, reduce, *, include_self=True, inplace):
    if reduce not in _NEUTRAL or reduce == "sum":
        raise RuntimeError(f"index_reduce: expected reduce prod, mean, amax or amin, got {reduce!r}.")
    dim = wrap_dim("index_reduce", dim, input.dim())
    shape = tuple(-1 if d == dim else 1 for d in range(input.dim()))
    index = OPS["expand"](_reshape(index, shape), tuple(source.shape))
    return _scatter_reduce(input, dim, index, source, reduce, include_self=include_self, inplace=inplace)


_scatter_reducing = of_bools("scatter", _scatter_any)


def _scatter_or_reduce(input, *args, reduce=None, **named):
    if reduce is None:
        return _scatter_any(input, *args, **named)
    return _scatter_reducing(input, *args, reduce=reduce, **named)


publish.both(
    "scatter", _scatter_or_reduce, "input with src (a tensor, or value=) written at index along a dimension."
)
publish.both(
    "scatter_add", of_bools("scatter_add", _scatter_add), "input with src added at index along a dimension."
)
publish.both(
    "scatter_reduce",
    of_bools("scatter_reduce", _scatter_reduce),
    "input combined with src at index: reduce is sum, prod, mean, amax or amin.",
)
publish.both(
    "index_reduce",
    of_bools("index_reduce", _index_reduce),
    "Slices of source combined into input along a dimension: prod, mean, amax or amin.",
)


@publish(out=True)
def take(input, index):
    """Elements of the flattened tensor at index; the result has index's shape."""
    check_index("take", index)
    return _index_get(_reshape(input, (-1,)), index, (0,))


@publish(out=True, numpy=True)
def take_along_dim(input, indices, dim=None):
    """Elements along a dimension at indices, which broadcast against input elsewhere."""
    check_tensor("take_along_dim", input)
    check_tensor("take_along_dim", indices)
    if indices.dtype != _int64:
        raise RuntimeError(f"take_along_dim: expected indices of dtype int64, got {indices.dtype}. Use .long().")
    if dim is None:
        return _gather(_reshape(input, (-1,)), _reshape(indices, (-1,)), 0)
    if input.dim() != indices.dim():
        raise RuntimeError(f"take_along_dim: expected indices of {input.dim()} dimensions, got {indices.dim()}.")
    dim = wrap_dim("take_along_dim", dim, input.dim())
    common = broadcast_shapes(
        *[tuple(1 if d == dim else s for d, s in enumerate(t.shape)) for t in (input, indices)]
    )

    def fit(t):
        return OPS["expand"](t, tuple(t.shape[d] if d == dim else s for d, s in enumerate(common)))

    return _gather(fit(input), fit(_counted_from_0(indices, input.shape[dim])), dim)


def _counted_from_0(indices, size):
    """Negative indices count from the end."""
    return OPS["where"](indices < 0, indices + size, indices)


def _put(input, index, source, accumulate=False, *, inplace):
    check_tensor("put", source)
    check_index("put", index)
    if source.dtype != input.dtype:
        raise RuntimeError(f"put: expected a source of dtype {input.dtype}, got {source.dtype}.")
    if source.numel() != index.numel():
        raise IndexError(
            f"put: expected a source of {index.numel()} elements, one for each index, got {source.numel()}."
        )
    flat = _reshape(input, (-1,))
    source = _reshape(source, tuple(index.shape))
    if accumulate:
        result = index_put(flat, (index,), source, True)
    else:
        result = _index_put(flat, index, source, (0,))
    result = _reshape(result, tuple(input.shape))
    return write("put", input, result) if inplace else result


publish.both("put", _put, "input with source written (or added, accumulate) at positions of the flattened tensor.")
