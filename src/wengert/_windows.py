"""Windows for spectra with PyTorch's factory functions; wengert.signal.windows has the forms that count both ends."""

import math

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher

publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods


def made(values, dtype, requires_grad=False):
    """Values of float64 as a tensor of a dtype."""
    dtype = _core.get_default_dtype() if dtype is None else dtype
    return _core.from_data(values, dtype).requires_grad_(requires_grad)


def places(length, symmetric):
    """The angle of each of `length` points of one period: both ends included where it is symmetric."""
    steps = length - 1 if symmetric else length
    return [0.0] if length == 1 else [2 * math.pi * k / steps for k in range(length)]


def cosines(length, coefficients, symmetric):
    """sum of (-1)^j a_j cos(j t) at the places of a window; a single point is 1."""
    if length == 1:
        return [1.0]
    signed = [a if j % 2 == 0 else -a for j, a in enumerate(coefficients)]
    return [sum(a * math.cos(j * t) for j, a in enumerate(signed)) for t in places(length, symmetric)]


def triangle(length, symmetric):
    """1 - |2 k / steps - 1|."""
    steps = length - 1 if symmetric else length
    return [1.0] if length == 1 else [1 - abs(2 * k / steps - 1) for k in range(length)]


def kaiser_values(length, beta, symmetric):
    """i0(beta sqrt(1 - (2 k / steps - 1)^2)) / i0(beta)."""
    if length == 1:
        return [1.0]
    steps = length - 1 if symmetric else length
    inner = [max(0.0, 1 - (2 * k / steps - 1) ** 2) for k in range(length)] + [1.0]
    values = OPS["i0"](_core.from_data(inner, DTYPES["float64"]).sqrt() * beta)
    return (values[:-1] / values[-1]).tolist()


def _check(op, length, dtype):
    if isinstance(length, bool) or not isinstance(length, int):
        raise TypeError(f"{op}: expected an int window_length, got {type(length).__name__}.")
    if length < 0:
        raise RuntimeError(f"{op}: expected a window length of at least 0, got {length}.")
    if length >= 2**32:
        raise MemoryError(f"{op}: expected a window that memory can hold, got a length of {length}.")
    if dtype is not None and not dtype.is_floating_point:
        raise RuntimeError(f"{op}: expected a floating dtype, got {dtype}.")


def _factory(name, values, doc):
    def window(
        window_length, periodic=True, *extra, dtype=None, layout=None, device=None, requires_grad=False, **named
    ):
        _check(name, window_length, dtype)
        points = values(window_length, not periodic, *extra, **named) if window_length else []
        return made(points, dtype, requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"{doc} (window_length,); periodic windows leave out the last point of a symmetric one."
    publish(method=False)(window)


_factory("hann_window", lambda n, s: cosines(n, (0.5, 0.5), s), "The Hann window.")
_factory(
    "hamming_window",
    lambda n, s, alpha=0.54, beta=0.46: cosines(n, (alpha, beta), s),
    "The Hamming window, alpha - beta cos(t).",
)
_factory("blackman_window", lambda n, s: cosines(n, (0.42, 0.5, 0.08), s), "The Blackman window.")
_factory("bartlett_window", triangle, "The triangular window.")
_factory(
    "kaiser_window",
    lambda n, s, beta=12.0: kaiser_values(n, beta, s),
    "The Kaiser window of a shape parameter beta.",
)
