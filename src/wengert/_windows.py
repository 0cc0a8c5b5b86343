"""Windows for spectra with PyTorch's factory functions; wengert.signal.windows has the forms that count both ends."""

import math

import wengert

from . import _core
from ._bind import OPS
from ._overload import Publisher, cast

publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

MOST = 2**26  # points: the float64 numbers on the way to longer windows fill gigabytes


def made(op, values, length, dtype, requires_grad=False):
    """A window of a dtype from the function of 0, 1, ..., length - 1 (float64) that gives its values."""
    dtype = _core.get_default_dtype() if dtype is None else dtype
    if length > MOST:
        raise MemoryError(f"{op}: expected a window of at most {MOST} points, got a length of {length}.")
    window = cast(values(wengert.arange(length, dtype=wengert.float64)), dtype)
    return window.requires_grad_(requires_grad)


def fraction(k, symmetric):
    """The points k of one period as parts of it, from 0: both ends included where it is symmetric."""
    return k / max(len(k) - 1 if symmetric else len(k), 1)


def cosines(k, coefficients, symmetric):
    """sum of (-1)^j a_j cos(j t) at the places of a window; a single point is 1."""
    if len(k) == 1:
        return k + 1
    angle = fraction(k, symmetric) * (2 * math.pi)
    total = k * 0 + coefficients[0]
    for j, a in enumerate(coefficients[1:], 1):
        total = total + (angle * j).cos() * (a if j % 2 == 0 else -a)
    return total


def triangle(k, symmetric):
    """1 - |2 k / steps - 1|; a single point is 1."""
    return k + 1 if len(k) == 1 else 1 - (2 * fraction(k, symmetric) - 1).abs()


def kaiser_values(k, beta, symmetric):
    """i0(beta sqrt(1 - (2 k / steps - 1)^2)) / i0(beta); a single point is 1."""
    if len(k) == 1:
        return k + 1
    inner = (1 - (2 * fraction(k, symmetric) - 1) ** 2).clamp(min=0.0)
    return OPS["i0"](inner.sqrt() * beta) / OPS["i0"](wengert.tensor(float(beta), dtype=k.dtype))


def _check(op, length, dtype):
    if isinstance(length, bool) or not isinstance(length, int):
        raise TypeError(f"{op}: expected an int window_length, got {type(length).__name__}.")
    if length < 0:
        raise RuntimeError(f"{op}: expected a window length of at least 0, got {length}.")
    if dtype is not None and not dtype.is_floating_point:
        raise RuntimeError(f"{op}: expected a floating dtype, got {dtype}.")


def _factory(name, values, doc):
    def window(
        window_length, periodic=True, *extra, dtype=None, layout=None, device=None, requires_grad=False, **named
    ):
        _check(name, window_length, dtype)
        return made(name, lambda k: values(k, not periodic, *extra, **named), window_length, dtype, requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"{doc} (window_length,); periodic windows leave out the last point of a symmetric one."
    publish(method=False)(window)


_factory("hann_window", lambda k, s: cosines(k, (0.5, 0.5), s), "The Hann window.")
_factory(
    "hamming_window",
    lambda k, s, alpha=0.54, beta=0.46: cosines(k, (alpha, beta), s),
    "The Hamming window, alpha - beta cos(t).",
)
_factory("blackman_window", lambda k, s: cosines(k, (0.42, 0.5, 0.08), s), "The Blackman window.")
_factory("bartlett_window", triangle, "The triangular window.")
_factory(
    "kaiser_window",
    lambda k, s, beta=12.0: kaiser_values(k, beta, s),
    "The Kaiser window of a shape parameter beta.",
)
