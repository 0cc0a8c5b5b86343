"""Special functions with PyTorch's overloads; wengert.special names them all."""

import math

import numpy as np

from . import _core
from ._bind import OPS
from ._overload import Publisher, cast, check_one_tensor, check_tensor, check_tensors
from ._spans import fitting, places

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods
_where, _isnan = OPS["where"], OPS["isnan"]


def _order(n, op):
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"{op}: expected an int n, got {type(n).__name__}.")
    if n < 0:
        raise RuntimeError(f"{op}: expected n of at least 0, got {n}.")
    return n


@publish(method=False, out=True)
def polygamma(n, input):
    """The n-th derivative of digamma, elementwise.

    Args:
        n: the order, an int of at least 0.
        input: a tensor.

    Example:
        >>> import wengert
        >>> wengert.polygamma(1, wengert.tensor([1.0, 0.5]))
        tensor([1.6449, 4.9348])
    """
    check_tensor("polygamma", input)
    return OPS["polygamma_at"](input, float(n)) if _order(n, "polygamma") else OPS["digamma"](input)


def _polygamma_of(self, n):
    """The n-th derivative of digamma, elementwise; see wengert.polygamma."""
    return polygamma(n, self)


publish.add("polygamma", _polygamma_of, function=False)
METHODS["polygamma_"] = lambda self, n: self.copy_(polygamma(n, self.clone()))
METHODS["polygamma_"].__doc__ = "In-place form of polygamma."


@publish(inplace=True, out=True)
def mvlgamma(input, p):
    """The logarithm of the multivariate gamma function of dimension p, elementwise; it is defined above (p - 1) / 2."""
    check_tensor("mvlgamma", input)
    if _order(p, "mvlgamma") == 0:
        raise RuntimeError("mvlgamma: expected p of at least 1, got 0.")
    x = input if input.dtype.is_floating_point else cast(input, _core.get_default_dtype())
    fitting("mvlgamma", x.numel() * p)
    terms = OPS["lgamma"](x.unsqueeze(-1) - places(np.arange(p) * 0.5, x.dtype))
    return terms.sum(-1) + p * (p - 1) / 4 * math.log(math.pi)


def _without_first_gradient(op, first):
    """PyTorch has no gradient for the first operand of these functions either."""
    if isinstance(first, Tensor) and first.requires_grad and _core.grad_enabled():
        raise NotImplementedError(f"{op}: expected a first operand without gradients, got one. Use .detach().")


def _incomplete(name, row, doc):
    def function(input, other):
        check_tensor(name, input)
        check_tensor(name, other)
        _without_first_gradient(name, input)
        return OPS[row](input, other)

    function.__name__, function.__doc__ = name, doc
    publish(inplace=True, out=True)(function)


_incomplete("igamma", "igamma", "The regularized lower incomplete gamma function P(input, other), elementwise.")
_incomplete("igammac", "igammac", "The regularized upper incomplete gamma function Q(input, other), elementwise.")


@publish(inplace=True, out=True)
def ldexp(input, other):
    """input times 2 to the power other, elementwise."""
    check_tensors("ldexp", input, other)
    power = cast(other, _core.get_default_dtype()) if not other.dtype.is_inexact else other
    return input * OPS["exp2"](power)


@publish()
def frexp(input, *, out=None):
    """Mantissa in [0.5, 1) with the sign, and exponent of int32: input = mantissa * 2^exponent; a pair.

    Example:
        >>> import wengert
        >>> mantissa, exponent = wengert.frexp(wengert.tensor([8.0, -0.75]))
        >>> mantissa, exponent
        (tensor([ 0.5000, -0.7500]), tensor([4, 0], dtype=wengert.int32))
    """
    import numpy as np

    if not check_tensor("frexp", input).dtype.is_floating_point:
        raise RuntimeError(f"frexp: expected a floating tensor, got {input.dtype}.")
    values = input.detach()
    exponents = np.frexp((values if values.dtype.itemsize > 2 else values.float()).numpy())[1]
    exponent = _core.from_memory(np.asarray(exponents, np.int32))
    half = cast(exponent // 2, input.dtype)
    # Two steps: one power of two may be out of range.
    mantissa = input * OPS["exp2"](-half) * OPS["exp2"](half - cast(exponent, input.dtype))
    result = mantissa, exponent
    return result if out is None else tuple(o.copy_(r) for o, r in zip(out, result, strict=True))


# ---- of wengert.special alone ---------------------------------------------------------------------------------------


def ndtr(input, *, out=None):
    """The distribution function of the standard normal distribution, elementwise."""
    return OPS["mul"](OPS["erfc"](input * -math.sqrt(0.5)), 0.5, out=out)


def entr(input, *, out=None):
    """-x log(x), elementwise: 0 at 0, -inf below."""
    check_tensor("entr", input)
    x = input if input.dtype.is_inexact else cast(input, _core.get_default_dtype())
    result = _where(x < 0, -math.inf, -OPS["xlogy"](x, x))
    return result if out is None else out.copy_(result)


def xlog1py(input, other, *, out=None):
    """input * log1p(other), elementwise, and 0 where input is 0 and other is a number."""
    check_one_tensor("xlog1py", input, other)
    if not isinstance(other, Tensor):
        other = _core.full((), float(other), input.dtype if input.dtype.is_inexact else _core.get_default_dtype())
    log = OPS["log1p"](other)
    if isinstance(input, Tensor):
        result = _where((input == 0) & ~_isnan(other), 0.0, input * log)
    else:
        result = log * 0.0 if input == 0 else log * float(input)
    return result if out is None else out.copy_(result)


def zeta(input, other, *, out=None):
    """The Hurwitz zeta function, the sum of (other + k)^-input over k = 0, 1, ..., elementwise."""
    check_one_tensor("zeta", input, other)
    _without_first_gradient("zeta", input)
    return OPS["zeta"](input, other, out=out)


def spherical_bessel_j0(input, *, out=None):
    """sin(x) / x, elementwise, and 1 at 0."""
    check_tensor("spherical_bessel_j0", input)
    safe = _where(input == 0, 1.0, input)
    result = _where(input == 0, 1.0, OPS["sin"](safe) / safe)
    return result if out is None else out.copy_(result)
