"""Elementwise arithmetic with PyTorch's overloads: alpha=, rounding_mode=, bounds, comparisons with a tolerance."""

import math

from . import _core
from ._bind import OPS, inplace_method
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_one_tensor, check_operand, check_tensor, check_tensors, write

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_add, _sub, _mul, _div = OPS["add"], OPS["sub"], OPS["mul"], OPS["div"]
_add_scaled = OPS["add_scaled"]
_where, _clamp3, _inplace = OPS["where"], OPS["clamp3"], _core.inplace
_bool = DTYPES["bool"]
_LARGEST = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


def _in_place(name, function):
    function.__name__ = name
    function.__qualname__ = f"Tensor.{name}"
    function.__doc__ = f"In-place form of {name[:-1]}: writes the result to the tensor and returns it."
    METHODS[name] = function


# ---- sums, products, quotients --------------------------------------------------------------------------------------


def _is_one(value):
    """Whether a factor is the number 1; the value of a tensor is not asked for."""
    return not isinstance(value, (Tensor, bool)) and value == 1


def _check_alpha(op, alpha, *operands):
    """A factor is of the operands' kind or a lesser one, as PyTorch demands; a bool only for bools."""
    kinds = [v.dtype if isinstance(v, Tensor) else _core.from_data(v).dtype for v in operands]
    if isinstance(alpha, float) and not any(k.is_inexact for k in kinds):
        raise RuntimeError(f"{op}: expected an integer alpha for integer operands, got {alpha}.")
    if isinstance(alpha, complex) and not any(k.is_complex for k in kinds):
        raise RuntimeError(f"{op}: expected a real alpha for real operands, got {alpha}.")
    if isinstance(alpha, bool) and any(k != _bool for k in kinds):
        raise RuntimeError(f"{op}: expected a number as alpha for operands that are numbers, got {alpha}.")


def _scales_alike(alpha, input, other):
    """Whether input + alpha * other is one pass: floating tensors of one dtype and a plain number."""
    return (
        alpha.__class__ in (int, float)  # type() would not know a number that a recorder follows
        and isinstance(input, Tensor)
        and isinstance(other, Tensor)
        and input.dtype == other.dtype
        and input.dtype.is_floating_point
    )


def _times_alpha(op, alpha, input, other):
    """other * alpha, where that is a number of the operands' kind; bools stay bools."""
    check_operand(op, other)
    _check_alpha(op, alpha, input, other)
    return cast(other * alpha, _bool) if isinstance(other, Tensor) and other.dtype == _bool else other * alpha


@publish(out=True)
def add(input, other, *, alpha=1):
    """input + alpha * other, with broadcasting.

    Example:
        >>> import wengert
        >>> wengert.add(wengert.tensor([1.0, 2.0]), 10, alpha=2)
        tensor([21., 22.])
    """
    if _is_one(alpha):
        return _add(input, other)
    if _scales_alike(alpha, input, other):
        return _add_scaled(input, other, alpha)
    return _add(input, _times_alpha("add", alpha, input, other))


@publish("subtract", out=True)
def sub(input, other, *, alpha=1):
    """input - alpha * other, with broadcasting."""
    if not _is_one(alpha):
        if _scales_alike(alpha, input, other):
            return _add_scaled(input, other, -alpha)
        _check_alpha("sub", alpha, input, other)
        other = other * alpha
    return _sub(input, other)


@publish()
def rsub(input, other, *, alpha=1):
    """other - alpha * input, with broadcasting."""
    check_tensor("rsub", input)
    return sub(other, input, alpha=alpha)


@publish(out=True)
def div(input, other, *, rounding_mode=None):
    """input / other, with broadcasting; rounding_mode 'floor' or 'trunc' rounds the quotient."""
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode == "floor":
        return OPS["floor_divide"](input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(f"div: expected rounding_mode None, 'floor' or 'trunc', got {rounding_mode!r}.")
    quotient = _div(input, other)
    floating = any(
        v.dtype.is_floating_point if isinstance(v, Tensor) else isinstance(v, float) for v in (input, other)
    )
    if floating:
        return OPS["trunc"](quotient)
    # Whole numbers stay exact: the floor, one up where it went below a negative quotient.
    low = OPS["floor_divide"](input, other)
    return low + cast((low < 0) & (low * other).ne(input), low.dtype)


publish.add("pow", _core.pow_any)
publish.add("divide", FUNCTIONS["div"])
publish.add("true_divide", OPS["div"])
publish.add("multiply", OPS["mul"])
publish.add("negative", OPS["neg"])
publish.add("absolute", OPS["abs"])
for _alias, _row in (
    ("arcsin", "asin"),
    ("arccos", "acos"),
    ("arctan", "atan"),
    ("arctan2", "atan2"),
    ("arcsinh", "asinh"),
    ("arccosh", "acosh"),
    ("arctanh", "atanh"),
    ("expit", "sigmoid"),
    ("fix", "trunc"),
    ("greater", "gt"),
    ("greater_equal", "ge"),
    ("less", "lt"),
    ("less_equal", "le"),
    ("not_equal", "ne"),
):
    publish.add(_alias, OPS[_row])
for _alias, _row in (
    ("multiply", "mul"),
    ("negative", "neg"),
    ("absolute", "abs"),
    ("true_divide", "div"),
    ("fix", "trunc"),
):
    METHODS[_alias + "_"] = inplace_method(_row)


def _scaled(entry, op, sign):
    def method(self, other, *, alpha=1):
        if not _is_one(alpha):
            if _scales_alike(alpha, self, other):
                return _inplace(_add_scaled.entry, self, (other, sign * alpha), ())
            other = _times_alpha(op, alpha, self, other)
        return _inplace(entry, self, (other,), ())

    return method


for _name, _row, _sign in (("add_", _add, 1), ("sub_", _sub, -1), ("subtract_", _sub, -1)):
    _in_place(_name, _scaled(_row.entry, _name, _sign))


def _div_(self, other, *, rounding_mode=None):
    if rounding_mode is None:
        return _inplace(_div.entry, self, (other,), ())
    return self.copy_(div(self, other, rounding_mode=rounding_mode))


def _divide_(self, other, *, rounding_mode=None):
    return _div_(self, other, rounding_mode=rounding_mode)


_in_place("div_", _div_)
_in_place("divide_", _divide_)


@publish(inplace=True, out=True)
def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2."""
    check_tensors("addcmul", input, tensor1, tensor2)
    if _float_tensors(value, input, tensor1, tensor2):
        return _add_scaled(input, tensor1 if _is_one(value) else tensor1 * value, tensor2)
    product = tensor1 * tensor2
    _check_alpha("addcmul", value, input, product)
    return input + (product if _is_one(value) else product * value)


def _float_tensors(value, *operands):
    """Whether all operands are tensors of one floating dtype, so that a product and a sum can be one operation."""
    if value.__class__ not in (int, float) or not all([isinstance(v, Tensor) for v in operands]):
        return False
    first = operands[0].dtype
    return first.is_floating_point and all([v.dtype == first for v in operands])


@publish(inplace=True, out=True)
def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2."""
    check_tensors("addcdiv", input, tensor1, tensor2)
    if not tensor1.dtype.is_inexact and not tensor2.dtype.is_inexact:
        raise RuntimeError(f"addcdiv: expected floating operands, got {tensor1.dtype} and {tensor2.dtype}.")
    quotient = tensor1 / tensor2
    if not _is_one(value) and _float_tensors(value, input, quotient):
        return _add_scaled(input, quotient, value)
    return input + (quotient if _is_one(value) else quotient * value)


# ---- bounds ---------------------------------------------------------------------------------------------------------


def _bounds(op, input, low, high):
    """Both bounds, an open one as infinity; the rows for a single bound of integers need none."""
    if low is None and high is None:
        raise RuntimeError(f"{op}: expected min, max or both, got neither.")
    if isinstance(low, Tensor) != isinstance(high, Tensor) and low is not None and high is not None:
        raise TypeError(
            f"{op}: expected two numbers or two tensors as bounds, got one of each. Use wengert.full((), ...) for the "
            "number."
        )
    return -math.inf if low is None else low, math.inf if high is None else high


@publish("clip", out=True)
def clamp(input, min=None, max=None):
    """The values limited to [min, max], numbers or tensors; either may be left out. Where min > max the result is max.

    Example:
        >>> import wengert
        >>> wengert.clamp(wengert.tensor([-3.0, 0.5, 7.0]), 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    check_tensor("clamp", input)
    low, high = _bounds("clamp", input, min, max)
    if not input.dtype.is_floating_point:
        if min is None:
            return OPS["minimum"](input, max) if isinstance(max, Tensor) else _where(input <= max, input, max)
        if max is None:
            return OPS["maximum"](input, min) if isinstance(min, Tensor) else _where(input >= min, input, min)
    return _clamp3(input, low, high)


def _clamp_(self, min=None, max=None):
    low, high = _bounds("clamp_", self, min, max)
    if not self.dtype.is_floating_point:
        result = clamp(self, min, max)
        if result.dtype != self.dtype:
            raise RuntimeError(f"clamp_: result type {result.dtype} can't be cast to {self.dtype}.")
        return self.copy_(result)
    return _inplace(_clamp3.entry, self, (low, high), ())


def _clip_(self, min=None, max=None):
    return _clamp_(self, min, max)


_in_place("clamp_", _clamp_)
_in_place("clip_", _clip_)


@publish(inplace=True, out=True)
def clamp_min(input, min):
    """The values limited from below, by a number or a tensor."""
    check_operand("clamp_min", min)
    return clamp(input, min, None)


@publish(inplace=True, out=True)
def clamp_max(input, max):
    """The values limited from above, by a number or a tensor."""
    check_operand("clamp_max", max)
    return clamp(input, None, max)


# ---- rounding and powers --------------------------------------------------------------------------------------------


@publish(inplace=True, out=True)
def round(input, *, decimals=0):
    """The nearest integer, ties to even; with decimals the nearest multiple of 10**-decimals."""
    check_tensor("round", input)
    if not input.dtype.is_inexact:
        return OPS["clone"](input)
    if decimals == 0:
        return OPS["round_even"](input)
    scale = 10.0 ** abs(decimals)
    return OPS["round_even"](input * scale) / scale if decimals > 0 else OPS["round_even"](input / scale) * scale


@publish(out=True)
def float_power(input, exponent):
    """input ** exponent in float64, or in complex128 where one of them is complex."""
    check_one_tensor("float_power", input, exponent)
    sides = (input, exponent)
    if any(v.dtype.is_complex if isinstance(v, Tensor) else isinstance(v, complex) for v in sides):
        wide, number = DTYPES["complex128"], complex
    else:
        wide, number = DTYPES["float64"], float
    input, exponent = (cast(v, wide) if isinstance(v, Tensor) else number(v) for v in sides)
    return input**exponent


@publish(inplace=True, out=True)
def heaviside(input, values):
    """0 for negative values, 1 for positive ones, and `values` where the input is 0."""
    check_tensor("heaviside", input)
    check_tensor("heaviside", values)
    if input.dtype != values.dtype:
        raise RuntimeError(f"heaviside: expected operands of one dtype, got {input.dtype} and {values.dtype}.")
    return _where(input.eq(0), values, cast(input > 0, input.dtype))


@publish(inplace=True, out=True)
def logit(input, eps=None):
    """log(x / (1 - x)); with eps the input is limited to [eps, 1 - eps] first."""
    check_tensor("logit", input)
    if not input.dtype.is_inexact:
        input = cast(input, _core.get_default_dtype())
    if eps is not None:
        input = clamp(input, eps, 1 - eps)
    return (input / (1 - input)).log()


@publish(inplace=True, out=True)
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN and the infinities replaced: by `nan`, and by the dtype's largest and smallest values unless given."""
    check_tensor("nan_to_num", input)
    if input.dtype.is_complex:
        parts = nan_to_num(OPS["view_as_real"](input), nan, posinf, neginf)
        return OPS["view_as_complex"](parts)
    if not input.dtype.is_floating_point:
        return OPS["clone"](input)
    largest = _LARGEST[str(input.dtype).split(".")[-1]]
    nan = 0.0 if nan is None else nan
    posinf = largest if posinf is None else posinf
    neginf = -largest if neginf is None else neginf
    finite = _where(input.eq(math.inf), float(posinf), _where(input.eq(-math.inf), float(neginf), input))
    return _where(input.isnan(), float(nan), finite)


def _lerp_(self, end, weight):
    OPS["lerp"].check((self, end, weight))
    return _inplace(OPS["lerp"].entry, self, (end, weight), ())


_in_place("lerp_", _lerp_)


# ---- comparisons in place -------------------------------------------------------------------------------------------


def _compared(name, row):
    compare = OPS[row]

    def method(self, other):
        return write(name, self, compare(self, other))

    _in_place(name + "_", method)


for _name, _row in (
    ("eq", "eq"), ("ne", "ne"), ("lt", "lt"), ("le", "le"), ("gt", "gt"), ("ge", "ge"), ("not_equal", "ne"),
    ("less", "lt"), ("less_equal", "le"), ("greater", "gt"), ("greater_equal", "ge"),
):  # fmt: skip
    _compared(_name, _row)


# ---- comparisons as a whole -----------------------------------------------------------------------------------------


@publish()
def isclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether |input - other| <= atol + rtol * |other|, elementwise; equal infinities are close."""
    check_tensor("isclose", input)
    check_tensor("isclose", other)
    if input.dtype != other.dtype:
        raise RuntimeError(f"isclose: expected operands of one dtype, got {input.dtype} and {other.dtype}.")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: expected rtol and atol of at least 0, got {rtol} and {atol}.")
    input, other = input.detach(), other.detach()
    close = input.eq(other)
    if equal_nan and input.dtype.is_inexact:
        close = close | (input.isnan() & other.isnan())
    if input.dtype == _bool:
        return close
    if not input.dtype.is_inexact:
        input, other = cast(input, DTYPES["float64"]), cast(other, DTYPES["float64"])
    distance = (input - other).abs()
    return close | (distance.isfinite() & (distance <= atol + (rtol * other).abs()))


@publish()
def allclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all elements are close: |input - other| <= atol + rtol * |other|."""
    check_tensor("allclose", input)
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@publish()
def equal(input, other):
    """Whether two tensors have one shape and equal elements."""
    check_tensor("equal", input)
    check_tensor("equal", other)
    if tuple(input.shape) != tuple(other.shape):
        return False
    return bool(OPS["eq"](input, other).all())


@publish(out=True)
def isposinf(input):
    """Whether values are +infinity."""
    check_tensor("isposinf", input)
    return OPS["eq"](input, math.inf)


@publish(out=True)
def isneginf(input):
    """Whether values are -infinity."""
    check_tensor("isneginf", input)
    return OPS["eq"](input, -math.inf)


@publish(inplace=True, out=True)
def deg2rad(input):
    """Degrees in radians."""
    return check_tensor("deg2rad", input) * (math.pi / 180)


@publish(inplace=True, out=True)
def rad2deg(input):
    """Radians in degrees."""
    return check_tensor("rad2deg", input) * (180 / math.pi)


@publish(out=True)
def logaddexp2(input, other):
    """log2(2**input + 2**other) without overflow."""
    check_tensors("logaddexp2", input, other)
    scale = math.log(2)
    return OPS["logaddexp"](input * scale, other * scale) / scale


@publish(inplace=True, out=True)
def sinc(input):
    """sin(pi x) / (pi x), and 1 at 0."""
    check_tensor("sinc", input)
    zero = input.eq(0)
    angle = _where(zero, 1.0, input * math.pi)
    return _where(zero, 1.0, angle.sin() / angle)
