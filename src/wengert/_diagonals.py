"""Triangles and diagonals of matrices, with PyTorch's overloads."""

import numpy as np

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, check_tensor, wrap_dim
from ._spans import fitting, places, repeated, span

publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_reshape = OPS["reshape"]
_int64 = DTYPES["int64"]


@publish()
def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonal of two dimensions as the last dimension; a view."""
    return OPS["diagonal"](input, offset, dim1, dim2)


@publish()
def trace(input):
    """The sum of a matrix's diagonal."""
    check_tensor("trace", input)
    if input.dim() != 2:
        raise RuntimeError(f"trace: expected a matrix, got shape {tuple(input.shape)}.")
    return OPS["sum"](OPS["diagonal"](input))


@publish(inplace=True, out=True)
def tril(input, diagonal=0):
    """The lower triangle of matrices, zeros above the given diagonal."""
    return OPS["tril"](input, diagonal)


@publish(inplace=True, out=True)
def triu(input, diagonal=0):
    """The upper triangle of matrices, zeros below the given diagonal."""
    return OPS["triu"](input, diagonal)


def _triangle_indices(op, row, col, offset, lower, dtype):
    if row < 0 or col < 0:
        raise RuntimeError(f"{op}: expected sizes of at least 0, got ({row}, {col}).")
    offset = min(max(offset, -row), col)  # beyond these nothing changes
    below = _count_below(row, col, offset if lower else offset - 1)
    fitting(op, max(row, col, below if lower else row * col - below))
    # The rows that have elements, and for each its first element's column and how many there are.
    rows = span(op, max(0, -offset), max(row, -offset)) if lower else span(op, 0, max(min(row, col - offset), 0))
    first = np.zeros_like(rows) if lower else np.maximum(rows + offset, 0)
    count = np.minimum(rows + offset + 1, col) if lower else col - first
    place = repeated(op, count)
    start = np.cumsum(count) - count  # where each row's elements begin in the result
    return places(np.stack([rows[place], np.arange(len(place)) + (first - start)[place]]), dtype)


def _count_below(row, col, offset):
    """How many elements (r, c) of a matrix have c <= r + offset."""
    begin = min(max(0, -offset), row)  # rows before have none
    full = min(max(col - 1 - offset, begin), row)  # rows from here on have all
    ramp = full - begin
    return ramp * (begin + offset + 1) + ramp * (ramp - 1) // 2 + (row - full) * col


@publish(method=False)
def tril_indices(row, col, offset=0, *, dtype=_int64, device=None, layout=None):
    """Row and column of the elements of the lower triangle of a (row, col) matrix, (2, n)."""
    return _triangle_indices("tril_indices", row, col, offset, True, dtype)


@publish(method=False)
def triu_indices(row, col, offset=0, *, dtype=_int64, device=None, layout=None):
    """Row and column of the elements of the upper triangle of a (row, col) matrix, (2, n)."""
    return _triangle_indices("triu_indices", row, col, offset, False, dtype)


@publish()
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices in dimensions dim1 and dim2 whose diagonals are the last dimension."""
    check_tensor("diag_embed", input)
    n = input.dim() + 1
    first, second = wrap_dim("diag_embed", dim1, n), wrap_dim("diag_embed", dim2, n)
    if first == second:
        raise RuntimeError(f"diag_embed: expected two different dimensions, got {dim1} and {dim2}.")
    if input.dim() == 0:
        raise RuntimeError("diag_embed: expected a tensor with dimensions, got shape ().")
    size = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for d in sorted((first, second)):
        shape.insert(d, size)
    if first > second:
        # The row counts along dim1: swapping the two swaps the sign of the offset.
        first, second, offset = second, first, -offset
    zero = _core.full((), 0, input.dtype)
    if hasattr(_core.payload(input), "backward"):  # a symbolic tensor, whose sizes are known to its own graph alone
        zero = OPS["sum"](input)
    like = OPS["expand"](zero, tuple(shape))
    return OPS["diagonal_embed"](input, like, offset, first, second)


@publish(out=True)
def diag(input, diagonal=0):
    """A matrix's diagonal, or the matrix with a vector on its diagonal."""
    check_tensor("diag", input)
    if input.dim() == 1:
        return diag_embed(input, diagonal)
    if input.dim() == 2:
        return OPS["clone"](OPS["diagonal"](input, diagonal, 0, 1))
    raise RuntimeError(f"diag: expected 1 or 2 dimensions, got {input.dim()}.")


@publish()
def diagflat(input, offset=0):
    """The matrix with all elements of a tensor on its diagonal."""
    return diag_embed(_reshape(input, (-1,)), offset)
