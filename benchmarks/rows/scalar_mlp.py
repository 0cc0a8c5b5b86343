"""The moons network of micrograd's demonstration: every weight, product and sum is a scalar node."""

from __future__ import annotations

import math

import numpy as np

from .. import peers
from ..harness import Row, Step

_SIZES = (2, 16, 16, 1)
_LR = 0.1
_DECAY = 1e-4  # weight of the sum of squares of all parameters, as in micrograd's demonstration


def moons(count: int = 100, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two interleaved half circles with noise: points (count, 2) and labels -1 or 1 (count,)."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, math.pi, count // 2)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.concatenate([upper, lower]) + noise * rng.standard_normal((2 * (count // 2), 2))
    return points, np.repeat([-1.0, 1.0], count // 2)


def _weights() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    sizes = zip(_SIZES, _SIZES[1:], strict=False)
    return [(rng.uniform(-1, 1, (n, m)) / math.sqrt(m), np.zeros(n)) for m, n in sizes]


def _loss(layers, points, labels):
    """Return the mean hinge loss plus the decay, built from scalars that know ``+``, ``*`` and ``relu``."""
    losses = []
    for point, label in zip(points, labels, strict=True):
        values = point
        for depth, (rows, biases) in enumerate(layers):
            sums = []
            for row, bias in zip(rows, biases, strict=True):
                total = bias
                for weight, value in zip(row, values, strict=True):
                    total = total + weight * value
                sums.append(total if depth == len(layers) - 1 else total.relu())
            values = sums
        losses.append((values[0] * -label + 1.0).relu())
    hinge = losses[0]
    for loss in losses[1:]:
        hinge = hinge + loss
    squares = 0.0
    for rows, biases in layers:
        for row in (*rows, biases):
            for parameter in row:
                squares = parameter * parameter + squares
    return hinge * (1.0 / len(losses)) + squares * _DECAY


def _scalars(make) -> tuple[list, list]:
    layers = [([[make(w) for w in row] for row in rows], [make(b) for b in bias]) for rows, bias in _weights()]
    return layers, [p for rows, biases in layers for row in (*rows, biases) for p in row]


def _tensors(name: str, compiled: bool = False) -> Step:
    module = peers.load(name)
    points, labels = (array.tolist() for array in moons())
    layers, parameters = _scalars(lambda value: module.tensor(float(value), requires_grad=True))

    def step():
        for parameter in parameters:
            parameter.grad = None
        loss = _loss(layers, points, labels)
        loss.backward()
        with module.no_grad():
            for parameter in parameters:
                parameter -= _LR * parameter.grad
        return loss

    return peers.compiler(name)(step) if compiled else step


def _pure() -> Step:
    from wengert._pure import Value

    points, labels = (array.tolist() for array in moons())
    layers, parameters = _scalars(lambda value: Value(float(value)))

    def step():
        for parameter in parameters:
            parameter.grad = 0.0
        loss = _loss(layers, points, labels)
        loss.backward()
        for parameter in parameters:
            parameter.data -= _LR * parameter.grad
        return loss.data

    return step


def _numpy() -> Step:
    points, labels = moons()
    layers = _weights()

    def step():
        inputs, outputs = [], points
        for depth, (weight, bias) in enumerate(layers):
            inputs.append(outputs)
            outputs = outputs @ weight.T + bias
            if depth < len(layers) - 1:
                outputs = np.maximum(outputs, 0)
        margin = 1 - labels * outputs[:, 0]
        loss = np.maximum(margin, 0).mean() + _DECAY * sum((w * w).sum() + (b * b).sum() for w, b in layers)
        delta = (np.where(margin > 0, -labels, 0) / len(labels))[:, None]
        for depth in range(len(layers) - 1, -1, -1):
            weight, bias = layers[depth]
            grads = delta.T @ inputs[depth] + 2 * _DECAY * weight, delta.sum(0) + 2 * _DECAY * bias
            delta = (delta @ weight) * (inputs[depth] > 0) if depth else delta
            weight -= _LR * grads[0]
            bias -= _LR * grads[1]
        return loss

    return step


ROWS = [
    Row(
        name="scalar-mlp",
        title="micrograd's moons network 2-16-16-1 from scalars, 100 points (NumPy: with arrays, by hand)",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "numpy": _numpy,
            "pure": _pure,
            "torch": lambda: _tensors("torch"),
        },
        reference="numpy",
    )
]
