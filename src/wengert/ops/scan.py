"""Cumulative operations, sorting, selection, searching."""

from ._def import boolean, integer, op


@op("cumulate", ref="cumsum", linear=True)
def cumsum(g, x, y, *, dim: integer):
    """The running sum along a dimension; integers are summed as int64."""
    return g.flip((dim,)).cumsum(dim).flip((dim,))


@op("linear_scan", public=False)
def linear_scan(g, b, a, y, *, dim: integer, reverse: boolean):
    """The recurrence r_j = b_j + a_j r_(j-1) along a dimension, from 0; with reverse from the other end."""
    back = g.linear_scan(a.shift(dim, not reverse, 0.0), dim, not reverse)
    return back, back * y.shift(dim, reverse, 0.0)


@op("cumulate", ref="cumprod")
def cumprod(g, x, y, *, dim: integer):
    """The running product along a dimension; integers are multiplied as int64. The gradient is exact at zeros."""
    return g.linear_scan(x.shift(dim, True, 0.0), dim, True) * y.shift(dim, False, 1.0)


@op("logcumsumexp")
def logcumsumexp(g, x, y, *, dim: integer):
    """log(cumsum(exp(x))) along a dimension, without overflow."""
    ahead = (y - y.shift(dim, True, float("inf"))).exp()
    return g.linear_scan(ahead, dim, True) * (x - y).exp()


@op("cumulate_extreme", kernel="max", outputs=2, public=False)
def cummax(g, x, y, at, *, dim: integer):
    """The running maximum along a dimension and its latest position."""
    return g.gather_embed(at, x, dim)


@op("cumulate_extreme", kernel="min", outputs=2, public=False)
def cummin(g, x, y, at, *, dim: integer):
    """The running minimum along a dimension and its latest position."""
    return g.gather_embed(at, x, dim)


@op("sort", outputs=2, public=False)
def sort(g, x, y, at, *, dim: integer, descending: boolean):
    """The values in order along a dimension and their positions; equal values keep their order."""
    return g.gather_embed(at, x, dim)


@op("topk", outputs=2, public=False)
def topk(g, x, y, at, *, k: integer, dim: integer, largest: boolean):
    """The k largest or smallest values along a dimension, best first, and their positions."""
    return g.gather_embed(at, x, dim)


@op("select_rank", kernel="median", outputs=2, public=False)
def median(g, x, y, at, *, dim: integer, keepdim: boolean):
    """The lower median along a dimension and its position."""
    return g.pick_embed(at, x, dim, keepdim)


@op("select_rank", kernel="nanmedian", outputs=2, public=False)
def nanmedian(g, x, y, at, *, dim: integer, keepdim: boolean):
    """The lower median of what is not NaN along a dimension and its position."""
    return g.pick_embed(at, x, dim, keepdim)


def _shared(g, x, y):
    hit = x.equals(y).cast_like(g)
    return (g / hit.sum()) * hit


@op("select_rank", kernel="median", outputs=2, public=False)
def median_all(g, x, y, at, *, dim: integer, keepdim: boolean):
    """The lower median of a vector; equal elements share the gradient."""
    return _shared(g, x, y)


@op("select_rank", kernel="nanmedian", outputs=2, public=False)
def nanmedian_all(g, x, y, at, *, dim: integer, keepdim: boolean):
    """The lower median of what is not NaN in a vector; equal elements share the gradient."""
    return _shared(g, x, y)


@op("mode", outputs=2, public=False)
def mode(g, x, y, at, *, dim: integer, keepdim: boolean):
    """The most frequent value along a dimension (the smallest of several) and its last position."""
    return g.pick_embed(at, x, dim, keepdim)


@op("kthvalue", outputs=2, public=False)
def kthvalue(g, x, y, at, *, k: integer, dim: integer, keepdim: boolean):
    """The k-th smallest value along a dimension, counted from 1, and its position."""
    return g.pick_embed(at, x, dim, keepdim)


@op("searchsorted", differentiable=False, public=False, numbers="other")
def searchsorted(g, sorted_sequence, values, y, *, right: boolean):
    """Where values go into a sorted sequence so that it stays sorted: before equal ones, or after them (right)."""
