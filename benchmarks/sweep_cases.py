"""The ops of the sweep: each a function that prepares operands of a size and returns the step to time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from .harness import Step


class Data:
    """Makes the operands of a case: the same numbers for every library.

    Attributes:
        m: the library under test.
        n: the number of elements, a square.
        side: its root.
    """

    def __init__(self, m: ModuleType, n: int):
        self.m, self.n, self.side = m, n, round(n**0.5)
        self._rng = np.random.default_rng(n)

    def new(self, *shape: int, grad: bool = False, low: float = -2.0, high: float = 2.0, dtype: str = "float32"):
        """Return a tensor of uniform numbers; the default shape is side x side."""
        array = self._rng.uniform(low, high, shape or (self.side, self.side)).astype(dtype)
        return self.m.from_numpy(array).requires_grad_(grad)

    def whole(self, high: int, *shape: int):
        """Return a tensor of int64 in [0, high)."""
        return self.m.from_numpy(self._rng.integers(0, high, shape or (self.side, self.side)))


def _with_grad(d: Data, inputs: Sequence[Any], forward: Callable[[], Any]) -> Step:
    """Return a step that runs ``forward`` and its backward pass."""
    shape = tuple(forward().shape)
    upstream = d.new(*shape) if shape else d.m.tensor(1.0)
    return lambda: d.m.autograd.grad(forward(), inputs, upstream)


def _unchecked(run: Callable[[], Any]) -> Step:
    """Return a step whose values cannot be compared: random numbers, a state that moves on."""

    def step():
        run()
        return []

    return step


CASES: dict[str, Callable[[Data], Step]] = {}


def case(function: Callable[[Data], Step]) -> Callable[[Data], Step]:
    """Register a case under its function's name."""
    CASES[function.__name__.removeprefix("_").replace("__grad", "+grad")] = function
    return function


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
    return _with_grad(d, [x], lambda: d.m.log_softmax(x, -1))


@case
def _cross_entropy__grad(d: Data) -> Step:
    x, y = d.new(max(d.n // 10, 1), 10, grad=True), d.whole(10, max(d.n // 10, 1))
    return _with_grad(d, [x], lambda: d.m.nn.functional.cross_entropy(x, y))


@case
def _mse_loss__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new()
    return _with_grad(d, [x], lambda: d.m.nn.functional.mse_loss(x, y))


@case
def _bce_with_logits__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new(low=0, high=1)
    return _with_grad(d, [x], lambda: d.m.nn.functional.binary_cross_entropy_with_logits(x, y))


@case
def _layer_norm__grad(d: Data) -> Step:
    x, w, b = d.new(grad=True), d.new(d.side, grad=True), d.new(d.side, grad=True)
    return _with_grad(d, [x, w, b], lambda: d.m.nn.functional.layer_norm(x, (d.side,), w, b))


@case
def _batch_norm__grad(d: Data) -> Step:
    channels = 4 if d.n < 1000 else 16
    width = max(round((d.n / channels / 4) ** 0.5), 1)
    x, w, b = d.new(4, channels, width, width, grad=True), d.new(channels, grad=True), d.new(channels, grad=True)
    return _with_grad(d, [x, w, b], lambda: d.m.nn.functional.batch_norm(x, None, None, w, b, True))


@case
def _group_norm__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5), 1)
    x, w, b = d.new(4, 8, width, width, grad=True), d.new(8, grad=True), d.new(8, grad=True)
    return _with_grad(d, [x, w, b], lambda: d.m.nn.functional.group_norm(x, 4, w, b))


@case
def _gelu__grad(d: Data) -> Step:
    x = d.new(grad=True)
    return _with_grad(d, [x], lambda: d.m.nn.functional.gelu(x))


@case
def _relu__grad(d: Data) -> Step:
    x = d.new(grad=True)
    return _with_grad(d, [x], lambda: d.m.relu(x))


@case
def _silu__grad(d: Data) -> Step:
    x = d.new(grad=True)
    return _with_grad(d, [x], lambda: d.m.nn.functional.silu(x))


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
    return _with_grad(d, [x, y], lambda: (x * y).sum())


@case
def _linear__grad(d: Data) -> Step:
    side = min(d.side, 256)
    x, w, b = d.new(side, side, grad=True), d.new(side, side, grad=True), d.new(side, grad=True)
    return _with_grad(d, [x, w, b], lambda: d.m.nn.functional.linear(x, w, b))


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
    return _with_grad(d, [x, w], lambda: d.m.nn.functional.conv2d(x, w, padding=1))


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
    return _with_grad(d, [x], lambda: d.m.nn.functional.max_pool2d(x, 2))


@case
def _avg_pool2d__grad(d: Data) -> Step:
    width = max(round((d.n / 32) ** 0.5) // 2 * 2, 2)
    x = d.new(4, 8, width, width, grad=True)
    return _with_grad(d, [x], lambda: d.m.nn.functional.avg_pool2d(x, 2))


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


@case
def _pad(d: Data) -> Step:
    x = d.new()
    return lambda: d.m.nn.functional.pad(x, (1, 1, 1, 1))


@case
def _gather(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side)
    return lambda: x.gather(1, i)


@case
def _scatter_add(d: Data) -> Step:
    x, y, i = d.m.zeros(d.side, d.side), d.new(), d.whole(d.side)
    return lambda: x.scatter_add(1, i, y)


@case
def _index_select(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side, d.side)
    return lambda: x.index_select(0, i)


@case
def _index_select_dim_1(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side, d.side)
    return lambda: x.index_select(1, i)


@case
def _index_rows(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side, d.side)
    return lambda: x[i]


@case
def _index_pairs(d: Data) -> Step:
    x, i, j = d.new(), d.whole(d.side, d.n), d.whole(d.side, d.n)
    return lambda: x[i, j]


@case
def _slice_copy(d: Data) -> Step:
    x = d.new()
    return lambda: x[:, 1:].contiguous()


@case
def _embedding__grad(d: Data) -> Step:
    w, i = d.new(1000, 64, grad=True), d.whole(1000, max(d.n // 64, 1))
    return _with_grad(d, [w], lambda: d.m.nn.functional.embedding(i, w))


@case
def _one_hot(d: Data) -> Step:
    i = d.whole(10, max(d.n // 10, 1))
    return lambda: d.m.nn.functional.one_hot(i, 10)


@case
def _cat_dim_0(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.cat([x, y])


@case
def _cat_dim_1(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.cat([x, y], 1)


@case
def _stack_dim_1(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.stack([x, y], -1)


@case
def _transpose_copy(d: Data) -> Step:
    x = d.new()
    return lambda: x.t().contiguous()


@case
def _permute_copy(d: Data) -> Step:
    side = max(round((d.n / 16) ** 0.5), 1)
    x = d.new(4, side, 4, side)
    return lambda: x.permute(0, 2, 1, 3).contiguous()


@case
def _transposed_add(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: x + y.t()


@case
def _clone(d: Data) -> Step:
    x = d.new()
    return lambda: x.clone()


@case
def _zeros(d: Data) -> Step:
    return lambda: d.m.zeros(d.side, d.side)


@case
def _arange(d: Data) -> Step:
    return lambda: d.m.arange(d.n)


@case
def _repeat(d: Data) -> Step:
    x = d.new(d.side)
    return lambda: x.repeat(d.side, 1)


@case
def _flip(d: Data) -> Step:
    x = d.new()
    return lambda: x.flip(1)


@case
def _roll(d: Data) -> Step:
    x = d.new()
    return lambda: x.roll(1, 1)


@case
def _tril(d: Data) -> Step:
    x = d.new()
    return lambda: x.tril()


@case
def _topk(d: Data) -> Step:
    x = d.new()
    return lambda: x.topk(5)[0]


@case
def _sort(d: Data) -> Step:
    x = d.new()
    return lambda: x.sort()[0]


@case
def _sort_flat(d: Data) -> Step:
    x = d.new(d.n)
    return lambda: x.sort()[0]


@case
def _sort_dim_0(d: Data) -> Step:
    x = d.new()
    return lambda: x.sort(0)[0]


@case
def _unique(d: Data) -> Step:
    x = d.whole(50)
    return lambda: x.unique()


@case
def _bincount(d: Data) -> Step:
    x = d.whole(50, d.n)
    return lambda: x.bincount()


@case
def _cumsum(d: Data) -> Step:
    x = d.new()
    return lambda: x.cumsum(1)


@case
def _cumsum_dim_0(d: Data) -> Step:
    x = d.new()
    return lambda: x.cumsum(0)


@case
def _cumsum_flat(d: Data) -> Step:
    x = d.new(d.n, low=0.0, high=1.0)
    return lambda: x.cumsum(0)


@case
def _random_normal(d: Data) -> Step:
    return _unchecked(lambda: d.m.randn(d.side, d.side))


@case
def _random_uniform(d: Data) -> Step:
    return _unchecked(lambda: d.m.rand(d.side, d.side))


@case
def _random_permutation(d: Data) -> Step:
    return _unchecked(lambda: d.m.randperm(d.n))


@case
def _dropout__grad(d: Data) -> Step:
    x = d.new(grad=True)
    run = _with_grad(d, [x], lambda: d.m.nn.functional.dropout(x, 0.5))

    return _unchecked(run)


@case
def _bernoulli(d: Data) -> Step:
    x = d.new(low=0, high=1)

    return _unchecked(lambda: d.m.bernoulli(x))


@case
def _clip_grad_norm(d: Data) -> Step:
    parameters = [d.new(max(d.n // 10, 1), grad=True) for _ in range(10)]
    for p in parameters:
        p.grad = d.m.ones_like(p) * 1e-6
    return lambda: d.m.nn.utils.clip_grad_norm_(parameters, 1.0)


@case
def _adam_step(d: Data) -> Step:
    parameters = [d.new(max(d.n // 10, 1), grad=True) for _ in range(10)]
    for p in parameters:
        p.grad = d.m.ones_like(p)
    optimizer = d.m.optim.Adam(parameters, lr=1e-6)

    return _unchecked(optimizer.step)


@case
def _item(d: Data) -> Step:
    x = d.new()
    return lambda: x[0, 0].item()
