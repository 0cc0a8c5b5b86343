"""Matrix products: plain, with a transposed second factor, with a transposed first one, and in a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import peers
from ..harness import Row, Step

_SIZES = (
    (8, 8, 8),
    (32, 64, 4),
    (32, 64, 64),
    (128, 256, 784),
    (128, 128, 256),
    (1024, 128, 128),
    (1024, 512, 128),
    (512, 512, 512),
    (1024, 1024, 1024),
)
_LARGE = 3e7  # products (m*n*k) from which only the plain layout is run: the layouts differ in the packing alone


def _factors(m: int, n: int, k: int, layout: str, batch: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(m + n + k)
    left = (*batch, k, m) if layout == "tn" else (*batch, m, k)
    right = (*batch, n, k) if layout == "nt" else (*batch, k, n)
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in (left, right))


def _product(convert: Callable[[np.ndarray], object], m, n, k, layout, batch) -> Step:
    a, b = (convert(array) for array in _factors(m, n, k, layout, batch))
    if layout == "tn":
        a = a.swapaxes(-1, -2)
    if layout == "nt":
        b = b.swapaxes(-1, -2)
    repeat = range(max(1, int(1e5 / (m * n * k))))

    def step():
        for _ in repeat:
            c = a @ b
        return c

    return step


def _row(m: int, n: int, k: int, layout: str, batch: tuple[int, ...] = ()) -> Row:
    label = f"{'x'.join(map(str, batch))}{'x' if batch else ''}{m}x{n}x{k}"
    return Row(
        name=f"matmul-{label}-{layout}",
        title=f"product, M x N x K = {m} x {n} x {k}, {layout}" + (f", batch {batch[0]}" if batch else ""),
        contestants={
            "wengert": lambda: _product(peers.load("wengert").from_numpy, m, n, k, layout, batch),
            "numpy": lambda: _product(np.asarray, m, n, k, layout, batch),
            "torch": lambda: _product(peers.load("torch").from_numpy, m, n, k, layout, batch),
        },
        reference="numpy",
        units=max(1, int(1e5 / (m * n * k))),
        unit="product",
        check_steps=1,
        rtol=1e-5,
    )


ROWS = [
    *(
        _row(*size, layout)
        for size in _SIZES
        for layout in (("nn", "nt", "tn") if np.prod(size) < _LARGE else ("nn",))
    ),
    _row(64, 64, 64, "nn", (256,)),
]
