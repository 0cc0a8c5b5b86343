"""Joining tensors, reversing and shifting dimensions."""

from ._def import boolean, integer, ints, op, real


@op("cat", variadic=True, shaped=True, args=("tensors",), linear=True)
def cat(g, tensors, y, *, dim: integer = 0):
    """Tensors one after the other along a dimension. Shapes agree elsewhere; dtypes are promoted.

    Example:
        >>> import wengert
        >>> wengert.cat([wengert.tensor([1.0]), wengert.tensor([2.0, 3.0])])
        tensor([1., 2., 3.])
    """
    parts, at = [], 0
    for x in tensors:
        if x.shape == (0,):
            parts.append(None)
            continue
        size = x.shape[dim]
        parts.append(g.slice(dim, at, size, 1))
        at += size
    return parts


@op("stack", variadic=True, args=("tensors",), linear=True, batch="new_dim")
def stack(g, tensors, y, *, dim: integer = 0):
    """Tensors of one shape along a new dimension; dtypes are promoted."""
    return [g.select(dim, k) for k in range(len(tensors))]


@op("flip", args=("input",), linear=True)
def flip(g, x, y, *, dims: ints):
    """The order of the elements reversed along dimensions; a copy."""
    return g.flip(dims)


@op("shift", public=False)
def shift(g, x, y, *, dim: integer, reverse: boolean, fill: real):
    """Elements moved on by one along a dimension; `fill` comes in. With reverse they move back."""
    return g.shift(dim, not reverse, 0.0)


@op("constant_pad", shaped=True, public=False, batch="pointwise", shown="pad", grad_name="ConstantPadNdBackward0")
def constant_pad(g, x, y, *, amounts: ints, value: real):
    """x with a number around it: (low, high) elements along the last dimension, then along the one before, ...."""
    for k in range(len(amounts) // 2):
        dim = len(x.shape) - 1 - k
        g = g.slice(dim, amounts[2 * k], x.shape[dim], 1)
    return g


@op("triangle", linear=True, public=False, batch="pointwise")
def tril(g, x, y, *, diagonal: integer):
    """The lower triangle of matrices, zeros above the given diagonal."""
    return g.tril(diagonal)


@op("triangle", linear=True, public=False, batch="pointwise")
def triu(g, x, y, *, diagonal: integer):
    """The upper triangle of matrices, zeros below the given diagonal."""
    return g.triu(diagonal)
