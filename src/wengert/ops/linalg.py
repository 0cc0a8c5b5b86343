"""Matrix products and distances; factors and solutions of small matrices, for the functions of `wengert.linalg`."""

from ._def import op


@op("matmul", slot="matmul", flags="accumulates", public=False, ref="matmul", batch="matmul")
def matmul(g, a, b, y):
    """(…, m, k) @ (…, k, n), leading dimensions broadcast."""
    return g @ b.T, a.T @ g


@op("linear", absent="b", flags="accumulates", args=("input", "weight", "bias"), public=False, batch="linear")
def linear(g, x, w, b=None, y=None):
    """x (…, in) times w (out, in) transposed, plus b (out,): (…, out)."""
    return g.matmul_rows(w), g.rows().T @ x.rows(), g


@op("matmul_rows", flags="accumulates", public=False, batch="matmul_rows", shown="matmul")
def matmul_rows(g, x, w, y):
    """x (…, k) @ w (k, n): (…, n)."""
    return g.matmul_rows(w.T), x.rows().T @ g.rows()


@op("distances", args=("x1", "x2"), public=False, batch="matmul", shown="cdist", grad_name="CdistBackward0")
def distances(g, a, b, y):
    """The Euclidean distances of all rows of a (…, m, d) to those of b (…, n, d): (…, m, n). The derivative at 0 is 0."""
    return g.distances_backward(a, b, y), g.T.distances_backward(b, a, y.T)


@op("distances_backward", public=False, batch="matmul")
def distances_backward(g, u, a, b, d, y):
    """distances' gradient for a: the sum over j of u_ij / d_ij (a_i - b_j)."""
    inverse = (d > 0).where(1 / d, 0)
    weight = u * inverse
    slope = ((g * a).sum((-1,), True) - g @ b.T) * inverse
    return slope, g * weight.sum((-1,), True), -(weight.T @ g), -(slope * weight)


# Matrices of at most 32 rows in the last two dimensions. The last result, a number, says how many have no result.
_SMALL = {"differentiable": False, "public": False, "batch": "leading"}


@op("small_factor", kernel="cholesky_small", outputs=2, **_SMALL)
def small_cholesky(g, a, y, failed):
    """The lower triangular L with a = L L^T, from the lower triangle of a."""


@op("small_factor", kernel="inverse_small", outputs=2, **_SMALL)
def small_inverse(g, a, y, failed):
    """The inverse, by elimination with partial pivoting."""


@op("small_solve", kernel="solve_small", outputs=2, **_SMALL)
def small_solve(g, a, b, y, failed):
    """The solution x (…, n, k) of a x = b."""


@op("small_det", kernel="det_small", **_SMALL)
def small_det(g, a, y):
    """The determinant."""


@op("small_det", kernel="slogdet_small", outputs=2, **_SMALL)
def small_slogdet(g, a, y, logs):
    """The sign of the determinant and the logarithm of its size."""
