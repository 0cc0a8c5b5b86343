"""Forward mode by hand: tensors that carry a tangent, inside a level."""

import threading
from collections import namedtuple

from ..func import _forward
from ..func._levels import payload

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

UnpackedDualTensor = namedtuple("UnpackedDualTensor", ["primal", "tangent"])
UnpackedDualTensor.__doc__ = "A value and its tangent; the tangent is None where the value does not depend on one."


class _Local(threading.local):
    frame = None


_open = _Local()


def enter_dual_level():
    """Opens a level; returns its number, 0. Levels do not nest: for higher orders use `func.jvp` inside `func.jvp`.

    Raises:
        RuntimeError: a level is open.
    """
    if _open.frame is not None:
        raise RuntimeError("enter_dual_level: expected no open level, got one. Use func.jvp to nest forward mode.")
    _open.frame = _forward.DualFrame().__enter__()
    return 0


def exit_dual_level(*, level=None):
    """Closes the level; tensors lose their tangents, and those that still carry one can no longer be used."""
    frame, _open.frame = _level("exit_dual_level"), None
    frame.__exit__(None, None, None)


def _level(op):
    if _open.frame is None:
        raise RuntimeError(f"{op}: expected an open level, got none. Write it inside forward_ad.dual_level().")
    return _open.frame


class dual_level:
    """A block in which tensors may carry tangents.

    Example:
        >>> import wengert
        >>> import wengert.autograd.forward_ad as fwAD
        >>> with fwAD.dual_level():
        ...     x = fwAD.make_dual(wengert.tensor(3.0), wengert.tensor(1.0))
        ...     fwAD.unpack_dual(x * x).tangent
        tensor(6.)
    """

    def __enter__(self):
        return enter_dual_level()

    def __exit__(self, kind, value, trace):
        exit_dual_level()


def make_dual(tensor, tangent, *, level=None):
    """`tensor` with a tangent; whatever is computed from it has one too.

    Args:
        tensor: floating point.
        tangent: of the same shape and dtype.

    Raises:
        RuntimeError: no level is open, or shapes or dtypes differ.
    """
    frame = _level("make_dual")
    if tuple(tensor.shape) != tuple(tangent.shape) or tensor.dtype != tangent.dtype:
        raise RuntimeError(
            f"make_dual: expected a tangent of shape {tuple(tensor.shape)} and dtype {tensor.dtype}, got "
            f"{tuple(tangent.shape)} and {tangent.dtype}."
        )
    if not tensor.dtype.is_floating_point and not tensor.dtype.is_complex:
        raise ValueError(f"make_dual: expected a floating dtype, got {tensor.dtype}.")
    return _forward.wrap(frame, tensor, tangent)


def unpack_dual(tensor, *, level=None):
    """The value and the tangent of a tensor, as a named pair; the tangent of a tensor that has none here is None."""
    inside = payload(tensor)
    if inside is None or inside.frame is not _level("unpack_dual"):
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(inside.primal, inside.tangent)
