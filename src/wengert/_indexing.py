"""Indexing by masks and integer tensors, scatter and gather, with PyTorch's overloads."""

import math

import numpy as np

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_tensor, store, wrap_dim, write

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_index_get, _index_put, _flat_index = OPS["index_get"], OPS["index_put"], OPS["flat_index"]
_gather, _scatter, _where = OPS["gather"], OPS["scatter"], OPS["where"]
_positions, _reshape = OPS["true_positions"], OPS["reshape"]
_put_entry, _put_add_entry = OPS["index_put"].entry, OPS["index_put_add"].entry
_inplace = _core.inplace
_bool, _int64, _uint8 = DTYPES["bool"], DTYPES["int64"], DTYPES["uint8"]


# ---- x[...] ---------------------------------------------------------------------------------------------------------


def _index_tensor(key):
    """A list, array or tensor key as a tensor of integers or bools."""
    if not isinstance(key, Tensor):
        if isinstance(key, (list, tuple)):
            key = _core.from_data([v.tolist() if isinstance(v, Tensor) else v for v in key])
            if key.numel() == 0:
                key = cast(key, _int64)
        elif hasattr(key, "__array_interface__"):
            key = _core.from_data(key)
        else:
            raise IndexError(
                f"index: expected ints, slices, None, ..., and tensors or lists of integers or bools, got "
                f"{type(key).__name__}."
            )
    if key.dtype.is_floating_point:
        raise IndexError(f"index: expected integer or bool tensors as indices, got {key.dtype}. Use .long().")
    return key


def _mask_index(mask, shape, at):
    """Flat positions of a mask over the dimensions it covers, which it must fit."""
    n = mask.dim()
    if tuple(mask.shape) != tuple(shape[at : at + n]):
        raise IndexError(
            f"index: expected a mask of shape {tuple(shape[at : at + n])} at dimension {at}, got {tuple(mask.shape)}. The "
            f"indexed tensor has shape {tuple(shape)}."
        )
    return _positions(mask)


def _resolve(x, keys):
    """Applies the views among the keys. Returns x's view, the flat index and the dimensions that it indexes."""
    if len(keys) == 1 and isinstance(keys[0], Tensor):
        key = keys[0]
        if key.dtype != _bool and not key.dtype.is_floating_point and key.dtype != _uint8:
            if x.dim() == 0:
                raise IndexError("index: expected at most 0 indices for shape (), got 1.")
            return x, key, (0,)
    keys = [k if k is None or k is Ellipsis or isinstance(k, (int, slice)) else _index_tensor(k) for k in keys]
    consumed = 0
    for k in keys:
        if isinstance(k, Tensor):
            consumed += k.dim() if k.dtype in (_bool, _uint8) else 1
        elif not isinstance(k, bool) and k is not None and k is not Ellipsis:
            consumed += 1
    if consumed > x.dim():
        raise IndexError(f"index: expected at most {x.dim()} indices for shape {tuple(x.shape)}, got {consumed}.")
    if sum(k is Ellipsis for k in keys) > 1:
        raise IndexError("index: expected at most one '...', got several.")
    indices, dims, sizes = [], [], []
    skipped = x.dim() - consumed
    at = 0
    for k in keys:
        if k is Ellipsis:
            at += skipped
        elif k is None:
            x = OPS["unsqueeze"](x, at)
            at += 1
        elif isinstance(k, bool):
            x = OPS["unsqueeze"](x, at)
            indices.append(_core.from_data([0] if k else [], _int64))
            dims.append((at,))
            at += 1
        elif isinstance(k, int):
            x = OPS["select"](x, at, k)
        elif isinstance(k, slice):
            x = x[(slice(None),) * at + (k,)]
            at += 1
        elif k.dtype in (_bool, _uint8):
            if k.dim() == 0:
                x = OPS["unsqueeze"](x, at)
                indices.append(_positions(_reshape(k, (1,))))
                dims.append((at,))
                at += 1
                continue
            indices.append(_mask_index(k, x.shape, at))
            dims.append(tuple(range(at, at + k.dim())))
            at += k.dim()
        else:
            indices.append(k)
            dims.append((at,))
            at += 1
    shape = tuple(x.shape)
    sizes = [math.prod(shape[d] for d in group) for group in dims]
    flat = indices[0] if len(indices) == 1 else _flat_index(indices, tuple(sizes))
    return x, flat, tuple(d for group in dims for d in group)


def _get(x, keys):
    return _index_get(*_resolve(x, keys))


def _values_for(x, value, op):
    """The value of an assignment as a tensor or number of x's dtype."""
    if not isinstance(value, Tensor):
        if isinstance(value, (int, float, complex)):
            return value
        value = _core.from_data(value)
        return cast(value, x.dtype)
    if value.dtype != x.dtype:
        if value.dim() == 0 and not value.requires_grad:
            return value.item()
        raise RuntimeError(
            f"{op}: expected values of the tensor's dtype {x.dtype}, got {value.dtype}. Convert them first."
        )
    return value


def _trim(value, n):
    """Leading sizes of 1 beyond n dimensions are dropped, as in PyTorch."""
    while isinstance(value, Tensor) and value.dim() > n and value.shape[0] == 1:
        value = OPS["select"](value, 0, 0)
    return value


def _set(x, keys, value):
    value = _values_for(x, value, "index assignment")
    view, index, dims = _resolve(x, keys)
    value = _trim(value, view.dim() - len(dims) + index.dim())
    _inplace(_put_entry, view, (index, value), (dims,))


_core.set_advanced_indexing(_get, _set)


def _index_keys(indices):
    keys = tuple(slice(None) if k is None else k for k in indices)
    return keys if keys else (Ellipsis,)


@publish()
def index_put(input, indices, values, accumulate=False):
    """A copy of input with values written (or added) at a tuple of index tensors: input[indices] = values."""
    result = OPS["clone"](input)
    return index_put_(result, indices, values, accumulate)


def index_put_(self, indices, values, accumulate=False):
    """In-place form of index_put: self[indices] = values, or += with accumulate, where repeated indices add up."""
    values = _values_for(self, values, "index_put_")
    view, index, dims = _resolve(self, _index_keys(indices))
    _inplace(_put_add_entry if accumulate else _put_entry, view, (index, values), (dims,))
    return self


METHODS["index_put_"] = index_put_


# ---- along one dimension --------------------------------------------------------------------------------------------


def _vector_index(op, index):
    if not isinstance(index, Tensor):
        raise TypeError(f"{op}: expected an index tensor, got {type(index).__name__}.")
    if index.dim() > 1:
        raise IndexError(f"{op}: expected an index of at most one dimension, got shape {tuple(index.shape)}.")
    return _reshape(index, (1,)) if index.dim() == 0 else index


@publish(out=True, numpy=True)
def index_select(input, dim, index):
    """The slices of a dimension at the positions of a 1-d index tensor; a copy."""
    index = _vector_index("index_select", index)
    dim = wrap_dim("index_select", dim, input.dim())
    if input.dim() == 0:
        return _reshape(_index_get(_reshape(input, (1,)), index, (0,)), ())
    return _index_get(input, index, (dim,))


def _along(op, input, dim, index, source, entry, inplace):
    index = _vector_index(op, index)
    dim = wrap_dim(op, dim, input.dim())
    if isinstance(source, Tensor):
        if source.dtype != input.dtype:
            raise RuntimeError(f"{op}: expected a source of dtype {input.dtype}, got {source.dtype}.")
        wanted = (*input.shape[:dim], index.numel(), *input.shape[dim + 1 :]) if input.dim() else (1,)
        source = _reshape(source, (1,)) if source.dim() == 0 else source
        if tuple(source.shape) != tuple(wanted):
            raise (IndexError if op == "index_copy" else RuntimeError)(
                f"{op}: expected a source of shape {tuple(wanted)}, got {tuple(source.shape)}."
            )
    if input.dim() == 0:
        result = _core.apply(entry, [_reshape(input, (1,)), index, source], ((0,),))
        return write(op, input, _reshape(result, ())) if inplace else _reshape(result, ())
    if inplace:
        return _inplace(entry, input, (index, source), ((dim,),))
    return _core.apply(entry, [input, index, source], ((dim,),))


def _both(name, function, doc):
    """Publishes name and name_ of function(input, ..., inplace)."""

    def plain(input, *args, **kwargs):
        return function(input, *args, inplace=False, **kwargs)

    def written(self, *args, **kwargs):
        return function(self, *args, inplace=True, **kwargs)

    plain.__name__, written.__name__ = name, name + "_"
    plain.__doc__, written.__doc__ = doc, f"In-place form of {name}."
    publish(numpy=True, out=True)(plain)
    METHODS[name + "_"] = written


def _index_add(input, dim, index, source, *, alpha=1, inplace):
    source = source if alpha == 1 else source * alpha
    return _along("index_add", input, dim, index, source, _put_add_entry, inplace)


def _index_copy(input, dim, index, source, *, inplace):
    return _along("index_copy", input, dim, index, source, _put_entry, inplace)


def _index_fill(input, dim, index, value, *, inplace):
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(f"index_fill: expected a number or a 0-d value, got shape {tuple(value.shape)}.")
        value = cast(value, input.dtype)
        index, dim = _vector_index("index_fill", index), wrap_dim("index_fill", dim, input.dim())
        if inplace:
            return _inplace(_put_entry, input, (index, value), ((dim,),))
        return _index_put(input, index, value, (dim,))
    return _along("index_fill", input, dim, index, value, _put_entry, inplace)


_both(
    "index_add",
    _index_add,
    "input with alpha * source added to the slices of a dimension at the positions of index.",
)
_both(
    "index_copy", _index_copy, "input with source written to the slices of a dimension at the positions of index."
)
_both(
    "index_fill", _index_fill, "input with a number written to the slices of a dimension at the positions of index."
)


# ---- element by element ---------------------------------------------------------------------------------------------


@publish(out=True, numpy=True)
def gather(input, dim, index, *, sparse_grad=False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on: single elements along a dimension.

    index has as many dimensions as input, and sizes that are not larger except along dim.
    """
    if not isinstance(index, Tensor) or index.dtype != _int64:
        kind = getattr(index, "dtype", type(index).__name__)
        raise RuntimeError(f"gather: expected an index of dtype int64, got {kind}. Use .long().")
    return _gather(input, index, dim)


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


def _check_scatter_index(op, index):
    if index.dtype != _int64:
        raise RuntimeError(f"{op}: expected an index of dtype int64, got {index.dtype}. Use .long().")


def _run(row, input, index, src, dim, inplace):
    if inplace:
        return _inplace(row.entry, input, (index, src), (dim,))
    return row(input, index, src, dim)


def _scatter_any(input, dim, index, src=None, *, value=None, reduce=None, inplace):
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter: expected a source or a value, got none.")
    _check_scatter_index("scatter", index)
    src = _scatter_source("scatter", index, src, input.dtype)
    rows = {None: "scatter", "add": "scatter_add", "multiply": "scatter_prod"}
    if reduce not in rows:
        raise RuntimeError(f"scatter: expected reduce 'add' or 'multiply', got {reduce!r}.")
    if reduce == "multiply" and not isinstance(src, Tensor):
        src = _core.full(tuple(index.shape), src, input.dtype)
    return _run(OPS[rows[reduce]], input, index, src, dim, inplace)


def _scatter_add(input, dim, index, src, *, inplace):
    _check_scatter_index("scatter_add", index)
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
    _check_scatter_index("scatter_reduce", index)
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
    dim = wrap_dim("index_reduce", dim, input.dim())
    shape = tuple(-1 if d == dim else 1 for d in range(input.dim()))
    index = OPS["expand"](_reshape(index, shape), tuple(source.shape))
    return _scatter_reduce(input, dim, index, source, reduce, include_self=include_self, inplace=inplace)


_both("scatter", _scatter_any, "input with src (a tensor, or value=) written at index along a dimension.")
_both("scatter_add", _scatter_add, "input with src added at index along a dimension.")
_both(
    "scatter_reduce", _scatter_reduce, "input combined with src at index: reduce is sum, prod, mean, amax or amin."
)
_both(
    "index_reduce",
    _index_reduce,
    "Slices of source combined into input along a dimension: prod, mean, amax or amin.",
)


@publish(out=True)
def take(input, index):
    """Elements of the flattened tensor at index; the result has index's shape."""
    return _index_get(_reshape(input, (-1,)), index, (0,))


@publish(out=True, numpy=True)
def take_along_dim(input, indices, dim=None):
    """Elements along a dimension at indices, which broadcast against input elsewhere."""
    if indices.dtype != _int64:
        raise RuntimeError(f"take_along_dim: expected indices of dtype int64, got {indices.dtype}. Use .long().")
    if dim is None:
        return _gather(_reshape(input, (-1,)), _reshape(indices, (-1,)), 0)
    if input.dim() != indices.dim():
        raise RuntimeError(f"take_along_dim: expected indices of {input.dim()} dimensions, got {indices.dim()}.")
    dim = wrap_dim("take_along_dim", dim, input.dim())
    from ._shaping import broadcast_shapes

    common = broadcast_shapes(
        *[tuple(1 if d == dim else s for d, s in enumerate(t.shape)) for t in (input, indices)]
    )

    def fit(t):
        return OPS["expand"](t, tuple(t.shape[d] if d == dim else s for d, s in enumerate(common)))

    return _gather(fit(input), fit(indices), dim)


def _put(input, index, source, accumulate=False, *, inplace):
    flat = _reshape(input, (-1,))
    source = _reshape(source, tuple(index.shape))
    result = (OPS["index_put_add"] if accumulate else _index_put)(flat, index, source, (0,))
    result = _reshape(result, tuple(input.shape))
    return write("put", input, result) if inplace else result


_both("put", _put, "input with source written (or added, accumulate) at positions of the flattened tensor.")


# ---- masks ----------------------------------------------------------------------------------------------------------


def _check_mask(op, mask):
    check_tensor(op, mask)
    if not isinstance(mask, Tensor) or mask.dtype != _bool:
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise RuntimeError(f"{op}: expected a mask of dtype bool, got {kind}. Use a comparison or .bool().")


def _broadcast(*tensors):
    from ._shaping import broadcast_tensors

    return broadcast_tensors(*tensors)


@publish(out=True)
def masked_select(input, mask):
    """The elements where a mask, broadcast with the tensor, holds, as one dimension."""
    _check_mask("masked_select", mask)
    if tuple(input.shape) != tuple(mask.shape):
        input, mask = _broadcast(input, mask)
    return _index_get(_reshape(input, (-1,)), _positions(mask), (0,))


def _masked_fill(input, mask, value, *, inplace):
    _check_mask("masked_fill", mask)
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(f"masked_fill: expected a number or a 0-d value, got shape {tuple(value.shape)}.")
        value = cast(value, input.dtype)
    elif isinstance(value, complex) and not input.dtype.is_complex:
        raise RuntimeError(
            f"masked_fill: expected a value that {input.dtype} can hold, got {value}: can't be cast."
        )
    elif isinstance(value, float) and not input.dtype.is_inexact:
        if not math.isfinite(value):
            raise RuntimeError(f"masked_fill: expected a value that {input.dtype} can hold, got {value}.")
        value = bool(value) if input.dtype == _bool else int(value)
    result = _where(mask, value, input)
    return write("masked_fill", input, cast(result, input.dtype)) if inplace else cast(result, input.dtype)


def _masked_scatter(input, mask, source, *, inplace):
    _check_mask("masked_scatter", mask)
    if input.dtype != source.dtype:
        raise RuntimeError(f"masked_scatter: expected a source of dtype {input.dtype}, got {source.dtype}.")
    base = input
    if tuple(input.shape) != tuple(mask.shape):
        base, mask = _broadcast(input, mask)
    places = _positions(mask)
    if places.numel() > source.numel():
        raise RuntimeError(
            f"masked_scatter: expected a source of at least {places.numel()} elements, got {source.numel()}."
        )
    values = OPS["slice"](_reshape(source, (-1,)), 0, 0, places.numel(), 1)
    result = _reshape(_index_put(_reshape(base, (-1,)), places, values, (0,)), tuple(base.shape))
    return write("masked_scatter", input, result) if inplace else result


_both("masked_fill", _masked_fill, "The tensor with a number written where a mask (broadcast) holds.")
_both(
    "masked_scatter",
    _masked_scatter,
    "The tensor with consecutive elements of source where a mask (broadcast) holds.",
)


@publish(out=True)
def argwhere(input):
    """Coordinates of the elements that are not zero: (count, dimensions)."""
    return OPS["nonzero"](input)


@publish()
def nonzero(input, *, out=None, as_tuple=False):
    """Coordinates of the elements that are not zero: (count, dimensions), or with as_tuple one tensor for each dimension."""
    if not as_tuple:
        result = OPS["nonzero"](input)
        return result if out is None else store(result, out)
    coordinates = OPS["nonzero"](_reshape(input, (1,)) if input.dim() == 0 else input)
    return tuple(OPS["select"](coordinates, 1, k) for k in range(coordinates.shape[1]))


@publish(method=False)
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Which elements are among the test elements, as a bool tensor of their shape.

    Args:
        elements, test_elements: tensors, or one of them a number.
        assume_unique: accepted: it only lets a search be quicker.
        invert: mark those that are not among them.

    Example:
        >>> import wengert
        >>> wengert.isin(wengert.tensor([1, 2, 3]), wengert.tensor([3, 5, 1]))
        tensor([ True, False,  True])
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin: expected a Tensor among elements and test_elements, got two numbers.")
    sides = [v.detach().numpy() if isinstance(v, Tensor) else np.asarray(v) for v in (elements, test_elements)]
    return _core.from_numpy(np.asarray(np.isin(*sides, invert=invert)))


@publish(method=False)
def where(condition, input=None, other=None, *, out=None):
    """input where the condition holds, other elsewhere, with broadcasting; tensors or numbers.

    where(condition) is the tuple of coordinates where it holds.

    Example:
        >>> import wengert
        >>> x = wengert.tensor([-1.0, 4.0])
        >>> wengert.where(x > 0, x, 0.0)
        tensor([0., 4.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Tensor) or condition.dtype not in (_bool, _uint8):
        kind = str(getattr(condition, "dtype", type(condition).__name__)).rpartition(".")[2]
        raise RuntimeError(f"where: expected a condition of dtype bool, got {kind}. Use a comparison or .bool().")
    if condition.dtype == _uint8:
        condition = cast(condition, _bool)
    result = _where(condition, input, other)
    return result if out is None else store(result, out)


def _where_method(self, condition, other):
    """self where the condition holds, other elsewhere."""
    return where(condition, self, other)


METHODS["where"] = _where_method


def _fill_diagonal(self, fill_value, wrap=False):
    """Writes a number to the main diagonal in place: the elements whose indices are all equal.

    Args:
        fill_value: a number.
        wrap: for tall matrices, begin again below each square block, with a free row between.

    Raises RuntimeError for fewer than two dimensions, or more with different sizes.

    Example:
        >>> import wengert
        >>> wengert.zeros(2, 2).fill_diagonal_(3.0)
        tensor([[3., 0.],
                [0., 3.]])
    """
    sizes = set(self.shape[2:]) | ({self.shape[0], self.shape[1]} if self.ndim > 2 else set())
    if self.ndim < 2 or len(sizes) > 1:
        raise RuntimeError(
            f"fill_diagonal_: expected a matrix, or more dimensions of one size, got shape {tuple(self.shape)}."
        )
    length = min(self.shape)
    self.as_strided((length,), (sum(self.stride()),), self.storage_offset()).fill_(fill_value)
    if wrap and self.ndim == 2 and self.shape[0] > self.shape[1] + 1:
        _fill_diagonal(self[self.shape[1] + 1 :], fill_value, wrap=True)
    return self


METHODS["fill_diagonal_"] = _fill_diagonal


def one_hot(tensor, num_classes=-1):
    """Rows of zeros with a 1 at each class index: (…,) → (…, classes), int64."""
    if tensor.dtype != _int64:
        raise RuntimeError(f"one_hot: expected class indices of dtype int64, got {tensor.dtype}. Use .long().")
    if tensor.numel() == 0 and num_classes <= 0:
        raise RuntimeError("one_hot: expected class indices or num_classes, got neither.")
    if tensor.numel():
        low, high = int(OPS["amin"](tensor)), int(OPS["amax"](tensor))
        if low < 0:
            raise RuntimeError(f"one_hot: expected class values of at least 0, got {low}.")
        if num_classes == -1:
            num_classes = high + 1
        elif high >= num_classes:
            raise RuntimeError(
                f"one_hot: expected class values smaller than num_classes {num_classes}, got {high}."
            )
    zeros = _core.full((*tensor.shape, num_classes), 0, _int64)
    return _scatter(zeros, OPS["unsqueeze"](tensor, -1), 1, -1)
