"""Indexing by masks and integer tensors, slices at an index, with PyTorch's overloads."""

import math

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_tensor, of_bools, wrap_dim, write

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_index_get, _index_put, _flat_index = OPS["index_get"], OPS["index_put"], OPS["flat_index"]
_gather, _scatter, _where = OPS["gather"], OPS["scatter"], OPS["where"]
_positions, _reshape = OPS["true_positions"], OPS["reshape"]
_put_entry, _put_add_entry = OPS["index_put"].entry, OPS["index_put_add"].entry
_inplace = _core.inplace
_bool, _int64, _uint8 = DTYPES["bool"], DTYPES["int64"], DTYPES["uint8"]
_int32 = DTYPES["int32"]
_KEYS = (_int64, _int32, _bool, _uint8)


# ---- x[...] ---------------------------------------------------------------------------------------------------------


def _index_tensor(key):
    """A list, array or tensor key as a tensor of integers or bools."""
    if not isinstance(key, Tensor):
        if isinstance(key, (list, tuple, range)):
            key = _core.from_data([v.tolist() if isinstance(v, Tensor) else v for v in key])
            if key.numel() == 0:
                key = cast(key, _int64)
        elif hasattr(key, "__array_interface__"):
            key = _core.from_data(key)
        else:
            raise (TypeError if isinstance(key, str) else IndexError)(
                f"index: expected ints, slices, None, ..., and tensors or lists of integers or bools, got "
                f"{type(key).__name__}."
            )
    if key.dtype not in _KEYS:
        raise IndexError(
            f"index: expected int64, int32, bool or uint8 tensors as indices, got {key.dtype}. Use .long()."
        )
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
        if key.dtype in (_int64, _int32):
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
        if value is None:
            raise TypeError(f"{op}: expected a Tensor or a number as values, got None.")
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


def _is_fill(x, keys, value):
    """Whether an assignment writes one number where a mask of x's shape holds."""
    mask = keys[0]
    return (
        len(keys) == 1
        and isinstance(mask, Tensor)
        and mask.dtype == _bool
        and type(value) in (int, float)
        and x.dtype.is_floating_point
        and mask.shape == x.shape
    )


def _set(x, keys, value):
    if _is_fill(x, keys, value):
        write("index assignment", x, _where(keys[0], value, x))
        return
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
    check_tensor("index_put", input)
    values = _values_for(input, values, "index_put")
    if accumulate and input.dtype == _bool:  # bools add up to 'or'
        values = cast(values, _int64) if isinstance(values, Tensor) else values
        return index_put(cast(input, _int64), indices, values, True).ne(0)
    view, index, dims = _resolve(input, _index_keys(indices))
    return _core.apply(_put_add_entry if accumulate else _put_entry, [view, index, values], (dims,))


def index_put_(self, indices, values, accumulate=False):
    """In-place form of index_put: self[indices] = values, or += with accumulate, where repeated indices add up."""
    values = _values_for(self, values, "index_put_")
    if accumulate and self.dtype == _bool:
        return self.copy_(index_put(self, indices, values, True))
    view, index, dims = _resolve(self, _index_keys(indices))
    _inplace(_put_add_entry if accumulate else _put_entry, view, (index, values), (dims,))
    return self


METHODS["index_put_"] = index_put_


# ---- along one dimension --------------------------------------------------------------------------------------------


def check_index(op, index, *more, error=RuntimeError):
    """Raises where an index is not int64, or of another dtype that is named."""
    if not isinstance(index, Tensor):
        raise TypeError(f"{op}: expected an index tensor, got {type(index).__name__}.")
    if index.dtype not in (_int64, *more):
        names = " or ".join(str(kind) for kind in (_int64, *more))
        raise error(f"{op}: expected an index of dtype {names}, got {index.dtype}. Use .long().")


# The index dtypes besides int64 that the ops along one dimension take, and what they raise for others.
_INDEX = {"index_select": (_int32,), "index_add": (_int32,), "index_copy": (), "index_fill": ()}


def _vector_index(op, index):
    check_index(op, index, *_INDEX[op], error=IndexError if op == "index_fill" else RuntimeError)
    if index.dim() > 1:
        raise (RuntimeError if op == "index_fill" else IndexError)(
            f"{op}: expected an index of at most one dimension, got shape {tuple(index.shape)}."
        )
    return _reshape(index, (1,)) if index.dim() == 0 else index


@publish(out=True, numpy=True)
def index_select(input, dim, index):
    """The slices of a dimension at the positions of a 1-d index tensor; a copy."""
    check_tensor("index_select", input)
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


def _index_add(input, dim, index, source, *, alpha=1, inplace):
    check_tensor("index_add", source)
    source = source if alpha == 1 else source * alpha
    return _along("index_add", input, dim, index, source, _put_add_entry, inplace)


def _index_copy(input, dim, index, source, *, inplace):
    check_tensor("index_copy", source)
    return _along("index_copy", input, dim, index, source, _put_entry, inplace)


def _index_fill(input, dim, index, value, *, inplace):
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(f"index_fill: expected a number or a 0-d value, got shape {tuple(value.shape)}.")
        value = cast(value, input.dtype)
        index, dim = _vector_index("index_fill", index), wrap_dim("index_fill", dim, input.dim())
        if value.requires_grad:  # a place that is named twice is filled once
            index = index.unique()
        if input.dim() == 0:
            return _along("index_fill", input, dim, index, value, _put_entry, inplace)
        if inplace:
            return _inplace(_put_entry, input, (index, value), ((dim,),))
        return _index_put(input, index, value, (dim,))
    if isinstance(value, complex) and not input.dtype.is_complex:
        raise RuntimeError(f"index_fill: expected a number that {input.dtype} holds, got {value}. Use its .real.")
    return _along("index_fill", input, dim, index, value, _put_entry, inplace)


publish.both(
    "index_add",
    of_bools("index_add", _index_add),
    "input with alpha * source added to the slices of a dimension at the positions of index.",
)
publish.both(
    "index_copy", _index_copy, "input with source written to the slices of a dimension at the positions of index."
)
publish.both(
    "index_fill", _index_fill, "input with a number written to the slices of a dimension at the positions of index."
)
