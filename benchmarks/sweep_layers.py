"""More ops of the sweep: layers, losses, linear algebra and what training loops and samplers do beside."""

from __future__ import annotations

import functools

from .harness import Step
from .sweep_data import CASES, Data, case, unchecked, with_grad


def _images(d: Data, channels: int, grad: bool = True):
    """Return four images of about n elements together."""
    width = max(round((d.n / 4 / channels) ** 0.5), 4)
    return d.new(4, channels, width, width, grad=grad)


# ---- activations and losses -----------------------------------------------------------------------------------------


def _activation(name: str) -> None:
    def build(d: Data) -> Step:
        x = d.new(grad=True)
        return with_grad(d, [x], lambda: getattr(d.m.nn.functional, name)(x))

    CASES[f"{name}+grad"] = build


for _name in ("sigmoid", "tanh", "softplus", "elu", "hardswish", "logsigmoid"):
    _activation(_name)


@case
def _cross_entropy_smoothed__grad(d: Data) -> Step:
    rows = max(d.n // 100, 1)
    x, y = d.new(rows, 100, grad=True), d.whole(100, rows)
    return with_grad(d, [x], lambda: d.m.nn.functional.cross_entropy(x, y, label_smoothing=0.1))


@case
def _kl_div__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new(low=0.1, high=1)
    return with_grad(d, [x], lambda: d.m.nn.functional.kl_div(x, y, reduction="batchmean"))


@case
def _smooth_l1__grad(d: Data) -> Step:
    x, y = d.new(grad=True), d.new()
    return with_grad(d, [x], lambda: d.m.nn.functional.smooth_l1_loss(x, y))


# ---- normalisation, pooling, images ---------------------------------------------------------------------------------


@case
def _layer_norm_77__grad(d: Data) -> Step:
    x, w, b = d.new(max(d.n // 77, 1), 77, grad=True), d.new(77, grad=True), d.new(77, grad=True)
    return with_grad(d, [x, w, b], lambda: d.m.nn.functional.layer_norm(x, (77,), w, b))


@case
def _batch_norm_eval(d: Data) -> Step:
    x, mean, var = _images(d, 16, grad=False), d.new(16), d.new(16, low=0.5)
    return lambda: d.m.nn.functional.batch_norm(x, mean, var)


@case
def _max_pool2d_overlapping__grad(d: Data) -> Step:
    x = _images(d, 8)
    return with_grad(d, [x], lambda: d.m.nn.functional.max_pool2d(x, 3, 2, 1))


@case
def _adaptive_avg_pool2d__grad(d: Data) -> Step:
    x = _images(d, 8)
    return with_grad(d, [x], lambda: d.m.nn.functional.adaptive_avg_pool2d(x, 1))


@case
def _interpolate_bilinear__grad(d: Data) -> Step:
    x = _images(d, 8)
    return with_grad(
        d, [x], lambda: d.m.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    )


@case
def _interpolate_bicubic(d: Data) -> Step:
    x = _images(d, 8, grad=False)
    return lambda: d.m.nn.functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


@case
def _unfold_3x3(d: Data) -> Step:
    x = _images(d, 8, grad=False)
    return lambda: d.m.nn.functional.unfold(x, 3, padding=1)


def _convolution(
    name: str, channels: int, shape: tuple[int, ...], transposed: bool = False, **options: int
) -> None:
    def build(d: Data) -> Step:
        x, w = _images(d, channels), d.new(*shape, grad=True)
        run = d.m.nn.functional.conv_transpose2d if transposed else d.m.nn.functional.conv2d
        return with_grad(d, [x, w], lambda: run(x, w, **options))

    CASES[f"{name}+grad"] = build


_convolution("conv2d_32_channels", 32, (32, 32, 3, 3), padding=1)
_convolution("conv2d_dilated", 16, (16, 16, 3, 3), padding=2, dilation=2)
_convolution("conv2d_depthwise", 32, (32, 1, 3, 3), padding=1, groups=32)
_convolution("conv_transpose2d", 16, (16, 16, 4, 4), transposed=True, stride=2, padding=1)


# ---- moving, counting, drawing --------------------------------------------------------------------------------------


@case
def _embedding_bag__grad(d: Data) -> Step:
    w, i = d.new(1000, 64, grad=True), d.whole(1000, max(d.n // 512, 1), 8)
    return with_grad(d, [w], lambda: d.m.nn.functional.embedding_bag(i, w, mode="sum"))


@case
def _index_add(d: Data) -> Step:
    x, y, i = d.new(), d.new(), d.whole(d.side, d.side)
    return lambda: x.index_add(0, i, y)


@case
def _masked_assign(d: Data) -> Step:
    x, c = d.new(), d.new() > 0

    def step():
        x[c] = 0.5
        return x

    return step


@case
def _cat_of_64(d: Data) -> Step:
    parts = [d.new(max(d.n // 64, 1)) for _ in range(64)]
    return lambda: d.m.cat(parts)


@case
def _stack_of_64(d: Data) -> Step:
    parts = [d.new(max(d.n // 64, 1)) for _ in range(64)]
    return lambda: d.m.stack(parts)


@case
def _add_alpha(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.add(x, y, alpha=0.5)


@case
def _cdist(d: Data) -> Step:
    rows = max(round(d.n**0.5), 4)
    x, y = d.new(rows, 16), d.new(rows, 16)
    return lambda: d.m.cdist(x, y)


@case
def _cumprod(d: Data) -> Step:
    x = d.new(low=0.9, high=1.1)
    return lambda: x.cumprod(1)


@case
def _std_dim_0(d: Data) -> Step:
    x = d.new()
    return lambda: x.std(0)


@case
def _multinomial(d: Data) -> Step:
    x = d.new(low=0, high=1)
    return unchecked(lambda: d.m.multinomial(x, 1))


@case
def _random_integers(d: Data) -> Step:
    return unchecked(lambda: d.m.randint(0, 100, (d.side, d.side)))


@case
def _normal_in_place(d: Data) -> Step:
    x = d.new()
    return unchecked(lambda: x.normal_(0.0, 2.0))


# ---- linear algebra of many small matrices --------------------------------------------------------------------------


def _matrices(d: Data):
    """Return positive definite matrices of 8 by 8."""
    x = d.new(max(d.n // 64, 1), 8, 8)
    return x @ x.transpose(1, 2) + 4 * d.m.eye(8)


for _name in ("cholesky", "inv", "det"):
    CASES[f"{_name}_8"] = lambda d, name=_name: functools.partial(getattr(d.m.linalg, name), _matrices(d))


@case
def _solve_8(d: Data) -> Step:
    x = _matrices(d)
    y = d.new(x.shape[0], 8, 2)
    return lambda: d.m.linalg.solve(x, y)


# ---- optimizers of many small parameters ----------------------------------------------------------------------------


def _parameters(d: Data, count: int = 50):
    parameters = [d.new(max(d.n // count, 1), grad=True) for _ in range(count)]
    for p in parameters:
        p.grad = d.m.ones_like(p) * 1e-6
    return parameters


for _name in ("SGD", "AdamW", "RMSprop"):
    CASES[f"{_name}_of_50"] = lambda d, name=_name: unchecked(
        getattr(d.m.optim, name)(_parameters(d), lr=1e-6).step
    )


@case
def _clip_grad_norm_of_50(d: Data) -> Step:
    parameters = _parameters(d)
    return lambda: d.m.nn.utils.clip_grad_norm_(parameters, 1.0)
