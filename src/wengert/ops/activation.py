"""Elementwise rows: activations. Conventions as in elementwise.py."""

import math

from ._def import binary, unary


@unary(inplace=True, kinks=(0.0,), ref=lambda np, x: np.maximum(x, 0))
def relu(g, x, y):
    """max(x, 0), elementwise. The derivative at 0 is 0."""
    return (y > 0).where(g, 0)


@unary(ref=lambda np, x: x / (1 + np.exp(-x)))
def silu(g, x, y):
    """x sigmoid(x), elementwise."""
    s = x.sigmoid()
    return g * (s * (1 + x * (1 - s)))


@unary(
    kernel="gelu",
    public=False,
    ref=lambda np, x: 0.5 * x * (1 + np.vectorize(math.erf, otypes=[x.dtype])(x / math.sqrt(2))),
)
def gelu_erf(g, x, y):
    """x times the normal distribution function of x, elementwise."""
    density = (x * x * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
    return g * (((x * math.sqrt(0.5)).erf() + 1) * 0.5 + x * density)


@unary(
    public=False,
    ref=lambda np, x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
)
def gelu_tanh(g, x, y):
    """The approximation of gelu by tanh, elementwise (Hendrycks and Gimpel 2016, arXiv 1606.08415)."""
    k = math.sqrt(2 / math.pi)
    t = ((x + x * x * x * 0.044715) * k).tanh()
    slope = (1 + x * x * (3 * 0.044715)) * k
    return g * ((1 + t) * 0.5 + x * 0.5 * (1 - t * t) * slope)


@unary(public=False, ref=lambda np, x: np.logaddexp(x, 0))
def softplus(g, x, y):
    """log(1 + exp(x)), elementwise."""
    return g * x.sigmoid()


@unary(ref=lambda np, x: -np.logaddexp(-x, 0))
def logsigmoid(g, x, y):
    """log(sigmoid(x)), elementwise."""
    return g * (-x).sigmoid()


@unary(inplace=True, kinks=(-3.0, 3.0), ref=lambda np, x: x * np.clip(x + 3, 0, 6) / 6)
def hardswish(g, x, y):
    """x min(max(x + 3, 0), 6) / 6, elementwise."""
    return (x <= -3.0).where(0, (x >= 3.0).where(g, g * (x * (1 / 3) + 0.5)))


@unary(inplace=True, kinks=(-3.0, 3.0), ref=lambda np, x: np.clip(x + 3, 0, 6) / 6)
def hardsigmoid(g, x, y):
    """min(max(x + 3, 0), 6) / 6, elementwise."""
    return ((x > -3.0) * (x < 3.0)).where(g * (1 / 6), 0)


@unary(inplace=True, ref=lambda np, x: x * np.tanh(np.logaddexp(x, 0)))
def mish(g, x, y):
    """x tanh(softplus(x)), elementwise."""
    t = x.softplus().tanh()
    return g * (t + x * x.sigmoid() * (1 - t * t))


@binary(
    public=False,
    kinks=("tie",),
    domain=(0.1, 2.0),
    args=("input", "beta"),
    ref=lambda np, x, beta: np.where(np.abs(x) < beta, x * x * (0.5 / beta), np.abs(x) - 0.5 * beta),
    shown="smooth_l1_loss",
)
def smooth_abs(g, x, beta, y):
    """x^2 / (2 beta) where |x| < beta, else |x| - beta / 2, elementwise. No gradient goes to beta."""
    return g * (x / beta).hardtanh(-1, 1), None
