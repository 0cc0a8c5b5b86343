"""A program for the type checker: it is checked, never run (see .ci/run)."""

from wengert._core import Tensor
from wengert._ops import tanh


def step(x: Tensor, w: Tensor) -> float:
    y = tanh(x @ w + 1.0)
    loss: Tensor = (y * y).relu()
    loss.backward(retain_graph=True)
    if w.grad is not None:
        w.grad = None
    return float(loss.item())
