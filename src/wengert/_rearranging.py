"""Elements in other places with PyTorch's overloads: repeating, moving, grids, writing into parts."""

import itertools
import math
import operator

import numpy as np

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, check_tensor, check_tensors, ints, wrap_dim, wrap_dims
from ._spans import fitting, places, repeated

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_cat, _stack, _slice, _select = OPS["cat"], OPS["stack"], OPS["slice"], OPS["select"]
_reshape, _transpose, _unsqueeze = OPS["reshape"], OPS["transpose"], OPS["unsqueeze"]
_expand, _flip = OPS["expand"], OPS["flip"]
_int64 = DTYPES["int64"]


# ---- repeating and moving -------------------------------------------------------------------------------------------


@publish(function=False)
def repeat(self, *sizes):
    """The tensor repeated along each dimension; more sizes than dimensions add leading ones. A copy."""
    sizes = ints(sizes)
    n, shape = len(sizes), tuple(self.shape)
    if n < len(shape):
        raise RuntimeError(f"repeat: expected at least {len(shape)} sizes, got {sizes}.")
    if any(v < 0 for v in sizes):
        raise RuntimeError(f"repeat: expected sizes of at least 0, got {sizes}.")
    shape = (1,) * (n - len(shape)) + shape
    fitting("repeat", math.prod(sizes) * math.prod(shape))
    # (1, s0, 1, s1, ...) expanded to (r0, s0, r1, s1, ...).
    spread = [v for s in shape for v in (1, s)]
    wanted = [v for r, s in zip(sizes, shape, strict=True) for v in (r, s)]
    result = _expand(_reshape(self, tuple(spread)), tuple(wanted))
    return OPS["clone"](_reshape(result, tuple(r * s for r, s in zip(sizes, shape, strict=True))))


@publish()
def tile(input, *sizes, dims=None):
    """The tensor repeated along its last dimensions, `dims` times each."""
    check_tensor("tile", input)
    dims = ints(sizes if dims is None else (dims,))
    return repeat(input, (1,) * (input.dim() - len(dims)) + dims)


@publish(numpy=True)
def repeat_interleave(input=None, repeats=None, dim=None, *, output_size=None):
    """Each element repeated, one after the other, along a dimension or in the flattened tensor.

    repeats is an int, or a tensor with one count for each element. repeat_interleave(repeats) gives the positions.
    """
    if input is not None:
        check_tensor("repeat_interleave", input)
    if input is not None and repeats is None and (dim is not None or input.dtype.is_floating_point):
        raise TypeError("repeat_interleave: expected repeats as an int or a tensor, got None.")
    if input is None or repeats is None:
        input = check_tensor("repeat_interleave", repeats if input is None else input)
        counts, input = input, places(np.arange(input.numel()))
        return repeat_interleave(input, counts, 0)
    if dim is None:
        input, dim = _reshape(input, (-1,)), 0
    dim = wrap_dim("repeat_interleave", dim, input.dim())
    input = input if input.dim() else _reshape(input, (1,))
    size = input.shape[dim]
    if isinstance(repeats, Tensor):
        if repeats.dtype.is_floating_point:
            raise RuntimeError(f"repeat_interleave: expected integer repeats, got {repeats.dtype}.")
        counts = repeats.detach().reshape(-1).numpy()
    elif hasattr(repeats, "__index__"):
        counts = [operator.index(repeats)]
    else:
        raise TypeError(f"repeat_interleave: expected repeats as an int or a tensor, got {type(repeats).__name__}.")
    if len(counts) and np.min(counts) < 0:
        raise RuntimeError(f"repeat_interleave: expected repeats of at least 0, got {np.min(counts)}.")
    if len(counts) == 1:
        count = int(fitting("repeat_interleave", counts[0]))
        shape = tuple(input.shape)
        spread = _expand(_unsqueeze(input, dim + 1), (*shape[: dim + 1], count, *shape[dim + 1 :]))
        return OPS["clone"](_reshape(spread, (*shape[:dim], size * count, *shape[dim + 1 :])))
    if len(counts) != size:
        raise RuntimeError(f"repeat_interleave: expected {size} repeats, one for each element, got {len(counts)}.")
    return OPS["index_get"](input, places(repeated("repeat_interleave", counts)), (dim,))


@publish()
def flip(input, *axes, dims=None):
    """The order of the elements reversed along dimensions (`dims`, ints or one tuple); a copy."""
    return _flip(input, ints(axes if dims is None else (dims,)))


@publish()
def fliplr(input):
    """Columns in reverse order."""
    check_tensor("fliplr", input)
    if input.dim() < 2:
        raise RuntimeError(f"fliplr: expected at least 2 dimensions, got {input.dim()}.")
    return _flip(input, (1,))


@publish()
def flipud(input):
    """Rows in reverse order."""
    check_tensor("flipud", input)
    if input.dim() < 1:
        raise RuntimeError("flipud: expected at least 1 dimension, got 0.")
    return _flip(input, (0,))


@publish(numpy=True)
def roll(input, shifts, dim=None, *, dims=None):
    """Elements moved on along dimensions; what leaves at the end comes in at the front."""
    check_tensor("roll", input)
    dims = dim if dims is None else dims
    if dims is None or dims == ():
        return roll(_reshape(input, (-1,)), shifts, 0).reshape(tuple(input.shape))
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(shifts) != len(dims):
        raise RuntimeError(f"roll: expected as many shifts as dimensions, got {shifts} and {dims}.")
    if input.dim() == 0:
        raise IndexError(f"roll: expected a tensor with dimensions for dims {dims}, got shape ().")
    if input.numel() == 0:
        return OPS["clone"](input)
    for shift, d in zip(shifts, dims, strict=True):
        d = wrap_dim("roll", d, input.dim())
        size = input.shape[d]
        cut = -shift % size
        input = _cat([_slice(input, d, cut, size - cut, 1), _slice(input, d, 0, cut, 1)], d)
    return input


@publish()
def rot90(input, k=1, dims=(0, 1)):
    """A quarter turn in the plane of two dimensions, k times."""
    if check_tensor("rot90", input).dim() < 2 or len(dims) != 2:
        raise RuntimeError(
            f"rot90: expected two of at least two dimensions, got dims {tuple(dims)} and shape {tuple(input.shape)}."
        )
    a, b = wrap_dims("rot90", dims, input.dim())
    k %= 4
    if k == 0:
        return OPS["clone"](input)
    if k == 2:
        return _flip(input, (a, b))
    return _transpose(_flip(input, (b,)), a, b) if k == 1 else _flip(_transpose(input, a, b), (b,))


# ---- grids ----------------------------------------------------------------------------------------------------------


@publish(method=False)
def meshgrid(*tensors, indexing="ij"):
    """The grid of coordinates of 1-d tensors: one expanded tensor for each. indexing is 'ij' or 'xy'."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tensors[0]
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid: expected indexing 'ij' or 'xy', got {indexing!r}.")
    tensors = list(tensors)
    if any(check_tensor("meshgrid", x).dim() > 1 for x in tensors):
        raise RuntimeError("meshgrid: expected tensors of at most one dimension, got more.")
    swap = indexing == "xy" and len(tensors) > 1
    if swap:
        tensors[0], tensors[1] = tensors[1], tensors[0]
    n, shape = len(tensors), tuple(x.numel() for x in tensors)
    grids = [_expand(_reshape(x, (1,) * k + (-1,) + (1,) * (n - 1 - k)), shape) for k, x in enumerate(tensors)]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def _check_vector(op, x):
    if x.dim() != 1:
        raise RuntimeError(f"{op}: expected tensors of one dimension, got shape {tuple(x.shape)}.")


@publish(method=False)
def cartesian_prod(*tensors):
    """All combinations of elements of 1-d tensors as rows."""
    check_tensors("cartesian_prod", *tensors)
    for x in tensors:
        _check_vector("cartesian_prod", x)
    if len(tensors) == 1:
        return OPS["alias"](tensors[0])
    return _stack([_reshape(x, (-1,)) for x in meshgrid(*tensors)], 1)


@publish(method=False)
def combinations(input, r=2, with_replacement=False):
    """All combinations of r elements of a 1-d tensor as rows."""
    _check_vector("combinations", check_tensor("combinations", input))
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    if r < 0:
        raise RuntimeError(f"combinations: expected r of at least 0, got {r}.")
    if r == 0:
        return _core.empty((0,), input.dtype)
    n = input.numel()
    count = (math.comb(n + r - 1, r) if n else 0) if with_replacement else math.comb(n, r)
    fitting("combinations", max(count, 1) * r)
    rows = itertools.chain.from_iterable(pick(range(n), r) if count else ())
    index = np.fromiter(rows, np.int64, count * r)
    return OPS["index_get"](input, places(index.reshape(count, r)), (0,))


# ---- writing into parts ---------------------------------------------------------------------------------------------


@publish(out=True, numpy=True)
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """A copy of input with src in a range of a dimension."""
    check_tensors("slice_scatter", input, src)
    dim = wrap_dim("slice_scatter", dim, input.dim())
    start, stop, step = slice(start, end, step).indices(input.shape[dim])
    length = max(0, -(-(stop - start) // step))
    result = OPS["clone"](input)
    _slice(result, dim, start if length else 0, length, step).copy_(src)
    return result


@publish(numpy=True)
def select_scatter(input, src, dim, index):
    """A copy of input with src as one slice of a dimension."""
    check_tensors("select_scatter", input, src)
    result = OPS["clone"](input)
    part = _select(result, dim, index)
    if tuple(part.shape) != tuple(src.shape):
        raise RuntimeError(f"select_scatter: expected src of shape {tuple(part.shape)}, got {tuple(src.shape)}.")
    part.copy_(src)
    return result


@publish()
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """A copy of input with src on a diagonal."""
    check_tensors("diagonal_scatter", input, src)
    result = OPS["clone"](input)
    OPS["diagonal"](result, offset, dim1, dim2).copy_(src)
    return result
