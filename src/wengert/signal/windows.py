"""Windows of M points under the names of PyTorch's `torch.signal.windows`.

All take `sym`: True for both ends, False for one period without its last point; and dtype, device, layout, requires_grad.

Example:
    >>> import wengert
    >>> wengert.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
"""

import functools
import math

import wengert

from .. import _core
from .._missing import explain
from .._windows import cosines, kaiser_values, made, triangle

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


def _window(values):
    """A window from the function that gives its values for (the numbers of its points, sym, ...)."""

    @functools.wraps(values)
    def window(M, *args, sym=True, dtype=None, layout=None, device=None, requires_grad=False, **named):
        name = values.__name__
        if M < 0:
            raise ValueError(f"{name}: expected a window length of at least 0, got {M}.")
        dtype = _core.get_default_dtype() if dtype is None else dtype
        if dtype not in (wengert.float32, wengert.float64):
            raise ValueError(f"{name}: expected float32 or float64, got {dtype}.")
        if layout is not None and layout is not wengert.strided:
            raise ValueError(f"{name}: expected a strided layout, got {layout}.")
        return made(name, lambda k: values(k, sym, *args, **named), M, dtype, requires_grad)

    del window.__wrapped__  # the signature is that of the window
    return window


@_window
def general_cosine(k, sym, *, a):
    """The sum of a_j (-1)^j cos(j t)."""
    if not isinstance(a, (list, tuple)):
        raise TypeError(f"general_cosine: expected coefficients in a list, got {type(a).__name__}.")
    if not a:
        raise ValueError("general_cosine: expected at least one coefficient, got none.")
    return cosines(k, a, sym)


@_window
def general_hamming(k, sym, *, alpha=0.54):
    """alpha - (1 - alpha) cos(t)."""
    return cosines(k, (alpha, 1 - alpha), sym)


@_window
def hamming(k, sym):
    """0.54 - 0.46 cos(t)."""
    return cosines(k, (0.54, 0.46), sym)


@_window
def hann(k, sym):
    """0.5 - 0.5 cos(t)."""
    return cosines(k, (0.5, 0.5), sym)


@_window
def blackman(k, sym):
    """0.42 - 0.5 cos(t) + 0.08 cos(2 t)."""
    return cosines(k, (0.42, 0.5, 0.08), sym)


@_window
def nuttall(k, sym):
    """Four terms with continuous first derivative (Nuttall 1981)."""
    return cosines(k, (0.3635819, 0.4891775, 0.1365995, 0.0106411), sym)


@_window
def bartlett(k, sym):
    """The triangle."""
    return triangle(k, sym)


@_window
def cosine(k, sym):
    """sin(pi (k + 1/2) / M)."""
    steps = max(len(k) if sym or len(k) == 1 else len(k) + 1, 1)
    return ((k + 0.5) * (math.pi / steps)).sin()


def _middle(k, sym):
    return ((len(k) if sym or len(k) == 1 else len(k) + 1) - 1) / 2


@_window
def exponential(k, sym, *, center=None, tau=1.0):
    """exp(-|k - center| / tau)."""
    if tau <= 0:
        raise ValueError(f"exponential: expected a positive tau, got {tau}.")
    if sym and center is not None:
        raise ValueError("exponential: expected center=None for a symmetric window, got a center. Use sym=False.")
    middle = _middle(k, sym) if center is None else center
    return (-(k - middle).abs() / tau).exp()


@_window
def gaussian(k, sym, *, std=1.0):
    """exp(-(k - middle)^2 / (2 std^2))."""
    if std <= 0:
        raise ValueError(f"gaussian: expected a positive standard deviation, got {std}.")
    return (-(((k - _middle(k, sym)) / std) ** 2) / 2).exp()


@_window
def kaiser(k, sym, *, beta=12.0):
    """The window of Kaiser with the shape beta."""
    if beta < 0:
        raise ValueError(f"kaiser: expected a beta of at least 0, got {beta}.")
    return kaiser_values(k, beta, sym)


__getattr__ = explain(__name__)
