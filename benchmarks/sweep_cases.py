"""Cases of the sweep that compute: elementwise ops, reductions, losses, layers, products.

Each prepares operands of a size and returns the step to time.
"""

from __future__ import annotations

import functools

from .harness import Step
from .sweep_data import CASES, Data, case, with_grad


def _unary(name: str, low: float = -2.0) -> None:
    CASES[name] = lambda d: functools.partial(getattr(d.m, name), d.new(low=low))


def _binary(name: str) -> None:
    CASES[name] = lambda d: functools.partial(getattr(d.m, name), d.new(), d.new(low=0.5))


def _reduced(name: str, dim: int | None) -> None:
    where = "" if dim is None else f" dim {dim}"
    arguments = {} if dim is None else {"dim": dim}
    CASES[name + where] = lambda d: functools.partial(getattr(d.m, name), d.new(), **arguments)


for _name in ("exp", "tanh", "sigmoid", "relu", "neg", "abs", "sin", "erf", "floor", "square", "isnan"):
    _unary(_name)
for _name in ("log", "sqrt", "rsqrt"):
    _unary(_name, 0.1)
for _name in ("add", "mul", "div", "maximum", "lt", "eq"):
    _binary(_name)
CASES["pow"] = lambda d: functools.partial(d.m.pow, d.new(low=0.1), d.new())
for _name in ("sum", "mean", "amax", "argmax", "prod", "var", "logsumexp", "norm"):
    for _dim in (None, 0, 1):
        if not (_name == "logsumexp" and _dim is None):
            _reduced(_name, _dim)
for _name in ("max", "min", "all", "any", "std"):
    _reduced(_name, None)
for _name in ("max", "min", "median"):
    CASES[f"{_name} dim 1"] = lambda d, name=_name: functools.partial(lambda x: getattr(x, name)(1)[0], d.new())


@case
def _add_row(d: Data) -> Step:
    x, row = d.new(), d.new(d.side)
    return lambda: x + row


@case
def _add_column(d: Data) -> Step:
    x, column = d.new(), d.new(d.side, 1)
    return lambda: x + column


@case
def _add_in_place(d: Data) -> Step:
    x, y = d.new(), d.new(low=0, high=1e-9)
    return lambda: x.add_(y)


@case
def _add_in_place_alpha(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: x.add_(y, alpha=1e-9)


@case
def _scalar_mul(d: Data) -> Step:
    x = d.new()
    return lambda: x * 2.5


@case
def _pow_2(d: Data) -> Step:
    x = d.new()
    return lambda: x**2


@case
def _clamp(d: Data) -> Step:
    x = d.new()
    return lambda: x.clamp(-1.0, 1.0)


@case
def _where(d: Data) -> Step:
    c, x, y = d.new() > 0, d.new(), d.new()
    return lambda: d.m.where(c, x, y)


@case
def _masked_fill(d: Data) -> Step:
    c, x = d.new() > 0, d.new()
    return lambda: x.masked_fill(c, 0.5)


@case
def _masked_select(d: Data) -> Step:
    c, x = d.new() > 0, d.new()
    return lambda: x[c]


@case
def _nonzero(d: Data) -> Step:
    c = d.new() > 0
    return lambda: c.nonzero()


@case
def _lerp(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.lerp(x, y, 0.3)


@case
def _addcmul(d: Data) -> Step:
    x, y, z = d.new(), d.new(), d.new()
    return lambda: d.m.addcmul(x, y, z, value=0.5)


@case
def _to_float64(d: Data) -> Step:
    x = d.new()
    return lambda: x.to(d.m.float64)


@case
def _to_int64(d: Data) -> Step:
    x = d.new()
    return lambda: x.to(d.m.int64)


@case
def _int64_add(d: Data) -> Step:
    x, y = d.whole(100), d.whole(100)
    return lambda: x + y


@case
def _float64_exp(d: Data) -> Step:
    x = d.new(dtype="float64")
    return lambda: x.exp()


@case
def _softmax(d: Data) -> Step:
    x = d.new()
    return lambda: d.m.softmax(x, -1)


@case
def _softmax_64(d: Data) -> Step:
    x = d.new(max(d.n // 64, 1), 64)
    return lambda: d.m.softmax(x, -1)


@case
def _softmax_dim_0(d: Data) -> Step:
    x = d.new()
    return lambda: d.m.softmax(x, 0)


@case
def _log_softmax(d: Data) -> Step:
    x = d.new()
    return lambda: d.m.log_softmax(x, -1)


@case
def _log_softmax_64__grad(d: Data) -> Step:
    x = d.new(max(d.n // 64, 1), 64, grad=True)
    return with_grad(d, [x], lambda: d.m.log_softmax(x, -1))


@case
def _cross_entropy__grad(d: Data) -> Step:
    x, y = d.new(max(d.n // 10, 1), 10, grad=True), d.whole(10, max(d.n // 10, 1))
    return with_grad(d, [x], lambda: d.m.nn.functional.cross_entropy(x, y))


@case
def _mse_loss__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new()
    return with_grad(d, [x], lambda: d.m.nn.functional.mse_loss(x, y))


@case
def _bce_with_logits__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new(low=0, high=1)
    return with_grad(d, [x], lambda: d.m.nn.functional.binary_cross_entropy_with_logits(x, y))


@case
def _layer_norm__grad(d: Data) -> Step:
    x, w, b = d.new(grad=True), d.new(d.side, grad=True), d.new(d.side, grad=True)
    return with_grad(d, [x, w, b], lambda: d.m.nn.functional.layer_norm(x, (d.side,), w, b))


@case
def _batch_norm__grad(d: Data) -> Step:
    channels = 4 if d.n < 1000 else 16
    width = max(round((d.n / channels / 4) ** 0.5), 1)
    x, w, b = d.new(4, channels, width, width, grad=True), d.new(channels, grad=True), d.new(channels, grad=True)
    return with_grad(d, [x, w, b], lambda: d.m.nn.functional.batch_norm(x, None, None, w, b, True))


@case
def _group_norm__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 1)
    x, w, b = d.new(4, 8, width, width, grad=True), d.new(8, grad=True), d.new(8, grad=True)
    return with_grad(d, [x, w, b], lambda: d.m.nn.functional.group_norm(x, 4, w, b))


@case
def _gelu__grad(d: Data) -> Step:
    x = d.new(grad=True)
    return with_grad(d, [x], lambda: d.m.nn.functional.gelu(x))


@case
def _relu__grad(d: Data) -> Step:
    x = d.new(grad=True)
    return with_grad(d, [x], lambda: d.m.relu(x))


@case
def _silu__grad(d: Data) -> Step:
    x = d.new(grad=True)
    return with_grad(d, [x], lambda: d.m.nn.functional.silu(x))


@case
def _softplus(d: Data) -> Step:
    x = d.new()
    return lambda: d.m.nn.functional.softplus(x)


@case
def _leaky_relu(d: Data) -> Step:
    x = d.new()
    return lambda: d.m.nn.functional.leaky_relu(x, 0.1)


@case
def _mul_sum__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new(grad=True)
    return with_grad(d, [x, y], lambda: (x * y).sum())


@case
def _linear__grad(d: Data) -> Step:
    side = min(d.side, 256)
    x, w, b = d.new(side, side, grad=True), d.new(side, side, grad=True), d.new(side, grad=True)
    return with_grad(d, [x, w, b], lambda: d.m.nn.functional.linear(x, w, b))


@case
def _matmul(d: Data) -> Step:
    side = min(d.side, 400)
    x, y = d.new(side, side), d.new(side, side)
    return lambda: x @ y


@case
def _matrix_vector(d: Data) -> Step:
    x, y = d.new(), d.new(d.side)
    return lambda: x @ y


@case
def _matrix_vector_4k(d: Data) -> Step:
    x, y = d.new(max(d.n // 1024, 1), 1024), d.new(1024)
    return lambda: x @ y


@case
def _dot(d: Data) -> Step:
    x, y = d.new(d.n), d.new(d.n)
    return lambda: d.m.dot(x, y)


@case
def _outer(d: Data) -> Step:
    x, y = d.new(d.side), d.new(d.side)
    return lambda: d.m.outer(x, y)


@case
def _bmm_8(d: Data) -> Step:
    count = max(d.n // 64, 1)
    x, y = d.new(count, 8, 8), d.new(count, 8, 8)
    return lambda: d.m.bmm(x, y)


@case
def _bmm_32(d: Data) -> Step:
    count = max(d.n // 1024, 1)
    x, y = d.new(count, 32, 32), d.new(count, 32, 32)
    return lambda: d.m.bmm(x, y)


@case
def _einsum(d: Data) -> Step:
    count = max(d.n // 256, 1)
    x, y = d.new(count, 16, 16), d.new(count, 16, 16)
    return lambda: d.m.einsum("bij,bkj->bik", x, y)


@case
def _conv2d_3x3__grad(d: Data) -> Step:
    count, width = {100: (1, 5), 10_000: (4, 12), 1_000_000: (16, 32)}.get(d.n, (1, 8))
    x, w = d.new(count, 16, width, width, grad=True), d.new(32, 16, 3, 3, grad=True)
    return with_grad(d, [x, w], lambda: d.m.nn.functional.conv2d(x, w, padding=1))


@case
def _conv2d_1x1(d: Data) -> Step:
    width = max(round((d.n / 128) ** 0.5), 1)
    x, w = d.new(4, 32, width, width), d.new(32, 32, 1, 1)
    return lambda: d.m.nn.functional.conv2d(x, w)


@case
def _conv2d_depthwise(d: Data) -> Step:
    width = max(round((d.n / 128) ** 0.5), 3)
    x, w = d.new(4, 32, width, width), d.new(32, 1, 3, 3)
    return lambda: d.m.nn.functional.conv2d(x, w, padding=1, groups=32)


@case
def _conv1d(d: Data) -> Step:
    x, w = d.new(4, 8, max(d.n // 32, 3)), d.new(16, 8, 3)
    return lambda: d.m.nn.functional.conv1d(x, w, padding=1)


@case
def _max_pool2d__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5) // 2 * 2, 2)
    x = d.new(4, 8, width, width, grad=True)
    return with_grad(d, [x], lambda: d.m.nn.functional.max_pool2d(x, 2))


@case
def _avg_pool2d__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5) // 2 * 2, 2)
    x = d.new(4, 8, width, width, grad=True)
    return with_grad(d, [x], lambda: d.m.nn.functional.avg_pool2d(x, 2))


@case
def _interpolate_nearest(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 2)
    x = d.new(4, 8, width, width)
    return lambda: d.m.nn.functional.interpolate(x, scale_factor=2, mode="nearest")


@case
def _interpolate_bilinear(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 2)
    x = d.new(4, 8, width, width)
    return lambda: d.m.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
