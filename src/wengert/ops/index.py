"""Indexing by tensors: rows and single elements, read, written, added to."""

from ._def import boolean, integer, ints, op


@op("index_get", linear=True, public=False, batch="index_read", shown="index")
def index_get(g, x, index, y, *, dims: ints):
    """x at flat positions in some dimensions; the positions' shape takes their place (or comes first)."""
    return g.index_embed(index, x, dims), None


@op("index_embed", flags="accumulates", linear=True, public=False, batch="index_embed")
def index_embed(g, x, index, like, y, *, dims: ints):
    """Zeros of like's shape with x added at flat positions in some dimensions."""
    return g.index_get(index, dims), None, None


@op("index_put", kernel="scatter_rows", linear=True, public=False, batch="index_write")
def index_put(g, x, index, values, y, *, dims: ints):
    """x with values written at flat positions in some dimensions."""
    return g.index_put(index, 0.0, dims), None, g.index_get(index, dims)


@op("index_put", kernel="scatter_add_rows", linear=True, public=False, batch="index_write")
def index_put_add(g, x, index, values, y, *, dims: ints):
    """x with values added at flat positions in some dimensions."""
    return g, None, g.index_get(index, dims)


@op("count_values", differentiable=False, public=False, shown="bincount")
def count_values(g, x, y, *, size: integer):
    """How often each value in [0, size) occurs; an error where one lies outside."""


@op("flat_index", variadic=True, differentiable=False, public=False, batch="aligned")
def flat_index(g, indices, y, *, sizes: ints):
    """Broadcast indices of dimensions of the given sizes as flat positions, checked and not negative."""


@op("gather", linear=True, public=False)
def gather(g, x, index, y, *, dim: integer):
    """Elements of x at index along a dimension; the result has index's shape."""
    return g.gather_embed(index, x, dim), None


@op("gather_embed", flags="accumulates", linear=True, public=False)
def gather_embed(g, x, index, like, y, *, dim: integer):
    """Zeros of like's shape with x added at index along a dimension."""
    return g.gather(index, dim), None, None


@op("scatter", linear=True, public=False, numbers="third")
def scatter(g, x, index, src, y, *, dim: integer):
    """x with src written at index along a dimension; of equal indices the last wins."""
    return g.scatter(index, 0.0, dim), None, g.gather(index, dim)


@op("scatter", kernel="scatter_add", linear=True, public=False, numbers="third")
def scatter_add(g, x, index, src, y, *, dim: integer):
    """x with src added at index along a dimension."""
    return g, None, g.gather(index, dim)


@op("scatter", kernel="scatter_prod", public=False)
def scatter_prod(g, x, index, src, y, *, dim: integer):
    """x with src multiplied in at index along a dimension."""
    # One factor of zero still has a gradient: the product of the others, which is formed with the zero replaced by 1.
    x_zero = x.equals(0)
    x_rest = x_zero.where(1.0, x)
    gx = g * x_rest.scatter_prod(index, src, dim) / x_rest
    zero = src.equals(0)
    ones = zero.where(1.0, src * 0)
    count = (x * 0).scatter_add(index, ones, dim).gather(index, dim)
    lone = zero.logical_and(count.equals(1))
    rest = lone.where(1.0, src)
    others = (g * x.scatter_prod(index, rest, dim)).gather(index, dim)
    plain = (g * y).gather(index, dim) / zero.where(1.0, src)
    return gx, None, lone.where(others, plain)


@op("scatter", kernel="scatter_amax", public=False)
def scatter_amax(g, x, index, src, y, *, dim: integer):
    """x with the larger of itself and src at index along a dimension. Ties share the gradient equally."""
    x_hit = x.equals(y).where(1.0, g * 0)
    src_hit = src.equals(y.gather(index, dim)).where(1.0, src * 0)
    share = g / x_hit.scatter_add(index, src_hit, dim)
    return share * x_hit, None, share.gather(index, dim) * src_hit


@op("scatter", kernel="scatter_amin", public=False)
def scatter_amin(g, x, index, src, y, *, dim: integer):
    """x with the smaller of itself and src at index along a dimension. Ties share the gradient equally."""
    x_hit = x.equals(y).where(1.0, g * 0)
    src_hit = src.equals(y.gather(index, dim)).where(1.0, src * 0)
    share = g / x_hit.scatter_add(index, src_hit, dim)
    return share * x_hit, None, share.gather(index, dim) * src_hit


@op("pick", linear=True, public=False)
def pick(g, x, index, y, *, dim: integer, keepdim: boolean):
    """The element of each line along a dimension at one position."""
    return g.pick_embed(index, x, dim, keepdim), None


@op("pick_embed", flags="accumulates", linear=True, public=False)
def pick_embed(g, x, index, like, y, *, dim: integer, keepdim: boolean):
    """Zeros of like's shape with x added at one position of each line along a dimension."""
    return g.pick(index, dim, keepdim), None, None


@op("true_positions", differentiable=False, public=False)
def true_positions(g, x, y):
    """Flat positions of the elements that are not zero, ascending."""


@op("nonzero", differentiable=False, public=False)
def nonzero(g, x, y):
    """Coordinates of the elements that are not zero, one row for each."""
