"""Activations with PyTorch's arguments. What needs no argument is the op itself."""

import wengert

from ._bind import OPS, inplace_method
from ._overload import cast, check_tensor, wrap_dim

_relu, _relu_in_place = OPS["relu"], inplace_method("relu")
_leaky_relu, _elu, _hardtanh, _where = OPS["leaky_relu"], OPS["elu"], OPS["hardtanh"], OPS["where"]
_softplus, _silu, _mish = OPS["softplus"], OPS["silu"], OPS["mish"]
_hardswish, _hardsigmoid = OPS["hardswish"], OPS["hardsigmoid"]
_gelu_erf, _gelu_tanh, _sigmoid, _tanh = OPS["gelu_erf"], OPS["gelu_tanh"], OPS["sigmoid"], OPS["tanh"]
_assign = inplace_method("assign")
_IN_PLACE = {
    name: inplace_method(name)
    for name in ("leaky_relu", "elu", "hardtanh", "silu", "mish", "hardswish", "hardsigmoid")
}
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

logsigmoid = OPS["logsigmoid"]
relu_ = _relu_in_place


def relu(input, inplace=False):
    """max(x, 0), elementwise, for tensors of any shape. The derivative at 0 is 0."""
    return _relu_in_place(input) if inplace else _relu(input)


def relu6(input, inplace=False):
    """x limited to [0, 6], elementwise."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x limited to [min_val, max_val], elementwise. The derivative at the bounds is 0.

    Raises ValueError where min_val is larger than max_val.
    """
    check_tensor("hardtanh", input)
    if min_val > max_val:
        raise ValueError(f"hardtanh: expected min_val <= max_val, got {min_val} and {max_val}.")
    if not input.dtype.is_floating_point:
        if int(min_val) < 0 and not input.dtype.is_signed:
            raise RuntimeError(f"hardtanh: expected bounds of at least 0 for {input.dtype}, got {min_val}.")
        limited = input.clamp(int(min_val), int(max_val))
        return _assign(input, limited) if inplace else limited
    if inplace:
        return _IN_PLACE["hardtanh"](input, min_val, max_val)
    return _hardtanh(input, min_val, max_val)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x where it is positive, negative_slope x elsewhere, elementwise.

    Example:
        >>> import wengert
        >>> wengert.nn.functional.leaky_relu(wengert.tensor([-1.0, 2.0]), 0.5)
        tensor([-0.5000,  2.0000])
    """
    check_tensor("leaky_relu", input)
    if inplace:
        return _IN_PLACE["leaky_relu"](input, negative_slope)
    return _leaky_relu(input, negative_slope)


def prelu(input, weight):
    """leaky_relu with a learned slope: a weight of one element, or of one for each channel (axis 1).

    Raises RuntimeError where the weight has another size.
    """
    check_tensor("prelu", input)
    if check_tensor("prelu", weight).numel() == 1:
        return _leaky_relu(input, weight.reshape(()))
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim != 1 or weight.shape[0] != channels:
        raise RuntimeError(
            f"prelu: expected a weight of 1 or {channels} elements, got shape {tuple(weight.shape)}."
        )
    return _leaky_relu(input, weight.reshape((channels,) + (1,) * max(input.ndim - 2, 0)))


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """leaky_relu whose slope is drawn for each element from [lower, upper] in training, and their mean
    otherwise.
    """
    if lower > upper:
        raise RuntimeError(f"rrelu: expected lower <= upper, got {lower} and {upper}.")
    slope = wengert.empty_like(input).uniform_(lower, upper) if training else (lower + upper) / 2
    return leaky_relu(input, slope, inplace)


def elu(input, alpha=1.0, inplace=False):
    """x where it is positive, alpha (exp(x) - 1) elsewhere, elementwise."""
    check_tensor("elu", input)
    return _IN_PLACE["elu"](input, alpha) if inplace else _elu(input, alpha)


def celu(input, alpha=1.0, inplace=False):
    """x where it is positive, alpha (exp(x / alpha) - 1) elsewhere, elementwise. Raises RuntimeError for alpha =
    0.
    """
    check_tensor("celu", input)
    if alpha == 0:
        raise RuntimeError("celu: expected alpha different from 0, got 0.")
    if inplace:
        return _assign(input, celu(input.clone(), alpha))
    return _elu(input, 1.0) if alpha == 1 else _where(input > 0, input, (input / alpha).expm1() * alpha)


def selu(input, inplace=False):
    """elu scaled so that mean 0 and variance 1 are kept (Klambauer et al. 2017, arXiv 1706.02515), elementwise."""
    check_tensor("selu", input)
    if inplace:
        return _assign(input, selu(input.clone()))
    return _elu(input, _SELU_ALPHA) * _SELU_SCALE


def gelu(input, approximate="none"):
    """x times the normal distribution function of x, elementwise; approximate='tanh' replaces the function by a
    tanh.
    """
    if approximate == "none":
        return _gelu_erf(input)
    if approximate == "tanh":
        return _gelu_tanh(input)
    raise RuntimeError(f"gelu: expected approximate 'none' or 'tanh', got {approximate!r}.")


def silu(input, inplace=False):
    """x sigmoid(x), elementwise."""
    if check_tensor("silu", input).dtype.is_complex:
        result = input * input.sigmoid()
        return _assign(input, result) if inplace else result
    return _IN_PLACE["silu"](input) if inplace else _silu(input)


def mish(input, inplace=False):
    """x tanh(softplus(x)), elementwise."""
    return _IN_PLACE["mish"](input) if inplace else _mish(input)


def hardswish(input, inplace=False):
    """x min(max(x + 3, 0), 6) / 6, elementwise."""
    return _IN_PLACE["hardswish"](input) if inplace else _hardswish(input)


def hardsigmoid(input, inplace=False):
    """min(max(x + 3, 0), 6) / 6, elementwise."""
    return _IN_PLACE["hardsigmoid"](input) if inplace else _hardsigmoid(input)


def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + exp(beta x)) / beta, elementwise, and x itself where beta x > threshold.

    The logarithm is computed without overflow, so in float32 the default threshold changes no value.
    """
    check_tensor("softplus", input)
    if beta == 1 and threshold >= 20 and input.dtype is wengert.float32:
        return _softplus(input)
    scaled = input * beta
    return _where(scaled > threshold, input, _softplus(scaled) / beta)


def softsign(input):
    """x / (1 + |x|), elementwise."""
    return input / (input.abs() + 1)


def tanhshrink(input):
    """x - tanh(x), elementwise."""
    return input - _tanh(input)


def softshrink(input, lambd=0.5):
    """x moved by lambd towards 0, and 0 where |x| <= lambd, elementwise. Raises RuntimeError for a negative
    lambd.
    """
    check_tensor("softshrink", input)
    if lambd < 0:
        raise RuntimeError(f"softshrink: expected lambd of at least 0, got {lambd}.")
    return _where(input > lambd, input - lambd, _where(input < -lambd, input + lambd, input * 0))


def hardshrink(input, lambd=0.5):
    """x where |x| > lambd, 0 elsewhere, elementwise."""
    check_tensor("hardshrink", input)
    return _where(input.abs() <= lambd, 0.0, input)


def threshold(input, threshold, value, inplace=False):
    """x where x > threshold, value elsewhere, elementwise. Integers get the value without its fraction."""
    check_tensor("threshold", input)
    result = cast(_where(input <= threshold, value, input), input.dtype)
    return _assign(input, result) if inplace else result


def glu(input, dim=-1):
    """The first half of a dimension times the sigmoid of the second. Raises RuntimeError where its size is odd."""
    check_tensor("glu", input)
    size = input.shape[wrap_dim("glu", dim, input.ndim)] if input.ndim else 1
    if input.ndim == 0 or size % 2:
        raise RuntimeError(f"glu: expected an even size of dimension {dim}, got shape {tuple(input.shape)}.")
    half = size // 2
    return input.narrow(dim, 0, half) * _sigmoid(input.narrow(dim, half, half))
