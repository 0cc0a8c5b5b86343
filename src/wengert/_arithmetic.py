"""Overloads of arithmetic that one row cannot say: scaled sums, division with rounding, clamping; and thread counts."""

import math

from . import _core
from ._bind import OPS
from ._overload import Publisher, check_tensor, store, write

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_add, _sub, _mul, _div, _floor_divide = (OPS[name] for name in ("add", "sub", "mul", "div", "floor_divide"))
_trunc, _clamp3, _maximum, _minimum = (OPS[name] for name in ("trunc", "clamp3", "maximum", "minimum"))
_inplace = _core.inplace


def _scaled(op, input, other, alpha):
    """alpha * other; a factor that is not an integer needs a floating operand."""
    if isinstance(alpha, float) and not any(
        v.dtype.is_floating_point if isinstance(v, Tensor) else isinstance(v, float) for v in (input, other)
    ):
        raise RuntimeError(f"{op}: expected an integer alpha for integer tensors, got {alpha}. Use a floating tensor.")
    return _mul(other, alpha) if isinstance(other, Tensor) else other * alpha


def add(input, other, *, alpha=1, out=None):
    """input + alpha * other, elementwise with broadcasting.

    Example:
        >>> import wengert
        >>> wengert.add(wengert.ones(2), wengert.ones(2), alpha=3)
        tensor([4., 4.])
    """
    result = _add(input, other if alpha == 1 else _scaled("add", input, other, alpha))
    return result if out is None else store(result, out)


def sub(input, other, *, alpha=1, out=None):
    """input - alpha * other, elementwise with broadcasting."""
    result = _sub(input, other if alpha == 1 else _scaled("sub", input, other, alpha))
    return result if out is None else store(result, out)


def add_(self, other, *, alpha=1):
    """Adds alpha * other to the tensor in place; returns it."""
    return _inplace(_add.entry, self, (other if alpha == 1 else _scaled("add_", self, other, alpha),))


def sub_(self, other, *, alpha=1):
    """Subtracts alpha * other from the tensor in place; returns it."""
    return _inplace(_sub.entry, self, (other if alpha == 1 else _scaled("sub_", self, other, alpha),))


def _rounded(input, other, rounding_mode):
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode == "floor":
        return _floor_divide(input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(f"div: expected rounding_mode None, 'trunc' or 'floor', got {rounding_mode!r}.")
    operands = [v for v in (input, other) if isinstance(v, Tensor)]
    if any(v.dtype.is_floating_point for v in operands) or isinstance(other, float):
        return _trunc(_div(input, other))
    # Integers: floor division, plus 1 where it has rounded a negative quotient down.
    quotient = _floor_divide(input, other)
    return _add(quotient, (quotient < 0).logical_and(_mul(quotient, other) != input))


def div(input, other, *, rounding_mode=None, out=None):
    """input / other, elementwise with broadcasting; `rounding_mode` "trunc" or "floor" rounds the quotient."""
    result = _rounded(input, other, rounding_mode)
    return result if out is None else store(result, out)


def div_(self, other, *, rounding_mode=None):
    """Divides the tensor by other in place; returns it."""
    if rounding_mode is None:
        return _inplace(_div.entry, self, (other,))
    return write("div", self, _rounded(self, other, rounding_mode))


for _name, _f in {"add": add, "sub": sub, "subtract": sub, "div": div, "divide": div, "true_divide": div}.items():
    publish.add(_name, _f)
for _name, _f in {"add_": add_, "sub_": sub_, "subtract_": sub_, "div_": div_, "divide_": div_}.items():
    publish.add(_name, _f, function=False)
publish.add("multiply", _mul)


@publish(inplace=True, out=True)
def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2, elementwise with broadcasting.

    Example:
        >>> import wengert
        >>> wengert.addcmul(wengert.ones(1), wengert.ones(1), wengert.ones(1), value=0.5)
        tensor([1.5000])
    """
    return _add(input, _mul(tensor1 if value == 1 else _scaled("addcmul", input, tensor1, value), tensor2))


@publish(inplace=True, out=True)
def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2, elementwise with broadcasting; floating tensors only."""
    if not (tensor1.dtype.is_floating_point or tensor2.dtype.is_floating_point):
        raise RuntimeError("addcdiv: expected floating tensors, got integers. Convert them with .float() first.")
    return _add(input, _div(tensor1 if value == 1 else _scaled("addcdiv", input, tensor1, value), tensor2))


def _bounds(op, input, low, high):
    """Both bounds as operands of the kernel, or None where maximum or minimum does it (integers, one bound)."""
    check_tensor(op, input)
    if low is None and high is None:
        raise RuntimeError(f"{op}: expected min, max or both, got neither. Pass at least one bound.")
    if input.dtype.is_floating_point:
        return -math.inf if low is None else low, math.inf if high is None else high
    return None if low is None or high is None else (low, high)


@publish("clip", out=True)
def clamp(input, min=None, max=None):
    """The input limited to [min, max]; a bound is a number, a tensor or None. Where min > max the result is max.

    Example:
        >>> import wengert
        >>> wengert.clamp(wengert.tensor([-2.0, 0.5, 3.0]), -1, 1)
        tensor([-1.0000,  0.5000,  1.0000])
    """
    bounds = _bounds("clamp", input, min, max)
    if bounds is not None:
        return _clamp3(input, *bounds)
    return _maximum(input, min) if max is None else _minimum(input, max)


def clamp_(self, min=None, max=None):
    """Limits the tensor to [min, max] in place; returns it."""
    bounds = _bounds("clamp_", self, min, max)
    if bounds is not None:
        return _inplace(_clamp3.entry, self, bounds)
    return write("clamp", self, clamp(self, min, max))


publish.add("clamp_", clamp_)
publish.add("clip_", clamp_)


@publish(inplace=True, out=True)
def clamp_min(input, min):
    """The input, at least `min`."""
    return clamp(input, min)


@publish(inplace=True, out=True)
def clamp_max(input, max):
    """The input, at most `max`."""
    return clamp(input, None, max)


@publish(method=False)
def get_num_threads():
    """The number of threads that large kernels use."""
    return _core.threads()


@publish(method=False)
def set_num_threads(count):
    """Sets the number of threads that large kernels use. Raises RuntimeError below 1."""
    if not isinstance(count, int):
        raise TypeError(f"set_num_threads: expected an int, got {type(count).__name__}.")
    _core.set_threads(count)
