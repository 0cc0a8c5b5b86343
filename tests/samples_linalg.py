"""Samples of rows of matrices; see samples.py."""

import numpy as np
from samples import Sample, maker, uniform


@maker("small_cholesky", "small_inverse", "small_det", "small_slogdet")
def _small(rng):
    x = uniform(rng, (2, 3, 5, 5))
    return [Sample([x @ x.swapaxes(-1, -2) + np.eye(5)]), Sample([np.eye(1)])]


@maker("small_solve")
def _small_solve(rng):
    a = uniform(rng, (2, 4, 4)) + 4 * np.eye(4)
    return [Sample([a, uniform(rng, (2, 4, 3))]), Sample([a[0], uniform(rng, (4, 6))])]


@maker("distances")
def _distances(rng):
    a, b = uniform(rng, (2, 4, 3)), uniform(rng, (2, 5, 3)) + 5
    return [Sample([a, b]), Sample([a[0], b]), Sample([uniform(rng, (3, 1, 2, 2)), uniform(rng, (2, 3, 2)) + 5])]


@maker("distances_backward")
def _distances_backward(rng):
    a, b = uniform(rng, (2, 4, 3)), uniform(rng, (2, 5, 3)) + 5
    u, d = uniform(rng, (2, 4, 5)), uniform(rng, (2, 4, 5), 0.5, 2.0)
    return [Sample([u, a, b, d]), Sample([u[0], a[0], b[0], d[0]])]
