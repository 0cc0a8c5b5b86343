"""Samples of the gamma distribution, with implicit gradients for its shape.

Samples: Marsaglia and Tsang, A simple method for generating gamma variables (2000). Gradients: a sample x of shape a is
the value at which the cdf is a fixed number, so dx/da = -(dF/da) / (dF/dx) (Figurnov, Mohamed, Mnih 2018).
"""

import wengert
from wengert import _host as host
from wengert.autograd.function import Function, once_differentiable

LARGE = 1000.0  # from here on the expansion in 1 / sqrt(a) is accurate to 1e-9


@host.register_tensors("gamma.draw", lambda a: [a], random=True)
def draw(shapes):
    """One sample of rate 1 for each shape parameter; those that underflow are the smallest number."""
    a = shapes.double()
    boost = a < 1
    d = wengert.where(boost, a + 1, a) - 1 / 3
    c = (9 * d).rsqrt()
    result = wengert.zeros_like(a)
    todo = wengert.ones_like(a, dtype=wengert.bool)
    while bool(todo.any()):
        x = wengert.randn_like(a)
        v = (1 + c * x) ** 3
        u = wengert.rand_like(a)
        safe = v.clamp(min=1e-300)
        accept = (v > 0) & (u.log() < 0.5 * x * x + d * (1 - safe + safe.log()))
        result = wengert.where(todo & accept, d * v, result)
        todo = todo & ~accept
    result = wengert.where(boost, result * wengert.rand_like(a) ** (1 / a), result).to(shapes.dtype)
    return result.clamp(min=wengert.finfo(shapes.dtype).tiny)


@host.register_tensors("gamma.slope", lambda x, a: [x])
def _slope(x, a):
    x, a = x.double(), a.double()
    large = a >= LARGE
    # Above 20 + 3 a the series cancels and the asymptotic expansion has converged.
    tail = ~large & (x > 20 + 3 * a)
    middle = ~large & ~tail
    one = wengert.ones_like(a)
    result = wengert.zeros_like(a)
    for where, method in ((middle, _by_series), (tail, _by_tail), (large, _by_expansion)):
        if bool(where.any()):
            found = method(wengert.where(where, x, one), wengert.where(where, a, one))
            result = wengert.where(where, found, result)
    return result


def slope(x, a):
    """dx/da of samples x for shapes a, both of one shape and dtype; float64 inside."""
    return host.call("gamma.slope", x, a)[0]


def _by_series(x, a):
    """dF/da by the power series of F, divided by the density term by term.

    F = sum of x^(a+n) e^-x / Gamma(a+n+1); a term over the density is x^(n+1) / (a (a+1) ... (a+n)).
    """
    x = x.clamp(min=1e-300)
    log_x, psi = x.log(), (a + 1).digamma()
    term = x / a
    total = term * (log_x - psi)
    n = 0
    while n < 20000:
        n += 1
        psi = psi + 1 / (a + n)
        term = term * (x / (a + n))
        change = term * (log_x - psi)
        total = total + change
        if n % 16 == 0 and bool((change.abs() <= 1e-17 * total.abs()).all()):
            break
    return -total


def _by_tail(x, a):
    """1 - F over the density is S = sum of (a-1)(a-2)...(a-k) / x^k for large x; with its derivative for a."""
    term, slope_of_term = wengert.ones_like(a), wengert.zeros_like(a)
    total, slope_of_total = term, slope_of_term
    smallest = term.abs()
    for k in range(1, 40):
        slope_of_term = (slope_of_term * (a - k) + term) / x
        term = term * (a - k) / x
        shrinks = (term.abs() <= smallest) & ((a - k).abs() < x)
        smallest = wengert.where(shrinks, term.abs(), wengert.zeros_like(a))
        total = total + wengert.where(shrinks, term, wengert.zeros_like(a))
        slope_of_total = slope_of_total + wengert.where(shrinks, slope_of_term, wengert.zeros_like(a))
    return total * (x.log() - a.digamma()) + slope_of_total


def _by_expansion(x, a):
    """Cornish and Fisher's expansion of the quantile in the normal quantile z, differentiated at fixed z."""
    root = a.sqrt()
    z = 3 * root * ((x / a) ** (1 / 3) - 1 + 1 / (9 * a))  # Wilson and Hilferty
    for _ in range(3):  # Newton's steps to the z of this x
        value = (
            a + root * z + (z**2 - 1) / 3 + (z**3 - 7 * z) / (36 * root) - (3 * z**4 + 7 * z**2 - 16) / (810 * a)
            + (9 * z**5 + 256 * z**3 - 433 * z) / (38880 * a * root)
        )  # fmt: skip
        z = z - (value - x) / (root + 2 * z / 3 + (3 * z**2 - 7) / (36 * root))
    return (
        1 + z / (2 * root) - (z**3 - 7 * z) / (72 * a * root) + (3 * z**4 + 7 * z**2 - 16) / (810 * a * a)
        - (9 * z**5 + 256 * z**3 - 433 * z) / (25920 * a * a * root)
    )  # fmt: skip


host.register_tensors("gamma.drawn", lambda a, x: [x])(lambda a, x: x)


@host.gradient("gamma.drawn")
class _Drawn(Function):
    """Samples of rate 1, drawn before, with gradients for the shape."""

    @staticmethod
    def forward(ctx, concentration, x):
        (x,) = host.call("gamma.drawn", concentration, x)
        ctx.save_for_backward(x, concentration)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        x, a = ctx.saved_tensors
        return g * slope(x, a), None


def drawn(concentration, x):
    """Samples x of rate 1 with gradients for the shapes that they were drawn for."""
    return _Drawn.apply(concentration, x)


def standard_gamma(concentration):
    """One sample of rate 1 for each element of `concentration`, differentiable in it."""
    if concentration.dtype.itemsize < 4:
        return standard_gamma(concentration.float()).to(concentration.dtype)
    return drawn(concentration, host.call("gamma.draw", concentration)[0])
