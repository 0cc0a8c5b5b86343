"""Recorded ``a + b``: what one operation costs when the arithmetic is nothing."""

from __future__ import annotations

import numpy as np

from .. import peers
from ..harness import Row, Step

_REPEAT = range(1000)


def _loop(a, b) -> Step:
    def step():
        for _ in _REPEAT:
            c = a + b
        return c

    return step


def _arrays(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return tuple(np.asarray(rng.standard_normal(shape), dtype=np.float32) for _ in range(2))


def _tensors(name: str, shape: tuple[int, ...]) -> Step:
    module = peers.load(name)
    a, b = (module.tensor(x.tolist(), dtype=module.float32, requires_grad=True) for x in _arrays(shape))
    return _loop(a, b)


def _autograd(shape: tuple[int, ...]) -> Step:
    tracer, core = peers.load("autograd.tracer"), peers.load("autograd.core")
    peers.load("autograd.numpy")
    a, b = _arrays(shape)
    recorded = _loop(tracer.new_box(a, 0, core.VJPNode.new_root()), b)
    return lambda: recorded()._value


def _pure(shape: tuple[int, ...]) -> Step:
    from wengert._pure import Value

    a, b = (float(x) for x in _arrays(shape))
    return _loop(Value(a), Value(b))


def _row(shape: tuple[int, ...]) -> Row:
    label = "x".join(map(str, shape)) or "scalar"
    contestants = {
        "wengert": lambda: _tensors("wengert", shape),
        "numpy": lambda: _loop(*_arrays(shape)),
        "torch": lambda: _tensors("torch", shape),
        "autograd": lambda: _autograd(shape),
    }
    if shape == ():
        contestants["pure"] = lambda: _pure(shape)
    return Row(
        name=f"add-{label}",
        title=f"recorded a + b, shape {shape} (NumPy does not record)",
        contestants=contestants,
        reference="numpy",
        units=len(_REPEAT),
        unit="op",
        rtol=1e-6,
    )


ROWS = [_row(shape) for shape in ((), (16,), (1024,))]
