"""Matrix products."""

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
