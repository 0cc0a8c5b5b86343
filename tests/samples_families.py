"""Samples of rows that gather, join, scan and sort; see samples.py."""

import numpy as np
from samples import Sample, distinct, maker, uniform


def places(rng, size, shape):
    return rng.integers(0, size, shape)


@maker("gather")
def _gather(rng):
    return [Sample([uniform(rng, (3, 5)), places(rng, 5, (3, 4))], (1,))]


@maker("gather_embed")
def _gather_embed(rng):
    return [Sample([uniform(rng, (3, 4)), places(rng, 5, (3, 4)), uniform(rng, (3, 5))], (1,))]


@maker("scatter", "scatter_add", "scatter_prod", "scatter_amax", "scatter_amin")
def _scatter(rng):
    index = np.stack([rng.permutation(5)[:4] for _ in range(3)])
    x, src = distinct(rng, (3, 5)), distinct(rng, (3, 4)) + 0.02
    return [Sample([x, index, src], (1,))]


@maker("pick")
def _pick(rng):
    return [Sample([uniform(rng, (3, 5)), places(rng, 5, (3,))], (1, False))]


@maker("cat", "stack")
def _join(rng):
    return [Sample([[uniform(rng, (2, 3)), uniform(rng, (2, 3))]], (d,)) for d in (0, 1, -1)]


@maker("total_norm")
def _total_norm(rng):
    return [Sample([[uniform(rng, shape) for shape in shapes]]) for shapes in ([(2, 3), (), (17,)], [(0, 2)])]


@maker("flip")
def _flip(rng):
    return [Sample([uniform(rng, (2, 3, 4))], ((0, 2),))]


@maker("softmax_rows", "log_softmax_rows", "cumsum", "cumprod", "logcumsumexp", "cummax", "cummin")
def _along(rng):
    return [Sample([distinct(rng, (3, 5))], (d,)) for d in (0, 1, -1)]


@maker("softmax_backward", "log_softmax_backward")
def _softmax_backward(rng):
    return [Sample([uniform(rng, (3, 5)), uniform(rng, (3, 5), 0.1, 0.9)], (1,))]


@maker("mean", "norm2")
def _reductions(rng):
    x = distinct(rng, (3, 4, 5))
    return [Sample([x], ((1,), False)), Sample([x], ((0, 2), True)), Sample([x], ((), False))]


@maker("var_stat", "std_stat")
def _spread(rng):
    x = distinct(rng, (3, 4, 5))
    return [Sample([x], ((1,), False, 1.0)), Sample([x], ((0, 2), True, 0.0))]


@maker("max_along", "min_along", "median", "nanmedian", "mode")
def _picked(rng):
    return [Sample([distinct(rng, (3, 5))], (d, keep)) for d, keep in ((0, False), (1, True))]


@maker("sort")
def _sort(rng):
    return [Sample([distinct(rng, (3, 5))], (d, down)) for d, down in ((0, False), (1, True))]


@maker("topk")
def _topk(rng):
    return [Sample([distinct(rng, (3, 5))], (2, 1, True))]


@maker("kthvalue")
def _kthvalue(rng):
    return [Sample([distinct(rng, (3, 5))], (2, 1, False))]


@maker("median_all", "nanmedian_all")
def _median_all(rng):
    return [Sample([distinct(rng, (7,))], (0, False))]


@maker("nonzero", "true_positions")
def _positions(rng):
    return [Sample([rng.random((3, 4)) < 0.5])]


@maker("searchsorted")
def _searchsorted(rng):
    return [Sample([np.sort(uniform(rng, (9,))), uniform(rng, (2, 3))], (False,))]


@maker("prod_all")
def _product(rng):
    """The row takes one dimension; the overload folds several."""
    x = distinct(rng, (3, 4, 5))
    return [Sample([x], ((1,), False)), Sample([x], ((-1,), True))]
