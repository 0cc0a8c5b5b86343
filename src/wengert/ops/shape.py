"""Shapes: views, copies, joining. The gradients of views are their embeddings, and the other way round."""

from ._def import boolean, dtype, integer, ints, op


@op("view", flags="view", linear=True, batch="shape")
def view(g, x, y, *, shape: ints):
    """The same elements under another shape, without a copy; one size may be -1."""
    return g.reshape_like(x)


@op("reshape", flags="view", linear=True, batch="shape")
def reshape(g, x, y, *, shape: ints):
    """The same elements under another shape: a view where the layout allows it, else a copy."""
    return g.reshape_like(x)


@op("reshape_like", flags="view", linear=True, public=False, batch="reshape_like")
def reshape_like(g, x, like, y):
    """x in the shape of another tensor."""
    return g.reshape_like(x), None


@op("rows", flags="view", linear=True, public=False, batch="rows")
def rows(g, x, y):
    """All leading dimensions merged: (…, n) → (m, n)."""
    return g.reshape_like(x)


@op("permute", flags="view", linear=True, batch="permute")
def permute(g, x, y, *, dims: ints):
    """The dimensions in another order; a view."""
    n = len(dims)
    inverse = [0] * n
    for k, d in enumerate(dims):
        inverse[d % n] = k
    return g.permute(inverse)


@op("transpose", flags="view", linear=True)
def transpose(g, x, y, *, dim0: integer, dim1: integer):
    """Two dimensions swapped; a view."""
    return g.transpose(dim0, dim1)


@op("expand", flags="view", linear=True, batch="shape")
def expand(g, x, y, *, size: ints):
    """Sizes of 1 repeated to the given sizes without a copy; -1 keeps a size."""
    return g.sum_to_like(x)


@op("expand_like", flags="view", linear=True, public=False, batch="expand_like")
def expand_like(g, x, like, y):
    """x expanded to another tensor's shape."""
    return g.sum_to_like(x), None


@op("unreduce_like", flags="view", linear=True, public=False, batch="unreduce_like")
def unreduce_like(g, x, like, y, *, dim: ints, keepdim: boolean):
    """A result of a reduction over `dim`, expanded to the shape of what was reduced."""
    return g.sum(dim, keepdim), None


@op("sum_to_like", linear=True, public=False, batch="sum_to_like")
def sum_to_like(g, x, like, y):
    """x summed over the dimensions in which like was broadcast to x's shape."""
    return g.expand_like(x), None


@op("unsqueeze", flags="view", linear=True, batch="new_dim")
def unsqueeze(g, x, y, *, dim: integer):
    """A new dimension of size 1 at `dim`; a view."""
    return g.reshape_like(x)


@op("squeeze", flags="view", linear=True, batch="squeeze")
def squeeze(g, x, y, *, dim: ints = None):
    """The dimensions of size 1, or those of them in `dim`, dropped; a view."""
    return g.reshape_like(x)


@op("select", flags="view", linear=True)
def select(g, x, y, *, dim: integer, index: integer):
    """The slice at one index of a dimension, without that dimension; a view."""
    return g.select_embed(x, dim, index)


@op("select_embed", flags="accumulates", linear=True, public=False)
def select_embed(g, x, like, y, *, dim: integer, index: integer):
    """Zeros of like's shape with x at one index of a dimension."""
    return g.select(dim, index), None


@op("slice", flags="view", linear=True, public=False)
def slice(g, x, y, *, dim: integer, start: integer, length: integer, step: integer):
    """A range of a dimension; a view."""
    return g.slice_embed(x, dim, start, length, step)


@op("slice_embed", flags="accumulates", linear=True, public=False)
def slice_embed(g, x, like, y, *, dim: integer, start: integer, length: integer, step: integer):
    """Zeros of like's shape with x in a range of a dimension."""
    return g.slice(dim, start, length, step), None


@op("as_strided", flags="view", linear=True, public=False)
def as_strided(g, x, y, *, size: ints, stride: ints, offset: integer):
    """Any layout over x's memory, offset in elements from x's first."""
    return g.as_strided_embed(x, size, stride, offset)


@op("as_strided_embed", flags="accumulates", linear=True, public=False)
def as_strided_embed(g, x, like, y, *, size: ints, stride: ints, offset: integer):
    """Zeros of like's shape with x added at a strided region."""
    return g.as_strided_rows(size, stride, offset), None


@op("as_strided_rows", flags="view", linear=True, public=False)
def as_strided_rows(g, x, y, *, size: ints, stride: ints, offset: integer):
    """as_strided of x as it would lie row by row, whatever its own layout: gradients come in every layout."""
    return g.as_strided_embed(x, size, stride, offset)


@op("strided_scatter", linear=True, public=False)
def strided_scatter(g, x, src, y, *, size: ints, stride: ints, offset: integer):
    """x with a strided region replaced by src: an in-place write to a view, in functional form."""
    return g.strided_scatter(src.zeros_like(), size, stride, offset), g.as_strided_rows(size, stride, offset)


@op("diagonal", flags="view", linear=True)
def diagonal(g, x, y, *, offset: integer = 0, dim1: integer = 0, dim2: integer = 1):
    """The diagonal of two dimensions as the last dimension; a view."""
    return g.diagonal_embed(x, offset, dim1, dim2)


@op("diagonal_embed", flags="accumulates", linear=True, public=False)
def diagonal_embed(g, x, like, y, *, offset: integer, dim1: integer, dim2: integer):
    """Zeros of like's shape with x on a diagonal."""
    return g.diagonal(offset, dim1, dim2), None


@op("unfold", flags="view", linear=True)
def unfold(g, x, y, *, dimension: integer, size: integer, step: integer):
    """Windows of a dimension as a new last dimension; a view."""
    return g.unfold_embed(x, dimension, size, step)


@op("unfold_embed", flags="accumulates", linear=True, public=False)
def unfold_embed(g, x, like, y, *, dimension: integer, size: integer, step: integer):
    """Zeros of like's shape with windows added to it."""
    return g.unfold(dimension, size, step), None


@op("alias", flags="view", linear=True, public=False, batch="pointwise")
def alias(g, x, y):
    """The same elements as a tensor of its own; a view."""
    return g


@op("alias", flags="view", differentiable=False, public=False, batch="pointwise")
def stop_gradient(g, x, y):
    """The same elements without history: gradients end here. What detach() is in a static graph."""
    return None


@op("contiguous", linear=True, public=False, batch="pointwise")
def contiguous(g, x, y):
    """The same values in row-major order without gaps; the tensor itself where they are already."""
    return g


@op("clone", linear=True, public=False, batch="pointwise")
def clone(g, x, y):
    """A copy in memory of its own."""
    return g


@op("cast", linear=True, public=False, batch="pointwise")
def cast(g, x, y, *, dtype: dtype):
    """x converted to another element type."""
    return g.cast_like(x)


@op("cast_like", linear=True, public=False, batch="pointwise")
def cast_like(g, x, like, y):
    """x converted to another tensor's element type."""
    return g.cast_like(x), None


@op("zeros_like", public=False, differentiable=False, batch="shape_only")
def zeros_like(g, like, y):
    """Zeros of another tensor's shape and dtype."""


@op("assign", public=False, inplace=True)
def assign(g, x, src, y):
    """src, broadcast to x's shape and converted to x's dtype: the value that x.copy_(src) gives x."""
    return None, g.cast_like(src)
