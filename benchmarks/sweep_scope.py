"""Cases of the sweep for the names that training code uses and that have none elsewhere, forwards and with gradients.

Tables: a function of a library and one or two tensors, and the interval of their elements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .harness import Step
from .sweep_data import CASES, Data, case, unchecked, with_grad

# name -> (function of the library and a matrix, the least and the greatest element, whether it has a gradient)
ONE: dict[str, tuple[Callable[[Any, Any], Any], float, float, bool]] = {
    "view": (lambda m, x: x.view(-1), -2, 2, True),
    "getitem_row": (lambda m, x: x[1], -2, 2, True),
    "getitem_slice": (lambda m, x: x[1:, ::2], -2, 2, True),
    "unsqueeze": (lambda m, x: x.unsqueeze(1), -2, 2, True),
    "transpose": (lambda m, x: x.transpose(0, 1), -2, 2, True),
    "expand": (lambda m, x: x.unsqueeze(0).expand(3, -1, -1), -2, 2, True),
    "chunk": (lambda m, x: x.chunk(2)[0], -2, 2, True),
    "unbind": (lambda m, x: x.view(2, -1).unbind(0)[0], -2, 2, True),
    "tile": (lambda m, x: x.tile(2, 2), -2, 2, True),
    "flatten": (lambda m, x: x.flatten(), -2, 2, True),
    "diag": (lambda m, x: x.diag(), -2, 2, True),
    "trace": (lambda m, x: x.trace(), -2, 2, True),
    "triu": (lambda m, x: x.triu(), -2, 2, True),
    "clone": (lambda m, x: x.clone(), -2, 2, True),
    "neg": (lambda m, x: -x, -2, 2, True),
    "abs": (lambda m, x: x.abs(), -2, 2, True),
    "exp": (lambda m, x: x.exp(), -2, 2, True),
    "exp2": (lambda m, x: x.exp2(), -2, 2, True),
    "log": (lambda m, x: x.log(), 0.1, 2, True),
    "log1p": (lambda m, x: x.log1p(), -0.5, 2, True),
    "sqrt": (lambda m, x: x.sqrt(), 0.1, 2, True),
    "rsqrt": (lambda m, x: x.rsqrt(), 0.1, 2, True),
    "reciprocal": (lambda m, x: x.reciprocal(), 0.1, 2, True),
    "square": (lambda m, x: x.square(), -2, 2, True),
    "pow_2": (lambda m, x: x**2, -2, 2, True),
    "pow_3": (lambda m, x: x**3, -2, 2, True),
    "pow_half": (lambda m, x: x**0.5, 0.1, 2, True),
    "pow_1.7": (lambda m, x: x**1.7, 0.1, 2, True),
    "number_pow": (lambda m, x: 2.0**x, -2, 2, True),
    "add_number": (lambda m, x: x + 1.5, -2, 2, True),
    "div_number": (lambda m, x: x / 1.5, -2, 2, True),
    "number_sub": (lambda m, x: 1.0 - x, -2, 2, True),
    "number_div": (lambda m, x: 1.0 / x, 0.1, 2, True),
    "sin": (lambda m, x: x.sin(), -2, 2, True),
    "cos": (lambda m, x: x.cos(), -2, 2, True),
    "tan": (lambda m, x: x.tan(), -1, 1, True),
    "asin": (lambda m, x: x.asin(), -0.9, 0.9, True),
    "acos": (lambda m, x: x.acos(), -0.9, 0.9, True),
    "atan": (lambda m, x: x.atan(), -2, 2, True),
    "erf": (lambda m, x: x.erf(), -2, 2, True),
    "erfinv": (lambda m, x: x.erfinv(), -0.9, 0.9, True),
    "lgamma": (lambda m, x: x.lgamma(), 0.1, 4, False),
    "digamma": (lambda m, x: x.digamma(), 0.1, 4, False),
    "sign": (lambda m, x: x.sign(), -2, 2, False),
    "ceil": (lambda m, x: x.ceil(), -2, 2, False),
    "round": (lambda m, x: x.round(), -2, 2, False),
    "isfinite": (lambda m, x: x.isfinite(), -2, 2, False),
    "clamp": (lambda m, x: x.clamp(-1, 1), -2, 2, True),
    "clamp_min": (lambda m, x: x.clamp(min=0.1), -2, 2, True),
    "masked_fill": (lambda m, x: x.masked_fill(x > 0, 0.5), -2, 2, True),
    "where": (lambda m, x: m.where(x > 0, x, 0.0), -2, 2, True),
    "gt_number": (lambda m, x: x > 0.5, -2, 2, False),
    "sum": (lambda m, x: x.sum(), -2, 2, True),
    "sum dim 0": (lambda m, x: x.sum(0), -2, 2, True),
    "sum dim 1": (lambda m, x: x.sum(1), -2, 2, True),
    "mean": (lambda m, x: x.mean(), -2, 2, True),
    "mean dim 1": (lambda m, x: x.mean(1, keepdim=True), -2, 2, True),
    "norm": (lambda m, x: x.norm(), -2, 2, True),
    "norm dim 1": (lambda m, x: x.norm(dim=1), -2, 2, True),
    "var dim 1": (lambda m, x: x.var(1), -2, 2, True),
    "std": (lambda m, x: x.std(), -2, 2, True),
    "var_mean": (lambda m, x: m.var_mean(x, 1)[0], -2, 2, False),
    "max dim 1": (lambda m, x: x.max(1)[0], -2, 2, True),
    "amax dim 1": (lambda m, x: x.amax(1), -2, 2, True),
    "max": (lambda m, x: x.max(), -2, 2, True),
    "logsumexp": (lambda m, x: x.logsumexp(1), -2, 2, True),
    "cumsum": (lambda m, x: x.cumsum(1), -2, 2, True),
    "cumprod": (lambda m, x: x.cumprod(1), 0.9, 1.1, True),
    "median": (lambda m, x: x.median(), -2, 2, False),
    "prod": (lambda m, x: x.prod(1), 0.9, 1.1, True),
    "sort": (lambda m, x: x.sort(1)[0], -2, 2, True),
    "topk": (lambda m, x: x.topk(3, 1)[0], -2, 2, True),
    "unique_float": (lambda m, x: x.unique(), -2, 2, False),
    "flip": (lambda m, x: x.flip(0, 1), -2, 2, True),
    "roll": (lambda m, x: x.roll(1, 0), -2, 2, True),
    "repeat_interleave": (lambda m, x: x.repeat_interleave(2, 1), -2, 2, True),
    "zeros_like": (lambda m, x: m.zeros_like(x), -2, 2, False),
    "full_like": (lambda m, x: m.full_like(x, 2.5), -2, 2, False),
    "to_bfloat16_and_back": (lambda m, x: x.to(m.bfloat16).to(m.float32), -2, 2, False),
    "to_float16": (lambda m, x: x.to(m.float16), -2, 2, False),
    "to_bool": (lambda m, x: x.bool(), -2, 2, False),
    "fft": (lambda m, x: m.fft.fft(x).real, -2, 2, True),
    "softmax": (lambda m, x: x.softmax(1), -2, 2, True),
    "log_softmax": (lambda m, x: x.log_softmax(1), -2, 2, True),
    "leaky_relu": (lambda m, x: m.nn.functional.leaky_relu(x, 0.1), -2, 2, True),
    "selu": (lambda m, x: m.nn.functional.selu(x), -2, 2, True),
    "hardtanh": (lambda m, x: m.nn.functional.hardtanh(x), -2, 2, True),
    "hardsigmoid": (lambda m, x: m.nn.functional.hardsigmoid(x), -2, 2, True),
    "relu6": (lambda m, x: m.nn.functional.relu6(x), -2, 8, True),
    "mish": (lambda m, x: m.nn.functional.mish(x), -2, 2, True),
    "gelu_tanh": (lambda m, x: m.nn.functional.gelu(x, approximate="tanh"), -2, 2, True),
    "normalize": (lambda m, x: m.nn.functional.normalize(x), -2, 2, True),
    "glu": (lambda m, x: m.nn.functional.glu(x, 0), -2, 2, True),
}

# name -> (function of the library and two matrices, the least element of the second, whether it has a gradient)
TWO: dict[str, tuple[Callable[[Any, Any, Any], Any], float, bool]] = {
    "add": (lambda m, x, y: x + y, -2, True),
    "sub": (lambda m, x, y: x - y, -2, True),
    "mul": (lambda m, x, y: x * y, -2, True),
    "div": (lambda m, x, y: x / y, 0.5, True),
    "pow": (lambda m, x, y: y**x, 0.5, True),
    "add_row": (lambda m, x, y: x + y[0], -2, True),
    "mul_column": (lambda m, x, y: x * y[:, :1], -2, True),
    "maximum": (lambda m, x, y: m.maximum(x, y), -2, True),
    "fmod": (lambda m, x, y: m.fmod(x, y), 0.5, False),
    "atan2": (lambda m, x, y: m.atan2(x, y), 0.5, True),
    "hypot": (lambda m, x, y: m.hypot(x, y), 0.5, True),
    "lerp": (lambda m, x, y: m.lerp(x, y, 0.3), -2, True),
    "addcmul": (lambda m, x, y: m.addcmul(x, x, y, value=0.5), -2, True),
    "addcdiv": (lambda m, x, y: m.addcdiv(x, x, y, value=0.5), 0.5, True),
    "ne": (lambda m, x, y: x != y, -2, False),
    "le": (lambda m, x, y: x <= y, -2, False),
    "equal": (lambda m, x, y: m.tensor(m.equal(x, x)), -2, False),
    "allclose": (lambda m, x, y: m.tensor(m.allclose(x, x)), -2, False),
    "dist": (lambda m, x, y: m.dist(x, y), -2, True),
    "cat": (lambda m, x, y: m.cat([x, y], 1), -2, True),
    "stack": (lambda m, x, y: m.stack([x, y]), -2, True),
    "vecdot": (lambda m, x, y: m.linalg.vecdot(x, y), -2, True),
    "cosine_similarity": (lambda m, x, y: m.nn.functional.cosine_similarity(x, y), -2, True),
    "l1_loss": (lambda m, x, y: m.nn.functional.l1_loss(x, y), -2, True),
    "huber_loss": (lambda m, x, y: m.nn.functional.huber_loss(x, y), -2, True),
}


def _register() -> None:
    def one(f, low, high, grad):
        def build(d: Data) -> Step:
            x = d.new(grad=grad, low=low, high=high)
            return with_grad(d, [x], lambda: f(d.m, x)) if grad else lambda: f(d.m, x)

        return build

    def two(f, low, grad):
        def build(d: Data) -> Step:
            x, y = d.new(grad=grad), d.new(low=low, grad=grad)
            return with_grad(d, [x, y], lambda: f(d.m, x, y)) if grad else lambda: f(d.m, x, y)

        return build

    for name, (f, low, high, grad) in ONE.items():
        CASES.setdefault(name, one(f, low, high, False))
        if grad:
            CASES.setdefault(f"{name}+grad", one(f, low, high, True))
    for name, (f, low, grad) in TWO.items():
        CASES.setdefault(name, two(f, low, False))
        if grad:
            CASES.setdefault(f"{name}+grad", two(f, low, True))


_register()


# ---- what needs operands of its own ---------------------------------------------------------------------------------


@case
def _bmm_64__grad(d: Data) -> Step:
    count = max(d.n // 4096, 1)
    x, y = d.new(count, 64, 64, grad=True), d.new(count, 64, 64, grad=True)
    return with_grad(d, [x, y], lambda: d.m.bmm(x, y))


@case
def _matmul__grad(d: Data) -> Step:
    side = min(d.side, 400)
    x, y = d.new(side, side, grad=True), d.new(side, side, grad=True)
    return with_grad(d, [x, y], lambda: x @ y)


@case
def _linear_16_rows__grad(d: Data) -> Step:
    width = min(max(d.side, 4), 1024)
    x, w, b = d.new(16, width, grad=True), d.new(width, width, grad=True), d.new(width, grad=True)
    return with_grad(d, [x, w, b], lambda: d.m.nn.functional.linear(x, w, b))


@case
def _conv1d__grad(d: Data) -> Step:
    x, w = d.new(4, 8, max(d.n // 32, 3), grad=True), d.new(16, 8, 3, grad=True)
    return with_grad(d, [x, w], lambda: d.m.nn.functional.conv1d(x, w, padding=1))


@case
def _conv3d__grad(d: Data) -> Step:
    width = max(round((d.n / 16) ** (1 / 3)), 3)
    x, w = d.new(2, 8, width, width, width, grad=True), d.new(8, 8, 3, 3, 3, grad=True)
    return with_grad(d, [x, w], lambda: d.m.nn.functional.conv3d(x, w, padding=1))


@case
def _instance_norm__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 2)
    x = d.new(4, 8, width, width, grad=True)
    return with_grad(d, [x], lambda: d.m.nn.functional.instance_norm(x))


@case
def _rms_norm__grad(d: Data) -> Step:
    x, w = d.new(grad=True), d.new(d.side, grad=True)
    return with_grad(d, [x, w], lambda: d.m.nn.functional.rms_norm(x, (d.side,), w))


@case
def _attention__grad(d: Data) -> Step:
    length = min(max(round((d.n / 64) ** 0.5), 2), 128)
    count = max(d.n // (length * 64), 1)
    q, k, v = (d.new(count, 2, length, 32, grad=True) for _ in range(3))
    return with_grad(d, [q, k, v], lambda: d.m.nn.functional.scaled_dot_product_attention(q, k, v))


@case
def _attention_causal(d: Data) -> Step:
    length = min(max(round((d.n / 64) ** 0.5), 2), 128)
    q, k, v = (d.new(max(d.n // (length * 64), 1), 2, length, 32) for _ in range(3))
    return lambda: d.m.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def _recurrent(name: str) -> None:
    def build(d: Data) -> Step:
        width = 8 if d.n < 1000 else 32 if d.n < 100_000 else 128
        length = max(min(d.n // (16 * width), 64), 2)
        x = d.new(length, 16, width, grad=True)
        layer = getattr(d.m.nn, name)(width, width)
        with d.m.no_grad():
            for p in layer.parameters():
                p.copy_(d.new(*p.shape, low=-0.1, high=0.1))
        return with_grad(d, [x, *layer.parameters()], lambda: layer(x)[0])

    CASES[f"{name}+grad"] = build


for _name in ("RNN", "LSTM", "GRU"):
    _recurrent(_name)


@case
def _bce__grad(d: Data) -> Step:
    x, y = d.new(low=0.1, high=0.9, grad=True), d.new(low=0, high=1)
    return with_grad(d, [x], lambda: d.m.nn.functional.binary_cross_entropy(x, y))


@case
def _soft_margin_loss__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new().sign()
    return with_grad(d, [x], lambda: d.m.nn.functional.soft_margin_loss(x, y))


@case
def _nll_loss__grad(d: Data) -> Step:
    x, y = d.new(max(d.n // 10, 1), 10, grad=True), d.whole(10, max(d.n // 10, 1))
    return with_grad(d, [x], lambda: d.m.nn.functional.nll_loss(x, y))


@case
def _gather__grad(d: Data) -> Step:
    x, i = d.new(grad=True), d.whole(d.side)
    return with_grad(d, [x], lambda: x.gather(1, i))


@case
def _index_rows__grad(d: Data) -> Step:
    x, i = d.new(grad=True), d.whole(d.side, d.side)
    return with_grad(d, [x], lambda: x[i])


@case
def _masked_select__grad(d: Data) -> Step:
    c, x = d.new() > 0, d.new(grad=True)
    return with_grad(d, [x], lambda: x[c])


@case
def _scatter(d: Data) -> Step:
    x, y, i = d.m.zeros(d.side, d.side), d.new(), d.m.arange(d.side).flip(0).expand(d.side, d.side)
    return lambda: x.scatter(1, i, y)


@case
def _one_per_row(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side, d.side)
    rows = d.m.arange(d.side)
    return lambda: x[rows, i]


@case
def _pad__grad(d: Data) -> Step:
    x = d.new(grad=True)
    return with_grad(d, [x], lambda: d.m.nn.functional.pad(x, (1, 1, 1, 1)))


@case
def _pad_reflect(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 3)
    x = d.new(4, 8, width, width)
    return lambda: d.m.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")


@case
def _pixel_shuffle__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 2)
    x = d.new(4, 8, width, width, grad=True)
    return with_grad(d, [x], lambda: d.m.nn.functional.pixel_shuffle(x, 2))


@case
def _prelu__grad(d: Data) -> Step:
    x, w = d.new(grad=True), d.new(1, grad=True)
    return with_grad(d, [x, w], lambda: d.m.nn.functional.prelu(x, w))


@case
def _grid_sample__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 2)
    x, g = d.new(4, 8, width, width, grad=True), d.new(4, width, width, 2, low=-0.9, high=0.9)
    return with_grad(d, [x], lambda: d.m.nn.functional.grid_sample(x, g, align_corners=False))


@case
def _bilinear__grad(d: Data) -> Step:
    rows = max(d.n // 64, 1)
    x, y, w = d.new(rows, 8, grad=True), d.new(rows, 8, grad=True), d.new(4, 8, 8, grad=True)
    return with_grad(d, [x, y, w], lambda: d.m.nn.functional.bilinear(x, y, w))


@case
def _cdist__grad(d: Data) -> Step:
    rows = max(round(d.n**0.5), 4)
    x, y = d.new(rows, 16, grad=True), d.new(rows, 16, grad=True)
    return with_grad(d, [x, y], lambda: d.m.cdist(x, y))


@case
def _meshgrid(d: Data) -> Step:
    x, y = d.new(d.side), d.new(d.side)
    return lambda: d.m.meshgrid(x, y, indexing="ij")[0]


@case
def _linspace(d: Data) -> Step:
    return lambda: d.m.linspace(0, 1, d.n)


@case
def _ones(d: Data) -> Step:
    return lambda: d.m.ones(d.side, d.side)


@case
def _eye(d: Data) -> Step:
    return lambda: d.m.eye(d.side)


@case
def _fill_in_place(d: Data) -> Step:
    x = d.new()
    return lambda: x.fill_(1.5)


@case
def _copy_in_place(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: x.copy_(y)


@case
def _bitwise_xor(d: Data) -> Step:
    x, y = d.whole(100), d.whole(100)
    return lambda: x ^ y


@case
def _int64_sum(d: Data) -> Step:
    x = d.whole(100)
    return lambda: x.sum()


@case
def _searchsorted(d: Data) -> Step:
    x, y = d.new(1000).sort()[0], d.new()
    return lambda: d.m.searchsorted(x, y)


@case
def _rand_like(d: Data) -> Step:
    x = d.new()
    return unchecked(lambda: d.m.rand_like(x))


@case
def _dropout2d__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 2)
    x = d.new(4, 8, width, width, grad=True)
    return unchecked(with_grad(d, [x], lambda: d.m.nn.functional.dropout2d(x, 0.5)))


def _solver(name: str, make: Callable[[Any, Any], Any], grad: bool = True) -> None:
    def build(d: Data) -> Step:
        x = d.new(max(d.n // 64, 1), 8, 8)
        x = (x @ x.transpose(1, 2) + 4 * d.m.eye(8)).detach().requires_grad_(grad)
        return with_grad(d, [x], lambda: make(d.m, x)) if grad else lambda: make(d.m, x)

    CASES[f"{name}_8+grad" if grad else f"{name}_8"] = build


_solver("cholesky", lambda m, x: m.linalg.cholesky(x))
_solver("inv", lambda m, x: m.linalg.inv(x))
_solver("det", lambda m, x: m.linalg.det(x))
_solver("slogdet", lambda m, x: m.linalg.slogdet(x)[1])
_solver("solve", lambda m, x: m.linalg.solve(x, x[:, :, :2]))
_solver("eigvalsh", lambda m, x: m.linalg.eigvalsh(x), False)
_solver("svdvals", lambda m, x: m.linalg.svdvals(x), False)
_solver("matrix_exp", lambda m, x: m.linalg.matrix_exp(x * 0.01), False)


def _optimizer(name: str, size: int, **options: Any) -> None:
    def build(d: Data) -> Step:
        parameters = [d.new(size, grad=True) for _ in range(max(d.n // 100_000, 1) if size > 10 else 10)]
        for p in parameters:
            p.grad = d.m.ones_like(p) * 1e-6
        return unchecked(getattr(d.m.optim, name)(parameters, lr=1e-6, **options).step)

    CASES[f"{name}_{size}"] = build


for _name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam"):
    for _size in (10, 100_000):
        _optimizer(_name, _size)
