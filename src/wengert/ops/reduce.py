"""Reductions over dimensions: sums, products, extremes."""

from ._def import boolean, integer, ints, op, real


@op("reduce", ref="sum", linear=True)
def sum(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The sum over dimensions, or over all of them; integers and bools are summed as int64."""
    return g.unreduce_like(x, dim, keepdim)


@op("mean", ref="mean", linear=True, kernel="sum")
def mean(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The mean over dimensions of a floating tensor, or over all of them."""
    return g.mean_embed(x, dim, keepdim)


@op("mean_embed", linear=True, public=False)
def mean_embed(g, x, like, y, *, dim: ints, keepdim: boolean):
    """x divided by the number of elements of `dim` in like, expanded to like's shape."""
    return g.mean(dim, keepdim), None


@op("reduce", kernel="sumsq", public=False)
def sumsq(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The sum of squares over dimensions."""
    return g.unreduce_like(x, dim, keepdim) * (2 * x)


@op("norm2", kernel="sumsq", public=False, shown="norm")
def norm2(g, x, y, *, dim: ints, keepdim: boolean):
    """The Euclidean norm over dimensions; its derivative at 0 is 0."""
    return y.equals(0).where(0, g / y).unreduce_like(x, dim, keepdim) * x


@op("reduce", kernel="max")
def amax(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The largest value over dimensions; NaN propagates. Ties share the gradient equally."""
    best = y.unreduce_like(x, dim, keepdim)
    hit = x.equals(best).logical_or(x.isnan().logical_and(best.isnan())).cast_like(g)
    return (g / hit.sum(dim, keepdim)).unreduce_like(x, dim, keepdim) * hit


@op("reduce", kernel="min")
def amin(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """The smallest value over dimensions; NaN propagates. Ties share the gradient equally."""
    best = y.unreduce_like(x, dim, keepdim)
    hit = x.equals(best).logical_or(x.isnan().logical_and(best.isnan())).cast_like(g)
    return (g / hit.sum(dim, keepdim)).unreduce_like(x, dim, keepdim) * hit


@op("var", outputs=3, kernel="var", public=False, shown="var")
def var_stat(g, x, y, inv_n, inv_free, *, dim: ints, keepdim: boolean, correction: real):
    """The variance over dimensions; also 1 / n and 1 / (n - correction)."""
    centered = x - x.sum(dim, True) * inv_n
    return g.unreduce_like(x, dim, keepdim) * (centered * (2 * inv_free))


@op("var", outputs=3, kernel="var", public=False, shown="std")
def std_stat(g, x, y, inv_n, inv_free, *, dim: ints, keepdim: boolean, correction: real):
    """The standard deviation over dimensions; its derivative at 0 is 0."""
    centered = x - x.sum(dim, True) * inv_n
    slope = y.equals(0).where(0, g / y)
    return slope.unreduce_like(x, dim, keepdim) * (centered * inv_free)


@op("reduce", kernel="prod", public=False)
def prod_all(g, x, y, *, dim: ints, keepdim: boolean):
    """The product over one dimension; integers and bools are multiplied as int64. The gradient is exact at zeros."""
    before = x.cumprod(dim[0]).shift(dim[0], False, 1.0)
    after = x.flip(dim).cumprod(dim[0]).shift(dim[0], False, 1.0).flip(dim)
    return g.unreduce_like(x, dim, keepdim) * (before * after)


@op("extreme", kernel="max_with_index", outputs=2, public=False, shown="max")
def max_along(g, x, y, at, *, dim: integer, keepdim: boolean):
    """The largest value along a dimension and its first position."""
    return g.pick_embed(at, x, dim, keepdim)


@op("extreme", kernel="min_with_index", outputs=2, public=False, shown="min")
def min_along(g, x, y, at, *, dim: integer, keepdim: boolean):
    """The smallest value along a dimension and its first position."""
    return g.pick_embed(at, x, dim, keepdim)


@op("reduce", kernel="logsumexp", flags="float_result", public=False)
def logsumexp(g, x, y, *, dim: ints = None, keepdim: boolean = False):
    """log(sum(exp(x))) over dimensions, without overflow."""
    return (
        g.unreduce_like(x, dim, keepdim)
        * (x - y.equals(float("-inf")).where(0, y).unreduce_like(x, dim, keepdim)).exp()
    )


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
