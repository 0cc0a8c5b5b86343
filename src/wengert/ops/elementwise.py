"""Elementwise rows: arithmetic, comparisons, elementary functions.

Conventions at kinks: the derivative of relu, abs and clamp at a kink is 0, of clamp at its bounds 1, ties of maximum
and minimum split the gradient in half (docs/numerics.md). Rows whose local derivative can be infinite at a finite
input multiply with `zmul`: a gradient of exactly 0 stays 0.
"""

import math

from ._def import binary, op, real, unary

# ---- arithmetic ---------------------------------------------------------------------------------------------------


@binary(slot="add", ref="add", inplace=True, numbers="alone")
def add(g, a, b, y):
    """Sum of two tensors or a tensor and a number, elementwise with broadcasting.

    Example:
        >>> import wengert
        >>> wengert.tensor([1.0, 2.0]) + 1
        tensor([2., 3.])
    """
    return g, g


@binary(slot="sub", ref="subtract", inplace=True, numbers="alone")
def sub(g, a, b, y):
    """Difference, elementwise with broadcasting."""
    return g, -g


@binary(slot="mul", ref="multiply", inplace=True, numbers="alone")
def mul(g, a, b, y):
    """Product, elementwise with broadcasting."""
    return g * b, g * a


@binary(
    slot="truediv",
    ref="divide",
    flags="float_result",
    inplace=True,
    domain=(0.5, 2.0),
    core_name="div",
    numbers="alone",
)
def div(g, a, b, y):
    """Quotient, elementwise with broadcasting; integers give the default floating dtype."""
    return g.zdiv(b), -g.zmul(y).zdiv(b)


@binary(kernel="zmul", public=False)
def zmul(g, a, b, y):
    """a * b, but 0 where a is exactly 0, whatever b is: the product of gradient rules that must not make 0 * inf."""
    return g.zmul(b), g.equals(0).where(0, a.zmul(g))


@binary(kernel="zdiv", public=False, domain=(0.5, 2.0))
def zdiv(g, a, b, y):
    """a / b, but 0 where a is exactly 0, whatever b is."""
    return g.zdiv(b), -g.equals(0).where(0, y.zmul(g)).zdiv(b)


@binary(slot="floordiv", flags="divides", ref="floor_divide", differentiable=False, inplace=True, numbers="alone")
def floor_divide(g, a, b, y):
    """The largest whole number not above the quotient, elementwise."""


@binary(slot="mod", flags="divides", ref="remainder", inplace=True, domain=(0.5, 2.0))
def remainder(g, a, b, y):
    """Remainder with the sign of the divisor, elementwise. Its gradient for the divisor is -floor(a / b)."""
    return g, -g * a.floor_divide(b)


@binary(ref="fmod", flags="divides", inplace=True, domain=(0.5, 2.0), numbers="other")
def fmod(g, a, b, y):
    """Remainder with the sign of the dividend, elementwise."""
    return g, -g * (a / b).trunc()


@binary(slot="pow", args=("input", "exponent"), ref="power", public=False, inplace=True, domain=(0.5, 2.0))
def pow(g, a, b, y):
    """a to the power b, elementwise with broadcasting.

    The gradients are b a^(b-1) and a^b log(a); where b is 0 the first is 0, and where a is 0 and b is not negative the
    second is 0.
    """
    ga = b.equals(0).where(0, g.zmul(b * a ** (b - 1)))
    gb = (a.equals(0) * y.isfinite()).where(0, g.zmul(y * a.log()))  # finite at 0: b is not negative
    return ga, gb


@op("pow_scalar", slot="pow_number", public=False, inplace=True, domain=(0.5, 2.0), grad_name="PowBackward0")
def pow_scalar(g, x, y, *, exponent: real):
    """A floating tensor to the power of a number, elementwise."""
    if exponent == 2:
        return g * (2 * x)
    if exponent == 3:
        return g * (3 * x * x)
    if exponent == 0.5:
        return g.zdiv(y) * 0.5
    if exponent == 1:
        return g
    if exponent == 0:
        return g * 0.0
    return g.zmul(x ** (exponent - 1) * exponent)


@unary(slot="neg", ref="negative", inplace=True, linear=True)
def neg(g, x, y):
    """The negative, elementwise."""
    return -g


@unary(slot="abs", ref="absolute", flags="conjugates", inplace=True, kinks=(0.0,), grad_name="AbsBackward0")
def abs(g, x, y):
    """The absolute value, elementwise. The derivative at 0 is 0."""
    return g * x.sgn()


@unary(ref="sign", inplace=True)
def sign(g, x, y):
    """-1, 0 or 1 by the sign, elementwise. The gradient is 0."""
    return g * 0.0


@unary(ref="square", inplace=True)
def square(g, x, y):
    """The square, elementwise."""
    return g * (2 * x)


@unary(ref="reciprocal", flags="float_result", inplace=True, domain=(0.5, 2.0))
def reciprocal(g, x, y):
    """1 / x, elementwise."""
    return -g.zdiv(x * x)


# ---- comparisons and logic -----------------------------------------------------------------------------------------


@binary(slot="eq", ref="equal", differentiable=False, numbers="other")
def eq(g, a, b, y):
    """Where the operands are equal, as bool."""


@binary(slot="ne", ref="not_equal", differentiable=False, numbers="other")
def ne(g, a, b, y):
    """Where the operands differ, as bool."""


@binary(slot="lt", ref="less", differentiable=False, numbers="other")
def lt(g, a, b, y):
    """Where the first operand is smaller, as bool."""


@binary(slot="le", ref="less_equal", differentiable=False, numbers="other")
def le(g, a, b, y):
    """Where the first operand is not larger, as bool."""


@binary(slot="gt", ref="greater", differentiable=False, numbers="other")
def gt(g, a, b, y):
    """Where the first operand is larger, as bool."""


@binary(slot="ge", ref="greater_equal", differentiable=False, numbers="other")
def ge(g, a, b, y):
    """Where the first operand is not smaller, as bool."""


@binary(ref="logical_and", differentiable=False, numbers="")
def logical_and(g, a, b, y):
    """Where both operands are not zero, as bool."""


@binary(ref="logical_or", differentiable=False, numbers="")
def logical_or(g, a, b, y):
    """Where either operand is not zero, as bool."""


@binary(ref="logical_xor", differentiable=False, numbers="")
def logical_xor(g, a, b, y):
    """Where exactly one operand is not zero, as bool."""


@unary(ref="logical_not", differentiable=False)
def logical_not(g, x, y):
    """Where the operand is zero, as bool."""


@binary(slot="and", ref="bitwise_and", differentiable=False, inplace=True)
def bitwise_and(g, a, b, y):
    """Bitwise and of integers, logical and of bools."""


@binary(slot="or", ref="bitwise_or", differentiable=False, inplace=True)
def bitwise_or(g, a, b, y):
    """Bitwise or of integers, logical or of bools."""


@binary(slot="xor", ref="bitwise_xor", differentiable=False, inplace=True)
def bitwise_xor(g, a, b, y):
    """Bitwise exclusive or of integers, logical of bools."""


@binary(slot="lshift", ref="left_shift", differentiable=False, inplace=True)
def bitwise_left_shift(g, a, b, y):
    """Bits of an integer shifted to the left."""


@binary(slot="rshift", ref="right_shift", differentiable=False, inplace=True)
def bitwise_right_shift(g, a, b, y):
    """Bits of an integer shifted to the right, the sign kept."""


@unary(slot="invert", ref="invert", differentiable=False, inplace=True)
def bitwise_not(g, x, y):
    """Bits of an integer inverted; logical not of bools."""


@unary(ref="isnan", differentiable=False)
def isnan(g, x, y):
    """Where the value is not a number, as bool."""


@unary(ref="isinf", differentiable=False)
def isinf(g, x, y):
    """Where the value is infinite, as bool."""


@unary(ref="isfinite", differentiable=False)
def isfinite(g, x, y):
    """Where the value is neither infinite nor NaN, as bool."""


@unary(ref="signbit", differentiable=False)
def signbit(g, x, y):
    """Where the sign bit is set, as bool."""


# ---- rounding ------------------------------------------------------------------------------------------------------


@unary(ref="floor", inplace=True)
def floor(g, x, y):
    """The largest whole number not above, elementwise. The gradient is 0."""
    return g * 0.0


@unary(ref="ceil", inplace=True)
def ceil(g, x, y):
    """The smallest whole number not below, elementwise. The gradient is 0."""
    return g * 0.0


@unary(ref="trunc", inplace=True)
def trunc(g, x, y):
    """The whole part, elementwise. The gradient is 0."""
    return g * 0.0


@unary(kernel="round", ref="round", inplace=True, public=False)
def round_even(g, x, y):
    """The nearest whole number, ties to even, elementwise. The gradient is 0."""
    return g * 0.0


@unary(inplace=True, ref=lambda np, x: x - np.trunc(x))
def frac(g, x, y):
    """The part after the point, with the sign of the value."""
    return g


# ---- powers, exponentials, logarithms -------------------------------------------------------------------------------


@unary(ref="sqrt", flags="float_result", inplace=True, domain=(0.25, 4.0))
def sqrt(g, x, y):
    """The square root, elementwise; NaN below 0. Its derivative at 0 is infinite."""
    return g.zdiv(y) * 0.5


@unary(ref=lambda np, x: 1 / np.sqrt(x), flags="float_result", inplace=True, domain=(0.25, 4.0))
def rsqrt(g, x, y):
    """1 / sqrt(x), elementwise."""
    return g.zdiv(x * x.sqrt()) * -0.5


@unary(ref="exp", flags="float_result", inplace=True)
def exp(g, x, y):
    """e to the power x, elementwise."""
    return g.zmul(y)


@unary(ref="exp2", flags="float_result", inplace=True)
def exp2(g, x, y):
    """2 to the power x, elementwise."""
    return g.zmul(y) * math.log(2.0)


@unary(ref="expm1", flags="float_result", inplace=True)
def expm1(g, x, y):
    """exp(x) - 1, exact near 0, elementwise."""
    return g.zmul(y + 1)


@unary(ref="log", flags="float_result", inplace=True, domain=(0.25, 4.0))
def log(g, x, y):
    """The natural logarithm, elementwise; -inf at 0, NaN below."""
    return g.zdiv(x)


@unary(ref="log2", flags="float_result", inplace=True, domain=(0.25, 4.0))
def log2(g, x, y):
    """The logarithm to base 2, elementwise."""
    return g.zdiv(x * math.log(2.0))


@unary(ref="log10", flags="float_result", inplace=True, domain=(0.25, 4.0))
def log10(g, x, y):
    """The logarithm to base 10, elementwise."""
    return g.zdiv(x * math.log(10.0))


@unary(ref="log1p", flags="float_result", inplace=True, domain=(-0.5, 2.0))
def log1p(g, x, y):
    """log(1 + x), exact near 0, elementwise."""
    return g.zdiv(x + 1)


# ---- trigonometric and hyperbolic -----------------------------------------------------------------------------------


@unary(ref="sin", flags="float_result", inplace=True)
def sin(g, x, y):
    """Sine of an angle in radians, elementwise; large arguments are reduced exactly."""
    return g * x.cos()


@unary(ref="cos", flags="float_result", inplace=True)
def cos(g, x, y):
    """Cosine of an angle in radians, elementwise; large arguments are reduced exactly."""
    return -g * x.sin()


@unary(ref="tan", flags="float_result", inplace=True, domain=(-1.0, 1.0))
def tan(g, x, y):
    """Tangent of an angle in radians, elementwise."""
    return g * (1 + y * y)


@unary(ref="arcsin", flags="float_result", inplace=True, domain=(-0.9, 0.9))
def asin(g, x, y):
    """Inverse sine in radians, elementwise; NaN outside [-1, 1]."""
    return g.zmul((1 - x * x).rsqrt())


@unary(ref="arccos", flags="float_result", inplace=True, domain=(-0.9, 0.9))
def acos(g, x, y):
    """Inverse cosine in radians, elementwise; NaN outside [-1, 1]."""
    return -g.zmul((1 - x * x).rsqrt())


@unary(ref="arctan", flags="float_result", inplace=True)
def atan(g, x, y):
    """Inverse tangent in radians, elementwise."""
    return g / (1 + x * x)


@unary(ref="sinh", flags="float_result", inplace=True)
def sinh(g, x, y):
    """Hyperbolic sine, elementwise."""
    return g.zmul(x.cosh())


@unary(ref="cosh", flags="float_result", inplace=True)
def cosh(g, x, y):
    """Hyperbolic cosine, elementwise."""
    return g.zmul(x.sinh())


@unary(ref="tanh", flags="float_result", inplace=True, domain=(-4.0, 4.0))
def tanh(g, x, y):
    """Hyperbolic tangent, elementwise.

    Example:
        >>> import wengert
        >>> wengert.tanh(wengert.tensor([0.0]))
        tensor([0.])
    """
    return g * (1 - y * y)


@unary(ref="arcsinh", flags="float_result", inplace=True)
def asinh(g, x, y):
    """Inverse hyperbolic sine, elementwise."""
    return g * (1 + x * x).rsqrt()


@unary(ref="arccosh", flags="float_result", inplace=True, domain=(1.2, 4.0))
def acosh(g, x, y):
    """Inverse hyperbolic cosine, elementwise; NaN below 1."""
    return g.zmul((x - 1).rsqrt() * (x + 1).rsqrt())  # two roots: of complex numbers one has another branch


@unary(ref="arctanh", flags="float_result", inplace=True, domain=(-0.9, 0.9))
def atanh(g, x, y):
    """Inverse hyperbolic tangent, elementwise; NaN outside [-1, 1]."""
    return g.zdiv(1 - x * x)


@binary(ref="arctan2", flags="float_result", inplace=True, domain=(0.5, 2.0), numbers="")
def atan2(g, a, b, y):
    """The angle of the point (b, a) in radians, elementwise."""
    scale = a * a + b * b
    return g.zmul(b / scale), g.zmul(-a / scale)


@binary(ref="hypot", inplace=True, domain=(0.5, 2.0), numbers="")
def hypot(g, a, b, y):
    """sqrt(a^2 + b^2) without overflow on the way, elementwise."""
    return g.zmul(a.zdiv(y)), g.zmul(b.zdiv(y))


# ---- two operands, selection ----------------------------------------------------------------------------------------


@binary(ref="maximum", kinks=("tie",), numbers="")
def maximum(g, a, b, y):
    """The larger of two values, elementwise; NaN propagates. A tie splits the gradient in half."""
    half = a.equals(b).where(g * 0.5, g)
    return (a >= b).where(half, 0), (b >= a).where(half, 0)


@binary(ref="minimum", kinks=("tie",), numbers="")
def minimum(g, a, b, y):
    """The smaller of two values, elementwise; NaN propagates. A tie splits the gradient in half."""
    half = a.equals(b).where(g * 0.5, g)
    return (a <= b).where(half, 0), (b <= a).where(half, 0)


@binary(ref="fmax", kinks=("tie",), numbers="")
def fmax(g, a, b, y):
    """The larger of two values, elementwise; a number wins over NaN."""
    first = (a >= b).logical_or(b.isnan())
    return first.where(g, 0), first.where(0, g)


@binary(ref="fmin", kinks=("tie",), numbers="")
def fmin(g, a, b, y):
    """The smaller of two values, elementwise; a number wins over NaN."""
    first = (a <= b).logical_or(b.isnan())
    return first.where(g, 0), first.where(0, g)


@binary(ref="copysign", flags="float_result", inplace=True, numbers="other")
def copysign(g, a, b, y):
    """The size of the first operand with the sign of the second, elementwise."""
    return a.equals(0).where(0, g * (y / a)), g * 0.0


@binary(ref="nextafter", differentiable=False, inplace=True, numbers="")
def nextafter(g, a, b, y):
    """The next representable value after the first operand towards the second."""


@binary(ref="logaddexp", numbers="")
def logaddexp(g, a, b, y):
    """log(exp(a) + exp(b)) without overflow, elementwise."""
    return g * (a - b).sigmoid(), g * (b - a).sigmoid()


@binary(inplace=True, flags="float_result", domain=(0.5, 2.0), ref=lambda np, a, b: a * np.log(b))
def xlogy(g, a, b, y):
    """a log(b), and 0 where a is 0, elementwise."""
    return (a.equals(0) * (b <= 0)).where(0, g.zmul(b.log())), g.zmul(a.zdiv(b))


@op(
    "elementwise",
    flags="elementwise",
    args=("condition", "input", "other"),
    ref=lambda np, c, a, b: np.where(c, a, b),
)
def where(g, c, a, b, y):
    """a where the condition holds, b elsewhere, elementwise with broadcasting. The condition is bool.

    Example:
        >>> import wengert
        >>> x = wengert.tensor([-1.0, 4.0])
        >>> wengert.where(x > 0, x.sqrt(), x)
        tensor([-1.,  2.])
    """
    return None, c.where(g, 0), c.where(0, g)


@op("elementwise", kernel="clamp", flags="elementwise", args=("input", "min", "max"), public=False, kinks=("tie",))
def clamp3(g, x, lo, hi, y):
    """x limited to [lo, hi], elementwise. The derivative at a bound is 1; where lo > hi the result is hi."""
    inside = (x >= lo).logical_and(x <= hi)
    low = (x < lo).logical_and(lo < hi)
    high = (x > hi).logical_or(hi < lo)
    return inside.where(g, 0), low.where(g, 0), high.where(g, 0)


@op("elementwise", flags="elementwise", public=False, shown="add")
def add_scaled(g, a, b, c, y):
    """a + b c, elementwise; the product is rounded."""
    return g, g * c, g * b


@op("elementwise", flags="elementwise", args=("input", "end", "weight"), inplace=True, numbers="weight")
def lerp(g, a, b, w, y):
    """a + w (b - a), elementwise."""
    return g * (1 - w), g * w, g * (b - a)
