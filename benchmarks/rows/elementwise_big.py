"""Ten million elements through a handful of functions, forward and backward: memory traffic and vector maths."""

from __future__ import annotations

import numpy as np

from .. import peers
from ..harness import Row, Step

_COUNT = 10**7
_A, _B = 1.3, 0.2


def _data() -> np.ndarray:
    x = np.random.default_rng(0).standard_normal(_COUNT, dtype=np.float32)
    x[x == 0] = 1  # sqrt(abs(x)) has no derivative at 0
    return x


def _tensors(name: str, compiled: bool = False) -> Step:
    module = peers.load(name)
    x = module.from_numpy(_data()).requires_grad_()
    a, b = (module.tensor(value, requires_grad=True) for value in (_A, _B))

    def forward():
        return ((a * x + b).tanh() * (-x * x).exp() + x.abs().sqrt()).sum()

    def step():
        x.grad = a.grad = b.grad = None
        forward().backward()
        return [a.grad, b.grad, x.grad[:1000]]

    if not compiled:
        return step
    planned = peers.compiler(name)(forward)

    def planned_step():
        x.grad = a.grad = b.grad = None
        planned().backward()
        return [a.grad, b.grad, x.grad[:1000]]

    return planned_step


def _numpy() -> Step:
    x, a, b = _data(), np.float32(_A), np.float32(_B)

    def step():
        t = np.tanh(a * x + b)
        e = np.exp(-x * x)
        root = np.sqrt(np.abs(x))
        (t * e + root).sum()
        inner = (1 - t * t) * e
        by_x = a * inner - 2 * x * t * e + np.sign(x) * np.float32(0.5) / root
        return [(inner * x).sum(), inner.sum(), by_x[:1000]]

    return step


def _autograd() -> Step:
    anp, autograd = peers.load("autograd.numpy"), peers.load("autograd")
    data = _data()

    def total(a, b, x):
        return anp.sum(anp.tanh(a * x + b) * anp.exp(-x * x) + anp.sqrt(anp.abs(x)))

    gradient = autograd.grad(total, argnum=(0, 1, 2))

    def step():
        by_a, by_b, by_x = gradient(np.float32(_A), np.float32(_B), data)
        return [by_a, by_b, by_x[:1000]]

    return step


def _jax() -> Step:
    jax, jnp = peers.load("jax"), peers.load("jax.numpy")
    x = jax.device_put(_data())

    def total(a, b, x):
        return (jnp.tanh(a * x + b) * jnp.exp(-x * x) + jnp.sqrt(jnp.abs(x))).sum()

    gradient = jax.jit(jax.grad(total, argnums=(0, 1, 2)))

    def step():
        by_a, by_b, by_x = jax.block_until_ready(gradient(_A, _B, x))
        return [by_a, by_b, by_x[:1000]]

    return step


ROWS = [
    Row(
        name="elementwise-1e7",
        title="sum(tanh(a*x+b)*exp(-x*x)+sqrt(abs(x))), 10,000,000 elements, forward and backward",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "numpy": _numpy,
            "torch": lambda: _tensors("torch"),
            "torch.compile": lambda: _tensors("torch", compiled=True),
            "jax": _jax,
            "autograd": _autograd,
        },
        reference="numpy",
        check_steps=4,
        rtol=1e-3,
    )
]
