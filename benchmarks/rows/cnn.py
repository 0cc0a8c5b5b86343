"""A small convolutional network: 1→16→32 channels, 3x3, pooling, 28x28 images in batches of 64, Adam."""

from __future__ import annotations

import numpy as np

from ..byhand import Adam, cross_entropy, uniform
from ..harness import Row, Step
from ..training import training_step

_BATCH, _LR = 64, 1e-3


def _data() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = [
        uniform(rng, 16, 1, 3, 3, fan_in=9),
        uniform(rng, 16, fan_in=9),
        uniform(rng, 32, 16, 3, 3, fan_in=144),
        uniform(rng, 32, fan_in=144),
        uniform(rng, 10, 32 * 7 * 7, fan_in=1568),
        uniform(rng, 10, fan_in=1568),
    ]
    return weights, rng.random((_BATCH, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, _BATCH)


def _model(nn):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def _tensors(name: str, compiled: bool = False) -> Step:
    return training_step(name, _model, _data(), lambda m, p: m.optim.Adam(p, lr=_LR), "cross_entropy", compiled)


def _columns(x: np.ndarray) -> np.ndarray:
    """Return the 3x3 neighbourhoods of (n, c, h, w) with a border of zeros, as (n, h·w, c·9)."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, h * w, c * 9)


def _spread(columns: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Add (n, h·w, c·9) neighbourhoods back to their places: the transpose of ``_columns``."""
    n, c, h, w = shape
    pieces = columns.reshape(n, h, w, c, 3, 3)
    padded = np.zeros((n, c, h + 2, w + 2), dtype=columns.dtype)
    for i in range(3):
        for j in range(3):
            padded[:, :, i : i + h, j : j + w] += pieces[..., i, j].transpose(0, 3, 1, 2)
    return padded[:, :, 1:-1, 1:-1]


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n, _, h, w = x.shape
    columns = _columns(x)
    out = columns @ weight.reshape(len(weight), -1).T + bias
    return out.transpose(0, 2, 1).reshape(n, len(weight), h, w), columns


def _pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest of each 2x2 field and which of the four it was (the first among equals)."""
    n, c, h, w = x.shape
    fields = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
    which = fields.argmax(-1)[..., None]
    return np.take_along_axis(fields, which, -1)[..., 0], which


def _unpool(grad: np.ndarray, which: np.ndarray) -> np.ndarray:
    n, c, h, w = grad.shape
    fields = np.zeros((n, c, h, w, 4), dtype=grad.dtype)
    np.put_along_axis(fields, which, grad[..., None], -1)
    return fields.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)


def _numpy() -> Step:
    weights, images, labels = _data()
    w1, b1, w2, b2, w3, b3 = weights
    optimizer = Adam(weights, _LR)

    def by_weight(grad: np.ndarray, columns: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = grad.transpose(1, 0, 2, 3).reshape(len(weight), -1)
        return (rows @ columns.reshape(-1, columns.shape[-1])).reshape(weight.shape), rows.sum(1)

    def step():
        a1, columns1 = _convolve(images, w1, b1)
        p1, which1 = _pool(np.maximum(a1, 0))
        a2, columns2 = _convolve(p1, w2, b2)
        p2, which2 = _pool(np.maximum(a2, 0))
        flat = p2.reshape(_BATCH, -1)
        loss, d3 = cross_entropy(flat @ w3.T + b3, labels)
        d2 = _unpool((d3 @ w3).reshape(p2.shape), which2) * (a2 > 0)
        rows = d2.reshape(_BATCH, 32, -1).transpose(0, 2, 1)
        d_p1 = _spread(rows @ w2.reshape(32, -1), p1.shape)
        d1 = _unpool(d_p1, which1) * (a1 > 0)
        optimizer.step(
            [*by_weight(d1, columns1, w1), *by_weight(d2, columns2, w2), d3.T @ flat, d3.sum(0)],
        )
        return loss

    return step


ROWS = [
    Row(
        name="cnn",
        title="convolutions 1→16→32, 3x3, pooling, batch 64, 28x28, Adam step",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "numpy": _numpy,
            "torch": lambda: _tensors("torch"),
        },
        reference="numpy",
        rtol=1e-3,
    )
]
