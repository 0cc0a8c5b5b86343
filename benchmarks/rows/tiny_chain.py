"""A hundred operations on 16 numbers, forward and backward: the overhead of a small graph."""

from __future__ import annotations

import numpy as np

from .. import peers
from ..harness import Row, Step

_LINKS = range(25)  # of four operations each


def _arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [(0.5 * rng.standard_normal(16)).astype(np.float32) for _ in range(4)]


def _tensors(name: str, compiled: bool = False) -> Step:
    module = peers.load(name)
    x, a, b, c = (module.from_numpy(array) for array in _arrays())
    x.requires_grad_()

    def step():
        x.grad = None
        z = x
        for _ in _LINKS:
            z = (z * a + b).tanh() - c
        z.sum().backward()
        return x.grad

    return peers.compiler(name)(step) if compiled else step


def _numpy() -> Step:
    x, a, b, c = _arrays()

    def step():
        z, saved = x, []
        for _ in _LINKS:
            t = np.tanh(z * a + b)
            saved.append(t)
            z = t - c
        grad = np.ones_like(x)
        for t in reversed(saved):
            grad = grad * (1 - t * t) * a
        return grad

    return step


def _autograd() -> Step:
    anp, autograd = peers.load("autograd.numpy"), peers.load("autograd")
    x, a, b, c = _arrays()

    def total(z):
        for _ in _LINKS:
            z = anp.tanh(z * a + b) - c
        return anp.sum(z)

    gradient = autograd.grad(total)
    return lambda: gradient(x)


ROWS = [
    Row(
        name="chain-100",
        title="chain of 100 ops on shape (16,), forward and backward",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "numpy": _numpy,
            "torch": lambda: _tensors("torch"),
            "autograd": _autograd,
        },
        reference="numpy",
        units=4 * len(_LINKS),
        unit="op",
    )
]
