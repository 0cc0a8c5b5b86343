"""Causal attention alone, with backward: the size of the small GPT and longer contexts."""

from __future__ import annotations

import functools
import math

import numpy as np

from .. import peers
from ..harness import Row, Step

_SIZES = ((16, 4, 64, 32), (4, 4, 256, 64), (1, 4, 1024, 64))  # batch, heads, positions, size of a head


def _data(*shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, dtype=np.float32) for _ in range(4)]


def _tensors(name: str, *shape: int) -> Step:
    module = peers.load(name)
    *arrays, upstream = _data(*shape)
    q, k, v = (module.from_numpy(array).requires_grad_() for array in arrays)
    u = module.from_numpy(upstream)

    def step():
        y = module.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return [y, *module.autograd.grad(y, (q, k, v), u)]

    return step


def _numpy(*shape: int) -> Step:
    q, k, v, u = _data(*shape)
    scale = np.float32(1 / math.sqrt(shape[-1]))
    hidden = np.triu(np.full((shape[2], shape[2]), -np.inf, np.float32), 1)

    def step():
        scores = q @ k.swapaxes(-1, -2) * scale + hidden
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        inner = u @ v.swapaxes(-1, -2)
        inner = weights * (inner - (inner * weights).sum(-1, keepdims=True)) * scale
        turned = (weights.swapaxes(-1, -2) @ u, inner.swapaxes(-1, -2) @ q)
        return [weights @ v, inner @ k, turned[1], turned[0]]

    return step


def _row(*shape: int) -> Row:
    batch, heads, positions, size = shape
    contestants = {name: functools.partial(_tensors, name, *shape) for name in ("wengert", "torch")}
    return Row(
        name=f"attention-{positions}",
        title=f"causal attention, batch {batch}, {heads} heads of {size}, {positions} positions, with backward",
        contestants=contestants | {"numpy": functools.partial(_numpy, *shape)},
        reference="numpy",
        rtol=1e-3,
    )


ROWS = [_row(*shape) for shape in _SIZES]
