"""Orthogonal polynomials by their three-term recurrences, under the names of PyTorch's `torch.special`."""

import math

from . import _core
from ._bind import OPS
from ._overload import cast, check_operand, numpy_names, with_out

Tensor = _core.Tensor
FUNCTIONS = {}

LARGEST = 100_000  # degrees: the recurrence takes a step for each


def _checked(op, degree):
    """The degree itself; raises RuntimeError for one that is no number or beyond the recurrence's limit."""
    if not degree <= LARGEST:
        raise RuntimeError(f"{op}: expected degrees of at most {LARGEST}, got {degree}.")
    return max(degree, -1)


def _operands(op, x, n):
    """x and n as tensors of one floating dtype; n may stay a number."""
    if not isinstance(x, Tensor) and not isinstance(n, Tensor):
        raise TypeError(f"{op}: expected a Tensor, got {type(x).__name__} and {type(n).__name__}.")
    if isinstance(n, Tensor):
        if n.numel():
            _checked(op, n.detach().amax().item())
        dtype = (x * 1.0 + n).dtype
        n = cast(n.detach(), dtype).trunc()
        x = cast(x, dtype) if isinstance(x, Tensor) else _core.full((), x, dtype)
    elif not x.dtype.is_inexact:
        x = cast(x, _core.get_default_dtype())
    if not x.dtype.is_floating_point:
        raise RuntimeError(f"{op}: expected real numbers, got {x.dtype}.")
    return x, n


def _at_degree(x, degree, first, step):
    """The polynomial of one degree: p_0 = 1, p_1 = first(x), p_(k+1) = step(k, x, p_k, p_(k-1))."""
    zeros = OPS["zeros_like"](x)
    if degree < 1:
        return zeros + 1 if degree == 0 else zeros
    before, now = zeros + 1, first(x)
    for k in range(1, degree):
        before, now = now, step(k, x, now, before)
    return now


def _at_degrees(x, degrees, first, step):
    """The polynomials of the degrees in a tensor that broadcasts against x."""
    where = OPS["where"]
    before, now = OPS["zeros_like"](x + degrees) + 1, first(x)
    result = where(degrees < 0, 0.0, before)
    for k in range(1, int(degrees.max()) + 1 if degrees.numel() else 0):
        result = where(degrees.eq(k), now, result)
        before, now = now, step(k, x, now, before)
    return result


def _publish(name, doc, first, step, shifted=False):
    def polynomial(input, n):
        check_operand(name, n)
        x, degree = _operands(name, input, n)
        x = 2 * x - 1 if shifted else x
        at = _at_degrees if isinstance(degree, Tensor) else _at_degree
        degree = degree if isinstance(degree, Tensor) else math.trunc(_checked(name, degree))
        return at(x, degree, first, step)

    polynomial.__name__ = polynomial.__qualname__ = name
    polynomial.__doc__ = f"""{doc}

    Args:
        input: where to evaluate: a tensor of floats or integers, or a number where n is a tensor.
        n: the degree, a number or a tensor that broadcasts; 0 for negative ones. Fractions are cut off.

    Gradients are those by input.
    """
    FUNCTIONS[name] = with_out(numpy_names(polynomial))


def _chebyshev(k, x, now, before):
    return 2 * x * now - before


for _letter, _first, _kind in (
    ("t", lambda x: x, "first kind: cos(n arccos x)"),
    ("u", lambda x: 2 * x, "second kind: sin((n + 1) t) / sin t with x = cos t"),
    ("v", lambda x: 2 * x - 1, "third kind: cos((n + 1/2) t) / cos(t / 2) with x = cos t"),
    ("w", lambda x: 2 * x + 1, "fourth kind: sin((n + 1/2) t) / sin(t / 2) with x = cos t"),
):
    _publish(f"chebyshev_polynomial_{_letter}", f"Chebyshev polynomials of the {_kind}.", _first, _chebyshev)
    _publish(
        f"shifted_chebyshev_polynomial_{_letter}",
        f"Chebyshev polynomials at 2 x - 1, of the {_kind}.",
        _first,
        _chebyshev,
        shifted=True,
    )
_publish(
    "hermite_polynomial_h",
    "Hermite polynomials of the physicists: orthogonal by exp(-x^2).",
    lambda x: 2 * x,
    lambda k, x, now, before: 2 * x * now - 2 * k * before,
)
_publish(
    "hermite_polynomial_he",
    "Hermite polynomials of the probabilists: orthogonal by exp(-x^2 / 2).",
    lambda x: x,
    lambda k, x, now, before: x * now - k * before,
)
_publish(
    "laguerre_polynomial_l",
    "Laguerre polynomials: orthogonal by exp(-x) for x > 0.",
    lambda x: 1 - x,
    lambda k, x, now, before: ((2 * k + 1 - x) * now - k * before) / (k + 1),
)
_publish(
    "legendre_polynomial_p",
    "Legendre polynomials: orthogonal on [-1, 1].",
    lambda x: x,
    lambda k, x, now, before: ((2 * k + 1) * x * now - k * before) / (k + 1),
)
