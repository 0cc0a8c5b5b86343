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
    """A window from the function that gives its values for (M, sym, ...)."""

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
        return made(values(M, sym, *args, **named) if M else [], dtype, requires_grad)

    del window.__wrapped__  # the signature is that of the window
    return window


@_window
def general_cosine(M, sym, *, a):
    """The sum of a_j (-1)^j cos(j t)."""
    if not isinstance(a, (list, tuple)):
        raise TypeError(f"general_cosine: expected coefficients in a list, got {type(a).__name__}.")
    if not a:
        raise ValueError("general_cosine: expected at least one coefficient, got none.")
    return cosines(M, a, sym)


@_window
def general_hamming(M, sym, *, alpha=0.54):
    """alpha - (1 - alpha) cos(t)."""
    return cosines(M, (alpha, 1 - alpha), sym)


@_window
def hamming(M, sym):
    """0.54 - 0.46 cos(t)."""
    return cosines(M, (0.54, 0.46), sym)


@_window
def hann(M, sym):
    """0.5 - 0.5 cos(t)."""
    return cosines(M, (0.5, 0.5), sym)


@_window
def blackman(M, sym):
    """0.42 - 0.5 cos(t) + 0.08 cos(2 t)."""
    return cosines(M, (0.42, 0.5, 0.08), sym)


@_window
def nuttall(M, sym):
    """Four terms with continuous first derivative (Nuttall 1981)."""
    return cosines(M, (0.3635819, 0.4891775, 0.1365995, 0.0106411), sym)


@_window
def bartlett(M, sym):
    """The triangle."""
    return triangle(M, sym)


@_window
def cosine(M, sym):
    """sin(pi (k + 1/2) / M)."""
    steps = M if sym or M == 1 else M + 1
    return [math.sin(math.pi * (k + 0.5) / steps) for k in range(M)]


def _middle(M, sym):
    return ((M if sym or M == 1 else M + 1) - 1) / 2


@_window
def exponential(M, sym, *, center=None, tau=1.0):
    """exp(-|k - center| / tau)."""
    if tau <= 0:
        raise ValueError(f"exponential: expected a positive tau, got {tau}.")
    if sym and center is not None:
        raise ValueError("exponential: expected center=None for a symmetric window, got a center. Use sym=False.")
    middle = _middle(M, sym) if center is None else center
    return [math.exp(-abs(k - middle) / tau) for k in range(M)]


@_window
def gaussian(M, sym, *, std=1.0):
    """exp(-(k - middle)^2 / (2 std^2))."""
    if std <= 0:
        raise ValueError(f"gaussian: expected a positive standard deviation, got {std}.")
    return [math.exp(-(((k - _middle(M, sym)) / std) ** 2) / 2) for k in range(M)]


@_window
def kaiser(M, sym, *, beta=12.0):
    """The window of Kaiser with the shape beta."""
    if beta < 0:
        raise ValueError(f"kaiser: expected a beta of at least 0, got {beta}.")
    return kaiser_values(M, beta, sym)


__getattr__ = explain(__name__)
