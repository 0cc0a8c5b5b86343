"""A network of the size of MNIST: 784-256-128-10, relu, cross-entropy, Adam, batches of 128."""

from __future__ import annotations

import numpy as np

from .. import jitted, peers
from ..byhand import Adam, cross_entropy, dense
from ..harness import Row, Step
from ..training import training_step

_LR = 1e-3


def _data() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = dense(rng, 784, 256, 128, 10)
    return weights, rng.random((128, 784), dtype=np.float32), rng.integers(0, 10, 128)


def _model(nn):
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def _tensors(name: str, compiled: bool = False) -> Step:
    return training_step(name, _model, _data(), lambda m, p: m.optim.Adam(p, lr=_LR), "cross_entropy", compiled)


def _numpy() -> Step:
    weights, x, labels = _data()
    w1, b1, w2, b2, w3, b3 = weights
    optimizer = Adam(weights, _LR)

    def step():
        h1 = np.maximum(x @ w1.T + b1, 0)
        h2 = np.maximum(h1 @ w2.T + b2, 0)
        loss, d3 = cross_entropy(h2 @ w3.T + b3, labels)
        d2 = (d3 @ w3) * (h2 > 0)
        d1 = (d2 @ w2) * (h1 > 0)
        optimizer.step([d1.T @ x, d1.sum(0), d2.T @ h1, d2.sum(0), d3.T @ h2, d3.sum(0)])
        return loss

    return step


def _autograd() -> Step:
    anp, autograd = peers.load("autograd.numpy"), peers.load("autograd")
    weights, x, labels = _data()
    optimizer = Adam(weights, _LR)
    rows = np.arange(len(labels))

    def loss(parameters):
        w1, b1, w2, b2, w3, b3 = parameters
        h1 = anp.maximum(anp.dot(x, w1.T) + b1, 0)
        h2 = anp.maximum(anp.dot(h1, w2.T) + b2, 0)
        logits = anp.dot(h2, w3.T) + b3
        top = anp.max(logits, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(logits - top), axis=1)) + top[:, 0] - logits[rows, labels])

    gradient = autograd.value_and_grad(loss)

    def step():
        value, grads = gradient(weights)
        optimizer.step(grads)
        return value

    return step


def _jax() -> Step:
    return jitted.network(_data(), "relu", jitted.cross_entropy, jitted.adam(_LR))


ROWS = [
    Row(
        name="mlp-mnist",
        title="network 784-256-128-10, batch 128, relu, cross-entropy, Adam step",
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
        check_steps=5,
        rtol=1e-3,
    )
]
