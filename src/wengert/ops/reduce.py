"""Reductions over dimensions: sums, products, extremes."""

from ._def import boolean, ints, op


@op("reduce", ref="sum", linear=True)
def sum(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The sum over dimensions, or over all of them; integers and bools are summed as int64."""
    return g.unreduce_like(x, dim, keepdim)


@op("reduce", ref="mean", linear=True, kernel="sum", public=False)
def sum_float(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The sum over dimensions of a floating tensor."""
    return g.unreduce_like(x, dim, keepdim)


@op("reduce", kernel="sumsq", public=False)
def sumsq(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The sum of squares over dimensions."""
    return g.unreduce_like(x, dim, keepdim) * (2 * x)


@op("reduce", kernel="max")
def amax(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The largest value over dimensions; NaN propagates. Ties share the gradient equally."""
    hit = x.equals(y.unreduce_like(x, dim, keepdim)).where(1.0, g.unreduce_like(x, dim, keepdim) * 0)
    share = hit / hit.sum(dim, True)
    return g.unreduce_like(x, dim, keepdim).zmul(share)


@op("reduce", kernel="min")
def amin(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The smallest value over dimensions; NaN propagates. Ties share the gradient equally."""
    hit = x.equals(y.unreduce_like(x, dim, keepdim)).where(1.0, g.unreduce_like(x, dim, keepdim) * 0)
    share = hit / hit.sum(dim, True)
    return g.unreduce_like(x, dim, keepdim).zmul(share)


@op("reduce", kernel="logsumexp", public=False, flags="float_result")
def logsumexp(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """log(sum(exp(x))) over dimensions, without overflow."""
    return g.unreduce_like(x, dim, keepdim) * (x - y.unreduce_like(x, dim, keepdim)).exp()


@op("reduce", kernel="argmax", differentiable=False, public=False)
def argmax(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The position of the largest value over dimensions."""


@op("reduce", kernel="argmin", differentiable=False, public=False)
def argmin(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The position of the smallest value over dimensions."""


@op("reduce", kernel="any", differentiable=False, core_name="any")
def any_(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """Whether any value over dimensions is not zero."""


@op("reduce", kernel="all", differentiable=False, core_name="all")
def all_(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """Whether all values over dimensions are not zero."""


@op("reduce", kernel="count_nonzero", differentiable=False)
def count_nonzero(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """How many values over dimensions are not zero."""
