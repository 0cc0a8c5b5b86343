"""Rows of fused layers: softmax, losses of classes, embeddings, parametric activations."""

from ._def import binary, boolean, integer, op, opt_integer, real
from ._derive import pullback

# ---- softmax -----------------------------------------------------------------------------------------------------


@op("softmax", kernel="softmax", public=False, shown="softmax")
def softmax_rows(g, x, y, *, dim: integer):
    """exp(x) divided by its sum along a dimension."""
    return g.softmax_backward(y, dim)


@op("softmax_backward", public=False)
def softmax_backward(g, u, s, y, *, dim: integer):
    """The gradient of softmax: s (u - sum(u s)), with s the result of softmax."""
    gu = g * u
    return g.softmax_backward(s, dim), gu - g * (u * s).sum([dim], True) - u * (g * s).sum([dim], True)


@op("softmax", kernel="log_softmax", public=False, shown="log_softmax")
def log_softmax_rows(g, x, y, *, dim: integer):
    """x - log(sum(exp(x))) along a dimension, without overflow."""
    return g.log_softmax_backward(y, dim)


@op("softmax_backward", public=False)
def log_softmax_backward(g, u, s, y, *, dim: integer):
    """The gradient of log_softmax: u - exp(s) sum(u), with s the result of log_softmax."""
    p = s.exp()
    gp = (g * p).sum([dim], True)
    return g - gp, -(g * p * u.sum([dim], True))


# ---- losses of classes -------------------------------------------------------------------------------------------
#
# reduction is 0 for none, 1 for mean, 2 for sum. A mean divides by the weights of the targets that count.


@op("cross_entropy", absent="weight", kernel="cross_entropy", public=False, outputs=3, shown="cross_entropy")
def cross_entropy_rows(
    g, x, target, weight, y, lse, divisor, *, reduction: integer, ignore_index: integer, label_smoothing: real
):
    """Cross entropy of logits (N, C) and class indices (N,)."""
    gx = g.cross_entropy_backward(x, target, weight, lse, divisor, reduction, ignore_index, label_smoothing)
    return gx, None, None


@op("cross_entropy_backward", absent="weight", public=False)
def cross_entropy_backward(
    g, u, x, target, weight, lse, divisor, y, *, reduction: integer, ignore_index: integer, label_smoothing: real
):
    """The gradient of cross_entropy_rows for the logits."""

    def loss(x):
        return x.log_softmax_rows(1).class_loss(target, weight, reduction, ignore_index, label_smoothing)[0]

    gu, gx = pullback(lambda u, x: pullback(loss, [x], u)[0], [u, x], g)
    return gu, gx, None, None, None, None


@op("class_loss", absent="weight", kernel="nll", public=False, outputs=2, shown="nll_loss")
def class_loss(
    g, x, target, weight, y, divisor, *, reduction: integer, ignore_index: integer, label_smoothing: real
):
    """-sum over classes of x times the smoothed, weighted target: the loss of log-probabilities (N, C)."""
    return g.class_spread(target, weight, divisor, x, reduction, ignore_index, label_smoothing), None, None


@op("class_spread", absent="weight", public=False)
def class_spread(
    g, u, target, weight, divisor, like, y, *, reduction: integer, ignore_index: integer, label_smoothing: real
):
    """The gradient of class_loss, which is linear: u spread over the classes."""
    return g.class_loss(target, weight, reduction, ignore_index, label_smoothing)[0], None, None, None, None


# ---- embeddings --------------------------------------------------------------------------------------------------


@op("embedding", public=False, linear=True, grad_name="EmbeddingBackward0", shown="embedding")
def embedding_rows(g, w, index, y, *, padding_idx: opt_integer = None, masked: boolean = False):
    """Rows of w at indices of any shape; with masked, the rows of padding_idx are 0."""
    return g.embedding_backward(index, w, padding_idx), None


@op("embedding_backward", public=False, linear=True)
def embedding_backward(g, u, index, like, y, *, padding_idx: opt_integer = None):
    """Zeros of like's shape with rows added at indices, but none at padding_idx."""
    return g.embedding_rows(index, padding_idx, True), None, None


# ---- activations with parameters ---------------------------------------------------------------------------------


@binary(public=False, kinks=(0.0,), args=("input", "negative_slope"))
def leaky_relu(g, x, slope, y):
    """x where it is positive, slope x elsewhere, elementwise. At 0 the derivative is the slope."""
    return (x > 0).where(g, g * slope), (x > 0).where(0, g * x)


@binary(public=False, args=("input", "alpha"))
def elu(g, x, alpha, y):
    """x where it is positive, alpha (exp(x) - 1) elsewhere, elementwise."""
    return (x > 0).where(g, g * (y + alpha)), (x > 0).where(0, g * x.expm1())


@op(
    "elementwise",
    kernel="clamp",
    flags="elementwise",
    args=("input", "min_val", "max_val"),
    public=False,
    kinks=("tie",),
)
def hardtanh(g, x, lo, hi, y):
    """x limited to [lo, hi], elementwise. Unlike clamp's, its derivative at a bound is 0."""
    return ((x > lo) * (x < hi)).where(g, 0), None, None
