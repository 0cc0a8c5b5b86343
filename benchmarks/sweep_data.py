"""What the cases of the sweep are made of: operands, steps, and the table that they enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from .harness import Step


class Data:
    """Makes the operands of a case: the same numbers for every library.

    Attributes:
        m: the library under test.
        n: the number of elements, a square.
        side: its root.
    """

    def __init__(self, m: ModuleType, n: int):
        self.m, self.n, self.side = m, n, round(n**0.5)
        self._rng = np.random.default_rng(n)

    def new(self, *shape: int, grad: bool = False, low: float = -2.0, high: float = 2.0, dtype: str = "float32"):
        """Return a tensor of uniform numbers; the default shape is side x side."""
        array = self._rng.uniform(low, high, shape or (self.side, self.side)).astype(dtype)
        return self.m.from_numpy(array).requires_grad_(grad)

    def whole(self, high: int, *shape: int):
        """Return a tensor of int64 in [0, high)."""
        return self.m.from_numpy(self._rng.integers(0, high, shape or (self.side, self.side)))


def with_grad(d: Data, inputs: Sequence[Any], forward: Callable[[], Any]) -> Step:
    """Return a step that runs ``forward`` and its backward pass."""
    shape = tuple(forward().shape)
    upstream = d.new(*shape) if shape else d.m.tensor(1.0)
    return lambda: d.m.autograd.grad(forward(), inputs, upstream)


def unchecked(run: Callable[[], Any]) -> Step:
    """Return a step whose values cannot be compared: random numbers, a state that moves on."""

    def step():
        run()
        return []

    return step


CASES: dict[str, Callable[[Data], Step]] = {}


def case(function: Callable[[Data], Step]) -> Callable[[Data], Step]:
    """Register a case under its function's name."""
    CASES[function.__name__.removeprefix("_").replace("__grad", "+grad")] = function
    return function
