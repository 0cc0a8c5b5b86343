"""vmap over indexing by tensors: an index of its own for each element names places in the batch and the indexed dimensions.

`flat_index` makes such a place of (element, index): it checks the index against the indexed dimensions alone, so that no
element reaches into another's values.
"""

import math

from .. import _core
from ._levels import call, entry, reshape, zeros


def _consecutive(dims):
    return dims == tuple(range(dims[0], dims[0] + len(dims)))


class _Places:
    """Where an index of each element lies in a batch of tensors.

    x: the indexed operand (its shape is read). index: each element's index. dims: the indexed dimensions, wrapped.
    """

    def __init__(self, frame, x, index, dims):
        size = math.prod(x.shape[d] for d in dims)
        rank = len(index.shape)
        index = frame.batch(index)
        element = _core.from_data(range(frame.size), index.dtype)
        element = reshape(element, (frame.size,) + (1,) * rank)
        self.index = _core.apply(entry("flat_index"), [element, index], ((frame.size, size),))
        self.dims = (0, *[d + 1 for d in dims])
        # The index' dimensions stand where those that it names were, or first where these are apart.
        self.start = dims[0] if _consecutive(dims) else 0
        self.rank = rank

    def out(self, y):
        """A result, whose batch and index come first, with the index where it belongs."""
        return call("permute", y, attrs=(self._order(len(y.shape)),)) if self.start else y

    def into(self, values):
        """Values with the index where it belongs, with batch and index first."""
        if not self.start:
            return values
        order = self._order(len(values.shape))
        return call("permute", values, attrs=(tuple(order.index(d) for d in range(len(order))),))

    def _order(self, n):
        first = 1 + self.rank
        skipped = tuple(range(first, first + self.start))
        return (0, *skipped, *range(1, first), *range(first + self.start, n))


def _wrapped(dims, x):
    return tuple(d % len(x.shape) for d in dims)


def read(frame, op, operands, attrs):
    """index_get (x, index)."""
    x, index = operands
    dims = _wrapped(attrs[0], x)
    if not frame.peel(x)[1]:
        y = _core.apply(op, [x, frame.batch(index)], (dims,))
        start = dims[0] if _consecutive(dims) else 0
        order = (start, *range(start), *range(start + 1, len(y.shape)))
        return call("permute", y, attrs=(order,)) if start else y
    places = _places(frame, x, index, dims)
    return places.out(_core.apply(op, [frame.batch(x), places.index], (places.dims,)))


class _Shared:
    """One index for all elements: the indexed dimensions move one back. As _Places otherwise."""

    def __init__(self, index, dims):
        self.index = index
        self.dims = tuple(d + 1 for d in dims)
        self.rank = 0 if _consecutive(dims) else len(index.shape)  # of the index, where it comes before the batch

    def out(self, y):
        r = self.rank
        return call("permute", y, attrs=((r, *range(r), *range(r + 1, len(y.shape))),)) if r else y

    def into(self, values):
        r = self.rank
        return (
            call("permute", values, attrs=((*range(1, r + 1), 0, *range(r + 1, len(values.shape))),))
            if r
            else values
        )


def _places(frame, x, index, dims):
    return _Places(frame, x, index, dims) if frame.peel(index)[1] else _Shared(index, dims)


def embed(frame, op, operands, attrs):
    """index_embed (x, index, like)."""
    x, index, like = operands
    dims = _wrapped(attrs[0], like)
    wide = zeros((frame.size, *like.shape), like.dtype)
    places = _places(frame, like, index, dims)
    return _core.apply(op, [places.into(frame.batch(x)), places.index, wide], (places.dims,))


def write(frame, op, operands, attrs):
    """index_put and index_put_add (x, index, values)."""
    x, index, values = operands
    dims = _wrapped(attrs[0], x)
    rank = len(x.shape) - len(dims) + len(index.shape)  # of what is written
    if hasattr(values, "shape"):
        values = frame.align(values, rank)
        if len(values.shape) < rank + 1:  # all elements share them
            values = reshape(values, (1,) * (rank + 1 - len(values.shape)) + tuple(values.shape))
    places = _places(frame, x, index, dims)
    if hasattr(values, "shape"):
        values = places.into(values)
    return _core.apply(op, [frame.batch(x), places.index, values], (places.dims,))


def aligned(frame, op, operands, attrs):
    """flat_index: the indices broadcast against each other."""
    rank = max(len(v.shape) for v in operands)
    return _core.apply(op, [frame.align(v, rank) for v in operands], attrs)


RULES = {"aligned": aligned, "index_read": read, "index_embed": embed, "index_write": write}
