"""Forward and backward of 4-32-32-1 with tanh and squared error, batches of 16: what is left when there is little to do."""

from __future__ import annotations

import numpy as np

from .. import peers
from ..byhand import dense, leaves
from ..harness import Row, Step


def _data() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = dense(rng, 4, 32, 32, 1)
    x, target = (rng.standard_normal((16, n), dtype=np.float32) for n in (4, 1))
    return weights, x, target


def _tensors(name: str, compiled: bool = False) -> Step:
    module = peers.load(name)
    linear = module.nn.functional.linear
    weights, *arrays = _data()
    x, target = (module.from_numpy(array) for array in arrays)
    parameters = leaves(module, weights)
    w1, b1, w2, b2, w3, b3 = parameters

    def step():
        for parameter in parameters:
            parameter.grad = None
        error = linear(linear(linear(x, w1, b1).tanh(), w2, b2).tanh(), w3, b3) - target
        loss = (error * error).mean()
        loss.backward()
        return loss

    if compiled:
        step = peers.compiler(name)(step)
    return lambda: [step(), *[parameter.grad for parameter in parameters]]


def _numpy() -> Step:
    (w1, b1, w2, b2, w3, b3), x, target = _data()

    def step():
        h1 = np.tanh(x @ w1.T + b1)
        h2 = np.tanh(h1 @ w2.T + b2)
        error = h2 @ w3.T + b3 - target
        d3 = error * np.float32(2 / error.size)
        d2 = (d3 @ w3) * (1 - h2 * h2)
        d1 = (d2 @ w2) * (1 - h1 * h1)
        pairs = ((d1, x), (d2, h1), (d3, h2))
        return [(error * error).mean(), *[g for delta, below in pairs for g in (delta.T @ below, delta.sum(0))]]

    return step


def _jax() -> Step:
    jax, jnp = peers.load("jax"), peers.load("jax.numpy")
    weights, x, target = jax.device_put(_data())

    def loss(parameters, x, target):
        w1, b1, w2, b2, w3, b3 = parameters
        hidden = jnp.tanh(jnp.tanh(x @ w1.T + b1) @ w2.T + b2)
        return ((hidden @ w3.T + b3 - target) ** 2).mean()

    run = jax.jit(jax.value_and_grad(loss))

    def step():
        value, grads = jax.block_until_ready(run(weights, x, target))
        return [value, *grads]

    return step


ROWS = [
    Row(
        name="mlp-tiny",
        title="network 4-32-32-1, batch 16, tanh, squared error, forward and backward",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "numpy": _numpy,
            "torch": lambda: _tensors("torch"),
            "torch.compile": lambda: _tensors("torch", compiled=True),
            "jax": _jax,
        },
        reference="numpy",
        check_steps=5,
    )
]
