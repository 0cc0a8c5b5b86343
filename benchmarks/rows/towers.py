"""Four networks side by side on one input, whose outputs are averaged: branches too small to be split inside."""

from __future__ import annotations

import numpy as np

from .. import peers
from ..byhand import dense, leaves
from ..harness import Row, Step

_TOWERS, _WIDTH, _DEPTH, _BATCH = 4, 96, 10, 32


def _data() -> tuple[list[list[np.ndarray]], np.ndarray, np.ndarray]:
    """Return weights and biases of each tower, the input (batch, width) and the target (batch, width)."""
    rng = np.random.default_rng(0)
    towers = [dense(rng, *[_WIDTH] * (_DEPTH + 1)) for _ in range(_TOWERS)]
    x, target = rng.standard_normal((2, _BATCH, _WIDTH), dtype=np.float32)
    return towers, x, target


def _tensors(name: str, training: bool, compiled: bool = False) -> Step:
    module = peers.load(name)
    arrays, x, target = _data()
    towers = [leaves(module, tower) for tower in arrays]
    parameters = [p for tower in towers for p in tower]
    x, target = module.from_numpy(x), module.from_numpy(target)

    def mean():
        total = 0
        for tower in towers:
            h = x
            for weight, bias in zip(tower[::2], tower[1::2], strict=True):
                h = module.nn.functional.linear(h, weight, bias).tanh()
            total = total + h
        return total / _TOWERS

    def forward():
        with module.no_grad():
            return mean()

    def train():
        for p in parameters:
            p.grad = None
        loss = ((mean() - target) ** 2).mean()
        loss.backward()
        return [loss.detach(), parameters[0].grad, parameters[-1].grad]

    step = train if training else forward
    return peers.compiler(name)(step) if compiled else step


def _numpy(training: bool) -> Step:
    towers, x, target = _data()

    def kept():
        found = []
        for tower in towers:
            layers = [x]
            for weight, bias in zip(tower[::2], tower[1::2], strict=True):
                layers.append(np.tanh(layers[-1] @ weight.T + bias))
            found.append(layers)
        return found, sum(layers[-1] for layers in found) / np.float32(_TOWERS)

    def train():
        found, mean = kept()
        grads = []
        for tower, layers in zip(towers, found, strict=True):
            d = (mean - target) * np.float32(2 / target.size / _TOWERS)
            for k in range(_DEPTH - 1, -1, -1):
                d = d * (1 - layers[k + 1] ** 2)
                grads.append((d.T @ layers[k], d.sum(0)))
                d = d @ tower[2 * k]
        return [((mean - target) ** 2).mean(), grads[_DEPTH - 1][0], grads[-_DEPTH][1]]

    return train if training else lambda: kept()[1]


def _row(training: bool) -> Row:
    return Row(
        name="towers-train" if training else "towers",
        title=f"{_TOWERS} towers of {_DEPTH} layers of {_WIDTH}, tanh, batch {_BATCH}, "
        f"{'forward and backward' if training else 'forward'}",
        contestants={
            "wengert": lambda: _tensors("wengert", training),
            "wengert plan": lambda: _tensors("wengert", training, compiled=True),
            "numpy": lambda: _numpy(training),
            "torch": lambda: _tensors("torch", training),
            "torch.compile": lambda: _tensors("torch", training, compiled=True),
        },
        reference="numpy",
        rtol=1e-3,
    )


ROWS = [_row(training) for training in (False, True)]
